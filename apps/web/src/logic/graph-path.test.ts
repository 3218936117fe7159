import { describe, expect, it } from "vitest";
import { edgePath } from "./graph-path.ts";

const a = { x: 0, y: 0 };
const b = { x: 240, y: 100 };

describe("the line of an edge", () => {
  it("starts and ends at the discs, not in them", () => {
    const { d, tip } = edgePath(a, b, [20, 25], [], "right");
    expect(d.startsWith("M20.0 0.0")).toBe(true);
    expect(tip).toEqual({ x: 214, y: 100 });
  });

  it("passes its bends", () => {
    const { d } = edgePath(a, { x: 480, y: 0 }, [20, 20], [{ x: 240, y: 60 }], "right");
    expect(d).toContain("240.0 60.0");
  });

  it("goes around when it leads back, and never draws a number that is none", () => {
    const back = edgePath(b, a, [20, 20], [], "right");
    expect(back.turn).toBe(-90);
    expect(edgePath(a, a, [20, 20], [], "down").d).not.toContain("NaN");
  });

  it("points down when the graph does", () => {
    expect(edgePath(a, b, [20, 20], [], "down").turn).toBe(90);
  });
});
