/** The last lines of one container, kept for `kubectl logs`, with readers that follow. */
import type { LogOptions } from "../kube/node-agent.ts";

const linesMax = 2000;
const followersMax = 50;
const followBufferMax = 10_000;

interface LogLine {
  readonly timeMs: number;
  readonly text: string;
}

export class ContainerLog {
  #lines: LogLine[] = [];
  #previous: LogLine[] = [];
  readonly #followers = new Set<(line: LogLine) => void>();
  #partial = "";
  #closed = false;

  /** Takes raw output and returns the complete lines in it. */
  write(chunk: string, timeMs: number): string[] {
    const lines = (this.#partial + chunk).split("\n");
    this.#partial = lines.pop() ?? "";
    for (const text of lines) {
      const line = { timeMs, text };
      this.#lines.push(line);
      for (const follower of this.#followers) follower(line);
    }
    if (this.#lines.length > linesMax) this.#lines = this.#lines.slice(-linesMax);
    return lines;
  }

  /** The container starts anew; what it wrote so far becomes the previous run's. */
  restart(): void {
    this.#previous = this.#lines;
    this.#lines = [];
    this.#partial = "";
  }

  close(): void {
    this.#closed = true;
    for (const follower of this.#followers) follower({ timeMs: 0, text: "" });
  }

  read(options: LogOptions): AsyncIterable<string> | string[] {
    const { tailLines, sinceMs, previous, timestamps } = options;
    let lines = previous === true ? this.#previous : this.#lines;
    if (sinceMs !== undefined) lines = lines.filter(({ timeMs }) => timeMs >= sinceMs);
    if (tailLines !== undefined) lines = tailLines === 0 ? [] : lines.slice(-tailLines);
    const format = (line: LogLine) =>
      timestamps === true ? `${new Date(line.timeMs).toISOString()} ${line.text}` : line.text;
    const present = lines.map(format);
    const follows = options.follow === true && previous !== true && !this.#closed;
    return follows && this.#followers.size < followersMax ? this.#follow(present, format) : present;
  }

  async *#follow(present: string[], format: (line: LogLine) => string): AsyncIterable<string> {
    const buffer = present;
    let wake: (() => void) | undefined;
    const follower = (line: LogLine) => {
      if (!this.#closed && buffer.length < followBufferMax) buffer.push(format(line));
      wake?.();
    };
    this.#followers.add(follower);
    try {
      for (;;) {
        yield* buffer.splice(0);
        if (this.#closed) return;
        if (buffer.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#followers.delete(follower);
    }
  }
}
