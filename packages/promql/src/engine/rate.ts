/**
 * rate, increase and delta: the difference over the window, extrapolated to its edges. What depends on times alone is
 * computed once per time column and step; a series without counter resets then costs a handful of operations per step.
 * irate and idelta: the difference of the last two samples, nothing extrapolated.
 * Source: Prometheus, "Query functions", and its extrapolation rules (threshold 1.1 × the average sample distance).
 */
import type { Bounds, Windows } from "./window.ts";
import type { Columns } from "./columns.ts";
import { float } from "./frame.ts";

export interface RateKind {
  readonly isCounter: boolean;
  readonly isRate: boolean;
}

/** Per step of one time column, in seconds. */
interface Extrapolation {
  readonly bounds: Bounds;
  /** Between the first and last sample. */
  readonly sampled: Float64Array;
  /** How far to extrapolate, before a counter's zero is considered. */
  readonly toStart: Float64Array;
  readonly toEnd: Float64Array;
}

const thresholdFactor = 1.1;

/** Writes the rows of all series; needs two samples in a window. */
export function evaluateRate(
  columns: Columns,
  windows: Windows,
  kind: RateKind,
  values: Float64Array,
  present: Uint8Array,
  poll: () => void,
): void {
  const known = new Map<number, Extrapolation>();
  const steps = windows.grid.count;
  const divisor = kind.isRate ? windows.rangeMs / 1000 : 1;
  for (let s = 0; s < columns.labels.length; s++) {
    if ((s & 1023) === 0) poll();
    const column = columns.timesOf[s] ?? 0;
    let extrapolation = known.get(column);
    if (!extrapolation) {
      extrapolation = extrapolate(columns.times[column] ?? new Float64Array(0), windows, column);
      known.set(column, extrapolation);
    }
    rateRow(columns, s, kind.isCounter, divisor, extrapolation, values, present, s * steps);
  }
}

/** irate (`isRate`: per second, a counter's reset seen) and idelta. */
export function evaluateLastDifference(
  columns: Columns,
  windows: Windows,
  isRate: boolean,
  values: Float64Array,
  present: Uint8Array,
  poll: () => void,
): void {
  const known = new Map<number, Float64Array>();
  const steps = windows.grid.count;
  for (let s = 0; s < columns.labels.length; s++) {
    if ((s & 1023) === 0) poll();
    const column = columns.timesOf[s] ?? 0;
    let seconds = known.get(column);
    if (!seconds) {
      seconds = lastDistances(columns.times[column] ?? new Float64Array(0), windows.of(column));
      known.set(column, seconds);
    }
    const { to } = windows.of(column);
    const base = columns.base[s] ?? 0;
    for (let t = 0; t < steps; t++) {
      const distance = seconds[t] ?? NaN;
      if (distance < 0) continue;
      const last = base + (to[t] ?? 0) - 1;
      const value = columns.values[last] ?? NaN;
      const previous = columns.values[last - 1] ?? NaN;
      const difference = isRate && value < previous ? value : value - previous;
      values[s * steps + t] = isRate ? difference / distance : difference;
      present[s * steps + t] = float;
    }
  }
}

/** Per step the seconds between the last two samples of its window; −1 where there are fewer. */
function lastDistances(times: Float64Array, { from, to }: Bounds): Float64Array {
  const seconds = new Float64Array(from.length);
  for (let t = 0; t < from.length; t++) {
    const last = (to[t] ?? 0) - 1;
    seconds[t] =
      last > (from[t] ?? 0) ? ((times[last] ?? NaN) - (times[last - 1] ?? NaN)) / 1000 : -1;
  }
  return seconds;
}

function extrapolate(times: Float64Array, windows: Windows, column: number): Extrapolation {
  const bounds = windows.of(column);
  const { count } = windows.grid;
  const sampled = new Float64Array(count);
  const toStart = new Float64Array(count);
  const toEnd = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const from = bounds.from[i] ?? 0;
    const last = (bounds.to[i] ?? 0) - 1;
    if (last <= from) continue;
    const firstMs = times[from] ?? NaN;
    const lastMs = times[last] ?? NaN;
    const end = windows.endMs(i);
    const interval = (lastMs - firstMs) / 1000;
    const average = interval / (last - from);
    const threshold = average * thresholdFactor;
    const before = (firstMs - (end - windows.rangeMs)) / 1000;
    const after = (end - lastMs) / 1000;
    sampled[i] = interval;
    toStart[i] = before >= threshold ? average / 2 : before;
    toEnd[i] = after >= threshold ? average / 2 : after;
  }
  return { bounds, sampled, toStart, toEnd };
}

function rateRow(
  columns: Columns,
  series: number,
  isCounter: boolean,
  divisor: number,
  { bounds, sampled, toStart, toEnd }: Extrapolation,
  out: Float64Array,
  present: Uint8Array,
  row: number,
): void {
  const { values } = columns;
  const base = columns.base[series] ?? 0;
  const resets = isCounter && hasReset(values, base, base + (columns.length[series] ?? 0));
  const { from, to } = bounds;
  for (let i = 0; i < from.length; i++) {
    const first = base + (from[i] ?? 0);
    const last = base + (to[i] ?? 0) - 1;
    if (last <= first) continue;
    const firstValue = values[first] ?? NaN;
    let difference = (values[last] ?? NaN) - firstValue;
    if (resets) difference += lostInResets(values, first, last);
    const interval = sampled[i] ?? NaN;
    let start = toStart[i] ?? NaN;
    if (isCounter && difference > 0 && firstValue >= 0) {
      // A counter cannot have been below zero: do not extrapolate past the point where it would be.
      const toZero = interval * (firstValue / difference);
      if (toZero < start) start = toZero;
    }
    const factor = (interval + start + (toEnd[i] ?? NaN)) / interval / divisor;
    out[row + i] = difference * factor;
    present[row + i] = float;
  }
}

function hasReset(values: Float64Array, from: number, to: number): boolean {
  for (let i = from + 1; i < to; i++) if ((values[i] ?? 0) < (values[i - 1] ?? 0)) return true;
  return false;
}

function lostInResets(values: Float64Array, first: number, last: number): number {
  let lost = 0;
  for (let i = first + 1; i <= last; i++) {
    const previous = values[i - 1] ?? 0;
    if ((values[i] ?? 0) < previous) lost += previous;
  }
  return lost;
}
