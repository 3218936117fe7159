/** Parses what makes series of spans, and what may follow it. */
import type { CompareCall, Field, MetricCall, MetricExpr, ScalarOp, Stage } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import { TraceqlError } from "./error.ts";
import { metricWords } from "./fields.ts";
import { parseFieldExpr, parseFields, placeOf } from "./parse-field.ts";

const comparisons: ReadonlySet<string> = new Set(["=", "!=", ">", ">=", "<", "<="]);
const topNUsual = 10;

export function isMetricCall(cursor: Cursor): boolean {
  return cursor.is("compare") || metricWords.some((word) => cursor.is(word));
}

export function isSecondStage(cursor: Cursor): boolean {
  return cursor.is("topk") || cursor.is("bottomk");
}

/** `rate() by (…) > 5`, after the bar. */
export function parseMetricCall(cursor: Cursor, stages: readonly Stage[]): MetricExpr {
  const token = cursor.peek();
  const name = metricWords.find((word) => word === token.text);
  const call = name === undefined ? parseCompare(cursor, stages) : parseCall(cursor, stages, name);
  return withThreshold(cursor, call);
}

function parseCall(cursor: Cursor, stages: readonly Stage[], name: MetricCall["name"]): MetricCall {
  const at = placeOf(cursor.next());
  cursor.expect("(", name);
  let field: Field | undefined;
  const quantiles: number[] = [];
  if (name !== "rate" && name !== "count_over_time") {
    const token = cursor.next();
    if (token.type !== "field")
      throw new TraceqlError(`${name} measures a field, like duration`, token);
    field = token.field;
  }
  if (name === "quantile_over_time") {
    do {
      cursor.expect(",");
      quantiles.push(parseNumber(cursor));
    } while (cursor.is(","));
  }
  cursor.expect(")");
  return { type: "metric", stages, name, field, quantiles, by: parseBy(cursor), at };
}

function parseBy(cursor: Cursor): Field[] {
  if (!cursor.take("by")) return [];
  cursor.expect("(", "by");
  const fields = parseFields(cursor);
  cursor.expect(")");
  return fields;
}

function parseCompare(cursor: Cursor, stages: readonly Stage[]): CompareCall {
  const at = placeOf(cursor.next());
  cursor.expect("(", "compare");
  cursor.expect("{");
  const selection = cursor.is("}") ? undefined : cursor.nested(() => parseFieldExpr(cursor));
  cursor.expect("}");
  const numbers: number[] = [];
  while (cursor.take(",")) numbers.push(parseInteger(cursor));
  const [topN = topNUsual, startNs, endNs] = numbers;
  if (numbers.length > 3 || numbers.length === 2) cursor.fail("none or both of start and end");
  cursor.expect(")");
  const window = startNs === undefined || endNs === undefined ? undefined : { startNs, endNs };
  return { type: "compare", stages, selection, topN, window, at };
}

/** `topk(10) > 5`, after the bar. */
export function parseSecondStage(cursor: Cursor, of: MetricExpr): MetricExpr {
  const token = cursor.next();
  const name = token.text === "topk" ? "topk" : "bottomk";
  cursor.expect("(", name);
  const k = parseInteger(cursor);
  cursor.expect(")");
  return withThreshold(cursor, { type: "top", name, of, k, at: placeOf(token) });
}

function withThreshold(cursor: Cursor, of: MetricExpr): MetricExpr {
  const token = cursor.peek();
  if (token.type !== "symbol" || !comparisons.has(token.text)) return of;
  cursor.next();
  // One of `comparisons`.
  const op = token.text as ScalarOp;
  return { type: "threshold", of, op, value: parseNumber(cursor), at: placeOf(token) };
}

function parseNumber(cursor: Cursor): number {
  const sign = cursor.take("-") ? -1 : 1;
  const token = cursor.peek();
  if (token.type !== "int" && token.type !== "float") cursor.fail("a number");
  cursor.next();
  return sign * token.value;
}

function parseInteger(cursor: Cursor): number {
  const token = cursor.peek();
  if (token.type !== "int") cursor.fail("a whole number");
  cursor.next();
  return token.value;
}
