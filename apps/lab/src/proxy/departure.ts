/** Whether the caller of a request has left, and one listener for when it does. An AbortSignal costs several times more. */
export class Departure {
  happened = false;
  #listener: (() => void) | undefined;

  happen(): void {
    this.happened = true;
    this.#listener?.();
  }

  /** Replaces the listener; called at once when it has happened already. */
  listen(listener: (() => void) | undefined): void {
    this.#listener = listener;
    if (this.happened) listener?.();
  }
}
