/** An embedded ClickHouse with the history's tables, for tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { systemClock } from "@skopos/model";
import { openClickHouse } from "../../clickhouse/client.ts";
import { migrate } from "../../clickhouse/schema.ts";
import { type SupervisedClickHouse, superviseClickHouse } from "../../clickhouse/supervise.ts";
import { HeadMarks } from "../../head/marks.ts";
import { HeadView } from "../../head/head-view.ts";
import type { Head } from "../../head/head.ts";
import {
  type HistoryCarrierOptions,
  type HistoryProgress,
  runHistoryCarrier,
} from "../history-carrier.ts";
import type { Tombstones } from "../tombstones.ts";
import { historySlices, migrateHistory } from "../schema.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };

export class ClickHouseHistory {
  readonly dir: string;
  readonly server: SupervisedClickHouse;
  readonly client: ClickHouseClient;

  private constructor(dir: string, server: SupervisedClickHouse) {
    this.dir = dir;
    this.server = server;
    this.client = openClickHouse(server.connection);
  }

  static async open(): Promise<ClickHouseHistory> {
    const dir = await mkdtemp(join(tmpdir(), "skopos-history-"));
    const server = await superviseClickHouse({
      entry: new URL("../../testing/clickhouse-process.ts", import.meta.url),
      execArgv: ["--import", "tsx"],
      dir: join(dir, "clickhouse"),
      clock: systemClock,
      log: silent,
      memoryBytesMax: 800e6,
    });
    await migrate(server.connection);
    // The tests' times are of 1970.
    await migrateHistory(server.connection, { rawDays: 30_000, rollupDays: 30_000 });
    return new ClickHouseHistory(dir, server);
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.server.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Begins with empty tables and no watermark. */
  async clear(): Promise<void> {
    for (const table of [...historySlices, "metric_times", "metric_bases"])
      await this.client.command({ query: `TRUNCATE TABLE ${table}` });
    await rm(this.watermarkFile, { force: true });
  }

  get watermarkFile(): string {
    return join(this.dir, "carried.json");
  }

  async rows(table: string): Promise<number> {
    const result = await this.client
      .query({ query: `SELECT toUInt32(count()) AS n FROM ${table}`, format: "JSONEachRow" })
      .then((answer) => answer.json<{ n: number }>())
      .catch(() => []);
    return result[0]?.n ?? 0;
  }

  /** Carries everything up to the head's seal, however often it must be tried. */
  async carry(
    head: Head,
    options: Partial<HistoryCarrierOptions> = {},
  ): Promise<HistoryProgress | undefined> {
    const stop = new AbortController();
    let last: HistoryProgress | undefined;
    await this.#run(head, stop, {
      onProgress: (progress) => {
        last = progress;
        if (progress.carriedThroughMs >= progress.sealedThroughMs) stop.abort();
      },
      ...options,
    });
    return last;
  }

  /** Cleans what was deleted; returns the tombstones. */
  async clean(head: Head, tombstones: Tombstones): Promise<readonly number[]> {
    const stop = new AbortController();
    let cleaned: readonly number[] = [];
    await this.#run(head, stop, {
      tombstones,
      onCleaned: (ids) => {
        cleaned = ids;
        stop.abort();
      },
    });
    return cleaned;
  }

  #run(head: Head, stop: AbortController, options: Partial<HistoryCarrierOptions>): Promise<void> {
    return runHistoryCarrier({
      source: new HeadView(head.share()),
      marks: new HeadMarks(head.share()),
      client: this.client,
      watermarkFile: this.watermarkFile,
      clock: systemClock,
      log: silent,
      signal: stop.signal,
      batchBytesMax: 10_000,
      ...options,
    });
  }
}
