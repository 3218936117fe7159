import { describe, expect, it } from "vitest";
import { drawSpark } from "./spark.ts";

const box = { width: 100, height: 20, pad: 0 };

describe("small charts", () => {
  it("breaks the line where nothing was measured", () => {
    const { line } = drawSpark(
      [
        [0, 1],
        [1, null],
        [2, 3],
        [3, 4],
      ],
      box,
    );
    expect(line.match(/M/g)).toHaveLength(2);
  });

  it("knows last and max", () => {
    const { last, max } = drawSpark(
      [
        [0, 9],
        [1, 3],
        [2, null],
      ],
      box,
    );
    expect(last).toEqual({ at: 1, value: 3 });
    expect(max).toEqual({ at: 0, value: 9 });
  });

  it("keeps the normal on the picture", () => {
    const { y } = drawSpark([[0, 1]], box, [0, 50]);
    expect(y(50)).toBe(0);
    expect(y(0)).toBe(20);
  });

  it("draws nothing from nothing", () => {
    expect(drawSpark([], box)).toMatchObject({ line: "", last: null, max: null });
  });
});
