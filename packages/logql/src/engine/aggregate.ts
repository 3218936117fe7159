/** Aggregations over series, step by step. Source: Loki's `pkg/logql/evaluator.go`. */
import type { VectorAggregation } from "../syntax/ast.ts";
import { emptySeries, type Series, type SeriesLabels } from "./series.ts";

interface Group {
  readonly labels: SeriesLabels;
  readonly members: Series[];
}

export function aggregate(
  expr: VectorAggregation,
  series: readonly Series[],
  steps: number,
): Series[] {
  const { op, parameter = 0 } = expr;
  if (op === "sort" || op === "sort_desc") return sorted(series, op === "sort");
  const groups = groupsOf(expr, series);
  if (op === "topk" || op === "approx_topk" || op === "bottomk")
    return selectK(groups, parameter, op !== "bottomk", steps);
  return groups.map(({ labels, members }) => {
    const result = emptySeries(labels, steps);
    for (let step = 0; step < steps; step++) fold(op, members, step, result);
    return result;
  });
}

function groupsOf({ grouping }: VectorAggregation, series: readonly Series[]): Group[] {
  const names = new Set(grouping?.names);
  const isBy = grouping?.type !== "without";
  const groups = new Map<string, Group>();
  for (const one of series) {
    const labels = one.labels.filter((name) => names.has(name) === isBy);
    const group = groups.get(labels.key);
    if (group) group.members.push(one);
    else groups.set(labels.key, { labels, members: [one] });
  }
  return [...groups.values()];
}

function fold(op: string, members: readonly Series[], step: number, into: Series): void {
  let count = 0;
  let result = 0;
  let mean = 0;
  for (const { values, present } of members) {
    if (present[step] !== 1) continue;
    const value = values[step] ?? 0;
    count += 1;
    if (op === "min") {
      if (count === 1 || value < result || Number.isNaN(result)) result = value;
    } else if (op === "max") {
      if (count === 1 || value > result || Number.isNaN(result)) result = value;
    } else if (op === "stddev" || op === "stdvar") {
      const delta = value - mean;
      mean += delta / count;
      result += delta * (value - mean);
    } else result += value;
  }
  if (count === 0) return;
  into.present[step] = 1;
  into.values[step] = finished(op, result, count);
}

function finished(op: string, result: number, count: number): number {
  switch (op) {
    case "avg":
    case "stdvar":
      return result / count;
    case "stddev":
      return Math.sqrt(result / count);
    case "count":
      return count;
    default:
      return result;
  }
}

/** NaN last, whichever way. */
function compare(a: number, b: number, ascending: boolean): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return ascending ? a - b : b - a;
}

/** By the value of the first step: sorting means something for instant queries only. */
function sorted(series: readonly Series[], ascending: boolean): Series[] {
  return series
    .filter(({ present }) => present.includes(1))
    .sort((a, b) => difference(compare(a.values[0] ?? 0, b.values[0] ?? 0, ascending)));
}

/** Equal infinities differ by NaN. */
function difference(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}

/** The k largest or smallest of each group at each step, with their own labels; the first of them first. */
function selectK(groups: readonly Group[], k: number, largest: boolean, steps: number): Series[] {
  const chosen = new Map<Series, Series>();
  for (let step = 0; step < steps; step++)
    for (const { members } of groups) {
      const there = members.filter(({ present }) => present[step] === 1);
      there.sort((a, b) => difference(compare(a.values[step] ?? 0, b.values[step] ?? 0, !largest)));
      for (const one of there.slice(0, k)) {
        const result = chosen.get(one) ?? emptySeries(one.labels, steps);
        result.values[step] = one.values[step] ?? 0;
        result.present[step] = 1;
        chosen.set(one, result);
      }
    }
  return [...chosen.values()];
}
