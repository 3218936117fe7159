/** Times that the head's owner publishes for other threads. A double that is aligned is written and read whole. */
import { f64 } from "./cells.ts";
import { controlDouble, controlWord, type HeadShare } from "./memory.ts";

/** Samples that come later than this are rare enough to void what was kept of older ones. */
export const settledAfterMs = 120_000;

export class HeadMarks {
  readonly #doubles: Float64Array;
  readonly #words: Int32Array;

  constructor(share: HeadShare) {
    this.#doubles = new Float64Array(share.control);
    this.#words = new Int32Array(share.control);
  }

  /** Older samples may not be in the head: they have left it, or have not come back yet. -Infinity when all are there. */
  get heldSinceMs(): number {
    return this.#read(controlDouble.completeSinceMs);
  }

  /** Older samples have left the head for good; said before they leave. */
  get droppedBeforeMs(): number {
    return this.#read(controlDouble.droppedBeforeMs);
  }

  /** No sample at or before this time enters the head any more: what it has there is final. */
  get sealedThroughMs(): number {
    return this.#read(controlDouble.sealedThroughMs);
  }

  sealThrough(ms: number): void {
    this.#doubles[controlDouble.sealedThroughMs] = Math.max(ms, this.sealedThroughMs);
  }

  /** Moves whenever there are other deletions than before; 0 before they are known. */
  get tombstoneVersion(): number {
    return f64(this.#doubles, controlDouble.tombstoneVersion);
  }

  tombstonesChanged(): void {
    this.#doubles[controlDouble.tombstoneVersion] = this.tombstoneVersion + 1;
  }

  /**
   * Moves after samples older than `settledAfterMs` came in, and after samples were deleted: what was read of settled times
   * before is void.
   */
  get settledVersion(): string {
    return `${Atomics.load(this.#words, controlWord.latePages)}.${this.tombstoneVersion}`;
  }

  /** A page of samples of this time was stored just now. */
  stored(timeMs: number, nowMs: number): void {
    if (timeMs > nowMs - settledAfterMs) return;
    Atomics.add(this.#words, controlWord.latePages, 1);
  }

  #read(index: number): number {
    const ms = f64(this.#doubles, index);
    return ms === 0 ? -Infinity : ms;
  }
}
