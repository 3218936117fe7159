/**
 * Expressions as Prometheus 3's `/api/v1/parse_query` shows them. Durations are milliseconds; arithmetic in durations, which
 * only the planner resolves, is shown as its text. Source: prometheus web/api/v1/translate_ast.go.
 */
import type { Matcher } from "@skopos/model";
import { type Binary, type Duration, type Expr, isSetOp, type VectorSelector } from "./ast.ts";
import { durationText } from "./format.ts";
import { functionTable } from "./functions.ts";
import { typeOf } from "./type-check.ts";

export type JsonNode = Readonly<Record<string, unknown>>;

export function exprJson(expr: Expr): JsonNode {
  switch (expr.kind) {
    case "number":
      return { type: "numberLiteral", val: decimal(expr.value) };
    case "string":
      return { type: "stringLiteral", val: expr.value };
    case "paren":
      return { type: "parenExpr", expr: exprJson(expr.expr) };
    case "unary":
      return { type: "unaryExpr", op: expr.op, expr: exprJson(expr.expr) };
    case "vector-selector":
      return { type: "vectorSelector", ...selectorJson(expr) };
    case "matrix-selector": {
      const { selector, range } = expr;
      return { type: "matrixSelector", range: durationJson(range), ...selectorJson(selector) };
    }
    case "subquery":
      return {
        type: "subquery",
        expr: exprJson(expr.expr),
        range: durationJson(expr.range),
        step: durationJson(expr.step ?? 0),
        ...modifiersJson(expr),
      };
    case "call":
      return {
        type: "call",
        func: functionJson(expr.name),
        args: expr.args.map(exprJson),
      };
    case "aggregate":
      return {
        type: "aggregation",
        op: expr.op,
        expr: exprJson(expr.expr),
        param: expr.param ? exprJson(expr.param) : null,
        grouping: expr.labels,
        without: expr.without,
      };
    case "binary":
      return {
        type: "binaryExpr",
        op: expr.op,
        lhs: exprJson(expr.left),
        rhs: exprJson(expr.right),
        matching: matchingJson(expr),
        bool: expr.bool,
      };
  }
}

function functionJson(name: string): JsonNode {
  const known = functionTable.get(name);
  if (!known) return { name, argTypes: [], variadic: 0, returnType: "vector" };
  const { args, repeats, optional, returns } = known;
  return { name, argTypes: args, variadic: repeats ? -1 : optional, returnType: returns };
}

/** Only between two vectors; what was not written is one to one, or many to many for set operators. */
function matchingJson(expr: Binary): JsonNode | null {
  if (typeOf(expr.left) !== "vector" || typeOf(expr.right) !== "vector") return null;
  const { matching } = expr;
  const card = isSetOp(expr.op) ? "many-to-many" : (matching?.card ?? "one-to-one");
  return {
    card,
    labels: matching?.labels ?? [],
    on: matching?.on ?? false,
    include: matching?.include ?? [],
    fillValues: { lhs: matching?.fillLeft ?? null, rhs: matching?.fillRight ?? null },
  };
}

function selectorJson(selector: VectorSelector): JsonNode {
  return {
    name: selector.name,
    matchers: selector.matchers.map(matcherJson),
    anchored: selector.extend === "anchored",
    smoothed: selector.extend === "smoothed",
    ...modifiersJson(selector),
  };
}

function matcherJson({ name, op, value }: Matcher): JsonNode {
  return { name, type: op, value };
}

function modifiersJson({ at, offset }: Pick<VectorSelector, "at" | "offset">): JsonNode {
  return {
    offset: durationJson(offset ?? 0),
    timestamp: typeof at === "number" ? at : null,
    startOrEnd: typeof at === "string" ? at : null,
  };
}

function durationJson(value: Duration): number | string {
  return typeof value === "number" ? value : durationText(value);
}

/** Go's `FormatFloat(v, 'f', -1, 64)`: never an exponent. */
function decimal(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const text = Object.is(value, -0) ? "-0" : String(value);
  const parts = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!parts) return text;
  const [, sign = "", first = "", rest = "", exponent = ""] = parts;
  const digits = first + rest;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, "0");
}
