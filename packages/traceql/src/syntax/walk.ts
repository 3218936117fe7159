/** Visits the fields of a query. */
import type { Field, FieldExpr, ScalarExpr, Stage } from "./ast.ts";

/** Every field that the stages name, in their order, with repetitions. */
export function* fieldsOf(stages: readonly Stage[]): Generator<Field> {
  for (const stage of stages) yield* fieldsOfStage(stage);
}

function* fieldsOfStage(stage: Stage): Generator<Field> {
  switch (stage.type) {
    case "filter":
      if (stage.expr) yield* fieldsOfExpr(stage.expr);
      return;
    case "combine":
      yield* fieldsOfStage(stage.left);
      yield* fieldsOfStage(stage.right);
      return;
    case "pipeline":
      yield* fieldsOf(stage.stages);
      return;
    case "group":
      yield* fieldsOfExpr(stage.by);
      return;
    case "select":
      yield* stage.fields;
      return;
    case "scalarFilter":
      yield* fieldsOfScalar(stage.left);
      yield* fieldsOfScalar(stage.right);
      return;
    case "coalesce":
      return;
  }
}

function* fieldsOfScalar(expr: ScalarExpr): Generator<Field> {
  switch (expr.type) {
    case "aggregate":
      if (expr.expr) yield* fieldsOfExpr(expr.expr);
      return;
    case "arithmetic":
      yield* fieldsOfScalar(expr.left);
      yield* fieldsOfScalar(expr.right);
      return;
    case "scalarPipeline":
      yield* fieldsOf(expr.stages);
      yield* fieldsOfScalar(expr.aggregate);
      return;
    case "number":
      return;
  }
}

function* fieldsOfExpr(expr: FieldExpr): Generator<Field> {
  switch (expr.type) {
    case "field":
      yield expr.field;
      return;
    case "unary":
      yield* fieldsOfExpr(expr.operand);
      return;
    case "binary":
      yield* fieldsOfExpr(expr.left);
      yield* fieldsOfExpr(expr.right);
      return;
    case "literal":
      return;
  }
}
