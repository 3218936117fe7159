import type { Span, SpanParts, TraceEngine } from "@skopos/model";
import type { Topology } from "@skopos/mesh";
import { spansOf } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { outlineJson, toTraceOutline } from "../views/trace-outline.ts";
import { TraceInsight } from "./trace-insight.ts";

const span = spansOf("posts.social");

/** An engine that has one trace, and writes down what it is asked of it. */
function insightInto(spans: readonly Span[]) {
  const asked: (SpanParts | undefined)[] = [];
  const traces: Pick<TraceEngine, "trace" | "metrics"> = {
    trace: (_id, _signal, _within, parts) => {
      asked.push(parts);
      const wanted = parts?.spanIds && new Set(parts.spanIds);
      return Promise.resolve(spans.filter(({ spanId }) => wanted?.has(spanId) ?? true));
    },
    metrics: () =>
      Promise.resolve({ value: { type: "matrix", series: [] }, warnings: [], infos: [] }),
  };
  const insight = new TraceInsight({
    traces: traces as TraceEngine,
    outline: (id) => Promise.resolve(outlineJson(toTraceOutline(id, spans))),
    topology: {} as Topology,
    nowMs: () => 0,
  });
  return { insight, asked };
}

const noJoins = () =>
  Promise.resolve({ at: 0, changes: [], warnings: [] } as unknown as Awaited<
    ReturnType<Parameters<TraceInsight["explanation"]>[1]>
  >);

const trace = (calls: number) => [
  span("root", "", 0, 10_000, { status: "error" }),
  ...Array.from({ length: calls }, (_, i) => span(`call-${i}`, "root", i, 1)),
  span("wait", "root", 10, 9000, { name: "pool.acquire", kind: "internal" }),
  span("fault", "wait", 20, 5, { status: "error", statusMessage: "too many clients" }),
];

describe("a trace is explained", () => {
  it("from all of its spans", async () => {
    const { insight, asked } = insightInto(trace(100));
    const { statements, warnings } = await insight.explanation(
      "t",
      noJoins,
      new AbortController().signal,
    );
    expect(asked).toMatchObject([{ attributes: expect.any(Array) }]);
    expect(asked[0]).not.toHaveProperty("spanIds");
    expect(statements.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["error", "slow"]));
    expect(warnings).toEqual([]);
  });

  it("from the failing and the slowest of them when it is long, with the same rows", async () => {
    const spans = trace(20_000);
    const { insight, asked } = insightInto(spans);
    const { statements, warnings } = await insight.explanation(
      "t",
      noJoins,
      new AbortController().signal,
    );
    expect(asked[0]?.spanIds?.length).toBeLessThan(700);
    const outline = toTraceOutline("t", spans);
    const rowOf = (id: string) => outline.spanIds.indexOf(id);
    expect(statements.find(({ kind }) => kind === "error")).toMatchObject({
      row: rowOf("fault"),
      text: expect.stringContaining("too many clients"),
    });
    expect(statements.find(({ kind }) => kind === "slow")?.row).toBe(rowOf("wait"));
    expect(warnings).toEqual([expect.stringMatching(/^of 20003 spans the slowest/)]);
  });
});
