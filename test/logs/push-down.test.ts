/**
 * What the store decides must be what the engine decides: on random lines and random queries, the engine over a real
 * ClickHouse is compared with one over a list, which counts nothing by itself.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogEngine } from "@skopos/logql";
import { MemoryLogReader } from "@skopos/logql/testing";
import { type LogEngine, type LogRecord, type LogResult, systemClock } from "@skopos/model";
import {
  createLogReader,
  migrate,
  openClickHouse,
  type SupervisedClickHouse,
  superviseClickHouse,
} from "@skopos/store";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const startMs = 1_790_000_000_000;
const seconds = 120;
const silent = { info: () => {}, warn: () => {}, error: () => {} };

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const requestId = "7d1b6c1e-90fa-4b7e-9c53-0a1f7ce8a2c4";
/** Members that become the labels n and a_n, and what only looks like them. */
const jsonLines = [
  '{"n":2}',
  '{"n" : "17"}',
  '{"n":4.5,"m":1}',
  '{"n":"7 apples"}',
  '{"n":""}',
  '{"n":null}',
  '{"x":{"n":9},"n":1}',
  '{"a":{"n":12}}',
  '{"a.n":3}',
  '{" n ":6}',
  '{"\\u006e":6}',
  '{"n":1e3}',
  '[{"n":9}]',
  '{"n":9} and more',
  '{"n":9',
  `${'{"n":'.repeat(70)}1${"}".repeat(70)}`,
] as const;
const label = fc.constantFrom("a", "b", "it's", "");
const recordShape = fc.record({
  second: fc.nat(seconds),
  // On a second, just after it, or within it.
  afterNs: fc.constantFrom(0, 1, 500_000_000),
  labels: fc.record({ app: fc.constantFrom("cart", "users"), level: label, zone: label }),
  metadata: fc.record({
    level: label,
    user: label,
    zone: label,
    status: fc.constantFrom("", "", "200", "503", "-1", "4.5", "none", "1e3"),
  }),
  line: fc.constantFrom(
    "GET /cart 200",
    "GET /cart 503 connection refused",
    'level=error msg="pool exhausted" took=12ms',
    '{"level":"warn","n":5,"path":"/cart"}',
    `trace ${traceId} done`,
    `request=${requestId} refusedness`,
    "überraschend ✓ refuse",
    "100%_sure \\ 'quoted'",
    "",
    ...jsonLines,
  ),
});

function present(labels: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(labels).filter(([, value]) => value !== "");
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const records: readonly LogRecord[] = fc
  .sample(recordShape, { numRuns: 600, seed: 42 })
  .map(({ second, afterNs, labels, metadata, line }) => ({
    timeNs: BigInt(startMs + second * 1000) * 1_000_000n + BigInt(afterNs),
    labels: present(labels),
    metadata: present(metadata),
    line,
  }));

let dir: string;
let server: SupervisedClickHouse;
let stored: LogEngine;
let listed: LogEngine;
let close: () => Promise<void>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-logs-"));
  server = await superviseClickHouse({
    entry: new URL("../../packages/store/src/testing/clickhouse-process.ts", import.meta.url),
    execArgv: ["--import", "tsx"],
    dir: join(dir, "clickhouse"),
    clock: systemClock,
    log: silent,
    memoryBytesMax: 800e6,
  });
  await migrate(server.connection, { tracesMs: 1e12, logsMs: 1e12 });
  const client = openClickHouse(server.connection);
  close = () => client.close();
  const memory = new MemoryLogReader();
  // Two parts, as they come when lines arrive.
  for (const some of [records.slice(0, 250), records.slice(250)]) {
    await client.insert({
      table: "logs",
      columns: ["time_ns", "labels", "metadata", "line"],
      values: some.map(({ timeNs, labels, metadata, line }) => ({
        time_ns: String(timeNs),
        labels,
        metadata,
        line,
      })),
      format: "JSONEachRow",
    });
    for (const record of some) memory.add(record);
  }
  await client.insert({
    table: "log_patterns",
    columns: ["labels", "template_id", "bucket_ms", "template", "sample", "count"],
    values: [
      ["cart", 1, 0, "GET <*> 200", 5],
      ["cart", 1, 10_000, "GET <*> 200", 7],
      ["cart", 1, 10_000, "GET <*> 200", 1],
      ["cart", 2, 70_000, "refused", 2],
      ["users", 1, 0, "GET <*> 200", 100],
    ].map(([app, id, afterMs, template, count]) => ({
      labels: { app },
      template_id: String(id),
      bucket_ms: String(startMs + Number(afterMs)),
      template,
      sample: "GET /a 200",
      count: String(count),
    })),
    format: "JSONEachRow",
  });
  stored = createLogEngine(createLogReader(client));
  listed = createLogEngine(memory);
});

afterAll(async () => {
  await close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

const text = fc.constantFrom(
  "cart",
  "refuse",
  "refused",
  "connection ref",
  " refused",
  "exhausted",
  "503",
  "✓",
  "%_s",
  "\\",
  "'q",
  "nowhere",
  traceId,
  requestId,
  `"n":5`,
  "",
);
const quoted = text.map((value) => JSON.stringify(value));
const lineFilter = fc.oneof(
  fc
    .tuple(fc.constantFrom("|=", "!="), fc.array(quoted, { minLength: 1, maxLength: 3 }))
    .map(([op, values]) => `${op} ${values.join(" or ")}`),
  fc
    .tuple(
      fc.constantFrom("|~", "!~"),
      fc.constantFrom("`^GET.*\\d$`", "`(?i)REFUSED?\\b`", "`ü`", "``"),
    )
    .map((parts) => parts.join(" ")),
  fc
    .tuple(
      fc.constantFrom("|>", "!>"),
      fc.array(
        fc.constantFrom(
          '"GET <_> <_>"',
          '"<_>refused"',
          '"<_>e<_>e<_>"',
          '"GET /cart <_>0<_>"',
          '"<_>"',
          '"GET /cart 200"',
          '"überras<_> refuse"',
          '"<_>n<_>"',
          '"{\\"n\\"<_>}"',
        ),
        { minLength: 1, maxLength: 2 },
      ),
    )
    .map(([op, values]) => `${op} ${values.join(" or ")}`),
);
const compared = fc
  .tuple(
    fc.constantFrom("n", "a_n", "status", "level"),
    fc.constantFrom(">", ">=", "<", "<=", "==", "!="),
    fc.constantFrom("4", "-1", "17", "503", "4.5"),
  )
  .map((parts) => parts.join(""));
const numberFilter = fc
  .tuple(
    fc.constantFrom("", "| json ", "| json |= `n` ", "| logfmt ", '| line_format "{}" | json '),
    fc.array(
      fc.oneof(
        compared,
        fc.tuple(compared, fc.constantFrom(" or ", " and "), compared).map((p) => p.join("")),
      ),
      { minLength: 1, maxLength: 2 },
    ),
  )
  .map(([parser, filters]) => parser + filters.map((filter) => `| ${filter}`).join(" "));
const term = fc
  .tuple(
    fc.constantFrom("app", "level", "user", "zone", "zone_extracted", "none"),
    fc.constantFrom('="a"', '!="a"', '=~"a|it.s"', '!~"b.*"', '=""', '!=""', '=~".*"'),
  )
  .map((parts) => parts.join(""));
const labelFilter = fc
  .array(term, { minLength: 1, maxLength: 2 })
  .chain((terms) => fc.constantFrom(" and ", " or ").map((sign) => `| ${terms.join(sign)}`));
const matcher = fc.constantFrom(
  'app="cart"',
  'app=~".+"',
  'app=~"cart|users", level!="a"',
  'zone="it\'s"',
);
const log = fc
  .tuple(matcher, fc.array(fc.oneof(lineFilter, labelFilter, numberFilter), { maxLength: 3 }))
  .map(([matchers, stages]) => `{${matchers}} ${stages.join(" ")}`);
const range = fc
  .tuple(
    fc.constantFrom("count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"),
    log,
    fc.constantFrom(
      "",
      "| drop user, zone",
      "| keep level, app",
      "| keep level | drop app",
      "| json",
    ),
    fc.constantFrom("7s", "10s", "30s", "25s", "90s"),
    fc.constantFrom("", "offset 10s", "offset -3s"),
  )
  .map(
    ([func, selector, last, window, offset]) =>
      `${func}(${selector} ${last} [${window}] ${offset})`,
  );
const metric = fc.oneof(
  range,
  fc
    .tuple(
      fc.constantFrom("sum", "max", "count"),
      fc.constantFrom(
        "",
        "by (level)",
        "by (app, zone)",
        "by (user, none)",
        "without (level, user)",
      ),
      range,
    )
    .map(([op, grouping, inner]) => `${op} ${grouping} (${inner})`),
);

/** In one order, whatever came first of what is equal in time. */
function comparable(result: LogResult): unknown {
  const json = (value: unknown) =>
    JSON.stringify(value, (_, one: unknown) =>
      typeof one === "bigint"
        ? String(one)
        : typeof one === "number"
          ? Number(one.toPrecision(9))
          : one,
    );
  if (result.type === "lines") return result.records.map(json).sort();
  const { value } = result;
  if (value.type === "vector") return value.samples.map(json).sort();
  if (value.type !== "matrix") return json(value);
  return value.series
    .map(({ labels, times, values }) => json({ labels, times: [...times], values: [...values] }))
    .sort();
}

async function verdict(engine: LogEngine, query: string, stepMs: number | undefined) {
  try {
    const result = await engine.query({
      query,
      startNs: BigInt(startMs) * 1_000_000n,
      endNs: BigInt(startMs + seconds * 1000) * 1_000_000n,
      limit: 5000,
      direction: "backward",
      ...(stepMs === undefined ? {} : { stepMs }),
    });
    return comparable(result);
  } catch (error) {
    // Which of the lines that fail is met first is open, and so is what is wrong with it.
    return error instanceof Error ? error.message.split(": '")[0] : error;
  }
}

const runs = { numRuns: 80, seed: 7 };

describe("the store and the engine", () => {
  it("find the same lines", async () => {
    await fc.assert(
      fc.asyncProperty(log, async (query) => {
        expect(await verdict(stored, query, undefined)).toEqual(
          await verdict(listed, query, undefined),
        );
      }),
      runs,
    );
  }, 120_000);

  it("count the same, at a moment and over a range", async () => {
    const step = fc.constantFrom(undefined, 5000, 10_000, 12_500, 60_000);
    await fc.assert(
      fc.asyncProperty(metric, step, async (query, stepMs) => {
        expect(await verdict(stored, query, stepMs)).toEqual(await verdict(listed, query, stepMs));
      }),
      runs,
    );
  }, 120_000);

  it("find the newest lines of a long range, and the oldest, whether they fill the limit or not", async () => {
    const timesOf = async (
      engine: LogEngine,
      asked: Omit<Parameters<LogEngine["query"]>[0], "stepMs">,
    ) => {
      const result = await engine.query(asked);
      return result.type === "lines" ? result.records.map(({ timeNs }) => timeNs) : undefined;
    };
    const asked = fc.record({
      query: fc.tuple(matcher, quoted).map(([matchers, value]) => `{${matchers}} |= ${value}`),
      limit: fc.constantFrom(1, 10, 60, 5000),
      direction: fc.constantFrom("backward", "forward"),
      startNs: fc
        .constantFrom(0, 600, 7200)
        .map((before) => BigInt(startMs - before * 1000) * 1_000_000n),
      endNs: fc
        .constantFrom(seconds, 3600)
        .map((after) => BigInt(startMs + after * 1000) * 1_000_000n),
    });
    await fc.assert(
      fc.asyncProperty(asked, async (request) => {
        expect(await timesOf(stored, request)).toEqual(await timesOf(listed, request));
      }),
      runs,
    );
  }, 120_000);

  it("part the work as the plan says", async () => {
    const planOf = async (query: string) =>
      (
        await stored.query({
          query,
          startNs: BigInt(startMs) * 1_000_000n,
          endNs: BigInt(startMs + 60_000) * 1_000_000n,
          limit: 10,
          direction: "backward",
          stepMs: 10_000,
        })
      ).plan.selections;
    expect(
      await planOf('sum by (level) (rate({app="cart"} |= "refused" | user="a" [1m]))'),
    ).toEqual([
      {
        reads: "counts",
        lineFilters: 1,
        labelConditions: 1,
        grouping: { type: "by", names: ["level"] },
        stages: [],
        linesRead: 0,
      },
    ]);
    expect(await planOf('sum(count_over_time({app="cart"} | json [1m]))')).toMatchObject([
      { reads: "counts", grouping: { type: "by", names: [] } },
    ]);
    const [lines] = await planOf(
      'sum by (n) (count_over_time({app="cart"} |= "\\"n\\"" | json | n > 3 | __error__="" [1m]))',
    );
    expect(lines).toMatchObject({
      reads: "lines",
      lineFilters: 1,
      labelConditions: 0,
      stages: ["| json", "| n>3", '| __error__=""'],
    });
    const [narrowed] = await planOf(
      'sum by (n) (count_over_time({app=~".+"} | json | n > 4 | __error__="" [1m]))',
    );
    const [all] = await planOf(
      'sum by (n) (count_over_time({app=~".+"} | json | n != 4 | __error__="" [1m]))',
    );
    expect(narrowed?.linesRead ?? 0).toBeLessThan(all?.linesRead ?? 0);
    const [patterned] = await planOf('count_over_time({app=~".+"} |> "GET <_> <_>" [1m])');
    expect(patterned).toMatchObject({ reads: "counts", stages: [], linesRead: 0 });
    const again = 'sum(rate({app="cart"}[1m]))';
    expect(await planOf(`${again} / (${again} + ${again})`)).toHaveLength(1);
  });

  it("give the templates of matching streams, the most frequent first", async () => {
    const bucket = Math.floor(startMs / 60_000) * 60_000;
    const found = await stored.patterns({
      query: '{app="cart", level!="nowhere"}',
      startMs,
      endMs: startMs + 120_000,
      stepMs: 60_000,
    });
    expect(found.map(({ pattern }) => pattern)).toEqual(["GET <_> 200", "refused"]);
    const total = found[0]?.samples.reduce((sum, [, count]) => sum + count, 0);
    expect(total).toBe(13);
    expect(found[0]?.sample).toBe("GET /a 200");
    expect(found[0]?.samples[0]?.[0]).toBe(bucket);
    const none = await stored.patterns({
      query: '{app="other"}',
      startMs,
      endMs: startMs + 120_000,
      stepMs: 60_000,
    });
    expect(none).toEqual([]);
  });

  it("agree on stats, volume and labels", async () => {
    const scope = { query: '{app=~".+"}', startMs, endMs: startMs + 130_000 };
    const stats = await stored.stats(scope);
    expect(stats).toMatchObject({ entries: records.length, chunks: 2 });
    expect(stats.streams).toBe((await listed.stats(scope)).streams);
    for (const request of [
      { ...scope, aggregateBy: "series", limit: 10 },
      { ...scope, aggregateBy: "labels", limit: 10 },
      {
        ...scope,
        aggregateBy: "series",
        limit: 10,
        targetLabels: ["app", "level"],
        stepMs: 30_000,
      },
    ] as const) {
      const byLabels = (volumes: readonly { labels: object }[]) =>
        volumes.map((volume) => JSON.stringify(volume)).sort();
      expect(byLabels(await stored.volume(request))).toEqual(
        byLabels(await listed.volume(request)),
      );
    }
    expect(await stored.detectedLabels({ ...scope, query: "" })).toEqual(
      await listed.detectedLabels({ ...scope, query: "" }),
    );
  });
});
