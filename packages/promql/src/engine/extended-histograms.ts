/**
 * `anchored` and `smoothed` selectors (extended-range.ts) where native histograms are among the samples, alone or with
 * floats. These run sample by sample: such series are few where there are many of the other kind.
 */
import type { NativeHistogram } from "@skopos/model";
import type { Columns } from "./columns.ts";
import { addHistograms, detectReset, scaleHistogram, usesCustomBuckets } from "./histogram-math.ts";
import {
  countChanges,
  countResets,
  type MixedContext,
  type Noted,
  noteReconciled,
  type Outcome,
  putOutcome,
  type Sample,
  warnMixed,
  warnNotCounter,
  warnNotGauge,
  warnSchemas,
} from "./histogram-range.ts";
import type { Windows } from "./window.ts";

export interface ExtendedCall {
  readonly name: string;
  readonly extend: "anchored" | "smoothed";
  readonly lookbackMs: number;
}

/** The samples of one series that a window is made of: those in it, and the ones beyond its edges that it looks at. */
interface Reach {
  readonly times: Float64Array;
  readonly samples: readonly Sample[];
  readonly startMs: number;
  readonly endMs: number;
  /** The value at the left edge lies between the first two samples. */
  readonly leftBetween: boolean;
  /** The value at the right edge lies between the last two samples. */
  readonly rightBetween: boolean;
}

/** A frame in the making. */
export interface Cells {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms: Map<number, NativeHistogram>;
}

/** A series with histograms, window by window; replaces what was made of windows that see any. */
export function extendedRow(
  call: ExtendedCall,
  context: MixedContext,
  columns: Columns,
  windows: Windows,
  series: number,
  { values, present, histograms }: Cells,
): void {
  const steps = windows.grid.count;
  for (let t = 0; t < steps; t++) {
    const reach = reachOf(call, columns, windows, series, t);
    if (!reach?.samples.some((sample) => typeof sample === "object")) continue;
    putOutcome(outcomeOf(context, reach), series * steps + t, values, present, histograms);
  }
}

/** As `extendedRow`, for instant selectors; `windows` are as long as the look-back. */
export function smoothedRow(
  context: Noted,
  columns: Columns,
  windows: Windows,
  series: number,
  { values, present, histograms }: Cells,
): void {
  const steps = windows.grid.count;
  const column = columns.timesOf[series] ?? 0;
  const times = columns.times[column] ?? new Float64Array(0);
  const { from, to } = windows.of(column);
  for (let t = 0; t < steps; t++) {
    const [first, end] = [from[t] ?? 0, to[t] ?? 0];
    if (end <= first) continue;
    const timeMs = windows.endMs(t);
    let reach = end;
    while (reach < times.length && (times[reach] ?? NaN) <= timeMs + windows.rangeMs) reach += 1;
    const samples = samplesOf(columns, series, first, reach);
    if (!samples.some((sample) => typeof sample === "object")) continue;
    const fraction = end < reach ? fractionOf(times, end - 1, timeMs) : 0;
    const outcome = smoothed(context, samples, end - 1 - first, fraction);
    putOutcome(outcome, series * steps + t, values, present, histograms);
  }
}

/** What lies at `fraction` of the way from sample `last` to the next; all within the look-back must be of one kind. */
function smoothed(
  context: Noted,
  samples: readonly Sample[],
  last: number,
  fraction: number,
): Outcome {
  const held = samples.filter((sample) => typeof sample === "object");
  if (held.length < samples.length) return warnMixed(context);
  const [before, after] = [held[last], held[last + 1]];
  if (fraction === 0 || !before || !after) return before;
  const isCounter = before.counterReset !== "gauge" && after.counterReset !== "gauge";
  return between(before, after, fraction, isCounter) ?? warnSchemas(context);
}

function reachOf(
  { extend, lookbackMs }: ExtendedCall,
  columns: Columns,
  windows: Windows,
  series: number,
  step: number,
): Reach | undefined {
  const column = columns.timesOf[series] ?? 0;
  const times = columns.times[column] ?? new Float64Array(0);
  const bounds = windows.of(column);
  const [from, to] = [bounds.from[step] ?? 0, bounds.to[step] ?? 0];
  const endMs = windows.endMs(step);
  const startMs = endMs - windows.rangeMs;
  const hasBefore = from > 0 && (times[from - 1] ?? NaN) > startMs - lookbackMs;
  const isSmoothed = extend === "smoothed";
  const hasAfter = isSmoothed && to < times.length && (times[to] ?? NaN) <= endMs + lookbackMs;
  if (from === to && !(hasBefore && hasAfter)) return undefined;
  const leftBetween = isSmoothed && hasBefore && times[from - 1] !== startMs;
  const rightBetween = hasAfter && times[to - 1] !== endMs;
  const first = hasBefore ? from - 1 : from;
  const end = rightBetween ? to + 1 : to;
  return {
    times: times.subarray(first, end),
    samples: samplesOf(columns, series, first, end),
    startMs,
    endMs,
    leftBetween,
    rightBetween,
  };
}

function samplesOf(columns: Columns, series: number, from: number, to: number): Sample[] {
  const base = columns.base[series] ?? 0;
  return Array.from({ length: to - from }, (_, i) => {
    const index = base + from + i;
    return columns.histograms?.get(index) ?? columns.values[index] ?? NaN;
  });
}

/** How far `timeMs` is on the way from sample `left` to the next. */
function fractionOf(times: Float64Array, left: number, timeMs: number): number {
  const [before = NaN, after = NaN] = [times[left], times[left + 1]];
  return (timeMs - before) / (after - before);
}

function outcomeOf(context: MixedContext, reach: Reach): Outcome {
  if (context.name === "changes") return countChanges(reach.samples);
  if (context.name === "resets") return countResets(reach.samples);
  const held = reach.samples.filter((sample) => typeof sample === "object");
  if (held.length < reach.samples.length) return warnMixed(context);
  const isCounter = context.rate?.isCounter === true;
  warnOfKind(context, held, isCounter);
  const { left, right } = edgesOf(reach, held, isCounter);
  if (!left || !right) return warnSchemas(context);
  const difference = addHistograms(right, left, -1);
  noteReconciled(context, difference, "subtraction");
  // A left edge between two samples has already seen the reset between them.
  const seen = reach.leftBetween ? held.slice(1) : held;
  const lost = isCounter ? lostInResets(seen) : [];
  let result = difference?.histogram;
  for (const before of lost) {
    const sum = result && addHistograms(result, before);
    noteReconciled(context, sum, "addition");
    result = sum?.histogram;
  }
  const seconds = context.rate?.isRate ? (reach.endMs - reach.startMs) / 1000 : 1;
  return result && { ...scaleHistogram(result, 1 / seconds), counterReset: "gauge" };
}

/** Undefined where layouts do not go together. */
function edgesOf(
  { times, startMs, endMs, leftBetween, rightBetween }: Reach,
  held: readonly NativeHistogram[],
  isCounter: boolean,
): { left?: NativeHistogram | undefined; right?: NativeHistogram | undefined } {
  const [first, second] = held;
  const [beforeLast, last] = [held.at(-2), held.at(-1)];
  const custom = held.filter(usesCustomBuckets).length;
  if (!first || !last || (custom > 0 && custom < held.length)) return {};
  return {
    left:
      leftBetween && second
        ? between(first, second, fractionOf(times, 0, startMs), isCounter)
        : first,
    right:
      rightBetween && beforeLast
        ? between(beforeLast, last, fractionOf(times, held.length - 2, endMs), isCounter)
        : last,
  };
}

/** What a counter had reached before each time it started again. */
function lostInResets(held: readonly NativeHistogram[]): NativeHistogram[] {
  return held.filter((each, i) => {
    const next = held[i + 1];
    return next !== undefined && detectReset(next, each);
  });
}

function warnOfKind(
  context: MixedContext,
  held: readonly NativeHistogram[],
  isCounter: boolean,
): void {
  if (isCounter) {
    if (held.some(({ counterReset }) => counterReset === "gauge")) warnNotCounter(context);
  } else if (held[0]?.counterReset !== "gauge" || held.at(-1)?.counterReset !== "gauge")
    warnNotGauge(context);
}

/** A counter that was reset between starts at zero. Undefined for layouts that do not go together. */
function between(
  before: NativeHistogram,
  after: NativeHistogram,
  fraction: number,
  isCounter: boolean,
): NativeHistogram | undefined {
  if (usesCustomBuckets(after) !== usesCustomBuckets(before)) return undefined;
  if (isCounter && detectReset(after, before)) return scaleHistogram(after, fraction);
  const difference = addHistograms(after, before, -1);
  return (
    difference && addHistograms(before, scaleHistogram(difference.histogram, fraction))?.histogram
  );
}
