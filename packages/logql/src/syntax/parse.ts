/** Parses LogQL. Source: Loki's `pkg/logql/syntax/expr.y`, whose messages are kept where people look them up. */
import type { Matcher } from "@skopos/model";
import type {
  Binary,
  BinaryOp,
  Grouping,
  LogqlExpr,
  LogSelector,
  MetricExpr,
  RangeAggregation,
  Stage,
  Unwrap,
  VectorAggregation,
  VectorMatching,
} from "./ast.ts";
import { Cursor } from "./cursor.ts";
import { aggregations, groupedFunctions, lineFunctions, valueFunctions } from "./functions.ts";
import { errorAt, type Token } from "./lexer.ts";
import { foldNumbers } from "./numbers.ts";
import {
  checkRegex,
  isUnwrap,
  parseMatchers,
  parseSelector as parseLogSelector,
  parseStage,
  parseUnwrap,
} from "./parse-stages.ts";
import { parseFloat64 } from "./units.ts";

const queryCharsMax = 128 * 1024;
const operatorsMax = 1000;
const counting: ReadonlySet<string> = new Set(["topk", "bottomk", "approx_topk"]);
const parameterMax = 1_000_000;
const rangeFunctions: ReadonlySet<string> = new Set([...lineFunctions, ...valueFunctions]);
const vectorFunctions: ReadonlySet<string> = new Set(aggregations);

/** How tightly operators bind; `^` alone is right-associative. */
const precedence: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  "==": 3,
  "!=": 3,
  ">": 3,
  ">=": 3,
  "<": 3,
  "<=": 3,
  "+": 4,
  "-": 4,
  "*": 5,
  "/": 5,
  "%": 5,
  "^": 6,
};

function isBinaryOp(text: string): text is BinaryOp {
  return Object.hasOwn(precedence, text);
}

/** Throws `LogqlError` with the place. */
export function parse(text: string): LogqlExpr {
  if (text.length > queryCharsMax)
    throw errorAt(text, 0, `a query has at most ${queryCharsMax} characters`);
  const cursor = new Cursor(text);
  const expr = new Parser(cursor).whole();
  if (cursor.peek().type !== "end") cursor.unexpected();
  return expr;
}

/** Parses `{a="b"}` alone. */
export function parseSelector(text: string): Matcher[] {
  const cursor = new Cursor(text);
  const matchers = parseMatchers(cursor);
  if (cursor.peek().type !== "end") cursor.unexpected("$end");
  return matchers;
}

class Parser {
  readonly #cursor: Cursor;
  #operators = 0;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  whole(): LogqlExpr {
    if (this.#cursor.peek().type === "end") this.#cursor.unexpected();
    return this.#expr(0);
  }

  /** Operators that bind at least as tightly as `least`. */
  #expr(least: number): LogqlExpr {
    const cursor = this.#cursor;
    const start = cursor.peek();
    let left = cursor.nested(() => this.#operand());
    for (;;) {
      const token = cursor.peek();
      const { text: op } = token;
      if ((token.type !== "symbol" && token.type !== "word") || !isBinaryOp(op)) return left;
      const strength = precedence[op] ?? 0;
      if (strength < least) return left;
      if (++this.#operators > operatorsMax)
        cursor.fail(`a query has at most ${operatorsMax} operators`);
      cursor.next();
      const modifiers = this.#modifiers();
      const rightStart = cursor.peek();
      const right = this.#expr(op === "^" ? strength : strength + 1);
      left = this.#binary(
        op,
        this.#metric(left, start, "left"),
        this.#metric(right, rightStart, "right"),
        modifiers,
        token,
      );
    }
  }

  #metric(expr: LogqlExpr, token: Token, side: "left" | "right"): MetricExpr {
    if (expr.type === "log")
      return this.#cursor.fail(
        `unexpected type for ${side} leg of binary operation: a log query has no values`,
        token,
      );
    return expr;
  }

  #binary(
    op: BinaryOp,
    left: MetricExpr,
    right: MetricExpr,
    { bool, matching }: Pick<Binary, "bool" | "matching">,
    token: Token,
  ): MetricExpr {
    const isSet = op === "and" || op === "or" || op === "unless";
    for (const [side, leg] of [
      ["left", left],
      ["right", right],
    ] as const)
      if (isSet && leg.type === "number")
        this.#cursor.fail(
          `unexpected literal for ${side} leg of logical/set binary operation (${op}): ${leg.value}`,
          token,
        );
    if (left.type === "number" && right.type === "number")
      return { type: "number", value: foldNumbers(op, left.value, right.value) };
    return { type: "binary", op, bool, matching, left, right };
  }

  #modifiers(): Pick<Binary, "bool" | "matching"> {
    const cursor = this.#cursor;
    const bool = cursor.take("bool");
    const type = cursor.take("on") ? "on" : cursor.take("ignoring") ? "ignoring" : undefined;
    if (!type) return { bool, matching: undefined };
    const names = this.#names();
    const group = cursor.take("group_left")
      ? "left"
      : cursor.take("group_right")
        ? "right"
        : undefined;
    const hasLabels = group !== undefined && cursor.isNext("(") && this.#isNameList();
    const include = hasLabels ? this.#names() : [];
    return { bool, matching: { type, names, group, include } satisfies VectorMatching };
  }

  /** After group_left a parenthesis may be labels, or the operand itself. */
  #isNameList(): boolean {
    const cursor = this.#cursor;
    if (cursor.isNext(")", 1)) return true;
    for (let i = 1; cursor.peek(i).type === "word"; i += 2) {
      if (cursor.isNext(")", i + 1)) return true;
      if (!cursor.isNext(",", i + 1)) return false;
    }
    return false;
  }

  #names(): string[] {
    const cursor = this.#cursor;
    cursor.expect("(");
    const names: string[] = [];
    while (!cursor.isNext(")")) {
      names.push(cursor.word());
      if (!cursor.take(",")) break;
    }
    cursor.expect(")");
    return names;
  }

  #operand(): LogqlExpr {
    const cursor = this.#cursor;
    const token = cursor.peek();
    if (cursor.isNext("{")) return parseLogSelector(cursor);
    if (cursor.isNext("(")) {
      cursor.next();
      const inner = this.#expr(0);
      cursor.expect(")");
      return inner;
    }
    if (token.type === "number" || cursor.isNext("-") || cursor.isNext("+"))
      return { type: "number", value: this.#number() };
    if (token.type === "word" && cursor.isNext("(", 1)) {
      if (rangeFunctions.has(token.text)) return this.#range(token.text);
      if (vectorFunctions.has(token.text)) return this.#aggregation(token.text);
      if (token.text === "label_replace") return this.#labelReplace();
      if (token.text === "vector") return this.#vector();
    }
    const isGrouped = cursor.isNext("by", 1) || cursor.isNext("without", 1);
    if (vectorFunctions.has(token.text) && isGrouped) return this.#aggregation(token.text);
    return cursor.unexpected();
  }

  /** With its sign, which binds before any operator does. */
  #number(): number {
    const cursor = this.#cursor;
    const sign = cursor.take("-") ? -1 : (cursor.take("+"), 1);
    const token = cursor.peek();
    if (token.type !== "number") cursor.unexpected("NUMBER");
    const value = parseFloat64(token.text);
    if (value === undefined)
      return cursor.fail(`unable to parse literal as a float: ${JSON.stringify(token.text)}`);
    cursor.next();
    return sign * value;
  }

  #vector(): MetricExpr {
    const cursor = this.#cursor;
    cursor.next();
    cursor.expect("(");
    const value = this.#number();
    cursor.expect(")");
    return { type: "vector", value };
  }

  #inner(): MetricExpr {
    const token = this.#cursor.peek();
    const expr = this.#expr(0);
    if (expr.type === "log")
      return this.#cursor.fail("syntax error: a log query is not a metric query", token);
    return expr;
  }

  #labelReplace(): MetricExpr {
    const cursor = this.#cursor;
    cursor.next();
    cursor.expect("(");
    const inner = this.#inner();
    const texts: string[] = [];
    let token = cursor.peek();
    for (let i = 0; i < 4; i++) {
      cursor.expect(",");
      token = cursor.peek();
      texts.push(cursor.string());
    }
    cursor.expect(")");
    const [target = "", replacement = "", source = "", pattern = ""] = texts;
    checkRegex(cursor, pattern, token);
    return { type: "label_replace", inner, target, replacement, source, pattern };
  }

  #grouping(): Grouping | undefined {
    const cursor = this.#cursor;
    if (cursor.take("by")) return { type: "by", names: this.#names() };
    if (cursor.take("without")) return { type: "without", names: this.#names() };
    return undefined;
  }

  #aggregation(op: string): VectorAggregation {
    const cursor = this.#cursor;
    const name = cursor.next();
    let grouping = this.#grouping();
    cursor.expect("(");
    const hasParameter = cursor.peek().type === "number" && cursor.isNext(",", 1);
    const written = cursor.peek().text;
    const parameter = hasParameter ? this.#number() : undefined;
    if (hasParameter) cursor.expect(",");
    const inner = this.#inner();
    cursor.expect(")");
    if (!grouping) grouping = this.#grouping();
    if (counting.has(op)) {
      if (parameter === undefined)
        return cursor.fail(`parameter required for operation ${op}`, name);
      if (!Number.isInteger(parameter) || parameter > parameterMax)
        cursor.fail(`invalid parameter ${op}(${written},`, name);
      if (parameter <= 0)
        cursor.fail(`invalid parameter (must be greater than 0) ${op}(${written}`, name);
    } else if (parameter !== undefined)
      cursor.fail(`unsupported parameter for operation ${op}(${written},`, name);
    if (grouping && (op === "sort" || op === "sort_desc" || op === "approx_topk"))
      cursor.fail(`grouping not allowed for ${op} aggregation`, name);
    return { type: "aggregate", op, parameter, grouping, inner };
  }

  #range(func: string): RangeAggregation {
    const cursor = this.#cursor;
    const name = cursor.next();
    cursor.expect("(");
    let parameter: number | undefined;
    if (cursor.peek().type === "number") {
      const written = cursor.peek().text;
      parameter = this.#number();
      cursor.expect(",");
      if (func !== "quantile_over_time")
        cursor.fail(`parameter ${written} not supported for operation ${func}`, name);
    }
    if (cursor.isNext("-")) cursor.unexpected();
    const range = cursor.nested(() => this.#logRange());
    cursor.expect(")");
    const grouping = this.#grouping();
    if (range.rangeMs === undefined) return cursor.fail("syntax error: expecting RANGE", name);
    if (grouping && !groupedFunctions.includes(func))
      cursor.fail(`grouping not allowed for ${func} aggregation`, name);
    if (range.unwrap && !valueFunctions.includes(func))
      cursor.fail(`invalid aggregation ${func} with unwrap`, name);
    if (!range.unwrap && !lineFunctions.includes(func))
      cursor.fail(`invalid aggregation ${func} without unwrap`, name);
    if (func === "quantile_over_time" && parameter === undefined)
      cursor.fail(`parameter required for operation ${func}`, name);
    const { selector, unwrap, rangeMs, offsetMs } = range;
    return { type: "range", func, parameter, selector, unwrap, rangeMs, offsetMs, grouping };
  }

  /** Stages, the range and `unwrap`, which may stand in several orders, and in parentheses. */
  #logRange(): LogRange {
    const cursor = this.#cursor;
    let range: LogRange;
    if (cursor.take("(")) {
      range = cursor.nested(() => this.#logRange());
      cursor.expect(")");
    } else {
      const matchers = parseMatchers(cursor);
      const selector: LogSelector = { type: "log", matchers, stages: [] };
      range = { selector, unwrap: undefined, rangeMs: undefined, offsetMs: 0 };
    }
    const stages: Stage[] = [...range.selector.stages];
    for (;;) {
      if (cursor.isNext("[") && range.rangeMs === undefined) {
        cursor.next();
        const token = cursor.peek();
        const rangeMs = cursor.durationMs();
        if (!(rangeMs > 0)) cursor.fail("the range must be longer than 0", token);
        cursor.expect("]");
        range = { ...range, rangeMs, offsetMs: this.#offset() };
        continue;
      }
      if (range.unwrap) break;
      if (isUnwrap(cursor)) {
        range = { ...range, unwrap: parseUnwrap(cursor) };
        continue;
      }
      const stage = parseStage(cursor);
      if (!stage) break;
      stages.push(stage);
    }
    if (range.rangeMs !== undefined && range.offsetMs === 0)
      range = { ...range, offsetMs: this.#offset() };
    return { ...range, selector: { ...range.selector, stages } };
  }

  #offset(): number {
    const cursor = this.#cursor;
    if (!cursor.take("offset")) return 0;
    const sign = cursor.take("-") ? -1 : 1;
    return sign * cursor.durationMs();
  }
}

interface LogRange {
  readonly selector: LogSelector;
  readonly unwrap: Unwrap | undefined;
  readonly rangeMs: number | undefined;
  readonly offsetMs: number;
}
