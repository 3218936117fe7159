/**
 * Carries spans and log lines from the journal into ClickHouse, in big batches, each exactly once: a batch is a range of
 * journal positions, and that range is its deduplication token. Which range is tried is on disk before it is sent
 * (checkpoint.ts), and a batch becomes one block of its table, so that a repeated one is recognised as a whole.
 *
 * While ClickHouse is away the carrier waits and tries again; the journal keeps what it has not taken.
 */
import { Readable } from "node:stream";
import { type ClickHouseClient, ClickHouseError } from "@clickhouse/client";
import { type Clock, messageOf, sleep } from "@skopos/model";
import { frameKinds } from "../journal/frame.ts";
import type { JournalFollower, JournalFrame } from "../journal/journal-reader.ts";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { logColumns } from "./log-store.ts";
import type { Log } from "./supervise.ts";
import { patternColumns } from "./pattern-store.ts";
import { firstSpanColumns, spanColumns } from "./trace-store.ts";

export interface CarrierProgress {
  /** The checkpoint on disk: the journal may let go of everything below. */
  readonly position: number;
  /** Everything below is in ClickHouse. */
  readonly carriedThrough: number;
  /** Durable bytes in the journal that are not carried yet. */
  readonly behindBytes: number;
  /** Frames since the start that ClickHouse would not take, and that were left out. */
  readonly rejectedFrames: number;
}

export interface CarrierOptions {
  readonly journal: JournalFollower;
  readonly client: ClickHouseClient;
  readonly checkpointFile: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly batchBytesMax?: number;
  readonly onProgress?: (progress: CarrierProgress) => void;
  /**
   * Called every minute or `upkeepEveryMs`, between two batches: nothing is inserted meanwhile, and nothing will be repeated that was
   * inserted before. What it rejects with is logged.
   */
  readonly upkeep?: () => Promise<void>;
  readonly upkeepEveryMs?: number;
}

/** How long rows gather before a batch that is not full is sent. */
const gatherMs = 400;
/** A checkpoint costs two syncs, and most frames in the journal may be none of ours. */
const saveEveryMs = 2000;
const upkeepEveryMsDefault = 60_000;
const backOffMs = { first: 250, max: 5000 };

const text = "TabSeparated";
const blocks = "Native";
const tables = [
  { kind: frameKinds.spans, table: "spans", columns: firstSpanColumns, format: text },
  { kind: frameKinds.scopedSpans, table: "spans", columns: spanColumns, format: text },
  { kind: frameKinds.spanBlocks, table: "spans", columns: spanColumns, format: blocks },
  { kind: frameKinds.logs, table: "logs", columns: logColumns, format: text },
  { kind: frameKinds.logBlocks, table: "logs", columns: logColumns, format: blocks },
  { kind: frameKinds.patterns, table: "log_patterns", columns: patternColumns, format: text },
] as const;
type Table = (typeof tables)[number];

/** Codes of ClickHouse that mean that the rows cannot be read: trying again would never end. */
const badRowCodes = new Set([
  "6",
  "26",
  "27",
  "33",
  "38",
  "41",
  "53",
  "69",
  "72",
  "117",
  "131",
  "563",
]);

/** One block for each insert, whatever its size: a block is the unit of deduplication. */
const insertSettings = {
  async_insert: 0,
  insert_deduplicate: 1,
  max_insert_threads: "1",
  min_insert_block_size_rows: "100000000",
  min_insert_block_size_bytes: "4000000000",
  max_insert_block_size: "100000000",
  input_format_parallel_parsing: 0,
  // What depends on the table is fed again as well: it may be what the crash kept from being fed.
  deduplicate_blocks_in_dependent_materialized_views: 1,
  // Lines with wild dates must not stop the others.
  throw_on_max_partitions_per_insert_block: 0,
} as const;

interface Batch {
  readonly from: number;
  readonly to: number;
  readonly frames: readonly JournalFrame[];
}

class Carrier {
  readonly #options: CarrierOptions;
  readonly #batchBytesMax: number;
  /** What the file says. */
  #saved: Checkpoint;
  #savedAtMs: number;
  #done: number;
  #upkeepDueMs = 0;
  #rejectedFrames = 0;

  constructor(options: CarrierOptions, checkpoint: Checkpoint) {
    this.#options = options;
    this.#batchBytesMax = options.batchBytesMax ?? 32 * 1024 * 1024;
    this.#saved = checkpoint;
    this.#savedAtMs = options.clock.monotonicMs();
    this.#done = checkpoint.done;
  }

  async run(): Promise<void> {
    const { clock, log, signal } = this.#options;
    let delayMs = backOffMs.first;
    while (!signal.aborted) {
      try {
        const full = await this.#step();
        await this.#upkeep();
        delayMs = backOffMs.first;
        if (!full) await sleep(clock, gatherMs, signal);
      } catch (error) {
        if (signal.aborted) break;
        if (!this.#mayPass(error)) throw error;
        log.warn(
          { error: messageOf(error), delayMs, position: this.#done },
          "spans and log lines cannot be carried into ClickHouse now",
        );
        await sleep(clock, delayMs, signal);
        delayMs = Math.min(delayMs * 2, backOffMs.max);
      }
    }
    if (this.#saved.done !== this.#done) await this.#save(this.#done, this.#done);
  }

  /** Damage of the journal does not pass by waiting. */
  #mayPass(error: unknown): boolean {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code !== "journal-corrupt" && code !== "journal-truncated";
  }

  /** Carries one batch. Says whether it was full, so that more is likely to wait. */
  async #step(): Promise<boolean> {
    const intent = this.#saved.intent > this.#done ? this.#saved.intent : undefined;
    const batch = await this.#gather(this.#done, intent);
    if (batch && batch.frames.length > 0) {
      if (this.#saved.done !== batch.from || intent !== batch.to)
        await this.#save(batch.from, batch.to);
      for (const table of tables) await this.#insert(table, batch);
    }
    if (batch) this.#done = batch.to;
    // With the next batch the file learns that this one is done; when none comes, or none of ours, after a while.
    const dueMs = this.#savedAtMs + saveEveryMs;
    if (this.#saved.done !== this.#done && this.#options.clock.monotonicMs() >= dueMs)
      await this.#save(this.#done, this.#done);
    if (batch) await this.#report();
    return batch !== undefined && sizeOf(batch.frames) >= this.#batchBytesMax;
  }

  async #upkeep(): Promise<void> {
    const { clock, upkeep, log, upkeepEveryMs = upkeepEveryMsDefault } = this.#options;
    if (!upkeep || clock.monotonicMs() < this.#upkeepDueMs) return;
    // A batch that an earlier run may have left half-way comes first.
    if (this.#saved.intent > this.#done) return;
    await this.#save(this.#done, this.#done);
    try {
      await upkeep();
    } catch (error) {
      log.warn({ error: messageOf(error) }, "the tables of traces could not be looked after");
    }
    this.#upkeepDueMs = clock.monotonicMs() + upkeepEveryMs;
  }

  async #save(done: number, intent: number): Promise<void> {
    const checkpoint = { identity: this.#saved.identity, done, intent };
    await writeCheckpoint(this.#options.checkpointFile, checkpoint);
    this.#saved = checkpoint;
    this.#savedAtMs = this.#options.clock.monotonicMs();
  }

  /** The next frames: up to `to` when it is given, else as many as a batch takes. */
  async #gather(from: number, to: number | undefined): Promise<Batch | undefined> {
    const frames: JournalFrame[] = [];
    let sizeBytes = 0;
    let end = from;
    for await (const frame of this.#options.journal.read(from)) {
      if (to !== undefined && frame.next > to) break;
      end = frame.next;
      if (!tables.some((table) => table.kind === frame.kind)) continue;
      frames.push(frame);
      sizeBytes += frame.payload.length;
      if (to === undefined && sizeBytes >= this.#batchBytesMax) break;
    }
    return end > from ? { from, to: end, frames } : undefined;
  }

  async #insert(table: Table, batch: Batch): Promise<void> {
    const frames = batch.frames.filter((frame) => frame.kind === table.kind);
    if (frames.length === 0) return;
    try {
      await this.#send(table, frames, batch.from, batch.to);
    } catch (error) {
      if (!isBadRow(error)) throw error;
      for (const frame of frames) await this.#insertAlone(table, frame);
    }
  }

  /** One frame must not keep all later ones from being carried. */
  async #insertAlone(table: Table, frame: JournalFrame): Promise<void> {
    try {
      await this.#send(table, [frame], frame.position, frame.next);
    } catch (error) {
      if (!isBadRow(error)) throw error;
      this.#rejectedFrames++;
      this.#options.log.error(
        { error: messageOf(error), table: table.table, position: frame.position },
        "ClickHouse does not take these rows: they stay out",
      );
    }
  }

  async #send(table: Table, frames: readonly JournalFrame[], from: number, to: number) {
    const { client, signal } = this.#options;
    const { stream } = await client.exec({
      query: `INSERT INTO ${table.table} (${table.columns.join(", ")}) FORMAT ${table.format}`,
      values: Readable.from(
        frames.map((frame) => frame.payload),
        { objectMode: false },
      ),
      clickhouse_settings: {
        ...insertSettings,
        insert_deduplication_token: `${this.#saved.identity}-${table.kind}-${from}-${to}`,
      },
      abort_signal: signal,
    });
    // What ClickHouse answers is empty; read to its end, so that the connection is free again.
    for await (const _ of stream);
  }

  async #report(): Promise<void> {
    const { journal, onProgress } = this.#options;
    if (!onProgress) return;
    const carriedThrough = this.#done;
    onProgress({
      position: this.#saved.done,
      carriedThrough,
      behindBytes: Math.max(0, (await journal.durableThrough()) - carriedThrough),
      rejectedFrames: this.#rejectedFrames,
    });
  }
}

function sizeOf(frames: readonly JournalFrame[]): number {
  return frames.reduce((sum, frame) => sum + frame.payload.length, 0);
}

function isBadRow(error: unknown): boolean {
  return error instanceof ClickHouseError && badRowCodes.has(error.code);
}

/**
 * Runs until the signal aborts. Rejects when the journal is damaged or the checkpoint unreadable. A checkpoint of another
 * journal is left aside, with a warning, and carrying begins with the oldest frame that is kept.
 */
export async function runCarrier(options: CarrierOptions): Promise<void> {
  const { journal, checkpointFile, log } = options;
  const identity = await journal.identity();
  const found = await readCheckpoint(checkpointFile);
  const first = await journal.firstPosition();
  if (found && found.identity !== identity)
    log.warn({ found, identity }, "the carrier's checkpoint is of another journal");
  const checkpoint =
    found?.identity === identity ? found : { identity, done: first, intent: first };
  await new Carrier(options, checkpoint).run();
}
