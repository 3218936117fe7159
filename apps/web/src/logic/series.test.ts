import { describe, expect, it } from "vitest";
import {
  alignLines,
  extremes,
  labelSetName,
  onGrid,
  sharedLabels,
  stackUp,
  stepFor,
} from "./series.ts";

describe("lines of a chart", () => {
  it("share one axis, each with its gaps", () => {
    const { times, values } = alignLines([
      {
        label: "a",
        points: [
          [1000, 1],
          [3000, 3],
        ],
      },
      {
        label: "b",
        points: [
          [2000, 2],
          [3000, null],
        ],
      },
    ]);
    expect(times).toEqual([1, 2, 3]);
    expect(values).toEqual([
      [1, null, 3],
      [null, 2, null],
    ]);
  });

  it("leave a gap where a step has no sample", () => {
    expect(
      onGrid(
        [
          [0, 5],
          [20, 7],
        ],
        0,
        30,
        10,
      ),
    ).toEqual([
      [0, 5],
      [10, null],
      [20, 7],
      [30, null],
    ]);
  });

  it("say their last and highest value, and nothing of nothing", () => {
    expect(
      extremes([
        [0, 9],
        [1, 4],
        [2, null],
      ]),
    ).toEqual({ last: 4, max: 9 });
    expect(extremes([[0, null]])).toEqual({ last: null, max: null });
    expect(
      extremes([
        [0, -3],
        [1, -5],
      ]),
    ).toEqual({ last: -5, max: -3 });
  });

  it("take a round step", () => {
    expect(stepFor(3_600_000)).toBe(15_000);
    expect(stepFor(300_000)).toBe(2000);
    expect(stepFor(86_400_000 * 400)).toBeGreaterThan(86_400_000);
  });

  it("are named by what tells them apart", () => {
    const sets = [
      { __name__: "up", job: "a", pod: "1" },
      { __name__: "up", job: "a", pod: "2" },
    ];
    expect(labelSetName(sets[0]!, sharedLabels(sets))).toBe('up{pod="1"}');
    expect(labelSetName({}, new Set())).toBe("value");
    expect(sharedLabels([sets[0]!]).size).toBe(0);
  });
});

it("stacks lines on each other, and lets a gap stay one", () => {
  expect(
    stackUp([
      [1, 1, null],
      [2, null, 2],
      [4, 4, 4],
    ]),
  ).toEqual([
    [1, 1, null],
    [3, null, 2],
    [7, 5, 6],
  ]);
  expect(stackUp([])).toEqual([]);
});
