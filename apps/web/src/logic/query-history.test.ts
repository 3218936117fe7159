import { describe, expect, it } from "vitest";
import { addToHistory, historyMax, offsetOf, readHistory, searchHistory } from "./query-history.ts";

describe("query history", () => {
  it("puts the newest first, once", () => {
    expect(addToHistory(["a", "b"], " b ")).toEqual(["b", "a"]);
    expect(addToHistory(["a"], "  ")).toEqual(["a"]);
  });

  it("ends somewhere", () => {
    let history: string[] = [];
    for (let i = 0; i < historyMax + 9; i++) history = addToHistory(history, `q${i}`);
    expect(history).toHaveLength(historyMax);
    expect(history[0]).toBe(`q${historyMax + 8}`);
  });

  it("bears whatever stands in the storage", () => {
    expect(readHistory(null)).toEqual([]);
    expect(readHistory("{nope")).toEqual([]);
    expect(readHistory('["a", 3]')).toEqual(["a"]);
  });

  it("is searched by words in any order", () => {
    const history = ["sum(rate(a_total[1m]))", "up", "rate(b[5m])"];
    expect(searchHistory(history, "RATE a_")).toEqual(["sum(rate(a_total[1m]))"]);
    expect(searchHistory(history, " ")).toEqual(history);
  });

  it("finds the place of an error", () => {
    expect(offsetOf("sum(\n  rate(", 2, 3)).toBe(7);
    expect(offsetOf("abc", 9, 9)).toBe(3);
  });
});
