import { describe, expect, it } from "vitest";
import {
  format,
  formatExpr,
  parse,
  parseSelector,
  PromqlSyntaxError,
  selectorsOf,
} from "./index.ts";

function errorOf(text: string): PromqlSyntaxError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof PromqlSyntaxError) return error;
    throw error;
  }
  throw new Error(`parsed: ${text}`);
}

describe("parse", () => {
  it.each([
    ["1 + 2 * 3 ^ 2", "+"],
    ["-a ^ 2 or b", "or"],
    ["a == bool 1 and b", "and"],
  ])("gives %s the root operator %s", (text, op) => {
    expect(parse(text)).toMatchObject({ kind: "binary", op });
  });

  it("binds a sign looser than a power and tighter than a product", () => {
    expect(parse("-a ^ 2")).toMatchObject({ kind: "unary", expr: { kind: "binary", op: "^" } });
    expect(parse("-a * 2")).toMatchObject({ kind: "binary", op: "*", left: { kind: "unary" } });
  });

  it("reads names in quotes, inside and outside of matchers", () => {
    expect(parse('{"http.requests", "a.b"="c"}')).toMatchObject({
      name: "http.requests",
      matchers: [
        { name: "__name__", op: "=", value: "http.requests" },
        { name: "a.b", op: "=", value: "c" },
      ],
    });
  });

  it("takes keywords as metric and label names", () => {
    expect(formatExpr(parse('sum{by="on", offset="1"}'))).toBe('sum{by="on",offset="1"}');
  });

  it("reads ranges, offsets and pins as milliseconds", () => {
    expect(parse("rate(a[1h30m] offset -5m @ 12.5)")).toMatchObject({
      args: [{ range: 5_400_000, selector: { offset: -300_000, at: 12_500 } }],
    });
  });

  it("names every position in a query of several lines", () => {
    const error = errorOf("sum(\n  rate(a[5m])\n) / unknown(b)");
    expect(error).toMatchObject({ line: 3, column: 5, endColumn: 12, code: "bad-query" });
    expect(error.message).toBe('3:5: parse error: unknown function with name "unknown"');
  });

  it.each([
    ["", "no expression found in input"],
    ["1 +", "unexpected end of input"],
    ["(1", "unclosed left parenthesis"],
    ["(1))", "unexpected right parenthesis ')'"],
    ["foo{", "unexpected end of input inside braces"],
    ["foo{a=b}", 'unexpected identifier "b" in label matching, expected string'],
    ["{}", "vector selector must contain at least one non-empty matcher"],
    ['{a=~".*"}', "vector selector must contain at least one non-empty matcher"],
    ['foo{__name__="bar"}', 'metric name must not be set twice: "foo" or "bar"'],
    ["rate(a)", 'expected type range vector in call to function "rate", got instant vector'],
    ["rate(a[1m], 1)", 'expected 1 argument(s) in call to "rate", got 2'],
    ["1 == 1", "comparisons between scalars must use BOOL modifier"],
    ["a + bool b", "bool modifier can only be used on comparison operators"],
    ["a and 1", 'set operator "and" not allowed in binary scalar expression'],
    ["a and on(x) group_left b", 'no grouping allowed for "and" operation'],
    ["a * on(x) group_left(x) b", 'label "x" must not occur in ON and GROUP clause at once'],
    ["(a + b)[5m]", "ranges only allowed for vector selectors"],
    ["a offset 1m offset 2m", "offset may not be set multiple times"],
    ["a[0s]", "duration must be greater than 0"],
    ["1m3h", 'not a valid duration string: "1m3h"'],
    ["first_over_time(a[1m])", 'function "first_over_time" is experimental and must be enabled'],
    ["a b", 'unexpected identifier "b"'],
  ])("refuses %j", (text, reason) => {
    expect(errorOf(text).reason).toBe(reason);
  });

  it("refuses nesting that would exhaust the stack", () => {
    expect(errorOf(`${"(".repeat(5000)}1${")".repeat(5000)}`).reason).toMatch(/nested deeper/);
  });
});

describe("format", () => {
  it.each([
    "sum by (a, b) (rate(x[5m])) / ignoring (c) group_left (d) y > bool 3",
    'topk without (a) (3, {"a b"="c\\"d"} @ end() offset 1h)',
    "max_over_time(rate(x[1m])[1h:30s] @ 10.000)",
    "-(a + +Inf) ^ NaN",
  ])("writes what it reads: %s", (text) => {
    const once = formatExpr(parse(text));
    expect(formatExpr(parse(once))).toBe(once);
  });

  it("breaks long expressions over indented lines", () => {
    const text = `sum by (destination_service) (rate(istio_requests_total{response_code="500"}[5m])) / sum by (destination_service) (rate(istio_requests_total[5m]))`;
    expect(format(parse(text)).split("\n")).toEqual([
      '  sum by (destination_service) (rate(istio_requests_total{response_code="500"}[5m]))',
      "/",
      "  sum by (destination_service) (rate(istio_requests_total[5m]))",
    ]);
  });
});

it("lists the selectors of an expression", () => {
  const names = selectorsOf(parse("rate(a[5m]) / on(x) sum(b) or max_over_time(c[1m:])")).map(
    ({ name }) => name,
  );
  expect(names).toEqual(["a", "b", "c"]);
});

it("reads series selectors and nothing else", () => {
  expect(parseSelector('up{job=~"a|b"}')).toEqual([
    { name: "__name__", op: "=", value: "up" },
    { name: "job", op: "=~", value: "a|b" },
  ]);
  expect(() => parseSelector("up + 1")).toThrow(PromqlSyntaxError);
});
