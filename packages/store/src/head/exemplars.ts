/**
 * The newest exemplars of all series, in a ring in shared memory, as Prometheus keeps them: a new one takes the place of
 * the oldest. Bounded in number (`exemplarsMax`) and in bytes. A record, in units of eight bytes:
 *
 *     word 0      size in units              word 1      series; `noSeries` when it has gone
 *     word 2..3   time, unix ms              word 4..5   value
 *     word 6      bytes of text              word 7      zero
 *     word 8…     its labels: a JSON array of name, value, name, value …
 *
 * Positions count units from the beginning and never go back; a record lies at position mod size, in one piece, so that
 * before the end of the ring there may be a record without a series that only fills. The writer counts in
 * `exemplarsEvicted` before it writes over a record: a reader that looks at that count after it has read the i-th record
 * from the oldest knows whether what it read was still that. When series are renumbered, `renumber` runs while the
 * definition log is being rewritten, and readers ask afterwards whether that has happened.
 */
import { type Exemplar, LabelSet, type LabelMap } from "@skopos/model";
import { f64, i32, u32 } from "./cells.ts";
import { controlDouble, controlWord, type HeadShare } from "./memory.ts";

const noSeries = 0xffff_ffff;
const headerUnits = 4;
/** Of all names and values together, in characters, as OpenMetrics has it. */
const labelLengthMax = 128;
/** A reader that finds its place overwritten so often lost a race with a writer that is too fast for it. */
const attemptsMax = 100;

/** As it stands in a snapshot: labels of the series and of the exemplar as name, value, name … */
export type ExemplarImage = readonly [
  series: readonly string[],
  labels: readonly string[],
  timeMs: number,
  value: number | string,
];

class Ring {
  readonly control: Int32Array;
  readonly bounds: Float64Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  readonly u8: Uint8Array;
  readonly units: number;

  constructor(share: HeadShare) {
    this.control = new Int32Array(share.control);
    this.bounds = new Float64Array(share.control);
    this.u32 = new Uint32Array(share.exemplars);
    this.f64 = new Float64Array(share.exemplars);
    this.u8 = new Uint8Array(share.exemplars);
    this.units = Math.floor(share.exemplars.byteLength / 8);
  }

  get oldest(): number {
    return f64(this.bounds, controlDouble.exemplarOldest);
  }

  get end(): number {
    return f64(this.bounds, controlDouble.exemplarEnd);
  }

  get evicted(): number {
    return Atomics.add(this.control, controlWord.exemplarsEvicted, 0);
  }

  size(position: number): number {
    return u32(this.u32, 2 * (position % this.units));
  }

  series(position: number): number {
    return u32(this.u32, 2 * (position % this.units) + 1);
  }

  timeMs(position: number): number {
    return f64(this.f64, (position % this.units) + 1);
  }

  value(position: number): number {
    return f64(this.f64, (position % this.units) + 2);
  }

  /** A copy. */
  text(position: number): Uint8Array {
    const at = position % this.units;
    const from = 8 * (at + headerUnits);
    return this.u8.slice(from, from + u32(this.u32, 2 * at + 6));
  }
}

export class ExemplarStore {
  readonly #ring: Ring;
  readonly #max: number;
  readonly #encoder = new TextEncoder();
  /** Position of a series' newest exemplar. */
  #newest = new Map<number, number>();
  #count = 0;

  constructor(share: HeadShare, max: number) {
    this.#ring = new Ring(share);
    this.#max = max;
  }

  /** How many are kept; what fills the ring's end counts. */
  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return 8 * (this.#ring.end - this.#ring.oldest);
  }

  /** Keeps an exemplar, unless its series has a newer one, or the same; false then, and when it is too long. */
  append(series: number, exemplar: Exemplar): boolean {
    const flat = LabelSet.fromMap(exemplar.labels).flat;
    if (this.#max === 0 || lengthOf(flat) > labelLengthMax) return false;
    const text = this.#encoder.encode(JSON.stringify(flat));
    if (!this.#isNewer(series, exemplar, text)) return false;
    const units = headerUnits + Math.ceil(text.length / 8);
    const ring = this.#ring;
    if (units > ring.units) return false;
    const left = ring.units - (ring.end % ring.units);
    if (left < units) this.#write(left, noSeries);
    const position = this.#write(units, series, exemplar, text);
    this.#newest.set(series, position);
    return true;
  }

  #isNewer(series: number, { timeMs, value }: Exemplar, text: Uint8Array): boolean {
    const newest = this.#newest.get(series);
    if (newest === undefined) return true;
    const known = this.#ring.timeMs(newest);
    if (timeMs !== known) return timeMs > known;
    const same = Object.is(this.#ring.value(newest), value);
    return !same || Buffer.compare(this.#ring.text(newest), text) !== 0;
  }

  #write(units: number, series: number, exemplar?: Exemplar, text?: Uint8Array): number {
    const ring = this.#ring;
    const position = ring.end;
    while (
      this.#count > 0 &&
      (this.#count >= this.#max || position + units - ring.oldest > ring.units)
    )
      this.#evict();
    const at = position % ring.units;
    ring.u32[2 * at] = units;
    ring.u32[2 * at + 1] = series;
    if (exemplar && text) {
      ring.f64[at + 1] = exemplar.timeMs;
      ring.f64[at + 2] = exemplar.value;
      ring.u32[2 * at + 6] = text.length;
      ring.u32[2 * at + 7] = 0;
      ring.u8.set(text, 8 * (at + headerUnits));
    }
    this.#bound(controlDouble.exemplarEnd, position + units);
    this.#count++;
    return position;
  }

  #evict(): void {
    const ring = this.#ring;
    const { oldest } = ring;
    const series = ring.series(oldest);
    if (this.#newest.get(series) === oldest) this.#newest.delete(series);
    const sequence = controlWord.exemplarSequence;
    Atomics.add(ring.control, sequence, 1);
    Atomics.add(ring.control, controlWord.exemplarsEvicted, 1);
    ring.bounds[controlDouble.exemplarOldest] = oldest + ring.size(oldest);
    Atomics.add(ring.control, sequence, 1);
    this.#count--;
  }

  #bound(bound: number, position: number): void {
    const { control, bounds } = this.#ring;
    Atomics.add(control, controlWord.exemplarSequence, 1);
    bounds[bound] = position;
    Atomics.add(control, controlWord.exemplarSequence, 1);
  }

  /**
   * Up to `count` of them, in the order in which they came, from a position on (0: the oldest), and the position after
   * them; undefined when there are no more. What is evicted between two calls is left out.
   */
  images(
    from: number,
    count: number,
    labelsOf: (series: number) => LabelSet | undefined,
  ): { images: ExemplarImage[]; next: number } | undefined {
    const ring = this.#ring;
    const decoder = new TextDecoder();
    const images: ExemplarImage[] = [];
    let at = Math.max(from, ring.oldest);
    if (at >= ring.end) return undefined;
    for (; at < ring.end && images.length < count; at += ring.size(at)) {
      const series = ring.series(at);
      const labels = series === noSeries ? undefined : labelsOf(series);
      if (!labels) continue;
      const value = ring.value(at);
      // JSON has no NaN and no infinities.
      const written = Number.isFinite(value) ? value : String(value);
      const own = JSON.parse(decoder.decode(ring.text(at))) as string[];
      images.push([labels.flat, own, ring.timeMs(at), written]);
    }
    return { images, next: at };
  }

  /** Gives every series the number it has now; those without have gone. While the definition log is rewritten. */
  renumber(numberOf: (series: number) => number | undefined): void {
    const ring = this.#ring;
    const newest = new Map<number, number>();
    for (let at = ring.oldest; at < ring.end; at += ring.size(at)) {
      const before = ring.series(at);
      const series = before === noSeries ? undefined : numberOf(before);
      ring.u32[2 * (at % ring.units) + 1] = series ?? noSeries;
      if (series !== undefined) newest.set(series, at);
    }
    this.#newest = newest;
  }
}

function lengthOf(flat: readonly string[]): number {
  let length = 0;
  for (const text of flat) for (const _ of text) length++;
  return length;
}

/** A reader's end, in any thread. */
export class ExemplarRing {
  readonly #ring: Ring;
  readonly #decoder = new TextDecoder();

  constructor(share: HeadShare) {
    this.#ring = new Ring(share);
  }

  /** Exemplars with startMs ≤ t ≤ endMs by series, for series that are wanted; in the order in which they came. */
  select(
    startMs: number,
    endMs: number,
    wanted: (series: number) => boolean,
  ): Map<number, Exemplar[]> | undefined {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const found = this.#walk(startMs, endMs, wanted);
      if (found) return found;
    }
    return undefined;
  }

  #walk(
    startMs: number,
    endMs: number,
    wanted: (series: number) => boolean,
  ): Map<number, Exemplar[]> | undefined {
    const ring = this.#ring;
    const found = new Map<number, Exemplar[]>();
    const { oldest, end, evicted } = this.#bounds();
    for (let at = oldest, i = 0; at < end; i++) {
      const size = ring.size(at);
      const series = ring.series(at);
      const timeMs = ring.timeMs(at);
      const value = ring.value(at);
      const taken = series !== noSeries && timeMs >= startMs && timeMs <= endMs && wanted(series);
      const text = taken ? ring.text(at) : undefined;
      if (((ring.evicted - evicted) | 0) > i) return undefined;
      at += size;
      if (!text) continue;
      const exemplar = { timeMs, value, labels: labelsOf(this.#decoder.decode(text)) };
      const own = found.get(series);
      if (own) own.push(exemplar);
      else found.set(series, [exemplar]);
    }
    return found;
  }

  #bounds(): { oldest: number; end: number; evicted: number } {
    const { control } = this.#ring;
    for (;;) {
      const sequence = Atomics.load(control, controlWord.exemplarSequence);
      const { oldest, end } = this.#ring;
      const evicted = i32(control, controlWord.exemplarsEvicted);
      const after = Atomics.add(control, controlWord.exemplarSequence, 0);
      if (sequence === after && (sequence & 1) === 0) return { oldest, end, evicted };
    }
  }
}

function labelsOf(text: string): LabelMap {
  const flat = JSON.parse(text) as string[];
  return LabelSet.fromSorted(flat).toMap();
}
