/**
 * Which series a sender's label bytes mean, by their fingerprint, so that a series that was written before is found without
 * decoding its labels. Open addressing in two generations: when the young one is full it becomes the old one, and what is
 * not asked for until the next time is forgotten. Where the store has forgotten a series, its slot stays, without a ref.
 *
 * At most `2 × seriesMax` series, 20 bytes a slot, at most three quarters of the slots in use.
 */
import type { SeriesRef } from "@skopos/model";

const slotsMin = 1024;
/** In place of a ref. */
const forgotten = 1;

export class KnownSeries {
  readonly #seriesMax: number;
  #young = new Generation(slotsMin);
  #old = new Generation(slotsMin);

  constructor(seriesMax = 1_000_000) {
    this.#seriesMax = seriesMax;
  }

  /** The series of a fingerprint; -1 when it is not known. */
  find(words: Int32Array): number {
    const ref = this.#young.find(words, 0);
    if (ref >= 0) return ref;
    const before = this.#old.find(words, 0);
    if (before >= 0) this.add(words, 0, before);
    return before;
  }

  /** The fingerprint is `words[at, at + 4)`. */
  add(words: Int32Array, at: number, ref: SeriesRef): void {
    if (this.#young.find(words, at) >= 0) return;
    if (this.#young.count >= this.#seriesMax) {
      this.#old = this.#young;
      this.#young = new Generation(slotsMin);
    }
    if (this.#young.full) this.#young = this.#young.grown();
    this.#young.add(words, at, ref);
  }

  /** These refs are no longer what they were. */
  forget(gone: ReadonlySet<SeriesRef>): void {
    this.#young.forget(gone);
    this.#old.forget(gone);
  }
}

class Generation {
  readonly #slots: number;
  readonly #keys: Int32Array;
  /** Two more than the ref; 0 where the slot is free, 1 where its series was forgotten. */
  readonly #refs: Uint32Array;
  count = 0;

  constructor(slots: number) {
    this.#slots = slots;
    this.#keys = new Int32Array(4 * slots);
    this.#refs = new Uint32Array(slots);
  }

  get full(): boolean {
    return 4 * this.count >= 3 * this.#slots;
  }

  /** With room for more, and without what was forgotten. */
  grown(): Generation {
    let live = 0;
    for (let slot = 0; slot < this.#slots; slot++) if ((this.#refs[slot] ?? 0) > forgotten) live++;
    const next = new Generation(2 * live < this.count ? this.#slots : 2 * this.#slots);
    for (let slot = 0; slot < this.#slots; slot++) {
      const marked = this.#refs[slot] ?? 0;
      if (marked > forgotten) next.add(this.#keys, 4 * slot, marked - forgotten - 1);
    }
    return next;
  }

  forget(gone: ReadonlySet<SeriesRef>): void {
    for (let slot = 0; slot < this.#slots; slot++) {
      const marked = this.#refs[slot] ?? 0;
      if (marked > forgotten && gone.has(marked - forgotten - 1)) this.#refs[slot] = forgotten;
    }
  }

  /** As `KnownSeries.find`, of `words[at, at + 4)`. */
  find(words: Int32Array, at: number): number {
    const slot = this.#slotOf(words, at);
    return Math.max(-1, (this.#refs[slot] ?? 0) - forgotten - 1);
  }

  /** There must be room. */
  add(words: Int32Array, at: number, ref: SeriesRef): void {
    const slot = this.#slotOf(words, at);
    for (let i = 0; i < 4; i++) this.#keys[4 * slot + i] = words[at + i] ?? 0;
    if (this.#refs[slot] === 0) this.count++;
    this.#refs[slot] = ref + forgotten + 1;
  }

  /** Where the fingerprint is, or would be. */
  #slotOf(words: Int32Array, at: number): number {
    const keys = this.#keys;
    const mask = this.#slots - 1;
    let slot = (words[at] ?? 0) & mask;
    for (; this.#refs[slot] !== 0; slot = (slot + 1) & mask) {
      const key = 4 * slot;
      if (
        keys[key] === words[at] &&
        keys[key + 1] === words[at + 1] &&
        keys[key + 2] === words[at + 2] &&
        keys[key + 3] === words[at + 3]
      )
        return slot;
    }
    return slot;
  }
}
