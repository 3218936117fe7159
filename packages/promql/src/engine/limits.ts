/** What one query may cost. Over a limit it fails with `LimitError` and harms nothing else. */
import { CancelledError, type Clock, LimitError } from "@skopos/model";

export interface EngineLimits {
  /** Series one selector may touch. */
  readonly seriesMax: number;
  /** Samples one selector may read. */
  readonly samplesMax: number;
  /** Steps of a range query, as in Prometheus. */
  readonly pointsMax: number;
  /** Cells (series × steps) held by all intermediate results of a query together. */
  readonly cellsMax: number;
  readonly timeoutMs: number;
  /** Size of the JSON answer. */
  readonly resultBytesMax: number;
}

export const defaultLimits: EngineLimits = {
  seriesMax: 1_000_000,
  samplesMax: 50_000_000,
  pointsMax: 11_000,
  cellsMax: 100_000_000,
  timeoutMs: 120_000,
  resultBytesMax: 256 * 1024 * 1024,
};

/** One query's account of time and memory. */
export class Budget {
  readonly limits: EngineLimits;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #timeoutMs: number;
  readonly #cancelled: () => boolean;
  #cells = 0;

  constructor(limits: EngineLimits, clock: Clock, timeoutMs: number, cancelled: () => boolean) {
    this.limits = limits;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#deadlineMs = clock.monotonicMs() + timeoutMs;
    this.#cancelled = cancelled;
  }

  /** Call between pieces of work of about a millisecond. */
  poll(): void {
    if (this.#cancelled()) throw new CancelledError("query was cancelled");
    if (this.#clock.monotonicMs() > this.#deadlineMs)
      throw new CancelledError(`query timed out after ${this.#timeoutMs / 1000}s`);
  }

  /** True when the query should stop; for readers, which throw themselves. */
  readonly shouldStop = (): boolean =>
    this.#cancelled() || this.#clock.monotonicMs() > this.#deadlineMs;

  /** Accounts for an intermediate result before it is allocated. */
  allocate(cells: number): void {
    this.poll();
    this.#cells += cells;
    if (this.#cells > this.limits.cellsMax) {
      throw new LimitError(
        `query needs more than ${this.limits.cellsMax} intermediate samples: narrow the selectors, shorten the range or widen the step`,
      );
    }
  }
}
