/** Evaluates a metric query: every part gives its series over all steps at once. */
import {
  compileRegex,
  type LogReader,
  type LogSelectionPlan,
  type MatrixSeries,
  type MetricValue,
  SkoposError,
} from "@skopos/model";
import type {
  Binary,
  Grouping,
  LabelReplace,
  MetricExpr,
  RangeAggregation,
  VectorAggregation,
} from "../syntax/ast.ts";
import { formatRange } from "../syntax/format.ts";
import { expand } from "../pipeline/regex-expand.ts";
import { aggregate } from "./aggregate.ts";
import { setOperation, vectorOperation, withNumber } from "./binary.ts";
import type { QueryLimits } from "./limits.ts";
import { evaluateRange } from "./range.ts";
import { constantSeries, type Grid, type Series, type SeriesLabels } from "./series.ts";

/** What one evaluation works with. */
export interface Evaluation {
  readonly reader: LogReader;
  readonly grid: Grid;
  readonly limits: QueryLimits;
  readonly nowNs: bigint;
  readonly signal: AbortSignal | undefined;
  readonly plan: LogSelectionPlan[];
  /** Range aggregations already asked for, by their text: `a / (a + b)` reads `a` once. */
  readonly ranges: Map<string, Promise<Series[]>>;
}

export async function evaluate(expr: MetricExpr, evaluation: Evaluation): Promise<Series[]> {
  const { count } = evaluation.grid;
  switch (expr.type) {
    case "number":
    case "vector":
      return [constantSeries(expr.value, count)];
    case "range":
      return rangeOf(expr, undefined, evaluation);
    case "aggregate": {
      const inner =
        expr.inner.type === "range" && isSummable(expr, expr.inner)
          ? await rangeOf(expr.inner, expr.grouping ?? { type: "by", names: [] }, evaluation)
          : await evaluate(expr.inner, evaluation);
      return aggregate(expr, inner, count);
    }
    case "label_replace":
      return replaced(expr, await evaluate(expr.inner, evaluation));
    case "binary":
      return binary(expr, evaluation);
  }
}

/** Whether the sum of the parts is what the function gives for all of them together. */
function isSummable({ op }: VectorAggregation, inner: RangeAggregation): boolean {
  if (op !== "sum" || inner.grouping) return false;
  const { func } = inner;
  return (
    func === "count_over_time" ||
    func === "rate" ||
    func === "bytes_over_time" ||
    func === "bytes_rate" ||
    func === "sum_over_time"
  );
}

function rangeOf(
  expr: RangeAggregation,
  grouping: Grouping | undefined,
  evaluation: Evaluation,
): Promise<Series[]> {
  const key = `${formatRange(expr)} ${JSON.stringify(grouping)}`;
  const known = evaluation.ranges.get(key);
  if (known) return known;
  const found = evaluateRange(expr, grouping, evaluation);
  evaluation.ranges.set(key, found);
  return found;
}

async function binary(expr: Binary, evaluation: Evaluation): Promise<Series[]> {
  const left = await evaluate(expr.left, evaluation);
  const right = await evaluate(expr.right, evaluation);
  const { op } = expr;
  if (op === "and" || op === "or" || op === "unless") return setOperation(expr, left, right);
  if (expr.left.type === "number") return withNumber(expr, right, expr.left.value, true);
  if (expr.right.type === "number") return withNumber(expr, left, expr.right.value, false);
  return vectorOperation(expr, left, right, evaluation.grid.count);
}

function replaced(expr: LabelReplace, series: readonly Series[]): Series[] {
  const pattern = compileRegex(`^(?:${expr.pattern})$`);
  const seen = new Set<string>();
  const results = series.map((one) => {
    const source = one.labels.get(expr.source) ?? "";
    const matcher = pattern.matcher(source);
    if (!matcher.matches()) return one;
    const value = expand(expr.replacement, pattern, matcher);
    return { ...one, labels: one.labels.with(expr.target, value === "" ? undefined : value) };
  });
  for (const { labels } of results) {
    if (seen.has(labels.key))
      throw new SkoposError(
        "execution",
        `label_replace gives two series the labels ${labels.toString()}`,
      );
    seen.add(labels.key);
  }
  return results;
}

function isSorted(expr: MetricExpr): boolean {
  if (expr.type === "aggregate") return /^(sort|sort_desc|topk|bottomk|approx_topk)$/.test(expr.op);
  return expr.type === "binary" && (isSorted(expr.left) || isSorted(expr.right));
}

/** Series as an answer: a scalar for a number, a vector for one moment, else a matrix. */
export function toValue(
  expr: MetricExpr,
  series: readonly Series[],
  grid: Grid,
  isInstant: boolean,
): MetricValue {
  const { startMs, stepMs } = grid;
  if (isInstant && expr.type === "number")
    return { type: "scalar", timeMs: startMs, value: expr.value };
  const ordered = isInstant && isSorted(expr) ? series : byLabels(series);
  if (isInstant) {
    const samples = ordered
      .filter(({ present }) => present[0] === 1)
      .map(({ labels, values }) => ({
        labels: labels.toMap(),
        timeMs: startMs,
        value: values[0] ?? 0,
      }));
    return { type: "vector", samples };
  }
  const all = ordered.map(({ labels, values, present }): MatrixSeries => {
    let length = 0;
    const times = new Float64Array(values.length);
    const there = new Float64Array(values.length);
    for (let step = 0; step < values.length; step++) {
      if (present[step] !== 1) continue;
      times[length] = startMs + step * stepMs;
      there[length] = values[step] ?? 0;
      length += 1;
    }
    return {
      labels: labels.toMap(),
      times: times.slice(0, length),
      values: there.slice(0, length),
    };
  });
  return { type: "matrix", series: all.filter(({ times }) => times.length > 0) };
}

function byLabels(series: readonly Series[]): Series[] {
  const byKey = (a: SeriesLabels, b: SeriesLabels) => (a.key < b.key ? -1 : Number(a.key > b.key));
  return series.toSorted((a, b) => byKey(a.labels, b.labels));
}
