/** The tables and views of schema.ts, as statements that make them. What each is for is told there. */
import { spanKinds, spanStatuses } from "@skopos/model";

/** Attributes of spans that have a column of their own: what proxies and HTTP libraries write on most spans. */
const attributeKeys = [
  "http.status_code",
  "http.response.status_code",
  "http.method",
  "http.request.method",
  "http.url",
  "url.path",
  "http.route",
  "response_flags",
  "upstream_cluster",
] as const;
const resourceKeys = ["k8s.namespace.name", "k8s.pod.name"] as const;

const columnOf = (prefix: string, key: string) => `${prefix}_${key.replaceAll(".", "_")}`;

/** Key of an attribute → column with its text, "" where the span lacks it. Narrow, so that a search reads little. */
export const attributeColumns: ReadonlyMap<string, string> = new Map(
  attributeKeys.map((key) => [key, columnOf("attribute", key)]),
);
/** As `attributeColumns`, of the resource. */
export const resourceColumns: ReadonlyMap<string, string> = new Map(
  resourceKeys.map((key) => [key, columnOf("resource", key)]),
);

/** What an INSERT reported as done is synced, since the journal lets go of it then, and is known again when repeated. */
const durable = `fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000`;

const narrowColumns = [
  ...[...attributeColumns].map(([key, column]) => [column, `attributes['${key}']`] as const),
  ...[...resourceColumns].map(([key, column]) => [column, `resource['${key}']`] as const),
].map(([column, value]) => `${column} LowCardinality(String) MATERIALIZED ${value} CODEC(ZSTD(1))`);

const enumOf = (names: readonly string[]) =>
  `Enum8(${names.map((name, i) => `'${name}' = ${i}`).join(", ")})`;

export const kind = enumOf(spanKinds);
export const status = enumOf(spanStatuses);

/** Of `spans` since the third version: a span's is mostly that of the one before, and is read whole with its trace. */
export const resourceColumn =
  "resource Map(LowCardinality(String), String) CODEC(LZ4HC(4)) SETTINGS (min_compress_block_size = 65536)";

/** Of `spans`, and of the tables that its rows pass through. */
export function spansTable(name: string): string {
  return `
CREATE TABLE IF NOT EXISTS ${name} (
  service LowCardinality(String),
  start_ns Int64 CODEC(Delta, ZSTD(1)),
  duration_ns UInt64 CODEC(T64, ZSTD(1)),
  trace_id FixedString(16) CODEC(ZSTD(1)),
  span_id FixedString(8) CODEC(ZSTD(1)),
  parent_span_id FixedString(8) CODEC(ZSTD(1)),
  name LowCardinality(String),
  kind ${kind} CODEC(ZSTD(1)),
  status ${status} CODEC(ZSTD(1)),
  status_message String CODEC(ZSTD(1)),
  scope_name LowCardinality(String),
  scope_version LowCardinality(String),
  scope_attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  attributes Map(LowCardinality(String), String) CODEC(LZ4HC(4)) SETTINGS (min_compress_block_size = 131072),
  ${resourceColumn},
  events String CODEC(ZSTD(1)),
  links String CODEC(ZSTD(1)),
  weight Float32 DEFAULT 1 CODEC(ZSTD(1)),
  ${narrowColumns.join(",\n  ")},
  INDEX trace_id trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX request_id attributes['guid:x-request-id'] TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY intDiv(start_ns, 3600000000000)
ORDER BY (service, start_ns)
SETTINGS ${durable}, ttl_only_drop_parts = 1, index_granularity = 1024`;
}

export const traceIndex = `
CREATE TABLE IF NOT EXISTS trace_index (
  day Date CODEC(ZSTD(1)),
  trace_id FixedString(16) CODEC(ZSTD(1)),
  first_ns SimpleAggregateFunction(min, Int64) CODEC(ZSTD(1)),
  last_ns SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
  services SimpleAggregateFunction(groupUniqArrayArray, Array(String)) CODEC(ZSTD(1)),
  root_service SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
  root_name SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
  root_duration_ns SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),
  spans SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  errors SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
) ENGINE = AggregatingMergeTree
PARTITION BY day
ORDER BY (trace_id, day)
SETTINGS ${durable}, ttl_only_drop_parts = 1, index_granularity = 512`;

export const tracesOfSpans = `
SELECT
  toDate(intDiv(min(start_ns), 86400000000000)) AS day,
  trace_id,
  min(start_ns) AS first_ns,
  max(start_ns) AS last_ns,
  groupUniqArray(toString(service)) AS services,
  maxIf(toString(service), parent_span_id = toFixedString('', 8)) AS root_service,
  maxIf(toString(name), parent_span_id = toFixedString('', 8)) AS root_name,
  maxIf(duration_ns, parent_span_id = toFixedString('', 8)) AS root_duration_ns,
  count() AS spans,
  countIf(status = 'error') AS errors
FROM spans
GROUP BY trace_id`;

/** Of sampling.ts: what it decided for the hour that it is at, and the hours that it is done with. */
export const samplingTables = [
  `CREATE TABLE IF NOT EXISTS sampling_plan (
  hour UInt32,
  service String,
  name String,
  slow_ns UInt64,
  share Float64
) ENGINE = MergeTree ORDER BY (hour, service, name)`,
  `CREATE TABLE IF NOT EXISTS thinned_hours (
  hour UInt32,
  spans_before UInt64,
  spans_kept UInt64
) ENGINE = ReplacingMergeTree ORDER BY hour
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
  spansTable("spans_thinned"),
];

export const spanRates = `
CREATE TABLE IF NOT EXISTS span_rates (
  service LowCardinality(String),
  name LowCardinality(String),
  kind ${kind},
  status ${status},
  minute UInt32 CODEC(Delta, ZSTD(1)),
  bucket Int16 CODEC(ZSTD(1)),
  count UInt64 CODEC(T64, ZSTD(1)),
  total_ns UInt64 CODEC(T64, ZSTD(1))
) ENGINE = SummingMergeTree((count, total_ns))
PARTITION BY toDate(intDiv(minute, 1440))
ORDER BY (service, name, kind, status, minute, bucket)
SETTINGS ${durable}, ttl_only_drop_parts = 1`;

export const ratesOfSpans = `
SELECT
  service, name, kind, status,
  toUInt32(intDiv(start_ns, 60000000000)) AS minute,
  toInt16(if(duration_ns = 0, -1, floor(4 * log2(duration_ns)))) AS bucket,
  count() AS count,
  sum(duration_ns) AS total_ns
FROM spans
GROUP BY service, name, kind, status, minute, bucket`;

/** Runs of four ASCII letters or more. Without a lambda: it must be computable for parts that lack the index. */
const words = "extractAll(line, '[A-Za-z]{4,}')";
const ids =
  "extractAll(line, '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}')";

/** Columns and indexes of `logs` that came with the second version. */
export const logAdditions = {
  columns: [`words Array(String) ALIAS ${words}`, `ids Array(String) ALIAS ${ids}`],
  indexes: [
    `line_words ${words} TYPE text(tokenizer = 'array')`,
    `line_ids ${ids} TYPE bloom_filter(0.01) GRANULARITY 1`,
    "time_ns time_ns TYPE minmax GRANULARITY 1",
  ],
  line: "line String CODEC(ZSTD(1)) SETTINGS (min_compress_block_size = 1048576, max_compress_block_size = 1048576)",
} as const;

/**
 * Of `logs` since the fourth version: a merge decides the order by the key alone and then writes one column after another,
 * which takes a third less than carrying whole lines through it.
 */
export const logMerging = "vertical_merge_algorithm_min_columns_to_activate = 1";

export const logs = `
CREATE TABLE IF NOT EXISTS logs (
  stream UInt64 MATERIALIZED cityHash64(mapKeys(labels), mapValues(labels)) CODEC(ZSTD(1)),
  time_ns Int64 CODEC(Delta, ZSTD(1)),
  labels Map(LowCardinality(String), String) CODEC(LZ4HC(4)) SETTINGS (min_compress_block_size = 1048576),
  metadata Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  ${logAdditions.line},
  ${logAdditions.columns.join(",\n  ")},
  ${logAdditions.indexes.map((index) => `INDEX ${index}`).join(",\n  ")}
) ENGINE = MergeTree
PARTITION BY toDate(fromUnixTimestamp64Nano(time_ns, 'UTC'))
ORDER BY (stream, time_ns)
SETTINGS ${durable}, ttl_only_drop_parts = 1, index_granularity = 4096, ${logMerging}`;

export const streams = `
CREATE TABLE IF NOT EXISTS streams (
  day Date,
  stream UInt64,
  labels SimpleAggregateFunction(any, Map(String, String)),
  first_ns SimpleAggregateFunction(min, Int64),
  last_ns SimpleAggregateFunction(max, Int64)
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, stream)`;

export const streamsOfLogs = `
SELECT
  toDate(fromUnixTimestamp64Nano(time_ns, 'UTC')) AS day,
  stream,
  any(labels) AS labels,
  min(time_ns) AS first_ns,
  max(time_ns) AS last_ns
FROM logs
GROUP BY day, stream`;

export const logPatterns = `
CREATE TABLE IF NOT EXISTS log_patterns (
  labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  source UInt64 MATERIALIZED cityHash64(mapKeys(labels), mapValues(labels)) CODEC(ZSTD(1)),
  template_id UInt64 CODEC(ZSTD(1)),
  bucket_ms Int64 CODEC(Delta, ZSTD(1)),
  template SimpleAggregateFunction(any, String) CODEC(ZSTD(1)),
  sample SimpleAggregateFunction(any, String) CODEC(ZSTD(1)),
  count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
) ENGINE = AggregatingMergeTree
PARTITION BY toDate(fromUnixTimestamp64Milli(bucket_ms, 'UTC'))
ORDER BY (source, template_id, bucket_ms, labels)
SETTINGS ${durable}, ttl_only_drop_parts = 1`;

export function view(name: string, target: string, select: string): string {
  return `CREATE MATERIALIZED VIEW IF NOT EXISTS ${name} TO ${target} AS ${select}`;
}
