/**
 * Sends what the journal acknowledged on to other servers, each at its own pace with its own checkpoint, on a thread of its
 * own: paging waits for none of them. While a receiver is away the journal keeps what it has not taken, up to the limit that
 * the telemetry thread states; what is let go beyond it is counted here and said aloud.
 */
import { createHash } from "node:crypto";
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { RemoteWriteSender, parseRemoteWriteConfig, type RemoteWriteConfig } from "@skopos/ingest";
import {
  invariant,
  type LabelMap,
  messageOf,
  type MetricMetadata,
  SkoposError,
  sleep,
  systemClock,
} from "@skopos/model";
import {
  followMetrics,
  type JournalFollower,
  JournalReader,
  readCheckpoint,
  writeCheckpoint,
} from "@skopos/store";
import { portLog } from "./port-log.ts";
import type {
  RemoteWriteMessage,
  RemoteWriteProgress,
  RemoteWriteThreadData,
} from "./remote-write.ts";

const saveEveryMs = 1000;
const retryMs = 2000;

invariant(parentPort, "the remote write thread has a parent");
const port = parentPort;
const data = workerData as RemoteWriteThreadData;
const log = portLog(port);
const stop = new AbortController();

/** One receiver: its queue is the journal from its checkpoint on. */
class Remote {
  readonly #config: RemoteWriteConfig;
  readonly #file: string;
  readonly #sender: RemoteWriteSender;
  #identity = 0;
  #sent = 0;
  #saved: number | undefined;
  #lostSamples = 0;
  #lostBytes = 0;
  #behindBytes = 0;

  constructor(config: RemoteWriteConfig, externalLabels: LabelMap) {
    this.#config = config;
    const key = createHash("sha256").update(config.name).digest("hex").slice(0, 16);
    this.#file = path.join(data.checkpointDir, `remote-write-${key}.json`);
    this.#sender = new RemoteWriteSender({
      config,
      externalLabels,
      clock: systemClock,
      log,
      onSent: (position) => (this.#sent = position),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) break;
        log.error(
          { remote: this.#config.name, error: messageOf(error) },
          "remote write cannot read the journal now",
        );
        await sleep(systemClock, retryMs, signal);
      }
    }
    await this.#sender.close();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const journal = await JournalReader.open({ dir: data.journalDir, clock: systemClock });
    const ended = new AbortController();
    const own = AbortSignal.any([signal, ended.signal]);
    try {
      await this.#begin(await journal.identity(), await journal.firstPosition());
      const saving = this.#saveNowAndThen(journal, own);
      try {
        await this.#sender.run(this.#frames(journal, own), signal);
      } catch (error) {
        // The next round begins with what is kept, and counts what is not.
        if (!(error instanceof SkoposError) || error.code !== "journal-truncated") throw error;
      } finally {
        ended.abort();
        await saving;
      }
    } finally {
      await journal.close();
    }
  }

  async #begin(identity: number, first: number): Promise<void> {
    this.#identity = identity;
    if (this.#saved === undefined) {
      const found = await readCheckpoint(this.#file);
      this.#sent = found?.identity === identity ? found.done : first;
    }
    const lost = first - this.#sent;
    if (lost <= 0) return;
    this.#lostBytes += lost;
    this.#sent = first;
    log.error(
      { remote: this.#config.name, bytes: lost },
      "the receiver was away for longer than the journal keeps: what it has not taken is lost to it",
    );
  }

  async *#frames(journal: JournalFollower, signal: AbortSignal) {
    for await (const frame of followMetrics(journal, this.#sent, signal)) {
      this.#lostSamples += frame.lostSamples;
      yield frame;
    }
  }

  async #saveNowAndThen(journal: JournalFollower, signal: AbortSignal): Promise<void> {
    do {
      await sleep(systemClock, saveEveryMs, signal);
      this.#behindBytes = Math.max(0, (await journal.durableThrough()) - this.#sent);
      if (this.#saved !== this.#sent) {
        const done = this.#sent;
        await writeCheckpoint(this.#file, { identity: this.#identity, done, intent: done });
        this.#saved = done;
      }
      report();
    } while (!signal.aborted);
  }

  noteMetadata(metadata: ReadonlyMap<string, MetricMetadata>): void {
    this.#sender.noteMetadata(metadata);
  }

  /** What is on disk as sent; undefined until that is known. */
  get saved(): number | undefined {
    return this.#saved;
  }

  status(): RemoteWriteProgress["remotes"][number] {
    return {
      name: this.#config.name,
      ...this.#sender.counts,
      lostSamples: this.#lostSamples,
      lostBytes: this.#lostBytes,
      behindBytes: this.#behindBytes,
      lastError: this.#sender.lastError,
    };
  }
}

const { remotes: configs } = parseRemoteWriteConfig(data.config.text, data.config.file);
const remotes = configs.map((config) => new Remote(config, data.externalLabels));
port.on("message", (message: RemoteWriteMessage) => {
  if (message === "stop") stop.abort();
  else for (const remote of remotes) remote.noteMetadata(message.metadata);
});

function report(): void {
  const positions = remotes.map(({ saved }) => saved);
  const known = positions.filter((position) => position !== undefined);
  // One that has not said yet may need everything.
  const position = known.length === positions.length ? Math.min(...known) : 0;
  const value: RemoteWriteProgress = { position, remotes: remotes.map((each) => each.status()) };
  port.postMessage({ event: "progress", value });
}

await Promise.all(remotes.map((remote) => remote.run(stop.signal)));
port.close();
