/**
 * Series on the steps of a query, and the stages that follow the counting. Step i is at `firstMs + i × stepMs` and speaks
 * of the spans that start after the step before it, up to itself. A hole is NaN.
 */
import type { LabelMap, MatrixSeries, TraceTimeRange } from "@skopos/model";
import { LimitError, SkoposError } from "@skopos/model";
import type { MetricExpr, ScalarOp } from "../syntax/ast.ts";

export interface Steps {
  readonly firstMs: number;
  readonly stepMs: number;
  readonly count: number;
}

const stepsMax = 11_000;

export function stepsOf({ startMs, endMs, stepMs }: TraceTimeRange & { stepMs: number }): Steps {
  if (!(stepMs >= 1) || !(endMs >= startMs))
    throw new SkoposError("bad-query", "a step is at least 1ms, and a range ends after it starts");
  const step = Math.trunc(stepMs);
  const count = Math.max(1, Math.ceil((endMs - startMs) / step));
  if (count > stepsMax) throw new LimitError(`more than ${stepsMax} steps: ask for longer ones`);
  return { firstMs: startMs + step, stepMs: step, count };
}

/** The step of a time; out of 0…count−1 when it is in none. */
export function stepAt({ firstMs, stepMs }: Steps, timeNs: bigint): number {
  const stepNs = BigInt(stepMs) * 1_000_000n;
  const sinceNs = timeNs - BigInt(firstMs - stepMs) * 1_000_000n;
  return sinceNs <= 0n ? -1 : Number((sinceNs - 1n) / stepNs);
}

export interface Series {
  readonly labels: LabelMap;
  readonly values: Float64Array;
}

/** By their labels without the name. */
export type SeriesSet = ReadonlyMap<string, Series>;

function labelKey(labels: LabelMap): string {
  return JSON.stringify(
    Object.entries(labels)
      .filter(([name]) => name !== "__name__")
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

export function seriesSet(series: readonly Series[]): SeriesSet {
  return new Map(series.map((each) => [labelKey(each.labels), each]));
}

export function toMatrix(set: SeriesSet, steps: Steps): MatrixSeries[] {
  const matrix: MatrixSeries[] = [];
  for (const { labels, values } of set.values()) {
    const present = [...values.keys()].filter((i) => !Number.isNaN(values[i]));
    if (present.length === 0) continue;
    matrix.push({
      labels,
      times: Float64Array.from(present, (i) => steps.firstMs + i * steps.stepMs),
      values: Float64Array.from(present, (i) => values[i] ?? Number.NaN),
    });
  }
  return matrix;
}

export function threshold(set: SeriesSet, op: ScalarOp, limit: number): SeriesSet {
  return mapped(set, (value) => (holds(op, value, limit) ? value : Number.NaN));
}

function holds(op: ScalarOp, a: number, b: number): boolean {
  switch (op) {
    case "=":
      return a === b;
    case "!=":
      return a !== b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
  }
}

function mapped(set: SeriesSet, change: (value: number) => number): SeriesSet {
  return new Map(
    [...set].map(([key, { labels, values }]) => [key, { labels, values: values.map(change) }]),
  );
}

/** The k greatest, or least, of each step; of equals those whose labels come first. */
export function top(set: SeriesSet, k: number, least: boolean): SeriesSet {
  const sorted = [...set].sort(([a], [b]) => (a < b ? -1 : 1));
  const kept = sorted.map(([, { values }]) => new Float64Array(values.length).fill(Number.NaN));
  const count = sorted[0]?.[1].values.length ?? 0;
  const sign = least ? -1 : 1;
  for (let step = 0; step < count; step++) {
    const present = [...sorted.keys()].filter((i) => !Number.isNaN(valueAt(sorted, i, step)));
    present.sort((a, b) => sign * (valueAt(sorted, b, step) - valueAt(sorted, a, step)));
    for (const i of present.slice(0, k)) {
      const values = kept[i];
      if (values) values[step] = valueAt(sorted, i, step);
    }
  }
  return new Map(
    sorted.map(([key, { labels }], i) => [key, { labels, values: kept[i] ?? new Float64Array() }]),
  );
}

function valueAt(sorted: readonly [string, Series][], index: number, step: number): number {
  return sorted[index]?.[1].values[step] ?? Number.NaN;
}

type MathOp = Extract<MetricExpr, { type: "math" }>["op"];
const noLabels = labelKey({});

/**
 * Pairs series of equal labels; one without labels goes with every series of the other side. A hole counts as 0, a division
 * by 0 is a hole, and what finds no partner is left out.
 */
export function combined(op: MathOp, left: SeriesSet, right: SeriesSet): SeriesSet {
  const fromRight = left.has(noLabels) && !right.has(noLabels);
  const [target, other] = fromRight ? [right, left] : [left, right];
  const found: Series[] = [];
  for (const [key, series] of target) {
    const partner = other.get(key) ?? other.get(noLabels);
    if (!partner) continue;
    const [a, b] = fromRight ? [partner, series] : [series, partner];
    const values = a.values.map((value, i) => computed(op, value, b.values[i] ?? Number.NaN));
    found.push({ labels: namedAfter(op, a, b, series.labels), values });
  }
  return seriesSet(found);
}

export function withNumber(
  op: MathOp,
  set: SeriesSet,
  number: number,
  numberLeft: boolean,
): SeriesSet {
  return mapped(set, (value) => {
    if (Number.isNaN(value)) return value;
    return numberLeft ? computed(op, number, value) : computed(op, value, number);
  });
}

function namedAfter(op: MathOp, a: Series, b: Series, labels: LabelMap): LabelMap {
  const { __name__: _, ...rest } = labels;
  const [left, right] = [a.labels["__name__"], b.labels["__name__"]];
  return left === undefined || right === undefined
    ? rest
    : { ...rest, __name__: `(${left} ${op} ${right})` };
}

function computed(op: MathOp, left: number, right: number): number {
  const a = Number.isNaN(left) ? 0 : left;
  const b = Number.isNaN(right) ? 0 : right;
  switch (op) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return b === 0 ? Number.NaN : a / b;
  }
}
