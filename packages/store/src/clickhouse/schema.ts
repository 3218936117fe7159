/**
 * Tables of traces and logs, and how they come to be. Statements are run in order and each is harmless when repeated.
 *
 * `spans`, in the order of (service, time): a search names a service and a time, and reads only their granules; a trace
 * is found by a bloom filter on its id, of about ten bits a span. Its spans are spread over as many granules as it has
 * services, each read as a whole, so granules are small: 1,024 rows halve the time of 8,192, for 1 % of space.
 * `logs`, in the order of (stream, time): a stream is a label set; `streams` lists the label sets of each day and when
 * they had lines, so that matchers are tried against thousands of streams instead of millions of lines. N-grams of the
 * line serve substrings.
 *
 * `non_replicated_deduplication_window` lets the carrier repeat a batch whose outcome it does not know. What an INSERT
 * reported as done is synced, since the journal lets go of it then.
 */
import { SkoposError } from "@skopos/model";
import { type ClickHouseConnection, openClickHouse, readError } from "./client.ts";

export interface RetentionDays {
  readonly spans: number;
  readonly logs: number;
}

const defaultRetention: RetentionDays = { spans: 7, logs: 7 };

const durable = `fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000,
  ttl_only_drop_parts = 1`;

const spans = `
CREATE TABLE IF NOT EXISTS spans (
  service LowCardinality(String),
  start_ns Int64 CODEC(Delta, ZSTD(1)),
  duration_ns UInt64 CODEC(T64, ZSTD(1)),
  trace_id FixedString(16) CODEC(ZSTD(1)),
  span_id FixedString(8) CODEC(ZSTD(1)),
  parent_span_id FixedString(8) CODEC(ZSTD(1)),
  name LowCardinality(String),
  kind Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5),
  status Enum8('unset' = 0, 'ok' = 1, 'error' = 2),
  status_message String CODEC(ZSTD(1)),
  scope_name LowCardinality(String),
  scope_version LowCardinality(String),
  attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  resource Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  events String CODEC(ZSTD(1)),
  links String CODEC(ZSTD(1)),
  INDEX trace_id trace_id TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(fromUnixTimestamp64Nano(start_ns, 'UTC'))
ORDER BY (service, start_ns)
SETTINGS ${durable}, index_granularity = 1024`;

const logs = `
CREATE TABLE IF NOT EXISTS logs (
  stream UInt64 MATERIALIZED cityHash64(mapKeys(labels), mapValues(labels)) CODEC(ZSTD(1)),
  time_ns Int64 CODEC(Delta, ZSTD(1)),
  labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  metadata Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  line String CODEC(ZSTD(3)),
  INDEX line_grams line TYPE ngrambf_v1(4, 32768, 3, 0) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(fromUnixTimestamp64Nano(time_ns, 'UTC'))
ORDER BY (stream, time_ns)
SETTINGS ${durable}`;

const streams = `
CREATE TABLE IF NOT EXISTS streams (
  day Date,
  stream UInt64,
  labels SimpleAggregateFunction(any, Map(String, String)),
  first_ns SimpleAggregateFunction(min, Int64),
  last_ns SimpleAggregateFunction(max, Int64)
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, stream)`;

const streamsOfLogs = `
CREATE MATERIALIZED VIEW IF NOT EXISTS streams_of_logs TO streams AS
SELECT
  toDate(fromUnixTimestamp64Nano(time_ns, 'UTC')) AS day,
  stream,
  any(labels) AS labels,
  min(time_ns) AS first_ns,
  max(time_ns) AS last_ns
FROM logs
GROUP BY day, stream`;

/** Makes the database and the tables that are missing. Rejects with "unavailable" when ClickHouse does not answer. */
export async function migrate(
  connection: ClickHouseConnection,
  retention: RetentionDays = defaultRetention,
): Promise<void> {
  const { database } = connection;
  if (!/^\w+$/.test(database))
    throw new SkoposError("bad-config", `not a database name: ${JSON.stringify(database)}`);
  // A client names its database with every request, and this one may not exist yet.
  await run({ ...connection, database: "default" }, [`CREATE DATABASE IF NOT EXISTS ${database}`]);
  await run(connection, [spans, logs, streams, streamsOfLogs]);
  await keepFor(
    connection,
    "spans",
    "toDateTime(intDiv(start_ns, 1000000000), 'UTC')",
    retention.spans,
  );
  await keepFor(
    connection,
    "logs",
    "toDateTime(intDiv(time_ns, 1000000000), 'UTC')",
    retention.logs,
  );
  // A day's streams stay as long as any of its lines may.
  await keepFor(connection, "streams", "day", retention.logs + 1);
}

/** Sets how long a table's rows are kept, when that is not so already: changing it rewrites what the parts know of it. */
async function keepFor(
  connection: ClickHouseConnection,
  table: string,
  time: string,
  days: number,
) {
  const client = openClickHouse(connection);
  try {
    const result = await client.query({
      query: `SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {table:String}`,
      query_params: { table },
      format: "JSONEachRow",
    });
    const [found] = await result.json<{ engine_full: string }>();
    if (found?.engine_full.includes(`toIntervalDay(${days})`)) return;
    await client.command({
      query: `ALTER TABLE ${table} MODIFY TTL ${time} + toIntervalDay(${Math.trunc(days)})`,
    });
  } catch (error) {
    throw readError(error);
  } finally {
    await client.close();
  }
}

async function run(connection: ClickHouseConnection, statements: readonly string[]): Promise<void> {
  const client = openClickHouse(connection);
  try {
    for (const query of statements) await client.command({ query });
  } catch (error) {
    throw readError(error);
  } finally {
    await client.close();
  }
}
