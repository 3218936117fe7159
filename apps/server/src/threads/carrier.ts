/** The carrier's thread as the main thread sees it. */
import { Worker } from "node:worker_threads";
import type { CarrierProgress } from "@skopos/store";
import type { Logger } from "pino";
import type { CarrierThreadData } from "./carrier-thread.ts";
import { entryOf } from "./entries.ts";
import { writeLogEvent } from "./port-log.ts";

const stopMsMax = 5000;
const respawnDelayMs = 2000;

export class Carrier {
  readonly #data: CarrierThreadData;
  readonly #log: Logger;
  readonly #onProgress: (progress: CarrierProgress) => void;
  #worker: Worker;
  #stopping = false;
  progress: CarrierProgress | undefined;

  constructor(
    data: CarrierThreadData,
    log: Logger,
    onProgress: (progress: CarrierProgress) => void,
  ) {
    this.#data = data;
    this.#log = log;
    this.#onProgress = onProgress;
    this.#worker = this.#spawn();
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
    const entry = entryOf("carrier-thread");
    const worker = new Worker(entry.file, { workerData: this.#data, execArgv: entry.execArgv });
    worker.on("message", (message: { event: string; value: unknown }) => {
      if (message.event === "log") writeLogEvent(this.#log, "carrier", message.value);
      if (message.event !== "progress") return;
      this.progress = message.value as CarrierProgress;
      this.#onProgress(this.progress);
    });
    worker.on("error", (error) =>
      this.#log.error(
        { thread: "carrier", error: error.message },
        "the carrier failed and is started again",
      ),
    );
    worker.on("exit", () => {
      if (!this.#stopping)
        setTimeout(() => this.#stopping || (this.#worker = this.#spawn()), respawnDelayMs);
    });
    return worker;
  }
}
