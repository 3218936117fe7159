import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { systemClock } from "@skopos/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClickHouseConnection, openClickHouse } from "./client.ts";
import { migrate } from "./schema.ts";
import { type SupervisedClickHouse, superviseClickHouse } from "./supervise.ts";

const forLong = { tracesMs: 1e12, logsMs: 1e12 };
let dir: string;
let server: SupervisedClickHouse;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-schema-"));
  server = await superviseClickHouse({
    entry: new URL("../testing/clickhouse-process.ts", import.meta.url),
    execArgv: ["--import", "tsx"],
    dir: join(dir, "clickhouse"),
    clock: systemClock,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    memoryBytesMax: 800e6,
  });
});

afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

/** What release 0.1 made, and its rows: 50 traces of two spans over ten hours, and a line for each. */
const firstVersion = [
  `CREATE TABLE spans (
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
  ) ENGINE = MergeTree PARTITION BY toDate(fromUnixTimestamp64Nano(start_ns, 'UTC')) ORDER BY (service, start_ns)
  SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, index_granularity = 1024`,
  `CREATE TABLE logs (
    stream UInt64 MATERIALIZED cityHash64(mapKeys(labels), mapValues(labels)) CODEC(ZSTD(1)),
    time_ns Int64 CODEC(Delta, ZSTD(1)),
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    metadata Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    line String CODEC(ZSTD(3)),
    INDEX line_grams line TYPE ngrambf_v1(4, 32768, 3, 0) GRANULARITY 1
  ) ENGINE = MergeTree PARTITION BY toDate(fromUnixTimestamp64Nano(time_ns, 'UTC')) ORDER BY (stream, time_ns)
  SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1`,
  `CREATE TABLE streams (
    day Date, stream UInt64, labels SimpleAggregateFunction(any, Map(String, String)),
    first_ns SimpleAggregateFunction(min, Int64), last_ns SimpleAggregateFunction(max, Int64)
  ) ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(day) ORDER BY (day, stream)`,
  `CREATE MATERIALIZED VIEW streams_of_logs TO streams AS
  SELECT toDate(fromUnixTimestamp64Nano(time_ns, 'UTC')) AS day, stream, any(labels) AS labels,
    min(time_ns) AS first_ns, max(time_ns) AS last_ns
  FROM logs GROUP BY day, stream`,
  `INSERT INTO spans (service, start_ns, duration_ns, trace_id, span_id, parent_span_id, name, status, attributes)
  SELECT if(number % 2 = 0, 'shop', 'cart'), 1790000000000000000 + intDiv(number, 10) * 3600000000000, 1000,
    toFixedString(toString(intDiv(number, 2)), 16), toFixedString(toString(number), 8),
    toFixedString(if(number % 2 = 0, '', 'p'), 8), 'GET', if(number = 7, 'error', 'unset'),
    map('http.status_code', '200')
  FROM numbers(100)`,
  `INSERT INTO logs (time_ns, labels, line)
  SELECT 1790000000000000000 + number, map('app', 'shop'), concat('line ', toString(number), ' of sorts')
  FROM numbers(50)`,
];

async function withFirstVersion(database: string): Promise<ClickHouseConnection> {
  const outside = openClickHouse({ ...server.connection, database: "default" });
  await outside.command({ query: `CREATE DATABASE ${database}` });
  await outside.close();
  const connection = { ...server.connection, database };
  const client = openClickHouse(connection);
  for (const query of firstVersion) await client.command({ query });
  await client.close();
  return connection;
}

async function values(client: ClickHouseClient, query: string): Promise<unknown> {
  const result = await client.query({ query, format: "JSONCompactEachRow" });
  return (await result.json<unknown[]>())[0];
}

async function expectMoved(connection: ClickHouseConnection): Promise<void> {
  const client = openClickHouse(connection);
  const of = (query: string) => values(client, query);
  expect(
    await of(
      `SELECT toUInt32(count()), toUInt32(uniqExact(span_id)), any(attribute_http_status_code), sum(weight) FROM spans`,
    ),
  ).toEqual([100, 100, "200", 100]);
  expect(
    await of(`SELECT toUInt32(uniqExact(trace_id)), toUInt32(sum(spans)), toUInt32(sum(errors)),
      toUInt32(countIf(root_service = 'shop')) FROM trace_index`),
  ).toEqual([50, 100, 1, 50]);
  expect(await of(`SELECT toUInt32(sum(count)), toUInt32(sum(total_ns)) FROM span_rates`)).toEqual([
    100, 100_000,
  ]);
  await client.command({
    query:
      "INSERT INTO logs (time_ns, labels, line) VALUES (1790000000000000100, {'app': 'shop'}, 'more of sorts')",
  });
  expect(await of(`SELECT toUInt32(count()) FROM logs WHERE hasAny(words, ['sorts'])`)).toEqual([
    51,
  ]);
  expect(await of(`SELECT max(last_ns) = 1790000000000000100 FROM streams`)).toEqual([1]);
  const logsTable = `FROM system.tables WHERE database = currentDatabase() AND name = 'logs'`;
  expect(await of(`SELECT engine_full LIKE '%vertical_merge%' ${logsTable}`)).toEqual([1]);
  expect(
    await of(
      `SELECT toUInt32(countIf(endsWith(name, '_first') OR endsWith(name, '_next'))) FROM system.tables WHERE database = currentDatabase()`,
    ),
  ).toEqual([0]);
  await client.close();
}

describe("the schema of traces and logs", () => {
  it("takes over what the first version stored, and is the same when asked again", async () => {
    const connection = await withFirstVersion("taken");
    await migrate(connection, forLong);
    await migrate(connection, forLong);
    await expectMoved(connection);
  });

  it("takes over once what a migration that was cut off began to copy", async () => {
    const connection = await withFirstVersion("cut");
    const client = openClickHouse(connection);
    const query = "CREATE TABLE spans_next AS spans ENGINE = MergeTree ORDER BY start_ns";
    await client.command({ query });
    await client.command({ query: "INSERT INTO spans_next SELECT * FROM spans LIMIT 10" });
    await client.close();
    await migrate(connection, forLong);
    await expectMoved(connection);
  });

  it("takes over the second version's tables, which differ in how resources are packed", async () => {
    const connection = { ...server.connection, database: "second" };
    await migrate(connection, forLong);
    const client = openClickHouse(connection);
    const packed = `resource Map(LowCardinality(String), String) CODEC(ZSTD(1)) SETTINGS (min_compress_block_size = 262144)`;
    for (const query of [
      `ALTER TABLE spans MODIFY COLUMN ${packed}`,
      `ALTER TABLE spans_thinned MODIFY COLUMN ${packed}`,
      "TRUNCATE TABLE schema_versions",
      "INSERT INTO schema_versions VALUES (2)",
      `INSERT INTO spans (service, start_ns, resource) VALUES ('shop', 1790000000000000000, {'k8s.pod.name': 'a'})`,
    ])
      await client.command({ query });
    await migrate(connection, forLong);
    await migrate(connection, forLong);
    await client.command({
      query: "INSERT INTO spans (service, start_ns) VALUES ('cart', 1790000000000000001)",
    });
    const codecs = `SELECT groupUniqArray(compression_codec) FROM system.columns
      WHERE database = currentDatabase() AND name = 'resource'`;
    expect(await values(client, codecs)).toEqual([["CODEC(LZ4HC(4))"]]);
    expect(await values(client, "SELECT max(version) FROM schema_versions")).toEqual([4]);
    const rows = "SELECT toUInt32(count()), max(resource['k8s.pod.name']) FROM spans";
    expect(await values(client, rows)).toEqual([2, "a"]);
    await client.close();
  });

  it("refuses tables of a newer release, and says so", async () => {
    const connection = { ...server.connection, database: "newer" };
    await migrate(connection, forLong);
    const client = openClickHouse(connection);
    await client.command({ query: "INSERT INTO schema_versions VALUES (1000)" });
    await client.close();
    await expect(migrate(connection, forLong)).rejects.toMatchObject({
      code: "bad-config",
      message: expect.stringContaining("newer release") as string,
    });
  });

  it("leaves the tables' retention alone unless it is another", async () => {
    const connection = { ...server.connection, database: "kept" };
    await migrate(connection, { tracesMs: 86_400_000, logsMs: 86_400_000 });
    const client = openClickHouse(connection);
    const changes = () =>
      values(
        client,
        `SELECT toUInt32(sum(metadata_version)), groupArray(extract(engine_full, 'toIntervalSecond\\\\(\\\\d+\\\\)'))
        FROM system.tables WHERE database = currentDatabase() AND name IN ('spans', 'logs')`,
      );
    const before = await changes();
    await migrate(connection, { tracesMs: 86_400_000, logsMs: 86_400_000 });
    expect(await changes()).toEqual(before);
    await migrate(connection, { tracesMs: 3_600_000, logsMs: 86_400_000 });
    expect(await changes()).not.toEqual(before);
    await client.close();
  });
});
