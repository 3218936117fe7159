import { describe, expect, it } from "vitest";
import {
  defaultRangeMs,
  patchSearch,
  rangeAround,
  rangeParameters,
  readScope,
  relativeName,
  resolveRange,
  withScope,
} from "./scope.ts";

const read = (text: string) => readScope(new URLSearchParams(text));

describe("scope in the address", () => {
  it("is the last hour of all namespaces when the address says nothing", () => {
    expect(read("")).toEqual({
      time: { kind: "relative", lengthMs: defaultRangeMs },
      namespace: undefined,
    });
  });

  it("survives a round trip", () => {
    for (const text of ["range=15m", "range=2d", "from=1000&to=2000"]) {
      const { time } = read(text);
      const again = patchSearch(new URLSearchParams(), rangeParameters(time));
      expect(readScope(again).time).toEqual(time);
    }
  });

  it.each(["range=soon", "range=0", "range=900y", "from=5&to=1", "from=x&to=y"])(
    "opens %s at the default instead of breaking",
    (text) => expect(read(text).time).toEqual({ kind: "relative", lengthMs: defaultRangeMs }),
  );

  it("reads ISO times that people paste", () => {
    expect(read("from=2026-11-21T03:00:00Z&to=2026-11-21T04:00:00Z").time).toEqual({
      kind: "absolute",
      from: Date.UTC(2026, 10, 21, 3),
      to: Date.UTC(2026, 10, 21, 4),
    });
  });

  it("carries scope along a link, and lets the link's own time win", () => {
    const here = new URLSearchParams("range=6h&ns=shop&tab=logs");
    expect(withScope("/traces", here)).toBe("/traces?range=6h&ns=shop");
    expect(withScope("/logs?q=x&from=1&to=2", here)).toBe("/logs?q=x&from=1&to=2&ns=shop");
    expect(withScope("/mesh?ns=other#a", here)).toBe("/mesh?ns=other&range=6h#a");
    expect(withScope("https://example.org/", here)).toBe("https://example.org/");
  });

  it("keeps repeated parameters apart", () => {
    const next = patchSearch(new URLSearchParams("q=a&ns=x"), { q: ["b", "c"], ns: null });
    expect(next.toString()).toBe("q=b&q=c");
  });

  it("resolves a relative range against now", () => {
    expect(resolveRange({ kind: "relative", lengthMs: 10 }, 100)).toEqual({ start: 90, end: 100 });
  });

  it("shows the normal before an incident", () => {
    const time = rangeAround(1_000_000, 1_060_000);
    expect(time.kind === "absolute" && time.from).toBeLessThanOrEqual(700_000);
  });

  it("names a relative range", () => {
    expect(relativeName(900_000)).toBe("Last 15 min");
    expect(relativeName(5_400_000)).toBe("Last 1 h 30 min");
  });
});
