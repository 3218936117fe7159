/** Functions of the samples in one window. Source: Loki's `pkg/logql/range_vector.go`. */

/** Samples of one series, ascending by time once sorted; windows are index ranges into them. Times are nanoseconds from some origin. */
export class Samples {
  times = new Float64Array(16);
  values = new Float64Array(16);
  length = 0;

  push(time: number, value: number): void {
    if (this.length === this.times.length) {
      const times = new Float64Array(this.length * 2);
      const values = new Float64Array(this.length * 2);
      times.set(this.times);
      values.set(this.values);
      this.times = times;
      this.values = values;
    }
    this.times[this.length] = time;
    this.values[this.length] = value;
    this.length += 1;
  }

  /** By time; those of one time stay as they came. */
  sort(): void {
    const times = this.times.subarray(0, this.length);
    if (times.every((time, i) => i === 0 || (times[i - 1] ?? 0) <= time)) return;
    const order = Uint32Array.from(times, (_, i) => i).sort(
      (a, b) => (times[a] ?? 0) - (times[b] ?? 0),
    );
    this.values = Float64Array.from(order, (i) => this.values[i] ?? 0);
    this.times = Float64Array.from(order, (i) => times[i] ?? 0);
  }
}

export interface Window {
  readonly samples: Samples;
  /** Samples from ≤ i < to; there is at least one. */
  readonly from: number;
  readonly to: number;
  /** The edges, as times of `samples`. */
  readonly startNs: number;
  readonly endNs: number;
}

export type WindowFunction = (window: Window) => number;

export function windowFunction(func: string, parameter: number | undefined): WindowFunction {
  switch (func) {
    case "sum_over_time":
      return sum;
    case "rate":
      return (window) => sum(window) / secondsOf(window);
    case "rate_counter":
      return counterRate;
    case "avg_over_time":
      return (window) => sum(window) / (window.to - window.from);
    case "min_over_time":
      return min;
    case "max_over_time":
      return max;
    case "first_over_time":
      return ({ samples, from }) => samples.values[from] ?? Number.NaN;
    case "last_over_time":
      return ({ samples, to }) => samples.values[to - 1] ?? Number.NaN;
    case "stdvar_over_time":
      return variance;
    case "stddev_over_time":
      return (window) => Math.sqrt(variance(window));
    case "quantile_over_time":
      return (window) => quantile(parameter ?? 0, window);
    default:
      return () => 1;
  }
}

function secondsOf({ startNs, endNs }: Window): number {
  return (endNs - startNs) / 1e9;
}

function sum({ samples: { values }, from, to }: Window): number {
  let total = 0;
  for (let i = from; i < to; i++) total += values[i] ?? 0;
  return total;
}

function min({ samples: { values }, from, to }: Window): number {
  let least = values[from] ?? Number.NaN;
  for (let i = from + 1; i < to; i++) {
    const value = values[i] ?? Number.NaN;
    if (value < least || Number.isNaN(least)) least = value;
  }
  return least;
}

function max({ samples: { values }, from, to }: Window): number {
  let most = values[from] ?? Number.NaN;
  for (let i = from + 1; i < to; i++) {
    const value = values[i] ?? Number.NaN;
    if (value > most || Number.isNaN(most)) most = value;
  }
  return most;
}

/** Of the population; Welford's method. */
function variance({ samples: { values }, from, to }: Window): number {
  let mean = 0;
  let squares = 0;
  for (let i = from; i < to; i++) {
    const value = values[i] ?? 0;
    const delta = value - mean;
    mean += delta / (i - from + 1);
    squares += delta * (value - mean);
  }
  return squares / (to - from);
}

function quantile(q: number, { samples, from, to }: Window): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const sorted = samples.values.slice(from, to).sort();
  const rank = q * (sorted.length - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - lower;
  return (sorted[lower] ?? 0) * (1 - weight) + (sorted[upper] ?? 0) * weight;
}

/** The increase of a counter, resets added back and extrapolated to the window as Prometheus does, per second. */
function counterRate({ samples: { times, values }, from, to, startNs, endNs }: Window): number {
  if (to - from < 2) return 0;
  const first = values[from] ?? 0;
  let increase = (values[to - 1] ?? 0) - first;
  for (let i = from + 1; i < to; i++) {
    const before = values[i - 1] ?? 0;
    if ((values[i] ?? 0) < before) increase += before;
  }
  const sampled = (times[to - 1] ?? 0) - (times[from] ?? 0);
  const average = sampled / (to - from - 1);
  const threshold = average * 1.1;
  let toStart = (times[from] ?? 0) - startNs;
  let toEnd = endNs - (times[to - 1] ?? 0);
  if (toStart >= threshold) toStart = average / 2;
  if (increase > 0 && first >= 0) toStart = Math.min(toStart, sampled * (first / increase));
  if (toEnd >= threshold) toEnd = average / 2;
  const factor = (sampled + toStart + toEnd) / sampled;
  return (increase * factor) / ((endNs - startNs) / 1e9);
}
