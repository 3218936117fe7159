import { SkoposError } from "@skopos/model";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogqlError } from "./error.ts";
import { format } from "./format.ts";
import { parse } from "./parse.ts";

const word = fc.constantFrom("app", "level", "status", "duration", "v");
const text = fc.oneof(
  fc.constantFrom("x", "a b", 'q"uote', "back\\slash", "é✓", "tab\t"),
  fc.string(),
);
const quoted = text.map((value) => JSON.stringify(value));
const op = fc.constantFrom("=", "!=", "=~", "!~");
const plain = fc.constantFrom('"a"', '"a.*b"', "`\\d+`", '"x|y"');
const labelTerm = fc.oneof(
  fc.tuple(word, fc.constantFrom("=", "!="), quoted).map((parts) => parts.join("")),
  fc.tuple(word, op, plain).map((parts) => parts.join(" ")),
  fc
    .tuple(
      word,
      fc.constantFrom(">", ">=", "<", "<=", "==", "!="),
      fc.constantFrom("5", "-1.5", "1e3", "10ms", "1h30m", "2KiB", "0x1p3"),
    )
    .map((parts) => parts.join(" ")),
  word.map((name) => `${name}=ip("10.0.0.0/8")`),
);
const labelFilter = fc
  .array(labelTerm, { minLength: 1, maxLength: 3 })
  .chain((terms) => fc.constantFrom(" and ", " or ", ", ").map((join) => `(${terms.join(join)})`));
const stage = fc.oneof(
  fc.tuple(fc.constantFrom("|=", "!="), quoted).map((parts) => parts.join(" ")),
  fc.tuple(fc.constantFrom("|~", "!~"), plain).map((parts) => parts.join(" ")),
  fc.constantFrom(
    '|= ip("192.168.0.1") or "x"',
    '|> "<_> 200"',
    "| json",
    '| json a="b.c[0]", d="e"',
    "| logfmt --strict --keep-empty a, b=`c`",
    "| pattern `<ip> - <_>`",
    "| regexp `(?P<code>\\d+)`",
    "| unpack",
    "| decolorize",
    "| line_format `{{ .app | upper }}`",
    '| label_format a=b, c="{{ .d }}"',
    '| drop a, b="c"',
    "| keep a",
  ),
  labelFilter.map((filter) => `| ${filter}`),
);
const selector = fc
  .tuple(fc.tuple(word, plain), fc.array(stage, { maxLength: 4 }))
  .map(([[name, value], stages]) => `{${name}=${value}} ${stages.join(" ")}`);
const { metric } = fc.letrec<{ metric: string }>((tie) => ({
  metric: fc.oneof(
    { maxDepth: 3, depthIdentifier: "metric" },
    selector.map((log) => `rate(${log} [5m] offset 1m)`),
    selector.map((log) => `quantile_over_time(0.9, ${log} | unwrap duration(v) [90s]) by (app)`),
    selector.map((log) => `max_over_time(${log} | unwrap v | v > 1 [1h30m])`),
    fc.constantFrom("vector(1)", "vector(-2.5)"),
    tie("metric").map((inner) => `sum without (app, level) (${inner})`),
    tie("metric").map((inner) => `topk(3, ${inner}) by (app)`),
    tie("metric").map((inner) => `label_replace(${inner}, "a", "$1", "b", "(.*)")`),
    fc
      .tuple(
        tie("metric"),
        fc.constantFrom("+", "/", "^", "> bool", "== on (app) group_left (level)", "or", "unless"),
        tie("metric"),
      )
      .map(([a, sign, b]) => `(${a}) ${sign} (${b})`),
    tie("metric").map((inner) => `${inner} % 3`),
  ),
}));
const query = fc.oneof(selector, metric);

function verdict(source: string): string {
  try {
    parse(source);
    return "parsed";
  } catch (error) {
    if (!(error instanceof LogqlError)) throw error;
    expect(error).toBeInstanceOf(SkoposError);
    expect(error.line).toBeGreaterThan(0);
    expect(error.column).toBeGreaterThan(0);
    return "refused";
  }
}

describe("any text", () => {
  it("is parsed or refused with its place", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (source) => void verdict(source)));
    const token = fc.constantFrom(
      ..."{ } ( ) [ ] , | |= != |~ = =~ > < + - * / ^ % by on and or 5 5m 5KB x sum rate json unwrap drop ip bool `a` #".split(
        " ",
      ),
      '"a"',
      "\n",
    );
    const soup = fc.array(token, { maxLength: 30 }).map((tokens) => tokens.join(" "));
    fc.assert(
      fc.property(soup, (source) => void verdict(source)),
      { numRuns: 2000 },
    );
  });

  it("that is nearly a query is parsed or refused with its place", () => {
    const cut = fc.tuple(query, fc.nat(), fc.nat(3), fc.string({ maxLength: 2 }));
    fc.assert(
      fc.property(cut, ([source, at, length, instead]) => {
        const place = at % (source.length + 1);
        verdict(source.slice(0, place) + instead + source.slice(place + length));
      }),
      { numRuns: 1000 },
    );
  });

  it("is refused when it nests beyond reason", () => {
    expect(verdict("(".repeat(100_000))).toBe("refused");
    expect(verdict(`{a="b"} | ${"(".repeat(10_000)}`)).toBe("refused");
    expect(verdict(`vector(1)${"+vector(1)".repeat(5000)}`)).toBe("refused");
    expect(verdict(`{a="b"} | line_format "${"{{if .a}}".repeat(1000)}"`)).toBe("refused");
  });
});

describe("a query", () => {
  it("reads the same after it was written out", () => {
    fc.assert(
      fc.property(query, (source) => {
        const expr = parse(source);
        expect(parse(format(expr))).toEqual(expr);
      }),
      { numRuns: 500 },
    );
  });
});
