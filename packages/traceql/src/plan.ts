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
    return { scope: field.scope, name: field.name, op: "exists", value: true };
  }
  if (field.scope === "intrinsic" && field.name === "duration") {
    if (literal.type !== "duration")
      throw new TraceqlError("duration is compared with a duration, like 100ms", column);
    return { scope: "intrinsic", name: "durationMs", op, value: literal.valueMs };
  }
  if (field.scope === "intrinsic" && !["name", "kind", "status"].includes(field.name)) {
    throw new TraceqlError(`${field.name} is not evaluated`, column);
  }
  const value = literal.type === "duration" ? literal.valueMs : literal.value;
  if (field.name === "service.name" && field.scope !== "span")
    return { scope: "intrinsic", name: "service", op, value };
  return { scope: field.scope, name: field.name, op, value };
}
