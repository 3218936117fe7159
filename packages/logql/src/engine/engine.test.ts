import type { LogRecord, TailPosition } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { MemoryLogReader } from "../testing/memory-reader.ts";
import { createLogEngine } from "./engine.ts";

const at = (second: number) => BigInt(second) * 1_000_000_000n;
const line = (second: number, app: string, text: string, metadata = {}): LogRecord => ({
  timeNs: at(second),
  labels: { app },
  metadata,
  line: text,
});

function engineOf(records: readonly LogRecord[], limits?: Parameters<typeof createLogEngine>[1]) {
  const reader = new MemoryLogReader();
  for (const record of records) reader.add(record);
  return { reader, engine: createLogEngine(reader, limits) };
}

async function found(records: readonly LogRecord[], query: string, more: object = {}) {
  const request = { query, startNs: 0n, endNs: at(10_000), limit: 100, direction: "backward" };
  const result = await engineOf(records).engine.query({ ...request, ...more } as never);
  if (result.type !== "lines") throw new Error("not lines");
  return result.records;
}

const records = [
  line(10, "a", '{"level":"info","app":"x","response_code":200,"deep":{"n":1.0}}'),
  line(20, "a", '{"level":"error","response_code":503,"from":"10.1.2.3"}', { trace_id: "t1" }),
  line(30, "b", 'level=warn msg="slow query" took=1.5s size= '),
  line(40, "a", "\u001b[31mred\u001b[0m alert"),
];

describe("a log query", () => {
  it("gives the labels of a line by where they are from", async () => {
    const [one] = await found(records, '{app="a"} | json | response_code < 300 | __error__=""');
    expect(one).toMatchObject({
      labels: { app: "a" },
      metadata: {},
      parsed: { level: "info", app_extracted: "x", response_code: "200", deep_n: "1.0" },
    });
    const [two] = await found(
      records,
      '{app="a"} | trace_id="t1" | label_format kind=app, trace_id="{{.trace_id}}!"',
    );
    expect(two).toMatchObject({ labels: { kind: "a" }, metadata: {}, parsed: { trace_id: "t1!" } });
  });

  it.each([
    ['{app=~".+"} |= "503" or "slow" != "info"', [30, 20]],
    ['{app="b"} | logfmt | took > 1s, msg =~ "slow.*"', [30]],
    ['{app="a"} | json | from = ip("10.0.0.0/8")', [40, 20]],
    ['{app="a"} | json | __error__="JSONParserErr"', [40]],
    ['{app="a"} | json | __error__=""', [20, 10]],
    ['{app=~"a|b"} | logfmt | size=""', [40, 30, 20, 10]],
    ['{app="a"} | decolorize |= "red alert"', [40]],
    ['{app="a"} | json | response_code > 500 or level="info"', [40, 20, 10]],
  ])("%s finds its lines, newest first", async (query, seconds) => {
    const lines = await found(records, query);
    expect(lines.map(({ timeNs }) => Number(timeNs / at(1)))).toEqual(seconds);
  });

  it("reads on until the limit is reached, and loses no line of a moment that two pages share", async () => {
    const many = Array.from({ length: 9000 }, (_, i) => line(Math.trunc(i / 7), "a", `n=${i}`));
    const all = await found(many, '{app="a"} | logfmt | n < 5000', { limit: 5000 });
    expect(new Set(all.map((record) => record.line)).size).toBe(5000);
    const oldest = await found(many, '{app="a"} | logfmt | n > 8000', {
      limit: 2,
      direction: "forward",
    });
    expect(oldest.map((record) => record.line)).toEqual(["n=8001", "n=8002"]);
  });

  it("says what to do when it would have to read too much", async () => {
    const many = Array.from({ length: 3000 }, (_, i) => line(i, "a", `n=${i}`));
    const { engine } = engineOf(many, { linesMax: 1000, seriesMax: 10, stepsMax: 10 });
    const range = { startNs: 0n, endNs: at(3000), limit: 10, direction: "backward" } as const;
    await expect(
      engine.query({ ...range, query: 'sum by (n) (rate({app="a"} | logfmt [1h]))' }),
    ).rejects.toMatchObject({ code: "limit", message: expect.stringContaining("series") });
    await expect(
      engine.query({ ...range, query: 'max_over_time({app="a"} | logfmt | unwrap n [1h])' }),
    ).rejects.toMatchObject({
      code: "limit",
      message: expect.stringContaining("narrow the range"),
    });
    await expect(
      engine.query({ ...range, query: '{app="a"} | logfmt | n < 0' }),
    ).rejects.toMatchObject({ code: "limit", message: expect.stringContaining("line filter") });
    await expect(
      engine.query({ ...range, query: "vector(1)", stepMs: 1000 }),
    ).rejects.toMatchObject({ code: "limit", message: expect.stringContaining("larger step") });
  });
});

describe("a tail", () => {
  it("delivers every line once, late ones too", async () => {
    const { reader, engine } = engineOf([line(100, "a", "before")]);
    let position: TailPosition = { newestNs: at(100), seen: [] };
    const next = async (limit = 10) => {
      const batch = await engine.tail({ query: '{app="a"} != "skip"', position, limit });
      ({ position } = batch);
      return { lines: batch.records.map((record) => record.line), more: batch.more };
    };
    expect(await next()).toEqual({ lines: [], more: false });
    for (const [second, text] of [
      [103, "two"],
      [102, "one"],
      [103, "skip"],
    ] as const)
      reader.add(line(second, "a", text));
    expect(await next(1)).toEqual({ lines: ["one"], more: true });
    expect(await next(1)).toMatchObject({ lines: ["two"] });
    reader.add(line(101, "a", "late"));
    reader.add(line(103, "a", "at the same time"));
    expect(await next()).toEqual({ lines: ["late", "at the same time"], more: false });
    expect(await next()).toEqual({ lines: [], more: false });
  });
});

describe("what is found in lines", () => {
  const scope = { query: '{app=~".+"}', startMs: 0, endMs: 100_000 };

  it("are fields with their types, values and parsers", async () => {
    const { engine } = engineOf(records);
    const request = { ...scope, lineLimit: 100, limit: 100 };
    const fields = Object.fromEntries(
      (await engine.detectedFields(request)).map(({ label, ...field }) => [label, field]),
    );
    expect(fields["response_code"]).toEqual({
      type: "int",
      cardinality: 2,
      parsers: ["json"],
      jsonPath: ["response_code"],
    });
    expect(fields["level"]).toMatchObject({ type: "string", parsers: ["json", "logfmt"] });
    expect(fields["took"]).toMatchObject({ type: "duration", parsers: ["logfmt"] });
    expect(fields["deep_n"]).toMatchObject({ type: "float", jsonPath: ["deep", "n"] });
    expect(fields["trace_id"]).toMatchObject({ parsers: [] });
    expect(fields["app_extracted"]).toMatchObject({ cardinality: 1 });
    expect(await engine.detectedFieldValues("level", request)).toHaveLength(3);
  });

  it("are labels with their number of values, and volumes in bytes", async () => {
    const { engine } = engineOf(records);
    expect(await engine.detectedLabels({ ...scope, query: "" })).toEqual([
      { label: "app", cardinality: 2 },
    ]);
    const volumes = await engine.volume({ ...scope, aggregateBy: "series", limit: 1 });
    const bytes = records
      .filter(({ labels }) => labels["app"] === "a")
      .reduce((sum, record) => sum + record.line.length, 0);
    expect(volumes).toEqual([{ labels: { app: "a" }, points: [[100_000, bytes]] }]);
    expect(
      await engine.volume({ ...scope, aggregateBy: "labels", limit: 9, stepMs: 25_000 }),
    ).toMatchObject([
      {
        labels: { app: "" },
        points: [
          [0, expect.any(Number)],
          [25_000, expect.any(Number)],
        ],
      },
    ]);
  });
});
