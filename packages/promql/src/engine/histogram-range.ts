/**
 * Range functions over series that hold native histograms, alone or mixed with floats. These run sample by sample: such
 * series are few where there are many of the other kind.
 */
import { type LabelSet, metricNameLabel, type NativeHistogram } from "@skopos/model";
import type { Span } from "../syntax/ast.ts";
import type { Annotations } from "./annotations.ts";
import type { Columns } from "./columns.ts";
import { absent, float, histogram as histogramCell } from "./frame.ts";
import {
  accumulateHistograms,
  addHistograms,
  type Combined,
  detectReset,
  divideHistogram,
  emptyLike,
  histogramsEqual,
  scaleHistogram,
  usesCustomBuckets,
} from "./histogram-math.ts";
import { kernels, type WindowView } from "./over-time.ts";
import type { RateKind } from "./rate.ts";

/** One window of samples; `histograms[i]` is set where sample i is one. */
export interface MixedWindow {
  readonly times: readonly number[];
  readonly values: readonly number[];
  readonly histograms: readonly (NativeHistogram | undefined)[];
  /** The window itself, as a left-open interval. */
  readonly startMs: number;
  readonly endMs: number;
  /** The step's evaluation time. */
  readonly timeMs: number;
  readonly params: number[];
}

/** Where annotations belong. */
export interface Noted {
  readonly span: Span;
  readonly annotations: Annotations;
  readonly labels: LabelSet;
}

export interface MixedContext extends Noted {
  readonly name: string;
  readonly rate: RateKind | undefined;
}

export type Sample = number | NativeHistogram;
export type Outcome = Sample | undefined;

/** Whether the series has any histogram among its samples. */
export function holdsHistograms(columns: Columns, series: number): boolean {
  const { histograms } = columns;
  if (!histograms) return false;
  const from = columns.base[series] ?? 0;
  const to = from + (columns.length[series] ?? 0);
  for (let i = from; i < to; i++) if (histograms.has(i)) return true;
  return false;
}

export function evaluateMixed(context: MixedContext, window: MixedWindow): Outcome {
  const { name } = context;
  const count = window.values.length;
  if (count === 0) return undefined;
  const held = window.histograms.filter((each) => each !== undefined);
  switch (name) {
    case "rate":
    case "increase":
    case "delta":
      return count < 2 ? undefined : extrapolated(context, window, held);
    case "irate":
    case "idelta":
      return count < 2 ? undefined : lastDifference(context, window);
    case "sum_over_time":
    case "avg_over_time":
      return total(context, window, held);
    case "count_over_time":
      return count;
    case "present_over_time":
      return 1;
    case "last_over_time":
      return window.histograms.at(-1) ?? window.values.at(-1);
    case "first_over_time":
      return window.histograms[0] ?? window.values[0];
    case "ts_of_first_over_time":
      return (window.times[0] ?? NaN) / 1000;
    case "ts_of_last_over_time":
      return (window.times.at(-1) ?? NaN) / 1000;
    case "changes":
      return countChanges(samplesOf(window));
    case "resets":
      return countResets(samplesOf(window));
    default:
      return floatsOnly(context, window, held.length);
  }
}

function nameOf({ labels }: Noted): string {
  return JSON.stringify(labels.get(metricNameLabel));
}

function warn(context: Noted, message: string): undefined {
  context.annotations.warn(context.span, message);
  return undefined;
}

export function warnMixed(context: Noted): undefined {
  return warn(
    context,
    `encountered a mix of histograms and floats for metric name ${nameOf(context)}`,
  );
}

export function warnSchemas(context: Noted): undefined {
  return warn(
    context,
    `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${nameOf(context)}`,
  );
}

export function warnNotCounter(context: Noted): void {
  warn(context, `this native histogram metric is not a counter: ${nameOf(context)}`);
}

export function warnNotGauge(context: Noted): void {
  warn(context, `this native histogram metric is not a gauge: ${nameOf(context)}`);
}

export function noteReconciled(context: Noted, combined: Combined | undefined, what: string): void {
  if (combined?.reconciled)
    context.annotations.info(
      context.span,
      `mismatched custom buckets were reconciled during ${what}`,
    );
}

function viewOf(window: MixedWindow): WindowView {
  const pairs = window.values.flatMap((value, i) =>
    window.histograms[i] ? [] : [[window.times[i] ?? NaN, value] as const],
  );
  return {
    values: Float64Array.from(pairs, ([, value]) => value),
    times: Float64Array.from(pairs, ([timeMs]) => timeMs),
    from: 0,
    to: pairs.length,
    shift: 0,
    timeMs: window.timeMs,
    params: window.params,
  };
}

/** Functions that only know floats pass over histograms, and say so where there were both. */
function floatsOnly(context: MixedContext, window: MixedWindow, held: number): Outcome {
  const kernel = kernels[context.name];
  const view = viewOf(window);
  if (!kernel || view.to === 0) return undefined;
  if (held > 0) {
    context.annotations.info(
      context.span,
      `ignored histograms in a range containing both floats and histograms for metric name ${nameOf(context)}`,
    );
  }
  return view.to < kernel.samplesMin ? undefined : kernel.compute(view);
}

function total(context: MixedContext, window: MixedWindow, held: NativeHistogram[]): Outcome {
  if (held.length === 0) return kernels[context.name]?.compute(viewOf(window));
  if (held.length < window.values.length) return warnMixed(context);
  const sum = accumulateHistograms(held, context.name === "avg_over_time");
  if (!sum) return warnSchemas(context);
  if (sum.conflictingResets)
    warn(context, "conflicting counter resets during histogram aggregation");
  noteReconciled(context, sum, "aggregation");
  return sum.histogram;
}

function samplesOf({ values, histograms }: MixedWindow): Sample[] {
  return values.map((value, i) => histograms[i] ?? value);
}

export function countChanges(samples: readonly Sample[]): number {
  return countPairs(samples, differs);
}

export function countResets(samples: readonly Sample[]): number {
  return countPairs(samples, startsAgain);
}

function countPairs(samples: readonly Sample[], test: (a: Sample, b: Sample) => boolean): number {
  let count = 0;
  for (const [i, current] of samples.entries()) {
    const previous = samples[i - 1];
    if (previous !== undefined && test(previous, current)) count += 1;
  }
  return count;
}

function differs(a: Sample, b: Sample): boolean {
  if (typeof a === "object" && typeof b === "object") return !histogramsEqual(a, b);
  if (typeof a === "object" || typeof b === "object") return true;
  return a !== b && !(Number.isNaN(a) && Number.isNaN(b));
}

function startsAgain(a: Sample, b: Sample): boolean {
  if (typeof a === "object" && typeof b === "object") return detectReset(b, a);
  if (typeof a === "object" || typeof b === "object") return true;
  return b < a;
}

function extrapolated(
  context: MixedContext,
  window: MixedWindow,
  held: NativeHistogram[],
): Outcome {
  if (held.length > 0 && held.length < window.values.length) return warnMixed(context);
  const isCounter = context.rate?.isCounter === true;
  const difference = histogramDifference(context, held, isCounter);
  const first = held[0];
  if (!difference || !first) return undefined;
  const { times, startMs, endMs } = window;
  const [firstMs, lastMs] = [times[0] ?? NaN, times.at(-1) ?? NaN];
  const sampled = (lastMs - firstMs) / 1000;
  const average = sampled / (times.length - 1);
  const threshold = average * 1.1;
  let toStart = (firstMs - startMs) / 1000;
  let toEnd = (endMs - lastMs) / 1000;
  if (toStart >= threshold) toStart = average / 2;
  if (toEnd >= threshold) toEnd = average / 2;
  if (isCounter && difference.count > 0 && first.count >= 0)
    toStart = Math.min(toStart, sampled * (first.count / difference.count));
  const factor = (sampled + toStart + toEnd) / sampled;
  const perSecond = context.rate?.isRate ? (endMs - startMs) / 1000 : 1;
  return scaleHistogram(difference, factor / perSecond);
}

const isGauge = ({ counterReset }: NativeHistogram): boolean => counterReset === "gauge";

/** Last minus first, with what was lost in resets added again. */
function histogramDifference(
  context: MixedContext,
  held: readonly NativeHistogram[],
  isCounter: boolean,
): NativeHistogram | undefined {
  const [first, second] = held;
  const last = held.at(-1);
  if (!first || !second || !last) return undefined;
  if (isCounter && held.some(isGauge)) warnNotCounter(context);
  let previous = isCounter && detectReset(second, first) ? emptyLike(second) : first;
  const relevant = isCounter ? [previous, ...held.slice(1)] : [first, last];
  if (relevant.some((each) => usesCustomBuckets(each) !== usesCustomBuckets(last)))
    return warnSchemas(context);
  let result = addHistograms(last, previous, -1);
  noteReconciled(context, result, "subtraction");
  if (isCounter) {
    for (const current of held.slice(1)) {
      if (result && detectReset(current, previous)) {
        result = addHistograms(result.histogram, previous);
        noteReconciled(context, result, "addition");
      }
      previous = current;
    }
  } else if (!isGauge(first) || !isGauge(last)) warnNotGauge(context);
  return result && { ...result.histogram, counterReset: "gauge" };
}

function lastDifference(context: MixedContext, window: MixedWindow): Outcome {
  const { histograms, times } = window;
  const isRate = context.name === "irate";
  const [previous, last] = [histograms.at(-2), histograms.at(-1)];
  if (!previous && !last) return kernels[context.name]?.compute(viewOf(window));
  if (!previous || !last) return warnMixed(context);
  const gauges = previous.counterReset === "gauge" && last.counterReset === "gauge";
  const anyGauge = previous.counterReset === "gauge" || last.counterReset === "gauge";
  if (isRate && anyGauge) warnNotCounter(context);
  if (!isRate && !gauges) warnNotGauge(context);
  let result: NativeHistogram = last;
  if (!isRate || !detectReset(last, previous)) {
    const combined = addHistograms(last, previous, -1);
    if (!combined) return warnSchemas(context);
    noteReconciled(context, combined, "subtraction");
    result = combined.histogram;
  }
  const seconds = ((times.at(-1) ?? NaN) - (times.at(-2) ?? NaN)) / 1000;
  const scaled = isRate ? divideHistogram(result, seconds) : result;
  return { ...scaled, counterReset: "gauge" };
}

/** Writes an outcome into a cell. */
export function putOutcome(
  outcome: Outcome,
  cell: number,
  values: Float64Array,
  present: Uint8Array,
  histograms: Map<number, NativeHistogram>,
): void {
  histograms.delete(cell);
  if (outcome === undefined) present[cell] = absent;
  else if (typeof outcome === "number") {
    present[cell] = float;
    values[cell] = outcome;
  } else {
    present[cell] = histogramCell;
    histograms.set(cell, outcome);
  }
}
