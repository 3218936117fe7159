import type { SpanJson } from "@skopos/api";
import { describe, expect, it } from "vitest";
import { barOf, rulerTicks, timeByService, waterfallRows } from "./waterfall.ts";

function span(spanId: string, parentSpanId: string, over: Partial<SpanJson> = {}): SpanJson {
  return {
    spanId,
    parentSpanId,
    service: "a",
    name: "GET /",
    kind: "client",
    startNs: "0",
    offsetMs: 0,
    durationMs: 10,
    exclusiveMs: 2,
    status: "unset",
    statusMessage: "",
    attributes: {},
    resource: {},
    events: [],
    critical: false,
    entity: null,
    ...over,
  };
}

const spans = [
  span("root", ""),
  span("x", "root", { status: "error" }),
  span("x1", "x", { service: "b", name: "serve" }),
  span("y", "root"),
  span("lost", "nobody", { name: "other" }),
];

describe("the waterfall", () => {
  it("indents by parent, and hangs orphans below the root", () => {
    expect(waterfallRows(spans, new Set()).map(({ depth }) => depth)).toEqual([0, 1, 2, 1, 1]);
  });

  it("hides what is below a collapsed span and nothing else", () => {
    const rows = waterfallRows(spans, new Set(["x"]));
    expect(rows.map(({ span }) => span.spanId)).toEqual(["root", "x", "y", "lost"]);
    expect(rows[1]).toMatchObject({ collapsed: true, below: 1 });
    expect(waterfallRows(spans, new Set(["root"]))).toHaveLength(1);
  });

  it("tells a retry from a first try", () => {
    const rows = waterfallRows(spans, new Set());
    expect(rows.find(({ span }) => span.spanId === "y")?.retry).toBe(true);
    expect(rows.find(({ span }) => span.spanId === "x")?.retry).toBe(false);
  });

  it("draws short spans so that they can be seen, inside the trace", () => {
    expect(barOf(span("s", "", { offsetMs: 5, durationMs: 0 }), 10)).toEqual({
      left: 50,
      width: 0.3,
    });
    const late = barOf(span("s", "", { offsetMs: 12, durationMs: 5 }), 10);
    expect(late.left + late.width).toBeLessThanOrEqual(100);
  });

  it("rules with round numbers", () => {
    expect(rulerTicks(310)).toEqual([0, 100, 200, 300]);
    expect(rulerTicks(0)).toEqual([0]);
    expect(rulerTicks(0.8).length).toBeLessThanOrEqual(6);
  });

  it("says where time goes", () => {
    expect(timeByService(spans)[0]).toEqual({ service: "a", exclusiveMs: 8, spans: 4, errors: 1 });
  });
});
