/**
 * The types of a query. Throws `TraceqlError` for what can have no meaning, `UnsupportedError` for what the language has
 * and nobody evaluates: fields of the parent, arithmetic of aggregates, aggregates of pipelines.
 */
import { compileAnchored, messageOf } from "@skopos/model";
import type {
  Field,
  FieldExpr,
  Literal,
  MetricCall,
  MetricExpr,
  Query,
  ScalarExpr,
  Stage,
} from "./ast.ts";
import { TraceqlError, UnsupportedError } from "./error.ts";
import { formatField, intrinsics } from "./fields.ts";

/** "any": known only when a span is looked at. */
type Type = "string" | "number" | "bool" | "status" | "kind" | "nil" | "any";

const groupFieldsMax = 5;

export function validate(query: Query): void {
  if (query.type === "spans") validateStages(query.stages);
  else validateSeries(query.expr);
}

function validateStages(stages: readonly Stage[]): void {
  for (const stage of stages) validateStage(stage);
}

function validateStage(stage: Stage): void {
  switch (stage.type) {
    case "filter":
      validateFilter(stage.expr);
      return;
    case "combine":
      validateStage(stage.left);
      validateStage(stage.right);
      return;
    case "pipeline":
      validateStages(stage.stages);
      return;
    case "scalarFilter":
      validateScalar(stage.left);
      validateScalar(stage.right);
      if (stage.left.type !== "aggregate" || stage.right.type !== "number")
        throw new UnsupportedError("only one aggregate is compared with one number", stage.at);
      return;
    case "group":
      typeOf(stage.by);
      requireSpan(stage.by, "by()");
      return;
    case "select":
      for (const field of stage.fields) validateField(field, stage.at);
      return;
    case "coalesce":
      return;
  }
}

function validateFilter(expr: FieldExpr | undefined): void {
  if (!expr) return;
  const type = typeOf(expr);
  if (type !== "bool" && type !== "any")
    throw new TraceqlError(`a filter is true or false, this is ${named(type)}`, expr.at);
}

function validateScalar(expr: ScalarExpr): void {
  switch (expr.type) {
    case "number":
      return;
    case "arithmetic":
      validateScalar(expr.left);
      validateScalar(expr.right);
      return;
    case "scalarPipeline":
      validateStages(expr.stages);
      validateScalar(expr.aggregate);
      return;
    case "aggregate": {
      if (!expr.expr) return;
      const type = typeOf(expr.expr);
      if (type !== "number" && type !== "any")
        throw new TraceqlError(`${expr.name}() is of numbers, this is ${named(type)}`, expr.at);
      requireSpan(expr.expr, `${expr.name}()`);
    }
  }
}

function requireSpan(expr: FieldExpr, what: string): void {
  if (!namesField(expr))
    throw new TraceqlError(
      `${what} must name a field of the span, or it is always the same`,
      expr.at,
    );
}

function namesField(expr: FieldExpr): boolean {
  switch (expr.type) {
    case "literal":
      return false;
    case "field":
      return true;
    case "unary":
      return namesField(expr.operand);
    case "binary":
      return namesField(expr.left) || namesField(expr.right);
  }
}

function validateSeries(expr: MetricExpr): void {
  switch (expr.type) {
    case "number":
      return;
    case "metric":
      validateMetric(expr);
      return;
    case "compare":
      validateStages(expr.stages);
      validateFilter(expr.selection);
      if (expr.topN < 1) throw new TraceqlError("compare() gives at least 1 value", expr.at);
      if (expr.window && expr.window.endNs <= expr.window.startNs)
        throw new TraceqlError("the selection of compare() ends before it starts", expr.at);
      return;
    case "math":
      refuseCompare(expr.left);
      refuseCompare(expr.right);
      validateSeries(expr.left);
      validateSeries(expr.right);
      return;
    case "top":
      refuseCompare(expr.of);
      if (expr.k < 1) throw new TraceqlError(`${expr.name}() gives at least 1 series`, expr.at);
      validateSeries(expr.of);
      return;
    case "threshold":
      refuseCompare(expr.of);
      validateSeries(expr.of);
  }
}

function refuseCompare(expr: MetricExpr): void {
  if (expr.type === "compare")
    throw new TraceqlError("nothing can follow compare(), or be combined with it", expr.at);
}

function validateMetric(call: MetricCall): void {
  validateStages(call.stages);
  if (call.field) {
    const type = typeOf({ type: "field", field: call.field, at: call.at });
    if (type !== "number" && type !== "any")
      throw new TraceqlError(
        `${call.name}() measures numbers, ${formatField(call.field)} is ${named(type)}`,
        call.at,
      );
  }
  if (call.quantiles.some((q) => q < 0 || q > 1))
    throw new TraceqlError("a quantile is between 0 and 1", call.at);
  if (call.by.length > groupFieldsMax)
    throw new TraceqlError(`series are grouped by at most ${groupFieldsMax} fields`, call.at);
  for (const field of call.by) validateField(field, call.at);
}

function validateField(field: Field, at: FieldExpr["at"]): void {
  if (field.parent || field.name === "parent")
    throw new UnsupportedError("the span's parent is not evaluated: use { … } > { … }", at);
}

function named(type: Type): string {
  return type === "nil" ? "nil" : type === "bool" ? "true or false" : `a ${type}`;
}

function literalType(literal: Literal): Type {
  switch (literal.type) {
    case "int":
    case "float":
    case "duration":
      return "number";
    default:
      return literal.type;
  }
}

function fieldType({ scope, name }: Field): Type {
  if (scope !== "intrinsic") return "any";
  const type = intrinsics[name]?.type;
  return type === "int" || type === "duration" ? "number" : (type ?? "any");
}

/** The type of the whole; its parts are checked on the way. */
function typeOf(expr: FieldExpr): Type {
  switch (expr.type) {
    case "literal":
      return literalType(expr.literal);
    case "field":
      validateField(expr.field, expr.at);
      return fieldType(expr.field);
    case "unary":
      return unaryType(expr);
    case "binary":
      return binaryType(expr);
  }
}

function unaryType(expr: Extract<FieldExpr, { type: "unary" }>): Type {
  const type = typeOf(expr.operand);
  const wanted = expr.op === "!" ? "bool" : "number";
  if (type !== wanted && type !== "any")
    throw new TraceqlError(`${expr.op} does not go with ${named(type)}`, expr.at);
  return wanted;
}

function binaryType(expr: Extract<FieldExpr, { type: "binary" }>): Type {
  const left = typeOf(expr.left);
  const right = typeOf(expr.right);
  switch (expr.op) {
    case "&&":
    case "||":
      return requireTypes(expr, left, right, ["bool"], "bool");
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
    case "^":
      return requireTypes(expr, left, right, ["number"], "number");
    case "=~":
    case "!~":
      requireTypes(expr, left, right, ["string"], "bool");
      checkPattern(expr.right);
      return "bool";
    case ">":
    case ">=":
    case "<":
    case "<=":
      requireTypes(expr, left, right, ["number", "string"], "bool");
      return requireSame(expr, left, right);
    case "=":
    case "!=":
      refuseNil(expr.left, expr.right);
      refuseNil(expr.right, expr.left);
      return requireSame(expr, left, right);
  }
}

type Binary = Extract<FieldExpr, { type: "binary" }>;

function requireTypes(expr: Binary, left: Type, right: Type, wanted: Type[], result: Type): Type {
  for (const type of [left, right]) {
    if (type !== "any" && !wanted.includes(type))
      throw new TraceqlError(`${expr.op} does not go with ${named(type)}`, expr.at);
  }
  return result;
}

function requireSame(expr: Binary, left: Type, right: Type): Type {
  const nil = left === "nil" || right === "nil";
  if (left !== right && left !== "any" && right !== "any" && !nil)
    throw new TraceqlError(`${named(left)} is never ${expr.op} ${named(right)}`, expr.at);
  return "bool";
}

/** What every span has is never nil, and nil is not compared with values. */
function refuseNil(nil: FieldExpr, other: FieldExpr): void {
  if (nil.type !== "literal" || nil.literal.type !== "nil") return;
  const always =
    other.type === "field"
      ? other.field.scope === "intrinsic" ||
        (other.field.scope === "resource" && other.field.name === "service.name")
      : other.type !== "literal" || other.literal.type !== "nil";
  if (!always) return;
  const what = other.type === "field" ? formatField(other.field) : "this";
  throw new TraceqlError(`${what} is never nil`, nil.at);
}

function checkPattern(pattern: FieldExpr): void {
  if (pattern.type !== "literal" || pattern.literal.type !== "string") return;
  try {
    compileAnchored(pattern.literal.value);
  } catch (error) {
    throw new TraceqlError(messageOf(error), pattern.at);
  }
}
