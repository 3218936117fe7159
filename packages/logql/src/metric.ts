/** LogQL metric queries: lines counted per stream over windows (t − range, t], then aggregated. */
import { LabelSet, LimitError, type MatrixSeries, type MetricValue } from "@skopos/model";
import type { Entry } from "./stages.ts";
import type { MetricExpr, RangeAggregation, VectorAggregation } from "./syntax/ast.ts";

const seriesMax = 2000;

/** Steps of evaluation, unix ms. */
export type Steps = readonly number[];

interface Column {
  readonly labels: LabelSet;
  /** One value per step; NaN where there is none. */
  readonly values: Float64Array;
}

export function rangeOf(expr: MetricExpr): RangeAggregation {
  return expr.type === "range" ? expr : rangeOf(expr.inner);
}

/** Evaluates over the lines of the expression's one selector. */
export function evaluateMetric(
  expr: MetricExpr,
  entries: readonly Entry[],
  steps: Steps,
): Column[] {
  return expr.type === "range"
    ? overTime(expr, entries, steps)
    : aggregate(expr, evaluateMetric(expr.inner, entries, steps), steps);
}

function overTime(expr: RangeAggregation, entries: readonly Entry[], steps: Steps): Column[] {
  const byKey = new Map<string, Column>();
  const perSecond = expr.func === "rate" || expr.func === "bytes_rate";
  const bytes = expr.func === "bytes_rate" || expr.func === "bytes_over_time";
  for (const entry of entries) {
    const labels = LabelSet.fromMap(entry.labels);
    let column = byKey.get(labels.key);
    if (!column) {
      if (byKey.size >= seriesMax)
        throw new LimitError(
          `the query makes more than ${seriesMax} series: aggregate with sum by (…)`,
        );
      column = { labels, values: new Float64Array(steps.length).fill(Number.NaN) };
      byKey.set(labels.key, column);
    }
    const amount =
      (bytes ? Buffer.byteLength(entry.record.line) : 1) / (perSecond ? expr.rangeMs / 1000 : 1);
    const timeMs = Number(entry.record.timeNs / 1000n) / 1000 + expr.offsetMs;
    for (
      let i = firstAtOrAfter(steps, timeMs);
      i < steps.length && (steps[i] ?? 0) - expr.rangeMs < timeMs;
      i++
    ) {
      const before = column.values[i] ?? Number.NaN;
      column.values[i] = (Number.isNaN(before) ? 0 : before) + amount;
    }
  }
  return [...byKey.values()];
}

function firstAtOrAfter(steps: Steps, timeMs: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle] ?? 0) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function aggregate(expr: VectorAggregation, columns: readonly Column[], steps: Steps): Column[] {
  const names = new Set(expr.grouping.names);
  const by = expr.grouping.type === "by";
  const groups = new Map<string, { labels: LabelSet; members: Column[] }>();
  for (const column of columns) {
    const labels = column.labels.without((name) => names.has(name) !== by);
    const group = groups.get(labels.key) ?? { labels, members: [] };
    group.members.push(column);
    groups.set(labels.key, group);
  }
  return [...groups.values()].map(({ labels, members }) => ({
    labels,
    values: Float64Array.from(steps, (_, i) => fold(expr.op, members, i)),
  }));
}

function fold(op: VectorAggregation["op"], members: readonly Column[], step: number): number {
  let result = Number.NaN;
  let count = 0;
  for (const { values } of members) {
    const value = values[step] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    count += 1;
    if (count === 1) result = value;
    else if (op === "min") result = Math.min(result, value);
    else if (op === "max") result = Math.max(result, value);
    else result += value;
  }
  if (op === "count") return count > 0 ? count : Number.NaN;
  return op === "avg" ? result / count : result;
}

/** Columns as a vector (one step) or a matrix. */
export function toValue(columns: readonly Column[], steps: Steps, instant: boolean): MetricValue {
  if (instant) {
    const timeMs = steps[0] ?? 0;
    const samples = columns.flatMap(({ labels, values }) => {
      const value = values[0];
      return value === undefined || Number.isNaN(value)
        ? []
        : [{ labels: labels.toMap(), timeMs, value }];
    });
    return { type: "vector", samples };
  }
  const series = columns.map(({ labels, values }): MatrixSeries => {
    const present = steps.map((_, i) => i).filter((i) => !Number.isNaN(values[i] ?? Number.NaN));
    return {
      labels: labels.toMap(),
      times: Float64Array.from(present, (i) => steps[i] ?? 0),
      values: Float64Array.from(present, (i) => values[i] ?? Number.NaN),
    };
  });
  return { type: "matrix", series: series.filter(({ times }) => times.length > 0) };
}
