/** Times that the head's owner publishes for other threads. A double that is aligned is written and read whole. */
import { f64 } from "./cells.ts";
import { controlDouble, type HeadShare } from "./memory.ts";

export class HeadMarks {
  readonly #doubles: Float64Array;

  constructor(share: HeadShare) {
    this.#doubles = new Float64Array(share.control);
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

  #read(index: number): number {
    const ms = f64(this.#doubles, index);
    return ms === 0 ? -Infinity : ms;
  }
}
