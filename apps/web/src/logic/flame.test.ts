import type { TraceOutline } from "@skopos/api";
import { describe, expect, it } from "vitest";
import { flameBoxes } from "./flame.ts";

type Row = readonly [parent: number, service: number, name: number, exclusiveMs: number];

function outlineOf(rows: readonly Row[]): TraceOutline {
  return {
    traceId: "t",
    startNs: "0",
    durationMs: 1,
    truncated: false,
    services: ["web", "users"].map((name) => ({ name, entity: null })),
    names: ["GET /", "GET /users", "query"],
    spanIds: rows.map((_, row) => `${row}`),
    parent: rows.map(([parent]) => parent),
    depth: [],
    below: [],
    service: rows.map(([, service]) => service),
    name: rows.map(([, , name]) => name),
    kind: [],
    status: rows.map(() => "unset"),
    offsetMs: [],
    durationsMs: [],
    exclusiveMs: rows.map(([, , , ms]) => ms),
    criticalPath: { rows: [], fromMs: [], toMs: [] },
    errorOrigin: null,
    requestId: null,
    patterns: [],
    byService: [],
  };
}

describe("a flame graph", () => {
  it("makes one box of spans on the same path, as wide as the time below it", () => {
    const boxes = flameBoxes(
      outlineOf([
        [-1, 0, 0, 10],
        [0, 1, 1, 5],
        [1, 1, 2, 25],
        [0, 1, 1, 10],
        [3, 1, 2, 50],
      ]),
    );
    expect(
      boxes.map(({ name, spans, left, width, depth }) => [name, spans, left, width, depth]),
    ).toEqual([
      ["GET /", 1, 0, 1, 0],
      ["GET /users", 2, 0, 0.9, 1],
      ["query", 2, 0, 0.75, 2],
    ]);
  });

  it("puts the widest of those side by side first", () => {
    const boxes = flameBoxes(
      outlineOf([
        [-1, 0, 0, 0],
        [0, 0, 1, 25],
        [0, 1, 2, 75],
      ]),
    );
    expect(boxes.map(({ name, left }) => [name, left])).toEqual([
      ["GET /", 0],
      ["query", 0],
      ["GET /users", 0.75],
    ]);
  });

  it("draws a trace that is deeper than the stack", () => {
    const deep = Array.from({ length: 50_000 }, (_, row): Row => [row - 1, row % 2, row % 3, 0]);
    deep.push([49_999, 0, 0, 1]);
    const boxes = flameBoxes(outlineOf(deep));
    expect(boxes).toHaveLength(3000);
    expect(boxes.at(-1)).toMatchObject({ depth: 2999, width: 1 });
  });
});
