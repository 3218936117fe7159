import { describe, expect, it } from "vitest";
import {
  cellAt,
  fullCells,
  heatLevels,
  heatOfClassic,
  heatOfNative,
  heatOfPowers,
  heatRowsMax,
  levelOf,
} from "./heat.ts";

const range = { startMs: 60_000, endMs: 180_000, stepMs: 60_000 };
const at = (le: string, values: readonly (number | null)[], name?: string) => ({
  metric: { le, ...(name === undefined ? {} : { __name__: name }) },
  samples: values.flatMap((value, i) =>
    value === null ? [] : [[60 + i * 60, `${value}`] as const],
  ),
});
const rowsOf = (heat: ReturnType<typeof heatOfClassic>) =>
  heat?.buckets.map((_, row) => [
    ...heat.cells.subarray(row * heat.times.length, (row + 1) * heat.times.length),
  ]);

describe("heat of classic histograms", () => {
  it("takes the lower bucket from the higher, and keeps a missing step missing", () => {
    const heat = heatOfClassic(
      [at("10", [3, null, 4]), at("5", [1, null, 4]), at("+Inf", [3, null, 9])],
      range,
    );
    expect(heat?.buckets).toEqual([
      { lower: 0, upper: 5 },
      { lower: 5, upper: 10 },
      { lower: 10, upper: Infinity },
    ]);
    expect(rowsOf(heat)).toEqual([
      [1, NaN, 4],
      [2, NaN, 0],
      [0, NaN, 5],
    ]);
    expect(heat?.max).toBe(5);
  });

  it("adds up series of the same bound, and never counts below zero", () => {
    const series = [at("1", [2, 5, 2]), at("1", [1, 1, 1]), at("2", [4, 4, 4]), at("x", [9, 9, 9])];
    expect(rowsOf(heatOfClassic(series, range))).toEqual([
      [3, 6, 3],
      [1, 0, 1],
    ]);
  });

  it("makes rates of counters, through a reset", () => {
    const series = [at("1", [0, 60, 30], "x_bucket"), at("+Inf", [0, 120, 30], "x_bucket")];
    expect(rowsOf(heatOfClassic(series, range))).toEqual([
      [NaN, 1, 0.5],
      [NaN, 1, 0],
    ]);
  });

  it("leaves out empty buckets at both ends", () => {
    const series = [at("1", [0, 0, 0]), at("2", [1, 1, 1]), at("3", [1, 1, 1])];
    expect(heatOfClassic(series, range)?.buckets).toEqual([{ lower: 1, upper: 2 }]);
  });

  it("is none without bounds or without anything counted", () => {
    expect(heatOfClassic([{ metric: { a: "b" }, samples: [[60, "1"]] }], range)).toBeNull();
    expect(heatOfClassic([at("1", [0, 0, 0])], range)).toBeNull();
  });
});

describe("heat of native histograms", () => {
  it("spreads a wide bucket over the finer ones of another resolution", () => {
    const heat = heatOfNative(
      [
        {
          histograms: [
            { atSeconds: 60, buckets: [{ lower: 1, upper: 4, count: 6 }] },
            {
              atSeconds: 120,
              buckets: [
                { lower: 1, upper: 2, count: 1 },
                { lower: 2, upper: 4, count: 5 },
              ],
            },
          ],
        },
      ],
      range,
    );
    expect(heat?.buckets).toEqual([
      { lower: 1, upper: 2 },
      { lower: 2, upper: 4 },
    ]);
    expect(rowsOf(heat)).toEqual([
      [3, 1, NaN],
      [3, 5, NaN],
    ]);
  });

  it("joins buckets that are too many to be told apart, losing nothing", () => {
    const buckets = Array.from({ length: 500 }, (_, i) => ({ lower: i, upper: i + 1, count: 1 }));
    const heat = heatOfNative([{ histograms: [{ atSeconds: 60, buckets }] }], range);
    expect(heat?.buckets.length).toBeLessThanOrEqual(heatRowsMax);
    expect(heat?.buckets.at(-1)?.upper).toBe(500);
    expect(fullCells(heat!, 1000).reduce((sum, { value }) => sum + value, 0)).toBe(500);
  });
});

describe("heat of traces", () => {
  it("has every power of two between the lowest and the highest", () => {
    const heat = heatOfPowers(
      [
        { upper: 0.25, points: [[60_000, 2]] },
        { upper: 1, points: [[120_000, 7]] },
      ],
      range,
    );
    expect(heat?.buckets).toEqual([
      { lower: 0.125, upper: 0.25 },
      { lower: 0.25, upper: 0.5 },
      { lower: 0.5, upper: 1 },
    ]);
    expect(rowsOf(heat)).toEqual([
      [2, 0, 0],
      [0, 0, 0],
      [0, 7, 0],
    ]);
  });
});

describe("cells", () => {
  it("know their bounds, and a column begins a step before its time", () => {
    const heat = heatOfClassic([at("1", [1, 2, 3])], range)!;
    expect(cellAt(heat, 1, 0)).toEqual({
      column: 1,
      row: 0,
      lower: 0,
      upper: 1,
      fromMs: 60_000,
      toMs: 120_000,
      value: 2,
    });
    expect(cellAt(heat, 3, 0)).toBeNull();
  });

  it("show what is rare, and nothing as nothing", () => {
    expect(levelOf(0, 10)).toBe(0);
    expect(levelOf(NaN, 10)).toBe(0);
    expect(levelOf(0.0001, 10)).toBe(1);
    expect(levelOf(10, 10)).toBe(heatLevels);
  });
});
