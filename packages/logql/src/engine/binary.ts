/** Operators between series. Source: Loki's `pkg/logql/evaluator.go`, which follows Prometheus. */
import { SkoposError } from "@skopos/model";
import type { Binary, BinaryOp, VectorMatching } from "../syntax/ast.ts";
import { compareNumbers, foldNumbers, isComparison } from "../syntax/numbers.ts";
import { emptySeries, type Series, type SeriesLabels } from "./series.ts";

/** A number beside series: a comparison without `bool` keeps the series' own values, whichever side it is on. */
export function withNumber(
  { op, bool }: Binary,
  series: readonly Series[],
  number: number,
  numberIsLeft: boolean,
): Series[] {
  const filters = isComparison(op) && !bool;
  return series.map(({ labels, values, present }) => {
    const result = emptySeries(labels, values.length);
    for (let step = 0; step < values.length; step++) {
      if (present[step] !== 1) continue;
      const value = values[step] ?? 0;
      const left = numberIsLeft ? number : value;
      const right = numberIsLeft ? value : number;
      if (filters && !compareNumbers(op, left, right)) continue;
      result.values[step] = filters ? value : foldNumbers(op, left, right);
      result.present[step] = 1;
    }
    return result;
  });
}

function signature(matching: VectorMatching | undefined, labels: SeriesLabels): SeriesLabels {
  if (!matching) return labels;
  const names = new Set(matching.names);
  return labels.filter((name) => names.has(name) === (matching.type === "on"));
}

function bySignature(
  matching: VectorMatching | undefined,
  series: readonly Series[],
): Map<string, Series[]> {
  const groups = new Map<string, Series[]>();
  for (const one of series) {
    const { key } = signature(matching, one.labels);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return groups;
}

export function setOperation(
  { op, matching }: Binary,
  left: readonly Series[],
  right: readonly Series[],
): Series[] {
  if (op !== "or") {
    const others = bySignature(matching, right);
    return left.map((one) =>
      kept(one, others.get(signature(matching, one.labels).key), op === "and"),
    );
  }
  const others = bySignature(matching, left);
  const added = right.map((one) =>
    kept(one, others.get(signature(matching, one.labels).key), false),
  );
  return merged([...left, ...added]);
}

/** The steps at which some other has a value, or those at which none has. */
function kept(one: Series, others: readonly Series[] | undefined, wanted: boolean): Series {
  const result = emptySeries(one.labels, one.values.length);
  for (let step = 0; step < one.values.length; step++) {
    if (one.present[step] !== 1) continue;
    const isThere = others?.some(({ present }) => present[step] === 1) ?? false;
    if (isThere !== wanted) continue;
    result.values[step] = one.values[step] ?? 0;
    result.present[step] = 1;
  }
  return result;
}

/** Series of equal labels become one; the first of them wins where both have a value. */
function merged(series: readonly Series[]): Series[] {
  const byKey = new Map<string, Series>();
  for (const one of series) {
    const known = byKey.get(one.labels.key);
    if (!known) {
      byKey.set(one.labels.key, one);
      continue;
    }
    const result = emptySeries(known.labels, known.values.length);
    for (let step = 0; step < one.values.length; step++) {
      const source = known.present[step] === 1 ? known : one;
      result.values[step] = source.values[step] ?? 0;
      result.present[step] = source.present[step] ?? 0;
    }
    byKey.set(one.labels.key, result);
  }
  return [...byKey.values()];
}

function failed(message: string): SkoposError {
  return new SkoposError("execution", message);
}

export function vectorOperation(
  expr: Binary,
  left: readonly Series[],
  right: readonly Series[],
  steps: number,
): Series[] {
  const { matching } = expr;
  const isSwapped = matching?.group === "right";
  const many = isSwapped ? right : left;
  const ones = bySignature(matching, isSwapped ? left : right);
  const results = new Map<string, Series>();
  /** By signature and step: the series of the many side that was matched there. */
  const matched = new Map<string, Uint8Array>();
  for (const [, group] of ones) refuseTwice(group, steps, isSwapped ? "left" : "right");
  for (const series of many) {
    const group = ones.get(signature(matching, series.labels).key);
    if (!group) continue;
    const { key } = signature(matching, series.labels);
    const seen = matched.get(key) ?? new Uint8Array(steps);
    matched.set(key, seen);
    for (let step = 0; step < steps; step++) {
      if (series.present[step] !== 1) continue;
      const one = group.find(({ present }) => present[step] === 1);
      if (!one) continue;
      if (!matching?.group && seen[step] === 1)
        throw failed(
          "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
        );
      seen[step] = 1;
      const value = valueOf(expr, isSwapped ? one : series, isSwapped ? series : one, step);
      if (value === undefined) continue;
      const labels = resultLabels(matching, series.labels, one.labels);
      const result = results.get(labels.key) ?? emptySeries(labels, steps);
      if (result.present[step] === 1)
        throw failed("multiple matches for labels: grouping labels must ensure unique matches");
      result.values[step] = value;
      result.present[step] = 1;
      results.set(labels.key, result);
    }
  }
  return [...results.values()];
}

function refuseTwice(group: readonly Series[], steps: number, side: "left" | "right"): void {
  if (group.length < 2) return;
  for (let step = 0; step < steps; step++) {
    const there = group.filter(({ present }) => present[step] === 1);
    if (there.length > 1)
      throw failed(
        `found duplicate series on the ${side} hand-side: ${there[0]?.labels.toString()} and ${there[1]?.labels.toString()};` +
          "many-to-many matching not allowed: matching labels must be unique on one side",
      );
  }
}

/** Undefined when a comparison drops the sample. */
function valueOf(
  { op, bool }: { readonly op: BinaryOp; readonly bool: boolean },
  left: Series,
  right: Series,
  step: number,
): number | undefined {
  const a = left.values[step] ?? 0;
  const b = right.values[step] ?? 0;
  if (!isComparison(op) || bool) return foldNumbers(op, a, b);
  return compareNumbers(op, a, b) ? a : undefined;
}

function resultLabels(
  matching: VectorMatching | undefined,
  many: SeriesLabels,
  one: SeriesLabels,
): SeriesLabels {
  if (!matching) return many;
  if (!matching.group) return signature(matching, many);
  let labels = many;
  for (const name of matching.include) labels = labels.with(name, one.get(name));
  return labels;
}
