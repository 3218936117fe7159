/** Which samples of a time column each step of a grid sees. Computed once per column, whatever number of series share it. */
import { type Grid, referenceTime, type TimeReference } from "../plan/plan.ts";
import type { Columns } from "./columns.ts";

/** Step i sees samples from[i] ≤ j < to[i]. */
export interface Bounds {
  readonly from: Int32Array;
  readonly to: Int32Array;
}

/** Left-open, right-closed windows (reference − range, reference]. */
export class Windows {
  readonly grid: Grid;
  readonly reference: TimeReference;
  readonly rangeMs: number;
  readonly #columns: Columns;
  readonly #bounds = new Map<number, Bounds>();

  constructor(columns: Columns, grid: Grid, reference: TimeReference, rangeMs: number) {
    this.#columns = columns;
    this.grid = grid;
    this.reference = reference;
    this.rangeMs = rangeMs;
  }

  /** The right edge of the window of step i. */
  endMs(step: number): number {
    return referenceTime(this.reference, this.grid.startMs + step * this.grid.stepMs);
  }

  of(column: number): Bounds {
    const known = this.#bounds.get(column);
    if (known) return known;
    const bounds = this.#compute(this.#columns.times[column] ?? new Float64Array(0));
    this.#bounds.set(column, bounds);
    return bounds;
  }

  #compute(times: Float64Array): Bounds {
    const { count } = this.grid;
    const from = new Int32Array(count);
    const to = new Int32Array(count);
    let first = 0;
    let end = 0;
    for (let i = 0; i < count; i++) {
      const right = this.endMs(i);
      const left = right - this.rangeMs;
      while (end < times.length && (times[end] ?? 0) <= right) end += 1;
      while (first < end && (times[first] ?? 0) <= left) first += 1;
      from[i] = first;
      to[i] = end;
    }
    return { from, to };
  }
}
