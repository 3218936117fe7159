/**
 * What of a query a store can decide. A predicate lets through every span, or trace, that the query may want: it is exact
 * where it lets through no others.
 */
import {
  emptySpan,
  type SpanCondition,
  type SpanField,
  type SpanIntrinsic,
  type SpanPredicate,
  type TracePredicate,
} from "@skopos/model";
import { compileExpr, isId, literalValue, wordType } from "../eval/expression.ts";
import { isService } from "../eval/fields.ts";
import { plantTrace } from "../eval/trace-tree.ts";
import type { CompareOp, Field, FieldExpr, Literal, SpansetExpr, Stage } from "../syntax/ast.ts";

export interface Bound {
  readonly where: SpanPredicate;
  readonly exact: boolean;
}

const every: SpanPredicate = { type: "all", of: [] };
const none: SpanPredicate = { type: "any", of: [] };
const unknown: Bound = { where: every, exact: false };

const storedIntrinsics: Readonly<Record<string, SpanIntrinsic>> = {
  name: "name",
  status: "status",
  statusMessage: "statusMessage",
  kind: "kind",
  duration: "durationNs",
  spanID: "spanId",
  parentID: "parentSpanId",
  traceID: "traceId",
  eventName: "eventName",
  eventTimeSinceStart: "eventTimeSinceStartNs",
  linkTraceID: "linkTraceId",
  linkSpanID: "linkSpanId",
  instrumentationName: "scopeName",
  instrumentationVersion: "scopeVersion",
};

const wholeTraceIntrinsics: Readonly<Record<string, SpanIntrinsic>> = {
  rootName: "rootName",
  rootServiceName: "rootService",
  traceDuration: "traceDurationNs",
};

/** The field in the store's terms; undefined where only the whole trace has it. */
export function storedField(field: Field): SpanField | undefined {
  const { scope, name } = field;
  if (isService(field)) return { scope: "intrinsic", name: "service" };
  if (scope !== "intrinsic") return { scope, name };
  const stored = storedIntrinsics[name];
  return stored === undefined ? undefined : { scope, name: stored };
}

/** As `storedField`, and what a store knows of a span's whole trace: it can be asked for, and not read. */
function conditionField(field: Field): SpanField | undefined {
  const whole = field.scope === "intrinsic" ? wholeTraceIntrinsics[field.name] : undefined;
  return whole ? { scope: "intrinsic", name: whole } : storedField(field);
}

/** Spans on which the filter is true. */
export function boundOf(expr: FieldExpr | undefined): Bound {
  if (!expr) return { where: every, exact: true };
  switch (expr.type) {
    case "literal":
      return { where: literalValue(expr.literal) === true ? every : none, exact: true };
    case "field":
      return truth(expr.field, true);
    case "unary":
      return expr.op === "!" ? refuted(expr.operand) : unknown;
    case "binary":
      return binaryBound(expr);
  }
}

/** Spans on which the expression is false, not merely unknown. */
function refuted(expr: FieldExpr): Bound {
  if (expr.type === "field") return truth(expr.field, false);
  if (expr.type === "unary") return unknown;
  const bound = boundOf(expr);
  return bound.exact ? { where: { type: "not", of: bound.where }, exact: true } : unknown;
}

function truth(field: Field, value: boolean): Bound {
  const stored = conditionField(field);
  if (!stored) return unknown;
  return { where: { type: "condition", field: stored, op: "=", value }, exact: true };
}

function binaryBound(expr: Extract<FieldExpr, { type: "binary" }>): Bound {
  switch (expr.op) {
    case "&&":
    case "||": {
      const type: "all" | "any" = expr.op === "&&" ? "all" : "any";
      const parts = [boundOf(expr.left), boundOf(expr.right)];
      const of = parts.flatMap(({ where }) => (where.type === type ? where.of : [where]));
      const [only] = of;
      const where: SpanPredicate = only && of.length === 1 ? only : { type, of };
      return { where, exact: parts.every(({ exact }) => exact) };
    }
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
    case "^":
      return unknown;
    default:
      return comparisonBound(expr.op, expr.left, expr.right);
  }
}

const flipped: Readonly<Partial<Record<CompareOp, CompareOp>>> = {
  "=": "=",
  "!=": "!=",
  ">": "<",
  ">=": "<=",
  "<": ">",
  "<=": ">=",
};

function comparisonBound(op: CompareOp, left: FieldExpr, right: FieldExpr): Bound {
  const a = constantOf(left);
  const b = constantOf(right);
  if (a && b) {
    const holds = compileExpr({ type: "binary", op, left, right, at: left.at })(...noSpan);
    return { where: holds === true ? every : none, exact: true };
  }
  if (left.type === "field" && b) return fieldBound(left, op, right, b);
  const turned = flipped[op];
  if (right.type === "field" && a && turned) return fieldBound(right, turned, left, a);
  return unknown;
}

function fieldBound(
  expr: Extract<FieldExpr, { type: "field" }>,
  op: CompareOp,
  other: FieldExpr,
  constant: Constant,
): Bound {
  const field = conditionField(expr.field);
  if (!field) return unknown;
  const { value } = constant;
  if (value === undefined) {
    const where = { type: "condition", field, op: op === "=" ? "absent" : "exists", value: true };
    return { where: where as SpanCondition, exact: true };
  }
  if (wordType(expr) !== wordType(other)) return { where: none, exact: true };
  if (typeof value === "number" && !Number.isFinite(value)) return unknown;
  if (!isId(expr)) return { where: { type: "condition", field, op, value }, exact: true };
  if (op !== "=" && op !== "!=") return unknown;
  return idBound(field, op, String(value));
}

/** Ids are compared whatever zeros stand in front; the parent of a root is "". */
function idBound(field: SpanField, op: "=" | "!=", id: string): Bound {
  const isTrace = field.name === "traceId" || field.name === "linkTraceId";
  const value = id.toLowerCase().padStart(isTrace ? 32 : 16, "0");
  if (/^0*$/.test(value)) return unknown;
  return { where: { type: "condition", field, op, value }, exact: true };
}

interface Constant {
  readonly value: string | number | boolean | undefined;
}

const noSpan = [emptySpan, plantTrace([]), 0] as const;

/** The value of an expression that names no field. */
function constantOf(expr: FieldExpr): Constant | undefined {
  if (expr.type === "literal") return { value: plain(expr.literal) };
  if (!isConstant(expr)) return undefined;
  const value = compileExpr(expr)(...noSpan);
  return typeof value === "number" || typeof value === "boolean" ? { value } : undefined;
}

function plain(literal: Literal): Constant["value"] {
  return literal.type === "nil" ? undefined : literal.value;
}

function isConstant(expr: FieldExpr): boolean {
  if (expr.type === "field") return false;
  if (expr.type === "literal") return true;
  if (expr.type === "unary") return isConstant(expr.operand);
  return isConstant(expr.left) && isConstant(expr.right);
}

/** Traces on which the pipeline may find something. */
export function traceBound(stages: readonly Stage[]): TracePredicate {
  return allOf(stages.map(stageBound));
}

/** What says nothing is left out, so that the store looks at no spans for its sake. */
function allOf(parts: readonly TracePredicate[]): TracePredicate {
  const telling = parts.filter((part) => !saysNothing(part));
  const [only] = telling;
  if (!only) return { type: "has", where: every };
  return telling.length === 1 ? only : { type: "all", of: telling };
}

function saysNothing(predicate: TracePredicate): boolean {
  const inner = predicate.type === "has" ? predicate.where : predicate;
  return inner.type === "all" && inner.of.length === 0;
}

function stageBound(stage: Stage): TracePredicate {
  switch (stage.type) {
    case "filter":
    case "combine":
    case "pipeline":
      return spansetBound(stage);
    default:
      return { type: "all", of: [] };
  }
}

function spansetBound(expr: SpansetExpr): TracePredicate {
  switch (expr.type) {
    case "filter":
      return allOf([{ type: "has", where: boundOf(expr.expr).where }]);
    case "pipeline":
      return traceBound(expr.stages);
    case "combine": {
      if (expr.op.startsWith("!")) return spansetBound(expr.right);
      const sides = [spansetBound(expr.left), spansetBound(expr.right)];
      return expr.op === "||" ? { type: "any", of: sides } : allOf(sides);
    }
  }
}
