/** A clock that stands still until it is told to go on; timers fire in order of their time. */
import type { Clock } from "@skopos/model";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  readonly #startMs: number;
  #order = 0;
  #timers: Timer[] = [];

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length;
  }

  /**
   * Moves on by `durationMs`, firing what becomes due on the way; between timers everything that is ready to run runs, so
   * that a timer set by a promise's continuation fires in the same call.
   */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      await settle();
      const due = this.#timers
        .filter((timer) => timer.atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.task();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Lets every ready continuation run, also those that pass through the event loop once. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++)
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
}
