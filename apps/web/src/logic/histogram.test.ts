import { describe, expect, it } from "vitest";
import { bucketMs, stackBars } from "./histogram.ts";

describe("the histogram of log lines", () => {
  it("stacks levels from the worst up, scaled to the highest bar", () => {
    const { bars, most } = stackBars([
      { at: 0, counts: { info: 6, error: 2 } },
      { at: 1000, counts: { info: 4 } },
    ]);
    expect(most).toBe(8);
    expect(bars[0]?.parts).toEqual([
      { level: "error", from: 0, to: 0.25 },
      { level: "info", from: 0.25, to: 1 },
    ]);
    expect(bars[1]?.parts[0]?.to).toBe(0.5);
  });

  it("draws nothing where nothing was logged", () => {
    expect(stackBars([{ at: 0, counts: {} }])).toEqual({
      bars: [{ at: 0, total: 0, parts: [] }],
      most: 0,
    });
    expect(bucketMs([{ at: 0, counts: {} }])).toBeNull();
  });
});
