/**
 * How much of the journal must stay for remote write. Series are named once per epoch (a checkpoint, or a start), so what is
 * not sent yet is kept from the beginning of its epoch on. At a byte limit the oldest epochs are let go of, loudly: the disk
 * belongs to alerting first.
 */
interface HoldDecision {
  /** What lies before may go. */
  readonly before: number;
  /** Bytes that a receiver has not taken and that go all the same. */
  readonly givenUpBytes: number;
}

export class JournalHold {
  readonly #bytesMax: number;
  /** Where epochs began, ascending. */
  readonly #epochs: number[];
  #sentThrough: number | undefined;

  constructor(startPosition: number, bytesMax: number) {
    this.#epochs = [startPosition];
    this.#bytesMax = bytesMax;
  }

  epoch(position: number): void {
    if (position > (this.#epochs.at(-1) ?? 0)) this.#epochs.push(position);
  }

  sent(position: number): void {
    this.#sentThrough = position;
  }

  /** `end` is the journal's. */
  decide(end: number): HoldDecision {
    const sent = this.#sentThrough ?? 0;
    while ((this.#epochs[1] ?? Infinity) <= sent) this.#epochs.shift();
    const first = this.#epochs[0] ?? 0;
    // Before the first epoch we know of lies that of an earlier process, whose beginning we do not know.
    const needed = first <= sent ? first : 0;
    if (end - needed <= this.#bytesMax) return { before: needed, givenUpBytes: 0 };
    const before = this.#epochs.find((epoch) => end - epoch <= this.#bytesMax) ?? end;
    return { before, givenUpBytes: Math.max(0, before - Math.max(sent, needed)) };
  }
}
