/** Turns a spanset filter into searches that a reader can answer: one per alternative, each a conjunction. */
import type { SpanCondition } from "@skopos/model";
import type { CompareOp, Field, Literal, SpanExpr, SpansetFilter } from "./syntax/ast.ts";
import { TraceqlError } from "./syntax/error.ts";

const alternativesMax = 16;

/** The filter as alternatives of conjunctions (disjunctive normal form). Throws `TraceqlError`. */
export function planSearches(query: SpansetFilter): SpanCondition[][] {
  if (!query.filter) return [[]];
  const alternatives = normalForm(query.filter);
  if (alternatives.length > alternativesMax)
    throw new TraceqlError(`more than ${alternativesMax} alternatives`, 1);
  return alternatives;
}

function normalForm(expr: SpanExpr): SpanCondition[][] {
  if (expr.type === "compare") return [[conditionOf(expr.field, expr.op, expr.value, expr.column)]];
  const left = normalForm(expr.left);
  const right = normalForm(expr.right);
  if (expr.type === "or") return [...left, ...right];
  if (left.length * right.length > alternativesMax)
    throw new TraceqlError(`more than ${alternativesMax} alternatives`, 1);
  return left.flatMap((a) => right.map((b) => [...a, ...b]));
}

function conditionOf(field: Field, op: CompareOp, literal: Literal, column: number): SpanCondition {
  if (literal.type === "nil") {
    if (op !== "!=") throw new TraceqlError("nil can only be compared with !=", column);
    return { type: "condition", field: fieldOf(field, column), op: "exists", value: true };
  }
  if (field.scope === "intrinsic" && field.name === "duration") {
    if (literal.type !== "duration")
      throw new TraceqlError("duration is compared with a duration, like 100ms", column);
    return {
      type: "condition",
      field: { scope: "intrinsic", name: "durationNs" },
      op,
      value: literal.valueMs * 1e6,
    };
  }
  const value = literal.type === "duration" ? literal.valueMs : literal.value;
  return { type: "condition", field: fieldOf(field, column), op, value };
}

function fieldOf(field: Field, column: number): SpanCondition["field"] {
  const { name, scope } = field;
  if (scope === "intrinsic") {
    if (name !== "name" && name !== "kind" && name !== "status")
      throw new TraceqlError(`${name} is not evaluated`, column);
    return { scope, name };
  }
  if (name === "service.name" && scope !== "span") return { scope: "intrinsic", name: "service" };
  return { scope, name };
}
