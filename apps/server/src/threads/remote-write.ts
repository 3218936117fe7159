/** The remote write thread as the main thread sees it. */
import type { SenderCounts } from "@skopos/ingest";
import type { LabelMap } from "@skopos/model";
import type { Logger } from "pino";
import { JournalThread } from "./journal-thread.ts";

export interface RemoteWriteThreadData {
  readonly journalDir: string;
  readonly checkpointDir: string;
  readonly config: { readonly text: string; readonly file: string };
  readonly externalLabels: LabelMap;
}

export interface RemoteWriteProgress {
  /** Every receiver has what is below: the journal may let go of it. */
  readonly position: number;
  readonly remotes: readonly (Readonly<SenderCounts> & {
    readonly name: string;
    /** Samples whose names the journal no longer had, and journal that was gone before it was sent. */
    readonly lostSamples: number;
    readonly lostBytes: number;
    readonly behindBytes: number;
  })[];
}

export class RemoteWrite extends JournalThread {
  readonly #onProgress: (progress: RemoteWriteProgress) => void;
  progress: RemoteWriteProgress | undefined;

  constructor(
    data: RemoteWriteThreadData,
    log: Logger,
    onProgress: (progress: RemoteWriteProgress) => void,
  ) {
    super({ entry: "remote-write-thread", name: "remote write", data }, log);
    this.#onProgress = onProgress;
  }

  protected override heard(event: string, value: unknown): void {
    if (event !== "progress") return;
    this.progress = value as RemoteWriteProgress;
    this.#onProgress(this.progress);
  }
}
