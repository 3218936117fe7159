/** Expressions over the fields of a span, as functions. Types were checked before; what does not fit at run time is nil. */
import type { ArithmeticOp, CompareOp, FieldExpr, Literal } from "../syntax/ast.ts";
import { intrinsics } from "../syntax/fields.ts";
import { arithmetic } from "../syntax/parse-field.ts";
import { type Getter, getter } from "./fields.ts";
import { comparison, Several, type Value } from "./values.ts";

export type SpanTest = (...span: Parameters<Getter>) => boolean;

/** Whether the expression is true; undefined: always. */
export function compileFilter(expr: FieldExpr | undefined): SpanTest {
  if (!expr) return () => true;
  const value = compileExpr(expr);
  return (span, tree, index) => isTrue(value(span, tree, index));
}

export function compileExpr(expr: FieldExpr): Getter {
  switch (expr.type) {
    case "literal": {
      const value = literalValue(expr.literal);
      return () => value;
    }
    case "field":
      return getter(expr.field);
    case "unary": {
      const operand = compileExpr(expr.operand);
      if (expr.op === "-") return (...span) => negated(operand(...span));
      return (...span) => inverted(operand(...span));
    }
    case "binary":
      return compileBinary(expr);
  }
}

function compileBinary(expr: Extract<FieldExpr, { type: "binary" }>): Getter {
  const left = compileExpr(expr.left);
  const right = compileExpr(expr.right);
  switch (expr.op) {
    case "&&":
      return (...span) => isTrue(left(...span)) && isTrue(right(...span));
    case "||":
      return (...span) => isTrue(left(...span)) || isTrue(right(...span));
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
    case "^": {
      const { op } = expr;
      return (...span) => computed(op, left(...span), right(...span));
    }
    default:
      return compileComparison(expr.op, expr, left, right);
  }
}

function compileComparison(
  op: CompareOp,
  { left: a, right: b }: { left: FieldExpr; right: FieldExpr },
  left: Getter,
  right: Getter,
): Getter {
  if (isNil(a) || isNil(b)) {
    const wanted = op === "=";
    if (isNil(a) && isNil(b)) return () => wanted;
    const other = isNil(a) ? right : left;
    return (...span) => (other(...span) === undefined) === wanted;
  }
  if (wordType(a) !== wordType(b)) return () => false;
  const pattern = b.type === "literal" && b.literal.type === "string" ? b.literal.value : undefined;
  const compare = comparison(op, pattern);
  if (!isId(a) && !isId(b)) return (...span) => compare(left(...span), right(...span));
  return (...span) => compare(trimmed(left(...span)), trimmed(right(...span)));
}

function isNil(expr: FieldExpr): boolean {
  return expr.type === "literal" && expr.literal.type === "nil";
}

/** Words are of a type of their own, that no attribute has. */
export function wordType(expr: FieldExpr): "status" | "kind" | undefined {
  const type =
    expr.type === "literal"
      ? expr.literal.type
      : expr.type === "field" && expr.field.scope === "intrinsic"
        ? intrinsics[expr.field.name]?.type
        : undefined;
  return type === "status" || type === "kind" ? type : undefined;
}

const idNames = new Set(["traceID", "spanID", "parentID", "linkTraceID", "linkSpanID"]);

export function isId(expr: FieldExpr): boolean {
  return expr.type === "field" && expr.field.scope === "intrinsic" && idNames.has(expr.field.name);
}

/** Ids are equal whatever zeros stand in front. */
function trimmed(value: Value): Value {
  if (value instanceof Several) return new Several(value.values.map((each) => trimmedText(each)));
  return typeof value === "string" ? trimmedText(value) : value;
}

function trimmedText<Each>(value: Each): Each | string {
  return typeof value === "string" ? value.replace(/^0+/, "").toLowerCase() : value;
}

export function literalValue(literal: Literal): Value {
  return literal.type === "nil" ? undefined : literal.value;
}

/** As a comparison with true: of a list, or of several events, one is enough. */
function isTrue(value: Value): boolean {
  return equals(value, true);
}

const equals = comparison("=");

function inverted(value: Value): Value {
  return typeof value === "boolean" ? !value : equals(value, false);
}

function negated(value: Value): Value {
  return typeof value === "number" ? -value : undefined;
}

function computed(op: ArithmeticOp, left: Value, right: Value): Value {
  return typeof left === "number" && typeof right === "number"
    ? arithmetic(op, left, right)
    : undefined;
}
