/**
 * Parses TraceQL, by Tempo's documentation. The pieces that stand outside of braces are of four kinds, and what may be
 * combined with what is decided by them: span sets, scalars (numbers of a span set), plain numbers, and series.
 */
import type {
  ArithmeticOp,
  Field,
  Hints,
  Literal,
  LogicalOp,
  MetricExpr,
  Query,
  ScalarExpr,
  ScalarOp,
  SpansetExpr,
  Stage,
  StructuralOp,
} from "./ast.ts";
import { Cursor } from "./cursor.ts";
import { TraceqlError } from "./error.ts";
import { aggregateWords } from "./fields.ts";
import { arithmetic, literalOf, parseFieldExpr, parseFields, placeOf } from "./parse-field.ts";
import { isMetricCall, isSecondStage, parseMetricCall, parseSecondStage } from "./parse-metric.ts";
import type { Token } from "./lexer.ts";

type Operand =
  | { readonly kind: "spanset"; readonly expr: SpansetExpr }
  | { readonly kind: "filter"; readonly stage: Stage }
  /** `constant`: a number with no aggregate in it. */
  | { readonly kind: "scalar"; readonly expr: ScalarExpr; readonly constant: boolean }
  | { readonly kind: "series"; readonly expr: MetricExpr };

/** What a pipeline comes to. */
type Piped =
  | { readonly kind: "spans"; readonly stages: readonly Stage[] }
  | {
      readonly kind: "scalar";
      readonly stages: readonly Stage[];
      readonly expr: ScalarExpr;
      constant: boolean;
    }
  | { readonly kind: "series"; readonly expr: MetricExpr };

const structural = new Set<string>(
  [">", ">>", "<", "<<", "~"].flatMap((relation) => [relation, `!${relation}`, `&${relation}`]),
);
const comparisons = new Set<string>(["=", "!=", ">", ">=", "<", "<="]);
const levels: readonly ReadonlySet<string>[] = [
  new Set(["&&", "||"]),
  new Set([...structural, ...comparisons, "=~"]),
  new Set(["+", "-"]),
  new Set(["*", "/", "%"]),
];

/** Throws `TraceqlError` with line and column. */
export function parse(text: string): Query {
  const cursor = new Cursor(text);
  const piped = parsePipeline(cursor);
  const hints = parseHints(cursor);
  if (cursor.peek().type !== "end") cursor.fail("| or the end of the query");
  if (piped.kind === "series") {
    if (piped.expr.type === "number") throw new TraceqlError("a number is no query", piped.expr.at);
    return { type: "metrics", expr: piped.expr, hints };
  }
  if (piped.kind === "scalar")
    throw new TraceqlError(
      "a number must be compared with another, as in count() > 2",
      piped.expr.at,
    );
  return { type: "spans", stages: piped.stages, hints };
}

/** One field by itself, as a list of tags names it. Throws `TraceqlError`. */
export function parseField(text: string): Field {
  const cursor = new Cursor(text);
  const token = cursor.next();
  if (token.type !== "field" || cursor.peek().type !== "end")
    throw new TraceqlError(`not a field: ${JSON.stringify(text)}`, token);
  return token.field;
}

function parsePipeline(cursor: Cursor): Piped {
  const stages: Stage[] = [];
  let series: MetricExpr | undefined;
  do {
    if (series) {
      if (!isSecondStage(cursor)) cursor.fail("topk or bottomk");
      series = parseSecondStage(cursor, series);
      continue;
    }
    if (stages.length > 0 && isMetricCall(cursor)) {
      series = parseMetricCall(cursor, stages);
      continue;
    }
    const stage = parseStage(cursor, stages.length === 0);
    if (stage.kind === "stage") {
      stages.push(stage.stage);
      continue;
    }
    if (stage.kind === "series" && stages.length === 0) {
      series = stage.expr;
      continue;
    }
    // An aggregate ends a pipeline that stands in parentheses.
    if (stage.kind === "scalar" && cursor.is(")")) return { ...stage, stages };
    if (stage.kind === "scalar" && stages.length === 0 && stage.constant)
      throw new TraceqlError("a number is no query", stage.expr.at);
    cursor.fail("a comparison");
  } while (cursor.take("|"));
  return series ? { kind: "series", expr: series } : { kind: "spans", stages };
}

type ParsedStage =
  | { readonly kind: "stage"; readonly stage: Stage }
  | { readonly kind: "scalar"; readonly expr: ScalarExpr; readonly constant: boolean }
  | { readonly kind: "series"; readonly expr: MetricExpr };

function parseStage(cursor: Cursor, first: boolean): ParsedStage {
  const at = placeOf(cursor.peek());
  if (isCall(cursor, "by")) {
    enterCall(cursor);
    const by = parseFieldExpr(cursor);
    cursor.expect(")");
    return { kind: "stage", stage: { type: "group", by, at } };
  }
  if (!first && isCall(cursor, "coalesce")) {
    enterCall(cursor);
    cursor.expect(")");
    return { kind: "stage", stage: { type: "coalesce", at } };
  }
  if (!first && isCall(cursor, "select")) {
    enterCall(cursor);
    const fields = parseFields(cursor);
    cursor.expect(")");
    return { kind: "stage", stage: { type: "select", fields, at } };
  }
  const operand = parseOperand(cursor, 0);
  switch (operand.kind) {
    case "spanset":
      return { kind: "stage", stage: operand.expr };
    case "filter":
      return { kind: "stage", stage: operand.stage };
    default:
      return operand;
  }
}

function isCall(cursor: Cursor, name: string): boolean {
  const open = cursor.peek(1);
  return cursor.is(name) && open.type === "symbol" && open.text === "(";
}

function enterCall(cursor: Cursor): void {
  cursor.next();
  cursor.next();
}

function parseOperand(cursor: Cursor, level: number): Operand {
  const operators = levels[level];
  if (!operators) return parseUnary(cursor);
  let left = parseOperand(cursor, level + 1);
  for (;;) {
    const token = cursor.peek();
    if (token.type !== "symbol" || !operators.has(token.text)) return left;
    cursor.next();
    cursor.countOperator(token);
    left = combine(token, left, parseOperand(cursor, level + 1));
  }
}

function combine(token: Token, left: Operand, right: Operand): Operand {
  const at = placeOf(token);
  const { text } = token;
  if (left.kind === "spanset" && right.kind === "spanset") {
    if (!structural.has(text) && text !== "&&" && text !== "||")
      throw new TraceqlError(`${text} does not combine span sets`, token);
    // One of the operators just named.
    const op = text as LogicalOp | StructuralOp;
    return {
      kind: "spanset",
      expr: { type: "combine", op, left: left.expr, right: right.expr, at },
    };
  }
  if (left.kind === "scalar" && right.kind === "scalar") return combineScalars(token, left, right);
  if (left.kind === "series" || right.kind === "series") return combineSeries(token, left, right);
  throw new TraceqlError(`${text} cannot stand between these: put pipelines in parentheses`, token);
}

type ScalarOperand = Extract<Operand, { kind: "scalar" }>;

function combineScalars(token: Token, left: ScalarOperand, right: ScalarOperand): Operand {
  const at = placeOf(token);
  if (comparisons.has(token.text)) {
    if (left.constant)
      throw new TraceqlError("what is compared begins with an aggregate, as in count() > 2", token);
    // One of `comparisons`.
    const op = token.text as ScalarOp;
    return {
      kind: "filter",
      stage: { type: "scalarFilter", op, left: left.expr, right: right.expr, at },
    };
  }
  if (!"+-*/%^".includes(token.text))
    throw new TraceqlError(`${token.text} does not combine numbers`, token);
  const op = token.text as ArithmeticOp;
  if (left.constant && right.constant)
    return { kind: "scalar", expr: folded(op, left.expr, right.expr, at), constant: true };
  return {
    kind: "scalar",
    expr: { type: "arithmetic", op, left: left.expr, right: right.expr, at },
    constant: false,
  };
}

function folded(
  op: ArithmeticOp,
  left: ScalarExpr,
  right: ScalarExpr,
  at: ScalarExpr["at"],
): ScalarExpr {
  if (left.type !== "number" || right.type !== "number") throw new TraceqlError("not a number", at);
  const value = arithmetic(op, left.value, right.value);
  return { type: "number", value, duration: left.duration || right.duration, at };
}

function combineSeries(token: Token, left: Operand, right: Operand): Operand {
  const at = placeOf(token);
  const a = asSeries(token, left);
  const b = asSeries(token, right);
  const op = token.text;
  if (comparisons.has(op)) {
    if (b.type !== "number" || a.type === "number")
      throw new TraceqlError("series are compared with a number on the right", token);
    return {
      kind: "series",
      expr: { type: "threshold", of: a, op: op as ScalarOp, value: b.value, at },
    };
  }
  if (op !== "+" && op !== "-" && op !== "*" && op !== "/")
    throw new TraceqlError(`${op} does not combine series: use + - * / and comparisons`, token);
  return { kind: "series", expr: { type: "math", op, left: a, right: b, at } };
}

function asSeries(token: Token, operand: Operand): MetricExpr {
  if (operand.kind === "series") return operand.expr;
  if (operand.kind === "scalar" && operand.expr.type === "number" && !operand.expr.duration)
    return { type: "number", value: operand.expr.value, at: operand.expr.at };
  throw new TraceqlError(`${token.text} combines series with series and plain numbers only`, token);
}

function parseUnary(cursor: Cursor): Operand {
  const token = cursor.peek();
  if (!cursor.take("-")) return parsePower(cursor);
  cursor.countOperator(token);
  const operand = cursor.nested(() => parseUnary(cursor));
  if (operand.kind !== "scalar" || operand.expr.type !== "number")
    throw new TraceqlError("only a number can be negated", token);
  return { ...operand, expr: { ...operand.expr, value: -operand.expr.value } };
}

function parsePower(cursor: Cursor): Operand {
  const left = parsePrimary(cursor);
  const token = cursor.peek();
  if (!cursor.take("^")) return left;
  cursor.countOperator(token);
  return combine(
    token,
    left,
    cursor.nested(() => parseUnary(cursor)),
  );
}

function parsePrimary(cursor: Cursor): Operand {
  const token = cursor.peek();
  const at = placeOf(token);
  if (cursor.take("{")) {
    const expr = cursor.is("}") ? undefined : cursor.nested(() => parseFieldExpr(cursor));
    cursor.expect("}");
    return { kind: "spanset", expr: { type: "filter", expr, at } };
  }
  if (cursor.take("(")) return parseParentheses(cursor, at);
  if (token.type === "int" || token.type === "float" || token.type === "duration") {
    cursor.next();
    const duration = token.type === "duration";
    return {
      kind: "scalar",
      expr: { type: "number", value: token.value, duration, at },
      constant: true,
    };
  }
  const name = aggregateWords.find((word) => isCall(cursor, word));
  if (name === undefined) cursor.fail("{, ( or an aggregate like count()");
  enterCall(cursor);
  const expr = name === "count" ? undefined : cursor.nested(() => parseFieldExpr(cursor));
  cursor.expect(")");
  return { kind: "scalar", expr: { type: "aggregate", name, expr, at }, constant: false };
}

function parseParentheses(cursor: Cursor, at: SpansetExpr["at"]): Operand {
  const piped = cursor.nested(() => parsePipeline(cursor));
  cursor.expect(")");
  if (piped.kind === "series") return piped;
  if (piped.kind === "scalar") {
    const { stages, expr, constant } = piped;
    if (stages.length === 0) return { kind: "scalar", expr, constant };
    return {
      kind: "scalar",
      expr: { type: "scalarPipeline", stages, aggregate: expr, at },
      constant: false,
    };
  }
  const [only] = piped.stages;
  if (
    piped.stages.length === 1 &&
    only &&
    (only.type === "filter" || only.type === "combine" || only.type === "pipeline")
  )
    return { kind: "spanset", expr: only };
  return { kind: "spanset", expr: { type: "pipeline", stages: piped.stages, at } };
}

/** `with (key=value, …)`, at the end. */
function parseHints(cursor: Cursor): Hints {
  const hints = new Map<string, Literal>();
  if (!cursor.take("with")) return hints;
  cursor.expect("(", "with");
  do {
    const key = cursor.next();
    if (key.type !== "word") throw new TraceqlError("expected the name of a hint", key);
    cursor.expect("=", key.text);
    const literal = literalOf(cursor.peek());
    if (!literal) cursor.fail("a value");
    cursor.next();
    hints.set(key.text, literal);
  } while (cursor.take(","));
  cursor.expect(")");
  return hints;
}
