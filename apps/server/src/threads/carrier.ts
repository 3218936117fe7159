/** The carrier's thread as the main thread sees it. */
import type { CarrierProgress, DiskUse, HistoryProgress } from "@skopos/store";
import type { Logger } from "pino";
import type { CarrierThreadData } from "./carrier-thread.ts";
import { JournalThread } from "./journal-thread.ts";

export interface CarrierEvents {
  progress(progress: CarrierProgress): void;
  history(progress: HistoryProgress): void;
  /** Nothing of these deletions is left in ClickHouse. */
  cleaned(ids: readonly number[]): void;
}

export class Carrier extends JournalThread {
  readonly #hear: CarrierEvents;
  progress: CarrierProgress | undefined;
  history: HistoryProgress | undefined;
  disk: DiskUse | undefined;

  constructor(data: CarrierThreadData, log: Logger, hear: CarrierEvents) {
    super({ entry: "carrier-thread", name: "carrier", data }, log);
    this.#hear = hear;
  }

  protected override heard(event: string, value: unknown): void {
    if (event === "disk") this.disk = value as DiskUse;
    if (event === "cleaned") this.#hear.cleaned(value as readonly number[]);
    if (event === "history") {
      this.history = value as HistoryProgress;
      this.#hear.history(this.history);
    }
    if (event === "progress") {
      this.progress = value as CarrierProgress;
      this.#hear.progress(this.progress);
    }
  }
}
