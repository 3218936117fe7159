/**
 * The syntax tree of PromQL. Positions are UTF-16 offsets into the query text (`start` inclusive, `end` exclusive).
 * Durations are milliseconds, or an expression over the query's step and range that the planner resolves.
 */
import type { Matcher } from "@skopos/model";

export type ValueType = "scalar" | "vector" | "matrix" | "string";

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Milliseconds, or arithmetic that needs the query's step or range. */
export type Duration = number | DurationExpr;

export type DurationExpr =
  | { readonly kind: "seconds"; readonly seconds: number }
  | { readonly kind: "step" }
  | { readonly kind: "range" }
  | { readonly kind: "negate"; readonly operand: DurationExpr }
  | {
      readonly kind: "arithmetic";
      readonly op: "+" | "-" | "*" | "/" | "%" | "^" | "min_of" | "max_of";
      readonly left: DurationExpr;
      readonly right: DurationExpr;
    };

/** `@ 123` as unix milliseconds, or one edge of the query. */
type AtModifier = number | "start" | "end";

interface Modifiers {
  readonly offset: Duration | undefined;
  readonly at: AtModifier | undefined;
}

interface NumberLiteral extends Span {
  readonly kind: "number";
  readonly value: number;
  /** Written as a duration ("5m"): printed back as one. */
  readonly duration: boolean;
}

interface StringLiteral extends Span {
  readonly kind: "string";
  readonly value: string;
}

export interface VectorSelector extends Span, Modifiers {
  readonly kind: "vector-selector";
  /** The name written in front of the braces or quoted inside them; "" when there is none. */
  readonly name: string;
  /** Includes the `__name__` matcher that `name` stands for, first. */
  readonly matchers: readonly Matcher[];
  readonly extend: "anchored" | "smoothed" | undefined;
}

export interface MatrixSelector extends Span {
  readonly kind: "matrix-selector";
  readonly selector: VectorSelector;
  readonly range: Duration;
}

export interface Subquery extends Span, Modifiers {
  readonly kind: "subquery";
  readonly expr: Expr;
  readonly range: Duration;
  /** Undefined: the engine's default. */
  readonly step: Duration | undefined;
}

export interface Call extends Span {
  readonly kind: "call";
  readonly name: string;
  readonly args: readonly Expr[];
}

export type AggregateOp =
  | "sum"
  | "avg"
  | "count"
  | "min"
  | "max"
  | "group"
  | "stddev"
  | "stdvar"
  | "topk"
  | "bottomk"
  | "count_values"
  | "quantile"
  | "limitk"
  | "limit_ratio";

export interface Aggregate extends Span {
  readonly kind: "aggregate";
  readonly op: AggregateOp;
  readonly without: boolean;
  readonly labels: readonly string[];
  readonly param: Expr | undefined;
  readonly expr: Expr;
}

export type ArithmeticOp = "+" | "-" | "*" | "/" | "%" | "^" | "atan2";
export type ComparisonOp = "==" | "!=" | ">" | "<" | ">=" | "<=";
export type SetOp = "and" | "or" | "unless";
/** Trim operators cut native histograms at a bound. */
export type TrimOp = "</" | ">/";
export type BinaryOp = ArithmeticOp | ComparisonOp | SetOp | TrimOp;

export interface VectorMatching {
  readonly on: boolean;
  readonly labels: readonly string[];
  readonly card: "one-to-one" | "many-to-one" | "one-to-many" | "many-to-many";
  /** Labels taken over from the "one" side. */
  readonly include: readonly string[];
  readonly fillLeft: number | undefined;
  readonly fillRight: number | undefined;
}

export interface Binary extends Span {
  readonly kind: "binary";
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
  readonly bool: boolean;
  /** As written; undefined: match on all labels, one to one (set operators: many to many). */
  readonly matching: VectorMatching | undefined;
}

interface Unary extends Span {
  readonly kind: "unary";
  readonly op: "+" | "-";
  readonly expr: Expr;
}

interface Paren extends Span {
  readonly kind: "paren";
  readonly expr: Expr;
}

export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Aggregate
  | Binary
  | Unary
  | Paren;

const comparisonOps: ReadonlySet<string> = new Set(["==", "!=", ">", "<", ">=", "<="]);
const setOps: ReadonlySet<string> = new Set(["and", "or", "unless"]);

export function isComparison(op: BinaryOp): op is ComparisonOp {
  return comparisonOps.has(op);
}

export function isSetOp(op: BinaryOp): op is SetOp {
  return setOps.has(op);
}

/** The expression inside any parentheses. */
export function unwrapParens(expr: Expr): Expr {
  let inner = expr;
  while (inner.kind === "paren") inner = inner.expr;
  return inner;
}

export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "matrix-selector":
      return [expr.selector];
    case "subquery":
    case "unary":
    case "paren":
      return [expr.expr];
    case "call":
      return expr.args;
    case "aggregate":
      return expr.param ? [expr.param, expr.expr] : [expr.expr];
    case "binary":
      return [expr.left, expr.right];
    default:
      return [];
  }
}
