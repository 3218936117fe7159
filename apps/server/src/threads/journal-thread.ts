/** A thread that follows the journal, as the main thread sees it: started again when it fails, stopped in order. */
import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import { type EntryName, entryOf } from "./entries.ts";
import { writeLogEvent } from "./port-log.ts";

const stopMsMax = 5000;
const respawnDelayMs = 2000;

interface JournalThreadOptions {
  readonly entry: EntryName;
  /** For the log. */
  readonly name: string;
  readonly data: unknown;
}

export abstract class JournalThread {
  readonly #options: JournalThreadOptions;
  readonly #log: Logger;
  #worker: Worker;
  #stopping = false;

  constructor(options: JournalThreadOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#worker = this.#spawn();
  }

  /** What the thread tells, but for what it logs. */
  protected abstract heard(event: string, value: unknown): void;

  /** A thread that is being started again does not hear it. */
  protected tell(message: unknown): void {
    this.#worker.postMessage(message);
  }

  /** Lets a batch that is under way end, for a few seconds. What is not carried stays in the journal. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const ended = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    this.#worker.postMessage("stop");
    const timer = setTimeout(() => void this.#worker.terminate(), stopMsMax);
    await ended;
    clearTimeout(timer);
  }

  #spawn(): Worker {
    const { entry, name, data } = this.#options;
    const { file, execArgv } = entryOf(entry);
    const worker = new Worker(file, { workerData: data, execArgv });
    worker.on("message", ({ event, value }: { event: string; value: unknown }) => {
      if (event === "log") writeLogEvent(this.#log, name, value);
      else this.heard(event, value);
    });
    worker.on("error", (error) =>
      this.#log.error(
        { thread: name, error: error.message },
        "a thread that follows the journal failed and is started again",
      ),
    );
    worker.on("exit", () => {
      if (!this.#stopping)
        setTimeout(() => this.#stopping || (this.#worker = this.#spawn()), respawnDelayMs);
    });
    return worker;
  }
}
