/**
 * What leaves the head: chunks older than the cutoff, closed groups without samples, families nobody writes to; and, at
 * the limit of memory, the oldest samples whatever their age. Works in steps, so that appends go on in between.
 */
import { chunkMemoryFull, type Families } from "./families.ts";
import type { GroupLock } from "./group-lock.ts";
import { controlDouble, type HeadShare } from "./memory.ts";
import { familiesOf, type HeadGroup, type Places } from "./places.ts";

/** At the limit of memory the oldest samples go so much at a time. */
const shedMs = 600_000;

export class Retention {
  readonly #places: Places;
  readonly #families: Families;
  readonly #lock: GroupLock;
  readonly #bounds: Float64Array;
  #cutoffMs = -Infinity;
  #completeFromMs = -Infinity;
  #cursor = 0;

  constructor(share: HeadShare, places: Places, families: Families, lock: GroupLock) {
    this.#bounds = new Float64Array(share.control);
    this.#places = places;
    this.#families = families;
    this.#lock = lock;
  }

  /** Samples before it are refused. */
  get cutoffMs(): number {
    return this.#cutoffMs;
  }

  /** Samples before it may be missing for other reasons than age. */
  completeFrom(ms: number): void {
    this.#completeFromMs = ms;
    this.#publish();
  }

  #publish(): void {
    const ms = Math.max(this.#cutoffMs, this.#completeFromMs);
    this.#bounds[controlDouble.completeSinceMs] = ms === -Infinity ? 0 : ms;
  }

  /** Does a piece of the work; true when it is done. */
  dropBefore(ms: number, groupsPerStep: number): boolean {
    if (ms > this.#cutoffMs) {
      this.#cutoffMs = ms;
      this.#bounds[controlDouble.droppedBeforeMs] = ms;
      this.#cursor = 0;
      this.#publish();
    }
    const end = Math.min(this.#cursor + groupsPerStep, this.#places.groupsEnd);
    for (; this.#cursor < end; this.#cursor++) {
      const group = this.#places.groupAt(this.#cursor);
      if (group) this.#dropFrom(group);
    }
    if (this.#cursor < this.#places.groupsEnd) return false;
    this.#cursor = 0;
    this.#places.forgetDead();
    return true;
  }

  #dropFrom(group: HeadGroup): void {
    const ms = this.#cutoffMs;
    const families = this.#families;
    if (group.closed && familiesOf(group).every((family) => families.newestMs(family) < ms)) {
      this.#places.release(group);
      return;
    }
    for (const family of group.families.slice(0, -1))
      if (families.newestMs(family) < ms && this.#places.refs.countIn(family) === 0)
        this.#places.releaseFamily(group, family);
    for (const family of familiesOf(group))
      if (families.hasChunkBefore(family, ms))
        this.#lock.around(group.id, () => families.dropBefore(family, ms));
  }

  /** A place for a chunk, at the cost of the oldest samples where there is no other. Throws `limit`. */
  place(bytes: Uint8Array): number {
    return this.#families.place(bytes) ?? this.#placeByDropping(bytes);
  }

  #placeByDropping(bytes: Uint8Array): number {
    const { held } = this.#lock;
    for (;;) {
      const oldestMs = this.oldestMs();
      const before = this.#families.chunkCount;
      if (oldestMs === Infinity || before === 0) throw chunkMemoryFull();
      this.#lock.release();
      while (!this.dropBefore(Math.max(oldestMs, this.#cutoffMs) + shedMs, 64));
      if (held >= 0) this.#lock.take(held);
      const pointer = this.#families.place(bytes);
      if (pointer !== undefined) return pointer;
      if (this.#families.chunkCount === before && this.#cutoffMs > this.newestMs())
        throw chunkMemoryFull();
    }
  }

  /** Infinity when there are no samples. */
  oldestMs(): number {
    let oldest = Infinity;
    for (const group of this.#places.groups())
      for (const family of familiesOf(group))
        oldest = Math.min(oldest, this.#families.oldestMs(family));
    return oldest;
  }

  /** -Infinity when there are no samples. */
  newestMs(): number {
    let newest = -Infinity;
    for (const group of this.#places.groups()) newest = Math.max(newest, group.newestMs);
    return newest;
  }
}
