import type { TraceOutline } from "@skopos/api";
import { describe, expect, it } from "vitest";
import { flameBoxes } from "./flame.ts";
import { barOf, operationRows, rowsAbove, rulerTicks, visibleRows } from "./trace-rows.ts";

/** root → (a, a → b), c */
const outline: TraceOutline = {
  traceId: "t",
  startNs: "0",
  durationMs: 100,
  truncated: false,
  services: [
    { name: "web", entity: null },
    { name: "users", entity: null },
  ],
  names: ["GET /", "a", "b", "c"],
  spanIds: ["1", "2", "3", "4", "5"],
  parent: [-1, 0, 0, 2, 0],
  depth: [0, 1, 1, 2, 1],
  below: [4, 0, 1, 0, 0],
  service: [0, 0, 0, 1, 0],
  name: [0, 1, 1, 2, 3],
  kind: ["server", "client", "client", "server", "internal"],
  status: ["unset", "unset", "error", "error", "unset"],
  offsetMs: [0, 0, 30, 35, 80],
  durationsMs: [100, 20, 40, 30, 10],
  exclusiveMs: [30, 20, 10, 30, 10],
  criticalPath: { rows: [], fromMs: [], toMs: [] },
  errorOrigin: 3,
  requestId: null,
  patterns: [],
  byService: [],
};

describe("rows of a waterfall", () => {
  it("leave out what is below a collapsed row and nothing else", () => {
    expect(visibleRows(outline, new Set())).toEqual([0, 1, 2, 3, 4]);
    expect(visibleRows(outline, new Set([2]))).toEqual([0, 1, 2, 4]);
    expect(visibleRows(outline, new Set([0, 2]))).toEqual([0]);
  });

  it("name the rows to unfold for one to be seen", () => {
    expect(rowsAbove(outline, 3)).toEqual([2, 0]);
  });

  it("draw short spans so that they can be seen, inside the trace", () => {
    expect(barOf(5, 0, 10)).toEqual({ left: 50, width: 0.3 });
    const late = barOf(12, 5, 10);
    expect(late.left + late.width).toBeLessThanOrEqual(100);
  });

  it("are ruled with round numbers", () => {
    expect(rulerTicks(310)).toEqual([0, 100, 200, 300]);
    expect(rulerTicks(0)).toEqual([0]);
    expect(rulerTicks(0.8).length).toBeLessThanOrEqual(6);
  });
});

describe("a trace's operations", () => {
  it("are each there once, with what they took", () => {
    const rows = operationRows(outline);
    expect(rows).toHaveLength(4);
    expect(rows.find(({ name }) => name === "a")).toMatchObject({
      spans: 2,
      errors: 1,
      totalMs: 60,
      exclusiveMs: 30,
      maxMs: 40,
      longest: 2,
    });
  });
});

describe("a flame graph", () => {
  it("puts the same calls into one box, as wide as the time spent in it and below", () => {
    const boxes = flameBoxes(outline);
    expect(boxes.map(({ name, depth, spans, width }) => [name, depth, spans, width])).toEqual([
      ["GET /", 0, 1, 1],
      ["a", 1, 2, 0.6],
      ["b", 2, 1, 0.3],
      ["c", 1, 1, 0.1],
    ]);
    expect(boxes[3]?.left).toBeCloseTo(0.6);
  });
});
