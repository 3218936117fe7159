import { describe, expect, it } from "vitest";
import { PlanCache } from "./plan-cache.ts";

const grid = (startMs: number, count: number) => ({ startMs, stepMs: 1000, count });
const any = () => {};

describe("kept plans", () => {
  it("are handed out again over any grid", () => {
    const plans = new PlanCache({}, 60_000);
    const first = plans.of("sum(rate(a[5m] offset 1m))", grid(0, 1), any);
    expect(plans.of("sum(rate(a[5m] offset 1m))", grid(5000, 7), any)).toBe(first);
  });

  it("are made from a tree that was asked for before, and the tree stays the same", () => {
    const plans = new PlanCache({}, 60_000);
    const tree = plans.parsed("sum(a) / b");
    const planned = plans.of("sum(a) / b", grid(0, 1), any);
    expect(planned).toEqual(new PlanCache({}, 60_000).of("sum(a) / b", grid(0, 1), any));
    expect(plans.parsed("sum(a) / b")).toBe(tree);
    expect(() => plans.parsed("sum(")).toThrow("parse error");
  });

  it("are made anew where a query speaks of its own bounds", () => {
    const plans = new PlanCache({}, 60_000);
    for (const text of [
      "a @ start()",
      "rate(a[1m] offset 5s) + b @ end()",
      "sum_over_time((a @ end())[1m:])",
    ]) {
      const first = plans.of(text, grid(0, 2), any);
      const second = plans.of(text, grid(60_000, 2), any);
      expect(second).not.toEqual(first);
      expect(second).toEqual(new PlanCache({}, 60_000).of(text, grid(60_000, 2), any));
    }
  });

  it("do not take away the refusal of a query's type", () => {
    const plans = new PlanCache({}, 60_000);
    const refuse = (type: string) => {
      throw new Error(type);
    };
    plans.of("a[5m]", grid(0, 1), any);
    expect(() => plans.of("a[5m]", grid(0, 1), refuse)).toThrow("matrix");
  });
});
