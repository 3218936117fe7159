/** Functions from instant vectors to instant vectors. */
import { LabelSet, type Matcher, metricNameLabel, SkoposError } from "@skopos/model";
import type { CallNode, Grid } from "../plan/plan.ts";
import { compareNanLast, reorder } from "./aggregate-select.ts";
import type { Annotations } from "./annotations.ts";
import {
  histogramValues,
  joinKinds,
  mapHistogramCells,
  nativeFractions,
  nativeQuantiles,
} from "./histogram-call.ts";
import { absent, concatenate, float, Frame } from "./frame.ts";
import { histogramFraction, histogramQuantile, openMetricsNumber } from "./histogram-quantile.ts";
import { labelJoin, labelReplace } from "./label-functions.ts";
import { dateFunctions, mathFunctions, round } from "./math.ts";
import { dropNames, duplicateLabels } from "./names.ts";
import { checkQuantile } from "./range-call.ts";

export interface CallContext {
  readonly grid: Grid;
  readonly annotations: Annotations;
  readonly delayed: boolean;
}

export function callFunction(
  node: CallNode,
  input: Frame,
  scalars: readonly Float64Array[],
  context: CallContext,
): Frame {
  const { delayed } = context;
  const plain = mathFunctions[node.name];
  if (plain) return dropNames(mapFloats(input, plain), delayed);
  const date = dateFunctions[node.name];
  if (date)
    return dropNames(
      mapFloats(input, (value) => datePart(value, date)),
      delayed,
    );
  const ofHistogram = histogramValues[node.name];
  if (ofHistogram) return dropNames(mapHistogramCells(input, ofHistogram), delayed);
  switch (node.name) {
    case "round":
    case "clamp":
    case "clamp_min":
    case "clamp_max":
      return dropNames(bounded(node.name, input, scalars), delayed);
    case "timestamp":
      return dropNames(timestamps(input, context.grid), delayed);
    case "timestamp-of-sample":
      return dropNames(input, delayed);
    case "absent":
      return absentFrame(node.matchers, input);
    case "label_replace":
      return labelReplace(input, node.strings);
    case "label_join":
      return labelJoin(input, node.strings);
    case "sort":
    case "sort_desc":
      return sortByValue(node, input, context);
    case "sort_by_label":
    case "sort_by_label_desc":
      return sortByLabel(node, input, context);
    case "histogram_fraction":
    case "histogram_quantile":
    case "histogram_quantiles":
      return histogramFunction(node, input, scalars, context);
    default:
      throw new SkoposError(
        "bad-query",
        `function ${JSON.stringify(node.name)} is not supported yet`,
      );
  }
}

function histogramFunction(
  node: CallNode,
  input: Frame,
  scalars: readonly Float64Array[],
  { annotations, delayed }: CallContext,
): Frame {
  const call = { span: node.inputs[0]?.span ?? node.span, annotations, delayed };
  const [first = new Float64Array(0), second = new Float64Array(0)] = scalars;
  if (node.name === "histogram_fraction") {
    const classic = histogramFraction(input, first, second, call);
    if (!input.histograms) return classic;
    return joinKinds(classic, nativeFractions(input, first, second, call), input, call);
  }
  node.scalars.forEach(({ span }, i) => {
    for (const q of scalars[i] ?? []) checkQuantile(q, span, annotations);
  });
  const quantileFrame = (q: Float64Array): Frame => {
    const classic = histogramQuantile(input, q, call);
    if (!input.histograms) return classic;
    return joinKinds(classic, nativeQuantiles(input, q, call), input, call);
  };
  if (node.name === "histogram_quantile") return quantileFrame(first);
  return labelledQuantiles(scalars, node.strings[0] ?? "", input.steps, quantileFrame);
}

/** One series per quantile, which `label` names. */
function labelledQuantiles(
  quantiles: readonly Float64Array[],
  label: string,
  steps: number,
  quantileFrame: (q: Float64Array) => Frame,
): Frame {
  const frames = quantiles.map((q) => {
    const text = openMetricsNumber(q[0] ?? NaN);
    const frame = quantileFrame(q);
    const labels = frame.labels.map((set) => set.with(label, text));
    const { values, present, dropName } = frame;
    return new Frame({ labels, steps, values, present, dropName });
  });
  const joined = concatenate(frames, steps);
  if (new Set(joined.labels.map(({ key }) => key)).size < joined.series) throw duplicateLabels();
  return joined;
}

function mapFloats(input: Frame, compute: (value: number, t: number) => number): Frame {
  const values = new Float64Array(input.values.length);
  const present = new Uint8Array(input.present.length);
  for (let cell = 0; cell < values.length; cell++) {
    if (input.present[cell] !== float) continue;
    values[cell] = compute(input.values[cell] ?? NaN, cell % input.steps);
    present[cell] = float;
  }
  return input.with({ values, present, histograms: undefined });
}

function datePart(seconds: number, part: (date: Date) => number): number {
  return part(new Date(Math.trunc(seconds) * 1000));
}

function bounded(name: string, input: Frame, scalars: readonly Float64Array[]): Frame {
  const first = (t: number) => scalars[0]?.[t] ?? NaN;
  if (name === "round")
    return mapFloats(input, (value, t) => round(value, scalars[0] ? first(t) : 1));
  if (name === "clamp_min") return mapFloats(input, (value, t) => Math.max(value, first(t)));
  if (name === "clamp_max") return mapFloats(input, (value, t) => Math.min(value, first(t)));
  const second = (t: number) => scalars[1]?.[t] ?? NaN;
  const clamped = mapFloats(input, (value, t) => Math.max(first(t), Math.min(second(t), value)));
  // Where the bounds cross there is no result at all.
  const present = clamped.present.map((what, cell) => {
    const t = cell % input.steps;
    return second(t) < first(t) ? absent : what;
  });
  return clamped.with({ present });
}

function timestamps(input: Frame, grid: Grid): Frame {
  const values = new Float64Array(input.values.length);
  for (let cell = 0; cell < values.length; cell++)
    values[cell] = (grid.startMs + (cell % input.steps) * grid.stepMs) / 1000;
  const present = input.present.map((what) => (what === absent ? absent : float));
  return input.with({ values, present, histograms: undefined });
}

/** 1 at the steps where no series has a sample; the labels are what the selector asked for by equality. */
function absentFrame(matchers: readonly Matcher[], input: Frame): Frame {
  const { steps } = input;
  const present = new Uint8Array(steps).fill(float);
  for (let cell = 0; cell < input.present.length; cell++)
    if (input.present[cell] !== absent) present[cell % steps] = absent;
  const values = new Float64Array(steps).fill(1);
  return new Frame({ labels: [absentLabels(matchers)], steps, values, present });
}

/** A name that is matched more than once says nothing certain about the missing series. */
function absentLabels(matchers: readonly Matcher[]): LabelSet {
  const certain = matchers.filter(
    ({ name, op }) =>
      op === "=" &&
      name !== metricNameLabel &&
      matchers.filter((m) => m.name === name).length === 1,
  );
  return LabelSet.fromPairs(certain.map(({ name, value }) => [name, value]));
}

function warnUnsorted(node: CallNode, annotations: Annotations): void {
  annotations.warn(
    node.span,
    "sort is ineffective for range queries since results are always ordered by labels",
  );
}

function sortByValue(node: CallNode, input: Frame, { annotations }: CallContext): Frame {
  const floats = mapFloats(input, (value) => value);
  if (input.steps > 1) {
    warnUnsorted(node, annotations);
    return floats;
  }
  const sign = node.name === "sort" ? 1 : -1;
  const order = [...floats.present.keys()].filter((s) => floats.present[s] === float);
  order.sort((a, b) => compareNanLast(floats.values[a] ?? NaN, floats.values[b] ?? NaN, sign));
  return reorder(floats, order);
}

function sortByLabel(node: CallNode, input: Frame, { annotations }: CallContext): Frame {
  if (input.steps > 1) {
    warnUnsorted(node, annotations);
    return input;
  }
  const sign = node.name === "sort_by_label" ? 1 : -1;
  const { labels } = input;
  const order = [...labels.keys()];
  order.sort((a, b) => {
    const [first, second] = [labels[a] ?? LabelSet.empty, labels[b] ?? LabelSet.empty];
    for (const name of node.strings) {
      const compared = naturalOrder(first.get(name), second.get(name));
      if (compared !== 0) return sign * compared;
    }
    return sign * compareLabels(first, second);
  });
  return reorder(input, order);
}

const digitRuns = (text: string): string[] => text.match(/\d+|\D+/g) ?? [];

/** "4m5" before "4m600": runs of digits compare as numbers. */
function naturalOrder(a: string, b: string): number {
  const [left, right] = [digitRuns(a), digitRuns(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x = "", y = ""] = [left[i], right[i]];
    if (x === y) continue;
    const numbers = /^\d/.test(x) && /^\d/.test(y);
    if (numbers && Number(x) !== Number(y)) return Number(x) - Number(y);
    return x < y ? -1 : 1;
  }
  return left.length - right.length;
}

/** Upstream's order of label sets: pair by pair, then by how many. */
export function compareLabels(a: LabelSet, b: LabelSet): number {
  const length = Math.min(a.flat.length, b.flat.length);
  for (let i = 0; i < length; i++) {
    const [x = "", y = ""] = [a.flat[i], b.flat[i]];
    if (x !== y) return x < y ? -1 : 1;
  }
  return a.flat.length - b.flat.length;
}
