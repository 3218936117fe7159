import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { type Span, systemClock } from "@skopos/model";
import { blankSpan, logReaderContract, traceReaderContract } from "@skopos/testkit";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type JournalFollower, JournalReader } from "../journal/journal-reader.ts";
import { Journal } from "../journal/journal.ts";
import { runCarrier } from "./carrier.ts";
import { openClickHouse } from "./client.ts";
import { createLogReader } from "./log-reader.ts";
import { LogStore } from "./log-store.ts";
import { migrate } from "./schema.ts";
import { type SupervisedClickHouse, superviseClickHouse } from "./supervise.ts";
import { defaultQueryLimits } from "./sql.ts";
import { readTraceColumns } from "./trace-columns.ts";
import { createTraceReader } from "./trace-reader.ts";
import { TraceStore } from "./trace-store.ts";

const bigintText = (_key: string, value: unknown) =>
  typeof value === "bigint" ? String(value) : value;
/** Comparable: a zero is a zero, whatever its sign. */
function plain(read: unknown): unknown {
  return JSON.parse(JSON.stringify(read, bigintText));
}
const silent = { info: () => {}, warn: () => {}, error: () => {} };
const stop = new AbortController();
let dir: string;
let server: SupervisedClickHouse;
let client: ClickHouseClient;
let journal: Journal;
let follower: JournalFollower;
let carrying: Promise<void>;
let carried = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-readers-"));
  server = await superviseClickHouse({
    entry: new URL("../testing/clickhouse-process.ts", import.meta.url),
    execArgv: ["--import", "tsx"],
    dir: join(dir, "clickhouse"),
    clock: systemClock,
    log: silent,
    memoryBytesMax: 800e6,
  });
  await migrate(server.connection, { tracesMs: 1e12, logsMs: 1e12 });
  await migrate(server.connection, { tracesMs: 1e12, logsMs: 1e12 });
  client = openClickHouse(server.connection);
  const journalDir = join(dir, "telemetry");
  journal = await Journal.open({
    dir: journalDir,
    clock: systemClock,
    segmentBytesMax: 1e6,
    bytesMax: 1e9,
  });
  follower = await JournalReader.open({ dir: journalDir });
  carrying = runCarrier({
    journal: follower,
    client,
    checkpointFile: join(dir, "carrier.json"),
    clock: systemClock,
    log: silent,
    signal: stop.signal,
    onProgress: ({ carriedThrough }) => {
      carried = carriedThrough;
    },
  });
});

afterAll(async () => {
  stop.abort();
  await carrying;
  await client.close();
  await server.stop();
  await follower.close();
  await journal.close();
  await rm(dir, { recursive: true, force: true });
});

const settled = () =>
  expect.poll(() => carried, { timeout: 10_000, interval: 20 }).toBe(journal.durableThrough);

describe("traces in ClickHouse", () => {
  const cases = traceReaderContract(async () => ({
    sink: new TraceStore(journal),
    reader: createTraceReader(client),
    settled,
  }));
  for (const { name, run } of cases) it(name, run);
});

describe("rows in ClickHouse", () => {
  it("come back as they went, whatever characters and numbers are in them", async () => {
    const text = fc.string({ unit: "binary", maxLength: 30 });
    const value = fc.oneof(
      text,
      fc.double(),
      fc.boolean(),
      fc.array(fc.oneof(text, fc.integer(), fc.boolean()), { maxLength: 4 }),
    );
    const attributes = fc.dictionary(text, value, { maxKeys: 6 });
    const traceId = "f".repeat(32);
    const span = fc.record({
      service: text,
      name: text,
      statusMessage: text,
      attributes,
      resource: attributes,
      events: fc.array(fc.record({ timeNs: fc.bigInt(0n, 2n ** 62n), name: text, attributes }), {
        maxLength: 2,
      }),
      durationNs: fc.nat(),
    });
    const drawn = fc.sample(span, { numRuns: 300, seed: 7 });
    const spans: Span[] = drawn.map((fields, i) => ({
      traceId,
      spanId: (i + 1).toString(16).padStart(16, "0"),
      parentSpanId: "",
      kind: "server",
      startNs: 1_790_000_000_000_000_000n + BigInt(i),
      status: "ok",
      scopeName: fields.name,
      scopeVersion: "",
      links: [],
      ...fields,
    }));
    await new TraceStore(journal).append(spans);
    const records = drawn.map((fields, i) => ({
      timeNs: 1_790_500_000_000_000_000n + BigInt(i),
      labels: { fuzz: "yes" },
      metadata: { name: fields.service },
      line: fields.statusMessage + fields.name,
    }));
    await new LogStore(journal).append(records);
    await settled();
    expect(plain(await createTraceReader(client).trace(traceId))).toEqual(plain(spans));
    const read = await createLogReader(client).select({
      matchers: [{ op: "=", name: "fuzz", value: "yes" }],
      filters: [],
      startNs: 0n,
      endNs: 2n ** 62n,
      limit: 1000,
      direction: "forward",
    });
    expect(read).toEqual(records);
  });

  it("come in columns each once, and of too many spans the first ones", async () => {
    const traceId = "e".repeat(32);
    const spans = Array.from({ length: 9 }, (_, i) =>
      blankSpan({
        traceId,
        spanId: String(i + 1).padStart(16, "0"),
        service: i % 2 === 0 ? "shop" : "cart",
        startNs: 1_790_000_000_000_000_000n + BigInt(9 - i),
      }),
    );
    await new TraceStore(journal).append([...spans, ...spans.slice(0, 4)]);
    await settled();
    const read = async (spansMax: number) => {
      const request = { traceId, firstTexts: [], spansMax, signal: undefined };
      const { ids, id, startNs } = await readTraceColumns(client, defaultQueryLimits, request);
      return Array.from(id, (at, row) => `${Number(ids[at])}@${startNs[row]}`).sort();
    };
    expect(await read(100)).toEqual(spans.map((_, i) => `${i + 1}@${8 - i}`));
    expect(await read(3)).toEqual(["7@2", "8@1", "9@0"]);
  });

  it("are not taken for comments with hints in them, which the embedded engine looks for", async () => {
    const lines = [
      '-- {"level":"error","msg":"GET /users"}',
      'upstream http://users:8080 said {"level":"error GET"}',
      "/* { serverError GET } */",
      '"unbalanced # { error GET }',
      "ends in #",
      "--- {error GET} //// {error GET}",
    ];
    const records = lines.map((line, i) => ({
      timeNs: 1_790_600_000_000_000_000n + BigInt(i),
      labels: { comments: "yes" },
      metadata: { also: line },
      line,
    }));
    await new LogStore(journal).append(records);
    await settled();
    const read = await createLogReader(client).select({
      matchers: [{ op: "=", name: "comments", value: "yes" }],
      filters: [],
      startNs: 0n,
      endNs: 2n ** 62n,
      limit: 100,
      direction: "forward",
    });
    expect(read).toEqual(records);
  });

  it("are dropped when they are older than is kept, which may be changed", async () => {
    const connection = { ...server.connection, database: "short" };
    await migrate(connection, { tracesMs: 2e12, logsMs: 86_400_000 });
    await migrate(connection, { tracesMs: 2 * 86_400_000, logsMs: 86_400_000 });
    const short = openClickHouse(connection);
    const nowNs = BigInt(systemClock.nowMs()) * 1_000_000n;
    const dayNs = 86_400_000_000_000n;
    await short.insert({
      table: "spans",
      columns: ["service", "start_ns"],
      values: [1n, 3n].map((days) => ({ service: `${days}`, start_ns: `${nowNs - days * dayNs}` })),
      format: "JSONEachRow",
    });
    await short.command({ query: "OPTIMIZE TABLE spans FINAL" });
    const left = await short.query({ query: "SELECT service FROM spans", format: "JSONEachRow" });
    expect(await left.json()).toEqual([{ service: "1" }]);
    await short.close();
  });
});

describe("logs in ClickHouse", () => {
  const cases = logReaderContract(async () => ({
    sink: new LogStore(journal),
    reader: createLogReader(client),
    settled,
  }));
  for (const { name, run } of cases) it(name, run);
});
