/**
 * A container's log: lines written to a file descriptor in small batches, without ever blocking. When the reader does
 * not keep up, lines are dropped and counted.
 */
import { Socket } from "node:net";

const unsentBytesMax = 1024 * 1024;
const flushEveryMs = 100;

export class LogOutput {
  dropped = 0;
  readonly #stream: Socket;
  #batch: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(fd: number) {
    this.#stream = new Socket({ fd, readable: false, writable: true });
    // The reader is gone: so is the control process, and the pod ends by its IPC channel.
    this.#stream.on("error", () => this.#stream.destroy());
  }

  line(text: string): void {
    if (this.#stream.destroyed || this.#stream.writableLength > unsentBytesMax) {
      this.dropped++;
      return;
    }
    this.#batch.push(text);
    this.#timer ??= setTimeout(() => this.flush(), flushEveryMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#batch.length > 0 && !this.#stream.destroyed) {
      this.#stream.write(`${this.#batch.join("\n")}\n`);
    }
    this.#batch = [];
  }
}
