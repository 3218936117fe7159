import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { type Clock, systemClock } from "@skopos/model";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openClickHouse } from "./client.ts";
import { fairPart, TraceSampling } from "./sampling.ts";
import { migrate } from "./schema.ts";
import { createTraceReader } from "./trace-reader.ts";
import { type SupervisedClickHouse, superviseClickHouse } from "./supervise.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const hourMs = 3_600_000;
/** 2026-09-21 12:00 UTC, in hours. */
const hour = 497_124;
const hourNs = BigInt(hourMs) * 1_000_000n;
let dir: string;
let server: SupervisedClickHouse;
let client: ClickHouseClient;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-sampling-"));
  server = await superviseClickHouse({
    entry: new URL("../testing/clickhouse-process.ts", import.meta.url),
    execArgv: ["--import", "tsx"],
    dir: join(dir, "clickhouse"),
    clock: systemClock,
    log: silent,
    memoryBytesMax: 800e6,
  });
});

afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

interface Drawn {
  readonly of: string;
  readonly traces: number;
  readonly root: string;
  readonly ms?: number;
  readonly failed?: boolean;
  /** When the first trace begins, and how far apart the root and its two children are, ns from the hour's start. */
  readonly at?: bigint;
  readonly apart?: bigint;
}

/** Traces of three spans. Their ids begin with `of`. */
function rows({ of, traces, root, ms = 10, failed = false, at = 0n, apart = 1000n }: Drawn) {
  return Array.from({ length: traces * 3 }, (_, i) => {
    const [trace, span] = [Math.floor(i / 3), i % 3];
    return {
      service: span === 0 ? "gateway" : "inner",
      name: span === 0 ? root : "work",
      trace_id: `${of}${trace}`.padEnd(16, "."),
      span_id: `s${i}`.padEnd(8, "."),
      parent_span_id: span === 0 ? "\0".repeat(8) : `s${i - span}`.padEnd(8, "."),
      start_ns: String(
        BigInt(hour) * hourNs + at + BigInt(trace) * 1_000_000n + BigInt(span) * apart,
      ),
      duration_ns: String(ms * 1_000_000 + (trace % 7)),
      status: failed && span === 2 ? "error" : "unset",
      attributes: { "http.url": "/x" },
    };
  });
}

async function openWith(database: string, drawn: readonly Drawn[]) {
  const connection = { ...server.connection, database };
  await migrate(connection, { tracesMs: 1e12, logsMs: 1e12 });
  client = openClickHouse(connection);
  for (const values of drawn.map(rows))
    await client.insert({ table: "spans", values, format: "JSONEachRow" });
}

async function table<Row>(query: string): Promise<Row[]> {
  const result = await client.query({ query, format: "JSONEachRow" });
  return result.json<Row>();
}

/** Spans and their weights by the beginning of the trace's id. */
async function kept(): Promise<Record<string, { traces: number; spans: number; weight: number }>> {
  const found = await table<{ of: string; traces: number; spans: number; weight: number }>(
    `SELECT extract(toString(trace_id), '^[a-z]+') AS of, toUInt32(uniqExact(trace_id)) AS traces,
      toUInt32(count()) AS spans, sum(weight) AS weight FROM spans GROUP BY of`,
  );
  return Object.fromEntries(found.map(({ of, ...counts }) => [of, counts]));
}

function clockAt(ms: number): Clock {
  return { ...systemClock, nowMs: () => ms, monotonicMs: () => ms };
}

function sampling(more: { now?: number; share?: number; spansPerHourMax?: number } = {}) {
  const { now = (hour + 26) * hourMs, share = 0.1, spansPerHourMax = 1e9 } = more;
  const clock = clockAt(now);
  return new TraceSampling({
    client,
    clock,
    log: silent,
    sampledOutMs: 24 * hourMs,
    share,
    spansPerHourMax,
  });
}

const day: readonly Drawn[] = [
  { of: "plain", traces: 2000, root: "GET /" },
  { of: "rare", traces: 20, root: "POST /refund" },
  { of: "failed", traces: 30, root: "GET /", failed: true },
  { of: "slow", traces: 40, root: "GET /", ms: 900 },
];

describe("an hour of traces that is old enough", () => {
  it("keeps errors, slow traces and rare operations, and a share of the rest that stands for all", async () => {
    await openWith("aged", day);
    const before = await table("SELECT * FROM span_rates FINAL ORDER BY ALL");
    expect(await sampling({ now: (hour + 24) * hourMs }).thinNext()).toBeUndefined();
    const thinned = await sampling().thinNext();
    const left = await kept();
    expect(left["failed"]).toEqual({ traces: 30, spans: 90, weight: 90 });
    expect(left["slow"]).toEqual({ traces: 40, spans: 120, weight: 120 });
    expect(left["rare"]).toEqual({ traces: 20, spans: 60, weight: 60 });
    const { traces = 0, spans = 0, weight = 0 } = left["plain"] ?? {};
    // A tenth of 2,020 is dealt out: the rare operation has its 20, the frequent one the rest.
    expect(traces).toBeGreaterThan(130);
    expect(traces).toBeLessThan(240);
    expect(spans).toBe(traces * 3);
    expect(weight).toBeCloseTo(6000, 1);
    const counted = await createTraceReader(client).aggregate({
      where: { type: "all", of: [] },
      by: [{ scope: "intrinsic", name: "status" }],
      exponents: false,
      startMs: hour * hourMs - 1000,
      endMs: (hour + 1) * hourMs,
      stepMs: 2 * hourMs,
      rowsMax: 10,
    });
    const byStatus = counted.rows.map(({ by, count }) => [String(by[0]), Math.round(count)]);
    expect(Object.fromEntries(byStatus)).toEqual({ error: 30, unset: 6240 });
    expect(thinned).toEqual({ hour, spansBefore: 6270, spansKept: spans + 270 });
    expect(await table("SELECT * FROM span_rates FINAL ORDER BY ALL")).toEqual(before);
    expect(await table("SELECT DISTINCT attribute_http_url AS url FROM spans")).toEqual([
      { url: "/x" },
    ]);
    expect(await sampling().thinNext()).toBeUndefined();
    await client.close();
  });

  it("comes out the same when a crash makes it be thinned again", async () => {
    await openWith("crashed", day);
    await sampling().thinNext();
    const first = await kept();
    await client.command({ query: "TRUNCATE TABLE thinned_hours" });
    await client.command({
      query: "INSERT INTO spans_thinned (service, start_ns) VALUES ('left over', 1)",
    });
    await sampling().thinNext();
    expect(await kept()).toEqual(first);
    await client.close();
  });

  it("keeps or lets go of a trace as a whole, over the turn of the hour too", async () => {
    const at = hourNs - 2_000_000_000n;
    await openWith("turned", [
      { of: "turning", traces: 1000, root: "GET /", at, apart: 1_000_000_000n },
      { of: "late", traces: 5, root: "GET /", at, apart: 1_500_000_000n, failed: true },
    ]);
    expect((await sampling().thinNext())?.hour).toBe(hour);
    expect((await sampling().thinNext())?.hour).toBe(hour + 1);
    const left = await kept();
    expect(left["late"]).toMatchObject({ traces: 5, spans: 15 });
    const { traces = 0, spans } = left["turning"] ?? {};
    expect(traces).toBeGreaterThan(50);
    expect(traces).toBeLessThan(200);
    expect(spans).toBe(traces * 3);
    expect(left["turning"]?.weight).toBeCloseTo(3000, 1);
    await client.close();
  });

  it("gives the rest less where errors and slow traces take the budget, never nothing", async () => {
    await openWith("budget", day);
    await sampling({ spansPerHourMax: 230 }).thinNext();
    const left = await kept();
    expect([left["failed"]?.traces, left["slow"]?.traces]).toEqual([30, 40]);
    expect(left["plain"]?.traces ?? 0).toBeLessThan(30);
    await client.close();
  });
});

describe("a fair part", () => {
  it("is within the budget, and nobody gives up what another has more of", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 0, max: 50_000 }),
        (counts, budget) => {
          const part = fairPart(counts, budget);
          const given = counts.reduce((sum, count) => sum + Math.min(count, part), 0);
          const all = counts.reduce((sum, count) => sum + count, 0);
          expect(given).toBeLessThanOrEqual(Math.max(budget, counts.length) + 1e-6);
          if (part > 1) expect(given).toBeCloseTo(Math.min(budget, all), 3);
        },
      ),
    );
  });
});
