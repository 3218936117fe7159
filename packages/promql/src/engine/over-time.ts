/**
 * Functions of one window of float samples. A kernel sees samples `values[from..to)` with times `times[from − shift]` and
 * returns one number; windows with fewer than `samplesMin` samples give nothing.
 */
import { CompensatedSum, mean } from "./sum.ts";
import { quantileOfSorted, sortedCopy } from "./quantile.ts";

export interface WindowView {
  values: Float64Array;
  times: Float64Array;
  from: number;
  to: number;
  /** Subtract from an index into `values` to get one into `times`. */
  shift: number;
  /** The step's evaluation time. */
  timeMs: number;
  /** Scalar arguments at this step. */
  params: number[];
}

export interface Kernel {
  readonly samplesMin: 1 | 2;
  readonly keepsName?: boolean;
  /** Needs only counting, so it also works on histogram samples. */
  compute(view: WindowView): number;
}

function timeAt(view: WindowView, index: number): number {
  return view.times[index - view.shift] ?? NaN;
}

function sum({ values, from, to }: WindowView): number {
  const acc = new CompensatedSum();
  for (let i = from; i < to; i++) acc.add(values[i] ?? NaN);
  return acc.total;
}

/** Welford's method with compensated sums. */
function variance({ values, from, to }: WindowView): number {
  const average = new CompensatedSum();
  const squares = new CompensatedSum();
  for (let i = from; i < to; i++) {
    const value = values[i] ?? NaN;
    const delta = value - (average.sum + average.rest);
    average.add(delta / (i - from + 1));
    squares.add(delta * (value - (average.sum + average.rest)));
  }
  return (squares.sum + squares.rest) / (to - from);
}

/** Index of the smallest (sign 1) or largest (sign −1) sample; NaN only when all are. `latest`: ties go to the later one. */
function extremeIndex({ values, from, to }: WindowView, sign: 1 | -1): number {
  let best = from;
  for (let i = from + 1; i < to; i++) {
    const value = (values[i] ?? NaN) * sign;
    const current = (values[best] ?? NaN) * sign;
    if (value < current || current !== current) best = i;
  }
  return best;
}

/** As `extremeIndex`, but the last of equal samples. */
function lastExtremeIndex({ values, from, to }: WindowView, sign: 1 | -1): number {
  let best = from;
  for (let i = from + 1; i < to; i++) {
    const value = (values[i] ?? NaN) * sign;
    const current = (values[best] ?? NaN) * sign;
    if (value <= current || current !== current) best = i;
  }
  return best;
}

function countWhere(view: WindowView, test: (previous: number, value: number) => boolean): number {
  let count = 0;
  for (let i = view.from + 1; i < view.to; i++) {
    if (test(view.values[i - 1] ?? NaN, view.values[i] ?? NaN)) count += 1;
  }
  return count;
}

/** Least squares through the window; x in seconds from `interceptMs`. */
function regression(view: WindowView, interceptMs: number): { slope: number; intercept: number } {
  const { values, from, to } = view;
  const x = new CompensatedSum();
  const y = new CompensatedSum();
  const xy = new CompensatedSum();
  const xx = new CompensatedSum();
  const first = values[from] ?? NaN;
  let constant = true;
  for (let i = from; i < to; i++) {
    const value = values[i] ?? NaN;
    if (value !== first) constant = false;
    const seconds = (timeAt(view, i) - interceptMs) / 1000;
    x.add(seconds);
    y.add(value);
    xy.add(seconds * value);
    xx.add(seconds * seconds);
  }
  if (constant) {
    const infinite = first === Infinity || first === -Infinity;
    return infinite ? { slope: NaN, intercept: NaN } : { slope: 0, intercept: first };
  }
  const count = to - from;
  const [sumX, sumY] = [x.sum + x.rest, y.sum + y.rest];
  const covariance = xy.sum + xy.rest - (sumX * sumY) / count;
  const slope = covariance / (xx.sum + xx.rest - (sumX * sumX) / count);
  return { slope, intercept: sumY / count - (slope * sumX) / count };
}

/** Holt's linear method; Prometheus calls it double exponential smoothing. */
function smooth({ values, from, to, params }: WindowView): number {
  const [smoothing = NaN, trendFactor = NaN] = params;
  let level = values[from] ?? NaN;
  let previous = 0;
  let trend = (values[from + 1] ?? NaN) - level;
  for (let i = from + 1; i < to; i++) {
    if (i > from + 1) trend = trendFactor * (level - previous) + (1 - trendFactor) * trend;
    const next = smoothing * (values[i] ?? NaN) + (1 - smoothing) * (level + trend);
    previous = level;
    level = next;
  }
  return level;
}

function medianDeviation({ values, from, to }: WindowView): number {
  const sorted = sortedCopy(values, from, to);
  if (Number.isNaN(sorted[0])) return NaN;
  const median = quantileOfSorted(0.5, sorted);
  const deviations = sorted.map((value) => Math.abs(value - median));
  return quantileOfSorted(0.5, sortedCopy(deviations, 0, deviations.length));
}

function lastDifference(view: WindowView, isRate: boolean): number {
  const last = view.to - 1;
  const value = view.values[last] ?? NaN;
  const previous = view.values[last - 1] ?? NaN;
  if (!isRate) return value - previous;
  const seconds = (timeAt(view, last) - timeAt(view, last - 1)) / 1000;
  return (value < previous ? value : value - previous) / seconds;
}

const one = (compute: Kernel["compute"], keepsName = false): Kernel => ({
  samplesMin: 1,
  keepsName,
  compute,
});
const two = (compute: Kernel["compute"]): Kernel => ({ samplesMin: 2, compute });

/** rate, increase and delta live in `rate.ts`, and for floats alone irate and idelta too. */
export const kernels: Readonly<Record<string, Kernel>> = {
  sum_over_time: one(sum),
  avg_over_time: one((view) => mean(view.values, view.from, view.to)),
  count_over_time: one((view) => view.to - view.from),
  present_over_time: one(() => 1),
  min_over_time: one((view) => view.values[extremeIndex(view, 1)] ?? NaN),
  max_over_time: one((view) => view.values[extremeIndex(view, -1)] ?? NaN),
  last_over_time: one((view) => view.values[view.to - 1] ?? NaN, true),
  first_over_time: one((view) => view.values[view.from] ?? NaN, true),
  stdvar_over_time: one(variance),
  stddev_over_time: one((view) => Math.sqrt(variance(view))),
  mad_over_time: one(medianDeviation),
  quantile_over_time: one((view) =>
    quantileOfSorted(view.params[0] ?? NaN, sortedCopy(view.values, view.from, view.to)),
  ),
  changes: one((view) => countWhere(view, (a, b) => a !== b && !(a !== a && b !== b))),
  resets: one((view) => countWhere(view, (a, b) => b < a)),
  irate: two((view) => lastDifference(view, true)),
  idelta: two((view) => lastDifference(view, false)),
  deriv: two((view) => regression(view, timeAt(view, view.from)).slope),
  predict_linear: two((view) => {
    const { slope, intercept } = regression(view, view.timeMs);
    return slope * (view.params[0] ?? NaN) + intercept;
  }),
  double_exponential_smoothing: two(smooth),
  ts_of_first_over_time: one((view) => timeAt(view, view.from) / 1000),
  ts_of_last_over_time: one((view) => timeAt(view, view.to - 1) / 1000),
  ts_of_min_over_time: one((view) => timeAt(view, lastExtremeIndex(view, 1)) / 1000),
  ts_of_max_over_time: one((view) => timeAt(view, lastExtremeIndex(view, -1)) / 1000),
};
