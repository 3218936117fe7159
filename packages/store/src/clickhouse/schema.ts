/**
 * The schema of traces and logs: its versions, how a database comes to the newest, and what readers may count on.
 *
 * `spans`, in the order of (service, start_ns), an hour a partition. A search names a service and a time, and reads only
 *   their granules (1,024 rows). Frequent attributes have narrow columns besides (`attributeColumns`, `resourceColumns` in
 *   tables.ts: equal to `attributes['key']`, "" when absent): a comparison there reads two bytes a span, one on the map
 *   hundreds. Bloom filters: `trace_id`, and `attributes['guid:x-request-id']`, written exactly so.
 *   `weight`: how many spans this one stands for, 1 unless its trace was drawn as a sample of its like (sampling.ts);
 *   counts and rates of spans are sums of it.
 * `trace_index`, in the order of trace_id, a day a partition: for each trace when its spans start (first_ns … last_ns) and
 *   which services they are of, which is the key of `spans`; its root span and how many spans and errors it has. One row
 *   per trace and insert until merged: aggregate by trace_id. Spans sent twice are counted twice here.
 *     SELECT … FROM spans WHERE trace_id = X AND service IN (…) AND start_ns BETWEEN … AND …
 *   with the bounds as constants, or scalar subqueries, reads few granules.
 * `span_rates`, in the order of (service, name, kind, status, minute), a day a partition: count and total duration of all
 *   spans by minute since the epoch and by quarter octave of duration (2^(bucket/4) ≤ ns < 2^((bucket+1)/4), -1 for none);
 *   sum over rows. Exact for as long as traces are kept, whatever sampling let go of.
 * `logs`, in the order of (stream, time_ns), a day a partition. A stream is a label set; `streams` lists the label sets of
 *   each day and when they had lines, so that matchers are tried against thousands of streams instead of millions of
 *   lines. Indexes:
 *   - `line_words` (full text) on `words`, the line's runs of four ASCII letters or more. A text that holds such a run is
 *     only in lines with a word that holds the run:
 *       hasAny(words, (SELECT groupUniqArray(token) FROM mergeTreeTextIndex(currentDatabase(), 'logs', 'line_words')
 *                      WHERE token LIKE '%run%')) AND line LIKE '%text%'
 *     pays when few words do. `words` may stand for its expression, of which the index is.
 *   - `line_ids` (bloom) on `ids`, the line's UUIDs and runs of 32 hex digits: has(ids, 'id') AND line LIKE '%id%'.
 *   - `time_ns` (smallest and largest of each granule), for the newest lines across streams.
 * `log_patterns`, a day a partition: how often each template was seen, by bucket of time and by what its lines were mined
 *   by; sum over rows. `source` is the hash of the labels, as `stream` of `logs` is.
 *
 * A batch that the carrier repeats is recognised by its token, in every table that it feeds.
 */
import { type ClickHouseClient } from "@clickhouse/client";
import { SkoposError } from "@skopos/model";
import { type ClickHouseConnection, openClickHouse, readError } from "./client.ts";
import { define } from "./define.ts";
import {
  logAdditions,
  logMerging,
  logPatterns,
  logs,
  ratesOfSpans,
  resourceColumn,
  samplingTables,
  spanRates,
  spansTable,
  streams,
  streamsOfLogs,
  traceIndex,
  tracesOfSpans,
  view,
} from "./tables.ts";

/** How long rows are kept, by the time that they are of. */
export interface TelemetryRetention {
  readonly tracesMs: number;
  readonly logsMs: number;
}

const dayMs = 86_400_000;
const defaultRetention: TelemetryRetention = { tracesMs: 7 * dayMs, logsMs: 7 * dayMs };
const newest = 4;

const versions = `CREATE TABLE IF NOT EXISTS schema_versions (version UInt32) ENGINE = MergeTree ORDER BY version
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;

const tables = [
  spansTable("spans"),
  traceIndex,
  spanRates,
  ...samplingTables,
  logs,
  streams,
  logPatterns,
  view("traces_of_spans", "trace_index", tracesOfSpans),
  view("rates_of_spans", "span_rates", ratesOfSpans),
  view("streams_of_logs", "streams", streamsOfLogs),
];

/**
 * Brings the database to the newest schema, from any earlier one, and sets how long rows are kept. Nothing may be inserted
 * meanwhile. Rejects with "unavailable" when ClickHouse does not answer, "disk-full" when its disk is full, "bad-config" when a
 * newer release made the tables.
 */
export async function migrate(
  connection: ClickHouseConnection,
  retention: TelemetryRetention = defaultRetention,
): Promise<void> {
  const { database } = connection;
  if (!/^\w+$/.test(database))
    throw new SkoposError("bad-config", `not a database name: ${JSON.stringify(database)}`);
  // A client names its database with every request, and this one may not exist yet.
  await using({ ...connection, database: "default" }, (client) =>
    define(client, `CREATE DATABASE IF NOT EXISTS ${database}`),
  );
  await using(connection, async (client) => {
    await define(client, versions);
    const found = await versionOf(client);
    if (found > newest)
      throw new SkoposError(
        "bad-config",
        `the tables in ${database} are of a newer release (version ${found}, this one knows ${newest}): start that one, or use another database`,
      );
    if (found === 1) await fromFirst(client);
    if (found === 2) await fromSecond(client);
    if (found > 0 && found < 4)
      await define(client, `ALTER TABLE logs MODIFY SETTING ${logMerging}`);
    for (const query of tables) await define(client, query);
    if (found < newest)
      await client.command({ query: `INSERT INTO schema_versions VALUES (${newest})` });
    await keepAll(client, retention);
  });
}

/** 0: there is nothing yet. The first version had no table of versions. */
async function versionOf(client: ClickHouseClient): Promise<number> {
  const [row] = await rowsOf<{ version: number }>(
    client,
    "SELECT max(version) AS version FROM schema_versions",
  );
  if (row && row.version > 0) return row.version;
  return (await definitionOf(client, "logs")) === undefined ? 0 : 1;
}

async function definitionOf(client: ClickHouseClient, table: string): Promise<string | undefined> {
  const [row] = await rowsOf<{ engine_full: string }>(
    client,
    "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
    { table },
  );
  return row?.engine_full;
}

/**
 * From the first version. Spans were in partitions of a day, so they are copied; lines stay where they are, without the new
 * indexes until they are merged. Every step can be repeated after a crash at any point.
 */
async function fromFirst(client: ClickHouseClient): Promise<void> {
  const run = (query: string) => define(client, query);
  if (!(await definitionOf(client, "spans"))?.includes("intDiv(start_ns")) {
    for (const table of ["spans_next", "trace_index", "span_rates"])
      await run(`DROP TABLE IF EXISTS ${table} SYNC`);
    for (const table of [spansTable("spans_next"), traceIndex, spanRates]) await run(table);
    const columns = `service, start_ns, duration_ns, trace_id, span_id, parent_span_id, name, kind, status,
      status_message, scope_name, scope_version, attributes, resource, events, links`;
    const copying = `SETTINGS max_threads = 1, max_insert_threads = 1, throw_on_max_partitions_per_insert_block = 0`;
    await run(
      `INSERT INTO spans_next (${columns}) SELECT ${columns} FROM spans ORDER BY start_ns ${copying}`,
    );
    await run(`INSERT INTO trace_index ${tracesOfSpans} ${copying}`);
    await run(`INSERT INTO span_rates ${ratesOfSpans} ${copying}`);
    await run("RENAME TABLE spans TO spans_first, spans_next TO spans");
  }
  await run("DROP TABLE IF EXISTS spans_first SYNC");
  for (const column of logAdditions.columns)
    await run(`ALTER TABLE logs ADD COLUMN IF NOT EXISTS ${column}`);
  await run(`ALTER TABLE logs MODIFY COLUMN ${logAdditions.line}`);
  await run("ALTER TABLE logs DROP INDEX IF EXISTS line_grams");
  for (const index of logAdditions.indexes)
    await run(`ALTER TABLE logs ADD INDEX IF NOT EXISTS ${index}`);
}

/** Parts that there are stay as they are; the two tables must be alike. */
async function fromSecond(client: ClickHouseClient): Promise<void> {
  for (const table of ["spans", "spans_thinned"])
    await define(client, `ALTER TABLE ${table} MODIFY COLUMN ${resourceColumn}`);
}

async function keepAll(client: ClickHouseClient, { tracesMs, logsMs }: TelemetryRetention) {
  const second = (ns: string) => `toDateTime(intDiv(${ns}, 1000000000), 'UTC')`;
  await keepFor(client, "spans", second("start_ns"), tracesMs);
  // REPLACE PARTITION wants the very same table.
  await keepFor(client, "spans_thinned", second("start_ns"), tracesMs);
  // What stands for a whole day stays as long as anything of that day may.
  await keepFor(client, "trace_index", "day", tracesMs + dayMs);
  await keepFor(client, "span_rates", "toDateTime(minute * 60, 'UTC')", tracesMs);
  await keepFor(client, "thinned_hours", "toDateTime(hour * 3600, 'UTC')", tracesMs + dayMs);
  await keepFor(client, "logs", second("time_ns"), logsMs);
  await keepFor(client, "streams", "day", logsMs + dayMs);
  await keepFor(client, "log_patterns", "toDateTime(intDiv(bucket_ms, 1000), 'UTC')", logsMs);
}

/** Sets how long a table's rows are kept, when that is not so already: changing it rewrites what the parts know of it. */
async function keepFor(client: ClickHouseClient, table: string, time: string, keepMs: number) {
  const interval = `toIntervalSecond(${Math.ceil(keepMs / 1000)})`;
  if ((await definitionOf(client, table))?.includes(interval)) return;
  await define(client, `ALTER TABLE ${table} MODIFY TTL ${time} + ${interval}`);
}

async function rowsOf<Row>(
  client: ClickHouseClient,
  query: string,
  parameters: Record<string, string> = {},
): Promise<Row[]> {
  const result = await client.query({ query, query_params: parameters, format: "JSONEachRow" });
  return result.json<Row>();
}

/** Copies of many days take their time. */
const requestMsMax = 3_600_000;

async function using(
  connection: ClickHouseConnection,
  work: (client: ClickHouseClient) => Promise<unknown>,
): Promise<void> {
  const client = openClickHouse({ ...connection, requestMsMax });
  try {
    await work(client);
  } catch (error) {
    throw readError(error);
  } finally {
    await client.close();
  }
}
