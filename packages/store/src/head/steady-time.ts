/**
 * The machine's time for deciding what is too old: when the machine's clock leaps ahead this one follows at some ten times
 * the pace of time, so that a clock that is put right again within the hour has not made every sample too old.
 */
import type { Clock } from "@skopos/model";

/** How far ahead of the time that has passed one look may go. */
const leapMsMax = 300_000;

export class SteadyTime {
  readonly #clock: Clock;
  #nowMs: number;
  #lookedAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#nowMs = clock.nowMs();
    this.#lookedAtMs = clock.monotonicMs();
  }

  /** To be looked at every half minute or so. */
  nowMs(): number {
    const lookedAtMs = this.#clock.monotonicMs();
    const passedMs = lookedAtMs - this.#lookedAtMs;
    this.#lookedAtMs = lookedAtMs;
    this.#nowMs = Math.min(this.#clock.nowMs(), this.#nowMs + passedMs + leapMsMax);
    return this.#nowMs;
  }
}
