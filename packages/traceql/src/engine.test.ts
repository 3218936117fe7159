import type { FieldValuesRequest, Span, TagNamesRequest, TraceReader } from "@skopos/model";
import { blankSpan } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { createTraceEngine } from "./engine.ts";

const startMs = 1_790_000_000_000;
const range = { startMs, endMs: startMs + 60_000 };

function span(index: number, parent: number, more: Partial<Span> = {}): Span {
  const id = (number: number) => number.toString(16).padStart(16, "0");
  return blankSpan({
    traceId: "a".repeat(32),
    spanId: id(index),
    parentSpanId: parent === 0 ? "" : id(parent),
    service: "shop",
    name: `n${index}`,
    kind: "server",
    startNs: BigInt(startMs + index * 1000) * 1_000_000n,
    durationNs: 1_000_000,
    ...more,
  });
}

const trace = [
  span(1, 0, { durationNs: 9_000_000_000 }),
  span(2, 1, { service: "cart", attributes: { "http.status_code": 503, tags: ["a", "b"] } }),
  span(3, 2, { service: "db", status: "error", attributes: { rows: 7 } }),
  span(4, 1, { service: "cart", attributes: { "http.status_code": 200 } }),
];

/** One trace, that only the evaluator can find anything in. */
function readerOf(
  asked: { fields?: FieldValuesRequest; names?: TagNamesRequest } = {},
): TraceReader {
  const refused = () => Promise.reject(new Error("not asked for here"));
  return {
    trace: () => Promise.resolve(trace),
    columns: refused,
    traces: (ids) => Promise.resolve(ids.map(() => trace)),
    candidates: () =>
      Promise.resolve([{ traceId: "a".repeat(32), newestNs: trace[0]?.startNs ?? 0n }]),
    search: refused,
    aggregate: refused,
    tagNames: (request) => {
      asked.names = request;
      return Promise.resolve(request.scope === "span" ? ["http.status_code"] : []);
    },
    fieldValues: (request) => {
      asked.fields = request;
      return Promise.resolve(["x", 5, 1.5, true, ["in", "list"]]);
    },
    services: refused,
    operations: refused,
  };
}

const engine = createTraceEngine(readerOf());
const setsOf = async (query: string) => {
  const { traces } = await engine.search(query, { ...range, limit: 10, spansPerSet: 10 });
  return traces.flatMap(({ spanSets }) =>
    spanSets.map(({ spans }) => spans.map(({ name }) => name.slice(1)).join("")),
  );
};

describe("a pipeline", () => {
  it.each([
    ["{ childCount = 0 } && { status = error }", ["34"]],
    ["{ status = error } || { nestedSetParent < 0 }", ["13"]],
    ['{ .service.name = "shop" } >> { status = error }', ["3"]],
    ['{ .service.name = "db" } << {}', ["12"]],
    ['{ .service.name = "cart" } ~ { .service.name = "cart" }', ["24"]],
    ['{ .service.name = "shop" } !> {}', ["13"]],
    ['{ .service.name = "shop" } &>> { status = error }', ["13"]],
    ["{} | by(resource.service.name)", ["1", "24", "3"]],
    ["{} | by(resource.service.name) | count() > 1", ["24"]],
    ["{} | by(resource.service.name) | count() = 1 | coalesce()", ["13"]],
    ["{ span.http.status_code >= 200 } | avg(span.http.status_code) > 351", ["24"]],
    ["{ span.http.status_code >= 200 } | avg(span.http.status_code) > 352", []],
    ["max(duration) > 5s | { status = error }", ["3"]],
    ["({ status = error } | count() > 0) && ({ childCount > 1 } | count() > 1)", []],
    ["{ span.rows + 1 = 8 } | sum(span.rows * 2) = 14", ["3"]],
    ['{ span.tags = "b" && childCount >= 0 && traceDuration >= 9s }', ["2"]],
    ['{ span.tags != "c" && childCount >= 0 && rootServiceName = "shop" }', ["2"]],
    ['{ span.tags != "b" && childCount >= 0 && rootServiceName = "shop" }', []],
  ])("%s", async (query, sets) => {
    expect(await setsOf(query)).toEqual(sets);
  });

  it("shows the fields that it names, its groups and its aggregates", async () => {
    const query =
      "{ childCount >= 0 } | by(resource.service.name) | count() > 1 | select(span.http.status_code)";
    const found = await engine.search(query, { ...range, limit: 10, spansPerSet: 1 });
    expect(found).toMatchObject({
      warnings: [],
      spansRead: 4,
      traces: [
        {
          rootService: "shop",
          spanCount: 4,
          errorCount: 1,
          services: { shop: 1, cart: 2, db: 1 },
          serviceErrors: { db: 1 },
          spanSets: [
            {
              matched: 2,
              attributes: { "by(resource.service.name)": "cart", "count()": 2 },
              spans: [
                {
                  name: "n2",
                  attributes: {
                    childCount: 1,
                    "resource.service.name": "cart",
                    "span.http.status_code": 503,
                  },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it("is refused with its place when it has no meaning, or when it makes series", async () => {
    const request = { ...range, limit: 1 };
    await expect(engine.search("{ name = 5 }", request)).rejects.toMatchObject({
      code: "bad-query",
      column: 8,
    });
    await expect(engine.search("{} | rate()", request)).rejects.toThrow(/finds no traces/);
    await expect(engine.metrics("{}", { ...range, stepMs: 1000 })).rejects.toThrow(/rate\(\)/);
  });
});

describe("series", () => {
  const seriesOf = async (query: string, stepMs = 60_000) => {
    const { value } = await engine.metrics(query, { ...range, stepMs });
    if (value.type !== "matrix") throw new Error("not a matrix");
    return value.series.map(({ labels, values }) => [
      Object.values(labels).join(" "),
      [...values].map((v) => Number(v.toFixed(4))),
    ]);
  };
  const all = "{ childCount >= 0 }";

  it.each([
    [`${all} | count_over_time()`, [["count_over_time", [4]]]],
    [`${all} | rate()`, [["rate", [0.0667]]]],
    [`${all} | max_over_time(duration)`, [["max_over_time", [9]]]],
    [`${all} | avg_over_time(span.rows) by (status)`, [["error", [7]]]],
    [`${all} | quantile_over_time(span.rows, 1)`, [["1", [8]]]],
    [`${all} | histogram_over_time(span.rows)`, [["8", [1]]]],
    [`(${all} | count_over_time()) / 2 - 1`, [["count_over_time", [1]]]],
    [`10 / (${all} | count_over_time())`, [["count_over_time", [2.5]]]],
    [
      `({ childCount >= 0 && status = error } | count_over_time()) / (${all} | count_over_time())`,
      [["(count_over_time / count_over_time)", [0.25]]],
    ],
    [
      `(${all} | count_over_time() by (resource.service.name)) / (${all} | count_over_time())`,
      [
        ["shop", [0.25]],
        ["cart", [0.5]],
        ["db", [0.25]],
      ],
    ],
    [`${all} | count_over_time() by (resource.service.name) | topk(1)`, [["cart", [2]]]],
    [`${all} | count_over_time() by (resource.service.name) | bottomk(1)`, [["db", [1]]]],
    [`${all} | count_over_time() by (resource.service.name) > 1`, [["cart", [2]]]],
  ])("%s", async (query, expected) => {
    expect(await seriesOf(query)).toEqual(expected);
  });

  it("speak of the spans since the step before, and have holes where nothing was measured", async () => {
    expect(await seriesOf(`${all} | count_over_time()`, 2000)).toEqual([
      ["count_over_time", [2, 2, ...Array.from({ length: 28 }, () => 0)]],
    ]);
    const { value } = await engine.metrics(`${all} | max_over_time(span.rows)`, {
      ...range,
      stepMs: 2000,
    });
    expect(value).toMatchObject({ series: [{ times: Float64Array.of(startMs + 4000) }] });
  });

  it("tell a selection from the rest, value by value", async () => {
    const found = await seriesOf(`${all} | compare({ status = error }, 1)`);
    expect(found).toContainEqual(["selection db", [1]]);
    expect(found).toContainEqual(["baseline cart", [2]]);
    expect(found).toContainEqual(["baseline_total nil", [3]]);
    expect(found).toContainEqual(["__too_many_values__ baseline nil", [0]]);
    expect(found).not.toContainEqual(["baseline shop", [1]]);
  });

  it("are refused when there would be too many steps", async () => {
    await expect(engine.metrics(`${all} | rate()`, { ...range, stepMs: 1 })).rejects.toMatchObject({
      code: "limit",
    });
  });
});

describe("tags", () => {
  it("are named by scope, the language's own among them", async () => {
    const found = await engine.tags(range);
    expect(found.map(({ scope }) => scope)).toEqual(["resource", "span", "intrinsic"]);
    expect(found[0]?.tags).toEqual(["service.name"]);
    expect(found[2]?.tags).toContain("rootServiceName");
    expect(await engine.tags({ ...range, scope: "link" })).toEqual([]);
  });

  it("have values of the types that a query needs", async () => {
    const asked: { fields?: FieldValuesRequest } = {};
    const watched = createTraceEngine(readerOf(asked));
    expect(
      await watched.tagValues(".x", { ...range, query: '{ name = "a" && duration > ' }),
    ).toEqual([
      { type: "string", value: "x" },
      { type: "int", value: "5" },
      { type: "float", value: "1.5" },
      { type: "bool", value: "true" },
      { type: "string", value: "in" },
      { type: "string", value: "list" },
    ]);
    await watched.tagValues("rootName", { ...range, query: '{ name = "a" }' });
    expect(JSON.stringify(asked.fields?.where)).toContain("parentSpanId");
    expect(JSON.stringify(asked.fields?.where)).toContain('"value":"a"');
    expect(await engine.tagValues("status", range)).toContainEqual({
      type: "keyword",
      value: "error",
    });
    await expect(engine.tagValues("foo", range)).rejects.toMatchObject({ code: "bad-query" });
  });
});
