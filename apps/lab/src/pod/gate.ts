/** A bounded number of places and a bounded line before them. */
import { LimitError } from "@skopos/model";

export class Gate {
  readonly #places: number;
  readonly #queueMax: number;
  readonly #queue: (() => void)[] = [];
  #taken = 0;

  /** `places` 0: no bound. */
  constructor(places: number, queueMax: number) {
    this.#places = places;
    this.#queueMax = queueMax;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Resolves when a place is free; `leave` must follow. Rejects at once when the line is full. */
  enter(): Promise<void> | undefined {
    if (this.#places === 0 || this.#taken < this.#places) {
      this.#taken++;
      return undefined;
    }
    if (this.#queue.length >= this.#queueMax) {
      return Promise.reject(new LimitError(`${this.#queueMax} requests are already waiting`));
    }
    return new Promise((resolve) => this.#queue.push(resolve));
  }

  leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#taken--;
    else next();
  }
}
