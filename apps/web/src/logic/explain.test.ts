import { expect, it } from "vitest";
import { costRows } from "./explain.ts";

const operator = (expression: string, depth: number, elapsedMs: number) => ({
  operator: "select",
  expression,
  depth,
  elapsedMs,
  series: 1,
  reused: false,
});

it("puts each operator before its inputs and takes their time from its own", () => {
  const rows = costRows({
    operators: [
      operator("a", 2, 1),
      operator("sum(a)", 1, 3),
      operator("b", 2, 2),
      operator("sum(b)", 1, 2.5),
      operator("sum(a) / sum(b)", 0, 10),
    ],
  });
  expect(rows.map(({ expression, depth, ownMs }) => [expression, depth, ownMs])).toEqual([
    ["sum(a) / sum(b)", 0, 4.5],
    ["sum(a)", 1, 2],
    ["a", 2, 1],
    ["sum(b)", 1, 0.5],
    ["b", 2, 2],
  ]);
  expect(rows.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
});

it("has nothing to say of a query without operators", () => {
  expect(costRows({ operators: [] })).toEqual([]);
});
