/** Functions over windows: runs a kernel over every series and step. */
import { metricNameLabel, type NativeHistogram, SkoposError } from "@skopos/model";
import type { Grid, WindowNode } from "../plan/plan.ts";
import type { Annotations } from "./annotations.ts";
import { type Columns, withoutStale } from "./columns.ts";
import { type Cells, extendedRow } from "./extended-histograms.ts";
import { evaluateExtended } from "./extended-range.ts";
import { float, Frame } from "./frame.ts";
import {
  evaluateMixed,
  holdsHistograms,
  type MixedContext,
  putOutcome,
} from "./histogram-range.ts";
import { type Kernel, kernels, type WindowView } from "./over-time.ts";
import { evaluateLastDifference, evaluateRate, type RateKind } from "./rate.ts";
import { dropNames } from "./names.ts";
import { Windows } from "./window.ts";

const rateKinds: Readonly<Record<string, RateKind>> = {
  rate: { isCounter: true, isRate: true },
  increase: { isCounter: true, isRate: false },
  delta: { isCounter: false, isRate: false },
};

/** Functions of the last two samples; whether they give a counter's rate. */
const lastDifferences: Readonly<Record<string, boolean>> = { irate: true, idelta: false };

export interface RangeCall {
  readonly name: string;
  readonly window: WindowNode;
  /** One column per scalar argument. */
  readonly params: readonly Float64Array[];
}

export interface RangeContext {
  readonly annotations: Annotations;
  readonly delayed: boolean;
  readonly poll: () => void;
  readonly lookbackMs: number;
}

export function rangeCall(
  call: RangeCall,
  source: Columns,
  grid: Grid,
  context: RangeContext,
): Frame {
  const columns = withoutStale(source);
  const windows = new Windows(columns, grid, call.window.reference, call.window.rangeMs);
  const cells = columns.labels.length * grid.count;
  const values = new Float64Array(cells);
  const present = new Uint8Array(cells);
  const rateKind = rateKinds[call.name];
  const kernel = kernels[call.name];
  const lastDifference = lastDifferences[call.name];
  checkParams(call);
  const extend = call.window.kind === "window-select" ? call.window.extend : undefined;
  const extended = extend && { name: call.name, extend, lookbackMs: context.lookbackMs };
  if (extended) evaluateExtended(extended, columns, windows, values, present);
  else if (rateKind) evaluateRate(columns, windows, rateKind, values, present, context.poll);
  else if (lastDifference !== undefined)
    evaluateLastDifference(columns, windows, lastDifference, values, present, context.poll);
  else if (kernel) runKernel(kernel, columns, windows, call.params, values, present, context.poll);
  else
    throw new SkoposError(
      "bad-query",
      `function ${JSON.stringify(call.name)} is not supported yet`,
    );
  const histograms = new Map<number, NativeHistogram>();
  for (let s = 0; columns.histograms && s < columns.labels.length; s++) {
    if (!holdsHistograms(columns, s)) continue;
    const noted = notedOf(call, columns, s, context);
    const cells = { values, present, histograms };
    if (extended) extendedRow(extended, noted, columns, windows, s, cells);
    else mixedRow(call, noted, columns, windows, s, cells);
  }
  annotate(call, present, context.annotations);
  if (rateKind?.isCounter) noteGauges(call, columns, windows, context.annotations);
  const { labels, dropName } = columns;
  const frame = new Frame({ labels, steps: grid.count, values, present, histograms, dropName });
  return kernel?.keepsName ? frame : dropNames(frame, context.delayed);
}

function notedOf(
  { name, window }: RangeCall,
  columns: Columns,
  series: number,
  { annotations }: RangeContext,
): MixedContext {
  const labels = columns.labels.at(series);
  return { name, rate: rateKinds[name], span: window.span, annotations, labels };
}

/** A series with histograms, window by window; replaces what the float operators made of it. */
function mixedRow(
  call: RangeCall,
  context: MixedContext,
  columns: Columns,
  windows: Windows,
  series: number,
  { values, present, histograms }: Cells,
): void {
  const column = columns.timesOf[series] ?? 0;
  const base = columns.base[series] ?? 0;
  const { from, to } = windows.of(column);
  const { grid } = windows;
  for (let t = 0; t < grid.count; t++) {
    const [first, end] = [from[t] ?? 0, to[t] ?? 0];
    const held = Array.from({ length: end - first }, (_, i) =>
      columns.histograms?.get(base + first + i),
    );
    const endMs = windows.endMs(t);
    const window = {
      times: Array.from(columns.times[column]?.subarray(first, end) ?? []),
      values: Array.from(columns.values.subarray(base + first, base + end)),
      histograms: held,
      startMs: endMs - windows.rangeMs,
      endMs,
      timeMs: grid.startMs + t * grid.stepMs,
      params: call.params.map((param) => param[t] ?? NaN),
    };
    // Windows of floats alone are as the float operators left them.
    if (!held.some(Boolean)) continue;
    putOutcome(
      evaluateMixed(context, window),
      series * grid.count + t,
      values,
      present,
      histograms,
    );
  }
}

function checkParams({ name, params }: RangeCall): void {
  if (name !== "double_exponential_smoothing") return;
  for (const [i, what] of ["smoothing", "trend"].entries()) {
    const bad = params[i]?.find((value) => !(value > 0 && value < 1));
    if (bad === undefined) continue;
    const short = what === "smoothing" ? "sf" : "tf";
    throw new SkoposError(
      "execution",
      `invalid ${what} factor. Expected: 0 < ${short} < 1, got: ${bad}`,
    );
  }
}

function annotate(
  { name, params, window }: RangeCall,
  present: Uint8Array,
  annotations: Annotations,
): void {
  if (name !== "quantile_over_time" || !present.includes(float)) return;
  for (const q of params[0] ?? []) checkQuantile(q, window.span, annotations);
}

const counterSuffix = /_(?:total|sum|count|bucket)$/;

/** By their names, counters are told from gauges: a rate of a gauge is most likely a mistake. */
function noteGauges(
  { window }: RangeCall,
  columns: Columns,
  windows: Windows,
  annotations: Annotations,
): void {
  const seen = new Set<string>();
  for (let s = 0; s < columns.labels.length; s++) {
    const name = columns.labels.value(s, metricNameLabel);
    if (name === "" || seen.has(name)) continue;
    if (counterSuffix.test(name)) {
      seen.add(name);
      continue;
    }
    const { from, to } = windows.of(columns.timesOf[s] ?? 0);
    if (!to.some((end, t) => end > (from[t] ?? 0))) continue;
    seen.add(name);
    annotations.info(
      window.span,
      `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${JSON.stringify(name)}`,
    );
  }
}

export function checkQuantile(
  q: number,
  span: { start: number; end: number },
  annotations: Annotations,
): void {
  if (q >= 0 && q <= 1) return;
  annotations.warn(span, `quantile value should be between 0 and 1, got ${q}`);
}

function runKernel(
  kernel: Kernel,
  columns: Columns,
  windows: Windows,
  params: readonly Float64Array[],
  values: Float64Array,
  present: Uint8Array,
  poll: () => void,
): void {
  const { grid } = windows;
  const none = new Float64Array(0);
  const view: WindowView = {
    values: columns.values,
    times: none,
    from: 0,
    to: 0,
    shift: 0,
    timeMs: 0,
    params: params.map(() => NaN),
  };
  for (let s = 0; s < columns.labels.length; s++) {
    if ((s & 255) === 0) poll();
    const column = columns.timesOf[s] ?? 0;
    const { from, to } = windows.of(column);
    view.times = columns.times[column] ?? none;
    view.shift = columns.base[s] ?? 0;
    for (let t = 0; t < grid.count; t++) {
      const first = from[t] ?? 0;
      const end = to[t] ?? 0;
      if (end - first < kernel.samplesMin) continue;
      view.from = view.shift + first;
      view.to = view.shift + end;
      view.timeMs = grid.startMs + t * grid.stepMs;
      for (let p = 0; p < params.length; p++) view.params[p] = params[p]?.[t] ?? NaN;
      values[s * grid.count + t] = kernel.compute(view);
      present[s * grid.count + t] = float;
    }
  }
}
