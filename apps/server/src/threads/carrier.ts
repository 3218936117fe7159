/** The carrier's thread as the main thread sees it. */
import { Worker } from "node:worker_threads";
import type { CarrierProgress, DiskUse, HistoryProgress } from "@skopos/store";
import type { Logger } from "pino";
import type { CarrierThreadData } from "./carrier-thread.ts";
import { entryOf } from "./entries.ts";
import { writeLogEvent } from "./port-log.ts";

const stopMsMax = 5000;
const respawnDelayMs = 2000;

export interface CarrierEvents {
  progress(progress: CarrierProgress): void;
  history(progress: HistoryProgress): void;
  /** Nothing of these deletions is left in ClickHouse. */
  cleaned(ids: readonly number[]): void;
}

export class Carrier {
  readonly #data: CarrierThreadData;
  readonly #log: Logger;
  readonly #hear: CarrierEvents;
  #worker: Worker;
  #stopping = false;
  progress: CarrierProgress | undefined;
  history: HistoryProgress | undefined;
  disk: DiskUse | undefined;

  constructor(data: CarrierThreadData, log: Logger, hear: CarrierEvents) {
    this.#data = data;
    this.#log = log;
    this.#hear = hear;
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
      if (message.event === "disk") this.disk = message.value as DiskUse;
      if (message.event === "cleaned") this.#hear.cleaned(message.value as readonly number[]);
      if (message.event === "history") {
        this.history = message.value as HistoryProgress;
        this.#hear.history(this.history);
      }
      if (message.event === "progress") {
        this.progress = message.value as CarrierProgress;
        this.#hear.progress(this.progress);
      }
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
