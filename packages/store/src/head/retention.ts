/**
 * What leaves the head: chunks older than the cutoff, then series, families and groups that have no samples left; and, at
 * the limit of memory, the oldest samples whatever their age. Works in steps, so that appends go on in between.
 */
import { chunkMemoryFull, type Families } from "./families.ts";
import type { GroupLock } from "./group-lock.ts";
import { IdleSeries } from "./idle-series.ts";
import { controlDouble, type HeadShare } from "./memory.ts";
import { familiesOf, type HeadGroup, type Places } from "./places.ts";

/** At the limit of memory the oldest samples go so much at a time. */
const shedMs = 600_000;
/** Series that a step of a rebuild of the index takes: some milliseconds. */
const namesPerStep = 2048;

export class Retention {
  readonly #places: Places;
  readonly #families: Families;
  readonly #lock: GroupLock;
  readonly #idle: IdleSeries;
  readonly #bounds: Float64Array;
  #cutoffMs = -Infinity;
  #completeFromMs = -Infinity;
  #cursor = 0;
  /** Whether every group has been looked at, and only names are left to do. */
  #isWalked = false;

  constructor(share: HeadShare, places: Places, families: Families, lock: GroupLock) {
    this.#bounds = new Float64Array(share.control);
    this.#places = places;
    this.#families = families;
    this.#lock = lock;
    this.#idle = new IdleSeries(places, families);
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

  /** Samples before `ms` are refused from now on; those that are there go with the next `dropBefore`. */
  refuseBefore(ms: number): void {
    if (ms <= this.#cutoffMs) return;
    this.#cutoffMs = ms;
    this.#bounds[controlDouble.droppedBeforeMs] = ms;
    this.#cursor = 0;
    this.#isWalked = false;
    this.#publish();
  }

  /**
   * Does a piece of the work; true when it is done. Between appends only, since refs are forgotten; they are not while
   * older chunks may still come back, which may hold samples of series that have none now.
   */
  dropBefore(ms: number, groupsPerStep: number): boolean {
    this.#isWalked ||= this.#step(ms, groupsPerStep, this.#completeFromMs === -Infinity);
    if (!this.#isWalked || !this.#places.forgetDead(namesPerStep)) return false;
    this.#isWalked = false;
    return true;
  }

  #step(ms: number, groupsPerStep: number, forgets: boolean): boolean {
    this.refuseBefore(ms);
    const end = Math.min(this.#cursor + groupsPerStep, this.#places.groupsEnd);
    for (; this.#cursor < end; this.#cursor++) {
      const group = this.#places.groupAt(this.#cursor);
      if (group) this.#dropFrom(group, forgets);
    }
    if (this.#cursor < this.#places.groupsEnd) return false;
    this.#cursor = 0;
    return true;
  }

  #dropFrom(group: HeadGroup, forgets: boolean): void {
    const ms = this.#cutoffMs;
    const families = this.#families;
    if (group.closed && familiesOf(group).every((family) => families.newestMs(family) < ms)) {
      this.#places.release(group);
      return;
    }
    for (const family of familiesOf(group))
      if (families.hasChunkBefore(family, ms))
        this.#lock.around(group.id, () => families.dropBefore(family, ms));
    if (forgets && (group.closed || group.keeper)) this.#idle.forget(group, ms);
    for (const family of forgets ? [...group.families] : group.families.slice(0, -1))
      if (families.newestMs(family) < ms && this.#places.refs.countIn(family) === 0)
        this.#places.releaseFamily(group, family);
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
      while (!this.#step(Math.max(oldestMs, this.#cutoffMs) + shedMs, 64, false));
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
