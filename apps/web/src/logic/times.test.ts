import { describe, expect, it } from "vitest";
import { formatAgo, lasted, nsToMs } from "./times.ts";

const now = Date.UTC(2026, 10, 21, 3, 7, 12);

describe("moments as people say them", () => {
  it.each([
    [2000, "just now"],
    [42_000, "42 s ago"],
    [185_000, "3 min ago"],
    [7_300_000, "2 h ago"],
    [200_000_000, "2 d ago"],
    [-300_000, "in 5 min"],
  ])("writes %d ms in the past as %s", (gap, text) => expect(formatAgo(now - gap, now)).toBe(text));

  it("lets a running thing last until now", () => {
    expect(lasted(now - 252_000, null, now)).toBe("4 min 12 s");
    expect(lasted(now - 252_000, now - 192_000, now)).toBe("1 min");
  });

  it("reads nanoseconds beyond what a double holds", () => {
    expect(nsToMs("1763694432123456789")).toBeCloseTo(1_763_694_432_123.456, 2);
  });
});
