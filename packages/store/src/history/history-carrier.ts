/**
 * Carries sealed slices of the head into the history's tables: nothing enters the head there any more, so a slice is read
 * in pieces, at leisure, and read again after a failure it is the same. Rows of a slice replace those with their keys, and
 * the watermark moves when all of them are synced: a kill at any moment neither loses nor doubles a sample.
 *
 * Cost: decoding and encoding 25 to 40 ns a sample with its roll-up; memory of one piece and one batch.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import { type Clock, messageOf, type SeriesBlock, sleep } from "@skopos/model";
import { defaultQueryLimits } from "../clickhouse/sql.ts";
import type { Log } from "../clickhouse/supervise.ts";
import type { HeadMarks } from "../head/marks.ts";
import { sliceMs, slicesPerDay } from "./schema.ts";
import { insertRows } from "./slice-insert.ts";
import { SliceRows } from "./slice-rows.ts";
import { cleanGrave } from "./clean.ts";
import { createHistoryReader } from "./history-reader.ts";
import { maskedSource } from "./masked-reader.ts";
import type { Tombstones } from "./tombstones.ts";
import { readCarriedThrough, writeCarriedThrough } from "./watermark.ts";

export interface HistoryProgress {
  /** Samples up to here are in the history. */
  readonly carriedThroughMs: number;
  /** Samples up to here wait to be carried. */
  readonly sealedThroughMs: number;
  /** Since the start. */
  readonly samples: number;
  /** Slices that left the head before they could be carried. */
  readonly lostSlices: number;
}

/** What the carrier reads: `HeadView`. */
export interface SliceSource {
  scan(startMs: number, endMs: number, seriesPerPiece: number): AsyncGenerator<SeriesBlock>;
}

export interface HistoryCarrierOptions {
  readonly source: SliceSource;
  readonly marks: Pick<HeadMarks, "heldSinceMs" | "droppedBeforeMs" | "sealedThroughMs">;
  readonly client: ClickHouseClient;
  /** See `watermark.ts`. */
  readonly watermarkFile: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly batchBytesMax?: number;
  /** What was deleted: it is not carried, and what was carried before is cleaned. */
  readonly tombstones?: Tombstones;
  readonly onCleaned?: (ids: readonly number[]) => void;
  readonly onProgress?: (progress: HistoryProgress) => void;
}

const lookEveryMs = 5000;
const backOffMs = { first: 1000, max: 30_000 };
/** About ten megabytes of doubles at four samples a minute. */
const seriesPerPiece = 4096;
/** On a first start, when the head does not say how far back it goes. */
const firstSlicesMax = 24;

class HistoryCarrier {
  readonly #options: HistoryCarrierOptions;
  readonly #batchBytesMax: number;
  #carriedThroughMs: number;
  /** Of the day `#day`. */
  #knownBases = new Set<string>();
  #day = -1;
  /** Tombstones whose owner may not have noted it yet. */
  readonly #cleaned = new Set<number>();
  #samples = 0;
  #lostSlices = 0;

  constructor(options: HistoryCarrierOptions, carriedThroughMs: number) {
    this.#options = options;
    this.#batchBytesMax = options.batchBytesMax ?? 32 * 1024 * 1024;
    this.#carriedThroughMs = carriedThroughMs;
  }

  async run(): Promise<void> {
    const { clock, log, signal } = this.#options;
    let delayMs = backOffMs.first;
    while (!signal.aborted) {
      try {
        await this.#clean();
        const carried = await this.#step();
        delayMs = backOffMs.first;
        if (!carried) await sleep(clock, lookEveryMs, signal);
      } catch (error) {
        if (signal.aborted) break;
        log.warn(
          { error: messageOf(error), delayMs, carriedThroughMs: this.#carriedThroughMs },
          "metrics cannot be carried into ClickHouse now",
        );
        await sleep(clock, delayMs, signal);
        delayMs = Math.min(delayMs * 2, backOffMs.max);
      }
    }
  }

  /** Carries the next slice if it is sealed. */
  async #step(): Promise<boolean> {
    const { sealedThroughMs, heldSinceMs, droppedBeforeMs } = this.#options.marks;
    if (sealedThroughMs === -Infinity) return false;
    const slice = this.#nextSlice(droppedBeforeMs, sealedThroughMs);
    if ((slice + 1) * sliceMs > sealedThroughMs) return false;
    // After a start older samples come back by and by.
    if (heldSinceMs > droppedBeforeMs && heldSinceMs > slice * sliceMs) return false;
    await this.#carry(slice);
    if (this.#options.signal.aborted) return true;
    const carriedThroughMs = (slice + 1) * sliceMs;
    await writeCarriedThrough(this.#options.watermarkFile, carriedThroughMs);
    this.#carriedThroughMs = carriedThroughMs;
    this.#report(sealedThroughMs);
    return true;
  }

  #nextSlice(droppedBeforeMs: number, sealedThroughMs: number): number {
    const oldestMs =
      droppedBeforeMs === -Infinity ? sealedThroughMs - firstSlicesMax * sliceMs : droppedBeforeMs;
    const oldest = Math.floor(oldestMs / sliceMs);
    if (this.#carriedThroughMs === -Infinity) return oldest;
    const next = Math.round(this.#carriedThroughMs / sliceMs);
    const gone = Math.floor(droppedBeforeMs / sliceMs);
    if (gone <= next) return next;
    this.#lostSlices += gone - next;
    this.#options.log.error(
      { fromMs: next * sliceMs, toMs: gone * sliceMs },
      "metrics left the head before they could be carried: ClickHouse was away for too long",
    );
    return gone;
  }

  async #carry(slice: number): Promise<void> {
    const { client, clock, signal, tombstones } = this.#options;
    const source = tombstones
      ? maskedSource(this.#options.source, tombstones)
      : this.#options.source;
    const day = Math.floor(slice / slicesPerDay);
    if (day !== this.#day) this.#knownBases = new Set();
    this.#day = day;
    // What a failed batch brought along must be sent again.
    const knownBases = new Set(this.#knownBases);
    const rows = new SliceRows(slice, clock.nowMs(), knownBases);
    for await (const block of source.scan(slice * sliceMs, (slice + 1) * sliceMs, seriesPerPiece)) {
      if (signal.aborted) return;
      rows.add(block);
      if (rows.sizeBytes >= this.#batchBytesMax) await insertRows(client, rows);
    }
    await insertRows(client, rows);
    this.#knownBases = knownBases;
    this.#samples += rows.samples;
  }

  /** What came up while a slice was carried is cleaned after it. */
  async #clean(): Promise<void> {
    const { client, clock, tombstones, onCleaned } = this.#options;
    const due = tombstones?.graves.filter(({ id, cleaned }) => !cleaned && !this.#cleaned.has(id));
    if (!due || due.length === 0) return;
    const limits = { ...defaultQueryLimits, executionSecondsMax: 300 };
    const reader = createHistoryReader(client, { clock, limits });
    for (const grave of due) {
      await cleanGrave({ client, reader, clock }, grave);
      this.#cleaned.add(grave.id);
    }
    onCleaned?.(due.map(({ id }) => id));
  }

  #report(sealedThroughMs: number): void {
    this.#options.onProgress?.({
      carriedThroughMs: this.#carriedThroughMs,
      sealedThroughMs,
      samples: this.#samples,
      lostSlices: this.#lostSlices,
    });
  }
}

/** Runs until the signal aborts. Rejects when the watermark is unreadable. */
export async function runHistoryCarrier(options: HistoryCarrierOptions): Promise<void> {
  const carriedThroughMs = await readCarriedThrough(options.watermarkFile);
  await new HistoryCarrier(options, carriedThroughMs).run();
}
