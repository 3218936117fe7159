/**
 * Tables of the metrics history. A row is one series' samples of one slice (an hour), so that a select reads the bytes of
 * its own series and of nothing else; what many rows would repeat lies beside them once: times are shared by a target's
 * page, labels by the 67 series of one Istio label set (`metric_bases`, the labels without `__name__` and `le`, by day).
 * Matchers on ordinary labels are tried against bases, those on name and `le` against columns of the key.
 *
 * `metric_rollups` has the same rows with the samples that long ranges need (`rollup.ts`), kept for longer.
 *
 * A row that is written again replaces the one with its key, and readers take the highest version, so that carrying a
 * slice twice changes nothing. What an INSERT reported as done is synced, since the head lets go of it then.
 */
import { SkoposError } from "@skopos/model";
import { type ClickHouseConnection, openClickHouse, readError } from "../clickhouse/client.ts";
import { define } from "../clickhouse/define.ts";

/** Slice n holds samples with n × sliceMs < t ≤ (n + 1) × sliceMs. */
export const sliceMs = 3_600_000;
export const slicesPerDay = 24;
/** Stands in a column of its own, as the name does: all buckets of a histogram have one base. */
export const bucketLabel = "le";

export interface HistoryRetention {
  readonly rawDays: number;
  readonly rollupDays: number;
}

const durable = `fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1`;

const slicesNamed = (table: string) => `
CREATE TABLE IF NOT EXISTS ${table} (
  name LowCardinality(String),
  base UInt64 CODEC(ZSTD(1)),
  le LowCardinality(String),
  slice UInt32 CODEC(Delta, ZSTD(1)),
  version UInt64 CODEC(Delta, ZSTD(1)),
  first_ms UInt32 CODEC(ZSTD(1)),
  last_ms UInt32 CODEC(ZSTD(1)),
  samples UInt32 CODEC(T64, ZSTD(1)),
  times UInt64 CODEC(ZSTD(1)),
  data String CODEC(ZSTD(1)),
  histograms String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree(version)
PARTITION BY intDiv(slice, ${slicesPerDay})
ORDER BY (name, base, le, slice)
SETTINGS ${durable}, index_granularity = 1024`;

const times = `
CREATE TABLE IF NOT EXISTS metric_times (
  slice UInt32 CODEC(Delta, ZSTD(1)),
  times UInt64 CODEC(ZSTD(1)),
  data String CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY intDiv(slice, ${slicesPerDay})
ORDER BY (slice, times)
SETTINGS ${durable}, index_granularity = 1024`;

const bases = `
CREATE TABLE IF NOT EXISTS metric_bases (
  day UInt32,
  base UInt64 CODEC(ZSTD(1)),
  labels Map(LowCardinality(String), String) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY (day, base)
SETTINGS ${durable}, index_granularity = 1024`;

/** The tables with a row for each series and slice. */
export const historySlices = ["metric_slices", "metric_rollups"] as const;

/** Makes the tables that are missing; the database is there. Rejects as `migrate` does. */
export async function migrateHistory(
  connection: ClickHouseConnection,
  retention: HistoryRetention,
): Promise<void> {
  const client = openClickHouse(connection);
  const keep = async (table: string, time: string, days: number) => {
    const result = await client.query({
      query: `SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {table:String}`,
      query_params: { table },
      format: "JSONEachRow",
    });
    const [found] = await result.json<{ engine_full: string }>();
    if (found?.engine_full.includes(`toIntervalDay(${days})`)) return;
    await define(
      client,
      `ALTER TABLE ${table} MODIFY TTL toDateTime(${time}, 'UTC') + toIntervalDay(${days})`,
    );
  };
  const rawDays = Math.ceil(retention.rawDays);
  const rollupDays = Math.max(rawDays, Math.ceil(retention.rollupDays));
  if (!(rawDays > 0))
    throw new SkoposError("bad-config", "the history keeps at least one day of samples");
  try {
    for (const query of [...historySlices.map(slicesNamed), times, bases])
      await define(client, query);
    const seconds = sliceMs / 1000;
    await keep("metric_slices", `slice * ${seconds}`, rawDays + 1);
    await keep("metric_rollups", `slice * ${seconds}`, rollupDays + 1);
    await keep("metric_times", `slice * ${seconds}`, rollupDays + 1);
    await keep("metric_bases", `day * ${seconds * slicesPerDay}`, rollupDays + 2);
  } catch (error) {
    throw readError(error);
  } finally {
    await client.close();
  }
}
