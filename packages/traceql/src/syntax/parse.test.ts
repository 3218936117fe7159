import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TraceqlError, UnsupportedError } from "./error.ts";
import { format } from "./format.ts";
import { parse, parseField } from "./parse.ts";
import { validate } from "./validate.ts";

const check = (query: string) => validate(parse(query));
/** In its one form, which puts parentheses around every operand. */
const shape = (query: string) => format(parse(query));

describe("TraceQL", () => {
  it.each([
    ["{ .a || .b && .c }", "{ (.a || .b) && .c }"],
    ["{ .a = 1 || .b = 2 }", "{ (.a = 1) || (.b = 2) }"],
    ["{ 1 + 2 * 3 ^ 2 ^ 2 = .a }", "{ (1 + (2 * (3 ^ (2 ^ 2)))) = .a }"],
    ["{ !.a = .b }", "{ (!.a) = .b }"],
    ["{ .a - 1 = -2 }", "{ (.a - 1) = (-2) }"],
    ["{ .a-1 = 2 }", "{ .a-1 = 2 }"],
    ["{} && {} >> {}", "{ } && ({ } >> { })"],
    ["{} > {} > {}", "({ } > { }) > { }"],
    ["({} | rate()) + 2 * 3 > 5", "(({ } | rate()) + 6) > 5"],
  ])("binds the operators of %s", (query, expected) => {
    expect(shape(query)).toBe(expected);
  });

  it.each([
    ["span.http.method", { scope: "span", name: "http.method" }],
    ["resource.k8s.pod/name", { scope: "resource", name: "k8s.pod/name" }],
    [".foo", { scope: "any", name: "foo" }],
    ['."foo bar"', { scope: "any", name: "foo bar" }],
    ['span.a."b c".d', { scope: "span", name: "a.b c.d" }],
    ['event."a\\"\\\\"', { scope: "event", name: 'a"\\' }],
    ["span:name", { scope: "intrinsic", name: "name" }],
    ["trace:rootService", { scope: "intrinsic", name: "rootServiceName" }],
    ["instrumentation:version", { scope: "intrinsic", name: "instrumentationVersion" }],
    ["instrumentation.language", { scope: "instrumentation", name: "language" }],
  ])("reads the field %s", (text, field) => {
    expect(parseField(text)).toMatchObject(field);
  });

  it.each([
    ["1h30m", 5400e9],
    ["1.5s", 1.5e9],
    ["10us", 10e3],
    ["10µs", 10e3],
    ["-5ms", -5e6],
  ])("reads the duration %s", (text, value) => {
    expect(parse(`{ duration > ${text} }`)).toMatchObject({
      stages: [{ expr: { right: { literal: { type: "duration", value } } } }],
    });
  });

  it.each([
    ["{ name = }", 1, 10],
    ["{ foo = 1 }", 1, 3],
    ['{ name = "a" ', 1, 14],
    ['{ name = "a }', 1, 10],
    ["{ name\n  = 1h & }", 2, 8],
    ["name", 1, 1],
    ["{ trace:kind = server }", 1, 3],
    ['{ ."a\\n" = 1 }', 1, 3],
    ["{} | rate() | {}", 1, 15],
    ["{} | quantile_over_time(duration)", 1, 33],
  ])("refuses %j and says where", (query, line, column) => {
    expect(() => parse(query)).toThrow(
      expect.objectContaining({ code: "bad-query", line, column }),
    );
  });

  it("tells what has no meaning from what is not evaluated", () => {
    expect(() => check("{ duration > 5 && parent.x = 1 }")).toThrow(UnsupportedError);
    expect(() => check("{ name = 5 }")).toThrow(/a string is never = a number/);
    expect(() => check("{ name = 5 }")).not.toThrow(UnsupportedError);
  });

  it("keeps its limits", () => {
    expect(() => parse(`{ ${"(".repeat(200)}`)).toThrow(/nested too deeply/);
    expect(() => parse(`{ ${".a || ".repeat(3000)} .a }`)).toThrow(/more than 2000 operators/);
    expect(() => parse(" ".repeat(40_000))).toThrow(/at most 32768 characters/);
  });
});

const field = fc.constantFrom(
  "name",
  "duration",
  "status",
  "span.a",
  ".b",
  'resource."c d"',
  "event:name",
  "link.x",
  "nestedSetLeft",
);
const literal = fc.constantFrom('"x\\n"', "`y`", "5", "-2.5", "1h", "ok", "server", "true", "nil");
const fieldExpr = fc.letrec<{ expr: string }>((tie) => ({
  expr: fc.oneof(
    { maxDepth: 3 },
    fc.oneof(field, literal),
    fc
      .tuple(
        tie("expr"),
        fc.constantFrom("=", "!=", ">", "<=", "=~", "&&", "||", "+", "-", "*", "%", "^"),
        tie("expr"),
      )
      .map(([left, op, right]) => `(${left}) ${op} (${right})`),
    tie("expr").map((inner) => `!(${inner})`),
  ),
})).expr;
const filter = fieldExpr.map((expr) => `{ ${expr} }`);
const spanset = fc
  .tuple(filter, fc.constantFrom("&&", "||", ">", ">>", "!<", "&~", "~", "&<<"), filter)
  .map(([left, op, right]) => `(${left} ${op} ${right})`);
const stages = fc
  .tuple(
    fc.oneof(filter, spanset),
    fc.array(
      fc.oneof(
        filter,
        fieldExpr.map((expr) => `by(${expr})`),
        fc.constantFrom("coalesce()", "select(name, span.a)", "count() > 2", "max(duration) < 1h"),
      ),
      { maxLength: 3 },
    ),
  )
  .map(([first, rest]) => [first, ...rest].join(" | "));
const series = stages.chain((pipeline) =>
  fc
    .constantFrom(
      "rate()",
      "rate() by (span.a, name) > -2.5",
      "quantile_over_time(duration, 0.5, 0.9) | topk(3)",
      "compare({ status = error }, 5, 10, 20)",
    )
    .map((metric) => `${pipeline} | ${metric}`),
);
const math = fc
  .tuple(
    series,
    fc.constantFrom("+", "-", "*", "/"),
    fc.oneof(
      series.map((s) => `(${s})`),
      fc.constantFrom("2", "1.5"),
    ),
  )
  .map(([left, op, right]) => `(${left}) ${op} ${right}`);

describe("any query", () => {
  it("is the same after it was written in its one form", () => {
    fc.assert(
      fc.property(fc.oneof(stages, series, math), (query) => {
        const once = shape(query);
        expect(shape(once)).toBe(once);
      }),
      { numRuns: 500 },
    );
  });

  it("is understood or refused with a place, whatever it is made of", () => {
    const pieces = fc.constantFrom(
      ...'{ } ( ) | && || >> !~ = =~ .a span. name 5 1h ok nil ! - + ^ , by( rate() count() " ` topk(2) with( trace: \\'.split(
        " ",
      ),
    );
    const spoilt = fc
      .tuple(fc.oneof(stages, series, math), fc.nat(), fc.nat(4), pieces)
      .map(([query, at, size, piece]) => {
        const cut = at % (query.length + 1);
        return `${query.slice(0, cut)} ${piece} ${query.slice(cut + size)}`;
      });
    const noise = fc.oneof(
      spoilt,
      stages,
      fc.array(pieces, { maxLength: 25 }).map((all) => all.join(" ")),
      fc.string({ unit: "binary", maxLength: 40 }),
    );
    let understood = 0;
    fc.assert(
      fc.property(noise, (query) => {
        try {
          check(query);
          understood += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(TraceqlError);
        }
      }),
      { numRuns: 3000 },
    );
    expect(understood).toBeGreaterThan(0);
  });
});
