import { describe, expect, it } from "vitest";
import {
  bandQuery,
  isSelected,
  readSelection,
  scatterOf,
  selectionOf,
  writeSelection,
} from "./scatter.ts";

const trace = (startMs: number, durationMs: number) => ({
  traceId: `${startMs}`,
  rootService: "web",
  rootName: "GET /",
  startNs: `${startMs}000000`,
  durationMs,
  spanCount: 1,
  errorCount: 0,
  services: {},
  matched: [],
});

describe("traces as points", () => {
  const scatter = scatterOf([trace(1000, 1), trace(3000, 10), trace(5000, 1000)]);

  it("stand by time and the logarithm of their duration", () => {
    expect(scatter?.points.map(({ x, y }) => [x, Number(y.toFixed(3))])).toEqual([
      [0, 0],
      [0.5, 0.333],
      [1, 1],
    ]);
    expect(scatter?.ticks).toEqual([1, 10, 100, 1000]);
  });

  it("are there even when all are the same", () => {
    const same = scatterOf([trace(1000, 5), trace(1000, 5)]);
    expect(same?.points.every(({ x, y }) => x >= 0 && x <= 1 && y >= 0 && y <= 1)).toBe(true);
    expect(scatterOf([])).toBeNull();
  });

  it("are selected by a rectangle drawn from any corner, also after it went through the address", () => {
    if (!scatter) throw new Error("there are points");
    const drawn = selectionOf(scatter, { x: 1, y: 1 }, { x: 0.4, y: 0.2 });
    const selection = readSelection(writeSelection(drawn));
    expect(scatter.points.map((point) => isSelected(point.trace, selection))).toEqual([
      false,
      true,
      true,
    ]);
    expect(readSelection("nonsense")).toBeNull();
    expect(isSelected(trace(0, 1), null)).toBe(true);
  });

  it("give a band of durations as TraceQL", () => {
    expect(bandQuery({ minMs: 12.5, maxMs: 1000 })).toBe(
      "{ traceDuration >= 12500us && traceDuration <= 1000000us }",
    );
  });
});
