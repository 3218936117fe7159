import { describe, expect, it } from "vitest";
import { exprJson } from "./ast-json.ts";
import { parse } from "./parse.ts";

const json = (text: string) => exprJson(parse(text));

describe("an expression as JSON", () => {
  it("shows selectors with every matcher, and modifiers in milliseconds", () => {
    expect(json('up{job=~"a|b"} @ 12.5 offset -5m')).toEqual({
      type: "vectorSelector",
      name: "up",
      matchers: [
        { name: "__name__", type: "=", value: "up" },
        { name: "job", type: "=~", value: "a|b" },
      ],
      anchored: false,
      smoothed: false,
      offset: -300_000,
      timestamp: 12_500,
      startOrEnd: null,
    });
  });

  it("shows calls with their function's types, and ranges", () => {
    expect(json("rate(x[5m] @ end())")).toMatchObject({
      type: "call",
      func: { name: "rate", argTypes: ["matrix"], variadic: 0, returnType: "vector" },
      args: [{ type: "matrixSelector", name: "x", range: 300_000, startOrEnd: "end" }],
    });
    expect(json('label_join(x, "a", "-", "b")')).toMatchObject({ func: { variadic: -1 } });
    expect(json("max_over_time(x[1h:5m])")).toMatchObject({
      args: [{ type: "subquery", range: 3_600_000, step: 300_000, expr: { name: "x" } }],
    });
  });

  it("shows aggregations, and the matching of vectors but not of scalars", () => {
    expect(json("topk by (a) (3, x)")).toMatchObject({
      type: "aggregation",
      op: "topk",
      grouping: ["a"],
      without: false,
      param: { type: "numberLiteral", val: "3" },
    });
    expect(json("a * on (x) group_left (y) b")).toMatchObject({
      matching: { card: "many-to-one", on: true, labels: ["x"], include: ["y"] },
    });
    expect(json("a or b")).toMatchObject({ matching: { card: "many-to-many", on: false } });
    expect(json("a > bool 1")).toMatchObject({ matching: null, bool: true });
  });

  it.each([
    ["1e25", "10000000000000000000000000"],
    ["1.5e-9", "0.0000000015"],
    ["Inf", "+Inf"],
    ["0x10", "16"],
  ])("writes the number %s as %s", (text, val) => {
    expect(json(text)).toEqual({ type: "numberLiteral", val });
  });
});
