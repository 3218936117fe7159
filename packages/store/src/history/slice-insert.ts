/** Inserts rows of slices, synced when it resolves. */
import { Readable } from "node:stream";
import type { ClickHouseClient } from "@clickhouse/client";
import type { TsvRows } from "../clickhouse/tsv-rows.ts";
import { basesColumns, sliceColumns, type SliceRows, timesColumns } from "./slice-rows.ts";

const settings = {
  async_insert: 0,
  max_insert_threads: "1",
  input_format_parallel_parsing: 0,
} as const;

/** What rows point to goes first, so that no reader meets a row without its times or labels. Takes the rows. */
export async function insertRows(client: ClickHouseClient, rows: SliceRows): Promise<void> {
  await insert(client, "metric_bases", basesColumns, rows.bases);
  await insert(client, "metric_times", timesColumns, rows.times);
  await insert(client, "metric_rollups", sliceColumns, rows.rollups);
  await insert(client, "metric_slices", sliceColumns, rows.slices);
}

async function insert(
  client: ClickHouseClient,
  table: string,
  columns: readonly [string, ...string[]],
  rows: TsvRows,
): Promise<void> {
  if (rows.sizeBytes === 0) return;
  await client.insert({
    table,
    columns: [...columns],
    format: "TabSeparated",
    values: Readable.from([rows.take()], { objectMode: false }),
    clickhouse_settings: settings,
  });
}
