import type { LogReader, LogRecord } from "@skopos/model";
import { compileMatcher } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { createLogEngine } from "./engine.ts";

/** A reader over a list, doing in the plainest way what the interface says. */
function readerOf(records: readonly LogRecord[]): LogReader {
  return {
    async select({ matchers, filters, startNs, endNs, limit, direction }) {
      const compiled = matchers.map(compileMatcher);
      const found = records.filter(
        (r) =>
          r.timeNs >= startNs &&
          r.timeNs < endNs &&
          compiled.every((m) => m.test(r.labels[m.name] ?? "")) &&
          filters.every((f) => f.values.some((v) => r.line.includes(v)) === (f.op === "|=")),
      );
      found.sort((a, b) => (a.timeNs < b.timeNs ? -1 : 1));
      if (direction === "backward") found.reverse();
      return found.slice(0, limit);
    },
    stats: async () => ({ streams: 0, chunks: 0, entries: 0, bytes: 0 }),
    patterns: async () => [],
    labelNames: async () => [],
    labelValues: async () => [],
    streams: async () => [],
  };
}

const at = (second: number) => BigInt(second) * 1_000_000_000n;
const line = (second: number, app: string, text: string): LogRecord => ({
  timeNs: at(second),
  labels: { app },
  metadata: {},
  line: text,
});
const records = [
  line(10, "a", '{"level":"info","response_code":200,"duration":12}'),
  line(20, "a", '{"level":"error","response_code":503,"duration":1}'),
  line(30, "b", 'level=warn msg="slow query" took=1.5'),
  line(40, "a", '{"level":"error","response_code":500,"duration":70}'),
];
const engine = createLogEngine(readerOf(records));
const query = (text: string, more: object = {}) =>
  engine.query({
    query: text,
    startNs: 0n,
    endNs: at(60),
    limit: 100,
    direction: "backward",
    ...more,
  });
const lines = async (text: string, more: object = {}) => {
  const result = await query(text, more);
  if (result.type !== "lines") throw new Error("not lines");
  return result.records.map((r) => Number(r.timeNs / 1_000_000_000n));
};

describe("LogQL", () => {
  it("selects a stream, newest first", async () => {
    expect(await lines('{app="a"}')).toEqual([40, 20, 10]);
  });

  it("filters lines by text, with alternatives", async () => {
    expect(await lines('{app=~".+"} |= "503" or "slow" != "info"')).toEqual([30, 20]);
  });

  it("filters by fields of JSON and logfmt", async () => {
    expect(await lines('{app="a"} | json | response_code >= 500 and duration < 10')).toEqual([20]);
    expect(await lines('{app="b"} | logfmt | took > 1s, msg =~ "slow.*"')).toEqual([30]);
  });

  it("keeps fetching until the limit is reached when stages drop lines", async () => {
    const many = Array.from({ length: 5000 }, (_, i) => line(i + 1, "a", JSON.stringify({ n: i })));
    const result = await createLogEngine(readerOf(many)).query({
      query: '{app="a"} | json | n < 3',
      startNs: 0n,
      endNs: at(6000),
      limit: 2,
      direction: "backward",
    });
    expect(result.type === "lines" && result.records.map((r) => r.line)).toEqual([
      '{"n":2}',
      '{"n":1}',
    ]);
  });

  it("counts over a left-open window and groups", async () => {
    const result = await query('sum by (app) (count_over_time({app=~"a|b"}[30s]))', {
      endNs: at(40),
      stepMs: 10_000,
      startNs: at(30),
    });
    if (result.type !== "metric" || result.value.type !== "matrix") throw new Error("not a matrix");
    const values = Object.fromEntries(
      result.value.series.map((s) => [s.labels["app"], [...s.values]]),
    );
    expect(values).toEqual({ a: [2, 2], b: [1, 1] });
  });

  it("answers instantly without a step", async () => {
    const result = await query('sum(rate({app="a"}[20s]))', { endNs: at(40) });
    expect(result.type === "metric" && result.value).toMatchObject({
      type: "vector",
      samples: [{ value: 0.05 }],
    });
  });

  it.each([
    ["{}", 1],
    ['{app="a"} | line_format "x"', 13],
    ['{app="a"', 9],
    ['rate({app="a"})', 15],
    ["quantile_over_time(0.9, x)", 1],
  ])("refuses %s and says where", async (text, column) => {
    await expect(query(text)).rejects.toMatchObject({ code: "bad-query", column });
  });
});
