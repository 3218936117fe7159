import * as fc from "fast-check";
import { expect, it } from "vitest";
import { format, formatExpr, parse, PromqlSyntaxError } from "./index.ts";

const everything = {
  experimentalFunctions: true,
  durationExpressions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
};

const pieces = [
  "a",
  "sum",
  "by",
  "without",
  "rate",
  "topk",
  "on",
  "ignoring",
  "group_left",
  "bool",
  "offset",
  "or",
  "and",
  "atan2",
  "(",
  ")",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "@",
  "+",
  "-",
  "*",
  "/",
  "%",
  "^",
  "==",
  "!=",
  "=~",
  "=",
  ">/",
  "</",
  "1",
  "5m",
  "0x1f",
  ".5",
  "1e3",
  "inf",
  "nan",
  '"s"',
  "'",
  "`r`",
  "\\",
  "\n",
  "# c\n",
  "start",
  "step",
  "é",
  "\u0000",
];

const textArbitrary = fc.oneof(
  fc.array(fc.constantFrom(...pieces), { maxLength: 14 }).map((parts) => parts.join(" ")),
  fc.array(fc.constantFrom(...pieces), { maxLength: 10 }).map((parts) => parts.join("")),
  fc.string({ maxLength: 30 }),
);

it("refuses whatever is not PromQL with a position inside the text, and nothing else", () => {
  fc.assert(
    fc.property(textArbitrary, (text) => {
      try {
        parse(text, everything);
      } catch (error) {
        if (!(error instanceof PromqlSyntaxError)) throw error;
        const line = text.split("\n")[error.line - 1];
        expect(line).toBeDefined();
        expect(error.column).toBeGreaterThan(0);
        expect(error.column).toBeLessThanOrEqual((line ?? "").length + 1);
      }
    }),
    { seed: 20_260_602, numRuns: 5000 },
  );
});

const selector = fc.constantFrom("a", 'a{b="c"}', "a offset 5m", "a @ 12.000", '{__name__=~"x.*"}');
const vector = fc.letrec<{ vector: string }>((tie) => ({
  vector: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    selector,
    selector.map((text) => `rate(${text.split(" ")[0]}[5m])`),
    tie("vector").map((text) => `sum by (b, c) (${text})`),
    tie("vector").map((text) => `max_over_time((${text})[1h:30s] offset 1m)`),
    fc.tuple(tie("vector"), tie("vector")).map(([a, b]) => `(${a}) / on (b) group_left (c) (${b})`),
    fc.tuple(tie("vector"), tie("vector")).map(([a, b]) => `${a} or ${b} > bool 1`),
    tie("vector").map((text) => `-(${text}) ^ 2`),
  ),
})).vector;

it("reads back what it prints, on one line and on many", () => {
  fc.assert(
    fc.property(vector, (text) => {
      const once = formatExpr(parse(text, everything));
      expect(formatExpr(parse(once, everything))).toBe(once);
      expect(formatExpr(parse(format(parse(text, everything)), everything))).toBe(once);
    }),
    { seed: 20_260_603, numRuns: 500 },
  );
});
