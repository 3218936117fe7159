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
import { runHistoryCarrier } from "../history-carrier.ts";
import { historyTables, migrateHistory } from "../schema.ts";

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
    for (const table of historyTables)
      await this.client.command({ query: `TRUNCATE TABLE ${table}` });
    await rm(this.watermarkFile, { force: true });
  }

  get watermarkFile(): string {
    return join(this.dir, "carried.json");
  }

  /** Carries everything up to the head's seal. `onWarning` hears of failures, which are tried again. */
  async carry(head: Head, onWarning: () => void = () => {}): Promise<void> {
    const stop = new AbortController();
    const marks = new HeadMarks(head.share());
    await runHistoryCarrier({
      source: new HeadView(head.share()),
      marks,
      client: this.client,
      watermarkFile: this.watermarkFile,
      clock: systemClock,
      log: { ...silent, warn: onWarning },
      signal: stop.signal,
      batchBytesMax: 10_000,
      onProgress: ({ carriedThroughMs }) => {
        if (carriedThroughMs >= marks.sealedThroughMs) stop.abort();
      },
    });
  }
}
