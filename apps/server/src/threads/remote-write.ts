/**
 * The remote write thread as the main thread sees it: it is told what families say of themselves, and what it has sent is
 * told to the telemetry thread, which may let go of it, and to the status page.
 */
import type { SenderCounts } from "@skopos/ingest";
import { type LabelMap, messageOf, type MetricMetadata } from "@skopos/model";
import type { Logger } from "pino";
import type { StatusBoard } from "../status.ts";
import { JournalThread } from "./journal-thread.ts";
import type { RpcCaller } from "./rpc.ts";
import type { TelemetryCalls } from "./telemetry-calls.ts";

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
    /** Why the last request failed; "" when it was taken. */
    readonly lastError: string;
  })[];
}

/** What the thread is told. */
export type RemoteWriteMessage =
  | "stop"
  | { readonly metadata: ReadonlyMap<string, MetricMetadata> };

interface RemoteWriteParts {
  readonly telemetry: RpcCaller<TelemetryCalls>;
  readonly status: Pick<StatusBoard, "set">;
  readonly log: Logger;
}

const metadataEveryMs = 15_000;
const familiesMax = 20_000;

export class RemoteWrite extends JournalThread {
  readonly #parts: RemoteWriteParts;
  readonly #telling: NodeJS.Timeout;
  progress: RemoteWriteProgress | undefined;

  constructor(data: RemoteWriteThreadData, parts: RemoteWriteParts) {
    super({ entry: "remote-write-thread", name: "remote write", data }, parts.log);
    this.#parts = parts;
    this.#telling = setInterval(() => void this.#tellMetadata(), metadataEveryMs);
  }

  override stop(): Promise<void> {
    clearInterval(this.#telling);
    return super.stop();
  }

  protected override heard(event: string, value: unknown): void {
    if (event !== "progress") return;
    this.progress = value as RemoteWriteProgress;
    const { position, remotes } = this.progress;
    this.#parts.status.set("Remote write", ...stateOf(remotes));
    this.#parts.telemetry
      .call("remoteWritten", { position })
      .catch((error: unknown) => this.#warn(error, "could not tell what was written remotely"));
  }

  async #tellMetadata(): Promise<void> {
    try {
      const asked = { metric: undefined, limit: familiesMax };
      const families = await this.#parts.telemetry.call("metadata", asked);
      const metadata = new Map<string, MetricMetadata>();
      for (const [name, [about]] of Object.entries(families)) if (about) metadata.set(name, about);
      this.tell({ metadata } satisfies RemoteWriteMessage);
    } catch (error) {
      this.#warn(error, "could not read metadata to write it remotely");
    }
  }

  #warn(error: unknown, message: string): void {
    this.#parts.log.warn({ error: messageOf(error) }, message);
  }
}

/** For the status page. */
function stateOf(remotes: RemoteWriteProgress["remotes"]): ["ok" | "degraded", string] {
  const failing = remotes.filter(({ lastError }) => lastError !== "");
  const detail = remotes
    .map(({ name, behindBytes, lastError }) => {
      const behind = `${name}: ${Math.round(behindBytes / 1024)} KiB behind`;
      return lastError === "" ? behind : `${behind}, ${lastError}`;
    })
    .join("; ");
  return [failing.length > 0 ? "degraded" : "ok", detail];
}
