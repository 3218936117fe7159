/**
 * `anchored` and `smoothed` selectors. Anchored windows begin with the last sample at or before their left
 * edge; smoothed ones have values at both edges, interpolated between the samples around them. Neither is extrapolated.
 * Source: Prometheus proposal "Extended range selectors semantics" (PROM-52).
 */
import type { NativeHistogram } from "@skopos/model";
import type { Grid, SelectNode } from "../plan/plan.ts";
import type { Annotations } from "./annotations.ts";
import { type Columns, withoutStale } from "./columns.ts";
import { type ExtendedCall, smoothedRow } from "./extended-histograms.ts";
import { float, Frame } from "./frame.ts";
import { holdsHistograms } from "./histogram-range.ts";
import { Windows } from "./window.ts";

/** The samples of one series around one window. */
interface Neighbourhood {
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** Samples from ≤ i < to lie in the window. */
  readonly from: number;
  readonly to: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** For float samples; windows with others are for `extendedRow` to replace. */
export function evaluateExtended(
  { name, extend, lookbackMs }: ExtendedCall,
  columns: Columns,
  windows: Windows,
  values: Float64Array,
  present: Uint8Array,
): void {
  const steps = windows.grid.count;
  const pointsOf = extend === "anchored" ? anchoredPoints : smoothedPoints;
  for (let s = 0; s < columns.labels.length; s++) {
    const column = columns.timesOf[s] ?? 0;
    const { from, to } = windows.of(column);
    const times = columns.times[column] ?? new Float64Array(0);
    const base = columns.base[s] ?? 0;
    const samples = columns.values.subarray(base, base + (columns.length[s] ?? 0));
    for (let t = 0; t < steps; t++) {
      const endMs = windows.endMs(t);
      const startMs = endMs - windows.rangeMs;
      const around = { times, values: samples, from: from[t] ?? 0, to: to[t] ?? 0, startMs, endMs };
      const points = pointsOf(around, lookbackMs, name !== "delta");
      if (points.length === 0) continue;
      values[s * steps + t] = reduce(name, points, windows.rangeMs / 1000);
      present[s * steps + t] = float;
    }
  }
}

function reduce(name: string, points: readonly number[], rangeSeconds: number): number {
  let resets = 0;
  let changes = 0;
  let lost = 0;
  for (let i = 1; i < points.length; i++) {
    const [previous = NaN, value = NaN] = [points[i - 1], points[i]];
    if (value !== previous && !(value !== value && previous !== previous)) changes += 1;
    if (value < previous) {
      resets += 1;
      lost += previous;
    }
  }
  const difference = (points.at(-1) ?? NaN) - (points[0] ?? NaN);
  switch (name) {
    case "changes":
      return changes;
    case "resets":
      return resets;
    case "delta":
      return difference;
    case "rate":
      return (difference + lost) / rangeSeconds;
    default:
      return difference + lost;
  }
}

function anchoredPoints(
  { times, values, from, to, startMs }: Neighbourhood,
  lookbackMs: number,
): number[] {
  if (from === to) return [];
  const hasAnchor = from > 0 && (times[from - 1] ?? NaN) > startMs - lookbackMs;
  return Array.from(values.subarray(hasAnchor ? from - 1 : from, to));
}

function smoothedPoints(around: Neighbourhood, lookbackMs: number, isCounter: boolean): number[] {
  const { times, values, from, to, startMs, endMs } = around;
  const hasBefore = from > 0 && (times[from - 1] ?? NaN) > startMs - lookbackMs;
  const hasAfter = to < times.length && (times[to] ?? NaN) <= endMs + lookbackMs;
  if (from === to && !(hasBefore && hasAfter)) return [];
  const points = Array.from(values.subarray(from, to));
  if (hasBefore) points.unshift(between(times, values, from - 1, startMs, isCounter));
  if (hasAfter && times[to - 1] !== endMs)
    points.push(between(times, values, to - 1, endMs, isCounter));
  return points;
}

/** The value at `timeMs` on the line from sample `left` to the next; a counter that was reset between starts at zero. */
function between(
  times: Float64Array,
  values: Float64Array,
  left: number,
  timeMs: number,
  isCounter: boolean,
): number {
  const [before = NaN, after = NaN] = [times[left], times[left + 1]];
  if (before === timeMs) return values[left] ?? NaN;
  const to = values[left + 1] ?? NaN;
  const known = values[left] ?? NaN;
  const from = isCounter && to < known ? 0 : known;
  return from + ((to - from) * (timeMs - before)) / (after - before);
}

/** Instant selectors: interpolated between the samples before and after; without a later one the last stands. */
export function selectSmoothed(
  node: Pick<SelectNode, "reference" | "span">,
  source: Columns,
  grid: Grid,
  lookbackMs: number,
  annotations: Annotations,
): Frame {
  const columns = withoutStale(source);
  const windows = new Windows(columns, grid, node.reference, lookbackMs);
  const values = new Float64Array(columns.labels.length * grid.count);
  const present = new Uint8Array(values.length);
  const histograms = new Map<number, NativeHistogram>();
  for (let s = 0; s < columns.labels.length; s++) {
    const column = columns.timesOf[s] ?? 0;
    const { from, to } = windows.of(column);
    const times = columns.times[column] ?? new Float64Array(0);
    const base = columns.base[s] ?? 0;
    const samples = columns.values.subarray(base, base + (columns.length[s] ?? 0));
    for (let t = 0; t < grid.count; t++) {
      const [first, end] = [from[t] ?? 0, to[t] ?? 0];
      if (end <= first) continue;
      const timeMs = windows.endMs(t);
      const hasAfter = end < times.length && (times[end] ?? NaN) <= timeMs + lookbackMs;
      const cell = s * grid.count + t;
      present[cell] = float;
      values[cell] = hasAfter
        ? between(times, samples, end - 1, timeMs, false)
        : (samples[end - 1] ?? NaN);
    }
    if (!holdsHistograms(columns, s)) continue;
    const context = { span: node.span, annotations, labels: columns.labels.at(s) };
    smoothedRow(context, columns, windows, s, { values, present, histograms });
  }
  return new Frame({ labels: columns.labels, steps: grid.count, values, present, histograms });
}
