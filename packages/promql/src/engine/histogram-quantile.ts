/**
 * Quantiles of classic histograms: cumulative bucket counts, told apart by their `le` label. Which series form a histogram
 * and in what order their bounds stand is settled once; per step only counts are read.
 */
import { type LabelSet, metricNameLabel } from "@skopos/model";
import type { Span } from "../syntax/ast.ts";
import type { Annotations } from "./annotations.ts";
import { float, Frame } from "./frame.ts";
import { groupFrame } from "./grouping.ts";
import { dropNames } from "./names.ts";
import { formatSampleValue } from "./value-text.ts";

const bucketLabel = "le";

/** The buckets of one histogram, by ascending upper bound; `series` are rows of the input. */
interface ClassicHistogram {
  readonly labels: LabelSet;
  readonly series: readonly number[];
  readonly bounds: readonly number[];
  readonly dropName: boolean;
}

/** Counts as they stand at one step; filled in place. */
interface BucketCounts {
  readonly bounds: Float64Array;
  readonly counts: Float64Array;
  size: number;
}

function classicHistograms(input: Frame, span: Span, annotations: Annotations): ClassicHistogram[] {
  const groups = groupFrame(input, false, [bucketLabel]);
  const nameOf = (s: number) => (input.nameless ? "" : input.raw.value(s, metricNameLabel));
  // The grouper passes over metric names; histograms of different names stay apart.
  const byName = new Map<string, { series: number[]; bounds: number[] }>();
  const oneName = input.nameless || input.raw.haveOneName;
  const bounds = new Float64Array(input.series);
  for (let s = 0; s < input.series; s++) {
    if (!hasFloats(input, s)) continue;
    const text = input.raw.value(s, bucketLabel);
    const bound = parseBound(text);
    if (bound === undefined) {
      annotations.warn(
        span,
        `bucket label "le" is missing or has a malformed value of ${JSON.stringify(text)} for metric name ${JSON.stringify(nameOf(s))}`,
      );
      continue;
    }
    bounds[s] = bound;
    const key = oneName ? String(groups.of[s]) : `${groups.of[s]} ${nameOf(s)}`;
    const entry = byName.get(key);
    if (entry) entry.series.push(s);
    else byName.set(key, { series: [s], bounds: [] });
  }
  return [...byName.values()].map(({ series }) => {
    series.sort((a, b) => (bounds[a] ?? 0) - (bounds[b] ?? 0));
    const first = series[0] ?? 0;
    return {
      labels: input.raw.at(first).without((name) => name === bucketLabel),
      series,
      bounds: series.map((s) => bounds[s] ?? NaN),
      dropName: input.dropsName(first),
    };
  });
}

function hasFloats(input: Frame, series: number): boolean {
  const row = series * input.steps;
  for (let t = 0; t < input.steps; t++) if (input.present[row + t] === float) return true;
  return false;
}

/** As Go's ParseFloat for the forms that occur. */
function parseBound(text: string): number | undefined {
  if (/^\+?inf(inity)?$/i.test(text)) return Infinity;
  if (/^-inf(inity)?$/i.test(text)) return -Infinity;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  return Number(text);
}

function newBucketCounts(size: number): BucketCounts {
  return { bounds: new Float64Array(size), counts: new Float64Array(size), size: 0 };
}

/** Reads the counts of step t; equal bounds are added up. */
function readBuckets(
  input: Frame,
  { series, bounds }: ClassicHistogram,
  t: number,
  into: BucketCounts,
): void {
  into.size = 0;
  for (let i = 0; i < series.length; i++) {
    const cell = (series[i] ?? 0) * input.steps + t;
    if (input.present[cell] !== float) continue;
    const bound = bounds[i] ?? NaN;
    const last = into.size - 1;
    if (last >= 0 && into.bounds[last] === bound) {
      into.counts[last] = (into.counts[last] ?? 0) + (input.values[cell] ?? NaN);
    } else {
      into.bounds[into.size] = bound;
      into.counts[into.size] = input.values[cell] ?? NaN;
      into.size += 1;
    }
  }
}

/** Applies `compute` to every histogram and step that has buckets; names are dropped. */
function mapHistograms(
  input: Frame,
  histograms: readonly ClassicHistogram[],
  delayed: boolean,
  compute: (buckets: BucketCounts, t: number, histogram: ClassicHistogram) => number,
): Frame {
  const { steps } = input;
  const values = new Float64Array(histograms.length * steps);
  const present = new Uint8Array(values.length);
  const buckets = newBucketCounts(
    histograms.reduce((most, { series }) => Math.max(most, series.length), 0),
  );
  histograms.forEach((histogram, row) => {
    for (let t = 0; t < steps; t++) {
      readBuckets(input, histogram, t, buckets);
      if (buckets.size === 0) continue;
      values[row * steps + t] = compute(buckets, t, histogram);
      present[row * steps + t] = float;
    }
  });
  const labels = histograms.map((histogram) => histogram.labels);
  return dropNames(
    new Frame({ labels, steps, values, present, nameless: input.nameless }),
    delayed,
  );
}

export interface HistogramCall {
  /** Where the vector argument stands. */
  readonly span: Span;
  readonly annotations: Annotations;
  readonly delayed: boolean;
}

export function histogramQuantile(input: Frame, q: Float64Array, call: HistogramCall): Frame {
  const histograms = classicHistograms(input, call.span, call.annotations);
  return mapHistograms(input, histograms, call.delayed, quantilesAt(input, q, call));
}

export function openMetricsNumber(value: number): string {
  const text = formatSampleValue(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function quantilesAt(input: Frame, q: Float64Array, { span, annotations }: HistogramCall) {
  const fix = { forced: false };
  let told: LabelSet | undefined;
  return (buckets: BucketCounts, t: number, { labels }: ClassicHistogram): number => {
    fix.forced = false;
    const value = bucketQuantile(q[t] ?? NaN, buckets, fix);
    if (fix.forced && told !== labels && (told === undefined || !input.nameless)) {
      told = labels;
      const name = JSON.stringify(input.nameless ? "" : labels.get(metricNameLabel));
      annotations.info(
        span,
        `input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) for metric name ${name}`,
      );
    }
    return value;
  };
}

/** Which share of the observations lies between two values. */
export function histogramFraction(
  input: Frame,
  lower: Float64Array,
  upper: Float64Array,
  call: HistogramCall,
): Frame {
  const histograms = classicHistograms(input, call.span, call.annotations);
  return mapHistograms(input, histograms, call.delayed, (buckets, t) =>
    bucketFraction(lower[t] ?? NaN, upper[t] ?? NaN, buckets),
  );
}

/** Interpolates linearly at both ends; the lowest bucket starts at 0 when its bound is positive. */
function bucketFraction(
  lower: number,
  upper: number,
  { bounds, counts, size }: BucketCounts,
): number {
  if (bounds[size - 1] !== Infinity) return NaN;
  const total = counts[size - 1] ?? NaN;
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN;
  if (lower >= upper) return 0;
  const rankOf = (value: number): number => {
    let rank = 0;
    for (let i = 0; i < size; i++) {
      const end = bounds[i] ?? NaN;
      const start = i > 0 ? (bounds[i - 1] ?? NaN) : end > 0 ? 0 : -Infinity;
      if (start >= value) return rank;
      const count = counts[i] ?? NaN;
      if (end > value) {
        // A bucket without a lower or upper end has no place to interpolate from: all of it counts as passed.
        if (start === -Infinity || end === Infinity) return start === -Infinity ? count : rank;
        return rank + ((count - rank) * (value - start)) / (end - start);
      }
      rank = count;
    }
    return total;
  };
  return (Math.min(rankOf(upper), total) - Math.min(rankOf(lower), total)) / total;
}

interface MonotonicFix {
  forced: boolean;
}

/** Linear interpolation inside the bucket that holds the rank; the lowest bucket starts at 0 when its bound is positive. */
function bucketQuantile(q: number, buckets: BucketCounts, fix: MonotonicFix): number {
  if (Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const { bounds, counts, size } = buckets;
  if (bounds[size - 1] !== Infinity) return NaN;
  makeMonotonic(buckets, fix);
  if (size < 2) return NaN;
  const observations = counts[size - 1] ?? NaN;
  if (observations === 0) return NaN;
  let rank = q * observations;
  let b = 0;
  while (b < size - 1 && !((counts[b] ?? NaN) >= rank)) b += 1;
  if (b === size - 1) return bounds[size - 2] ?? NaN;
  const end = bounds[b] ?? NaN;
  if (b === 0 && end <= 0) return end;
  let count = counts[b] ?? NaN;
  let start = 0;
  if (b > 0) {
    start = bounds[b - 1] ?? NaN;
    count -= counts[b - 1] ?? NaN;
    rank -= counts[b - 1] ?? NaN;
  }
  return start + (end - start) * (rank / count);
}

const smallDifference = 1e-12;

/** Raises counts that are below their predecessor: float noise silently, real decreases with a note. */
function makeMonotonic({ counts, size }: BucketCounts, fix: MonotonicFix): void {
  let previous = counts[0] ?? NaN;
  for (let i = 1; i < size; i++) {
    const count = counts[i] ?? NaN;
    if (count === previous) continue;
    if (almostEqual(previous, count, smallDifference)) {
      counts[i] = previous;
    } else if (count < previous) {
      counts[i] = previous;
      fix.forced = true;
    } else {
      previous = count;
    }
  }
}

const smallestNormal = 2.2250738585072014e-308;

/** Relative to the sum of the magnitudes; absolute near zero. NaN equals NaN. */
export function almostEqual(a: number, b: number, epsilon: number): boolean {
  if (a === b || (a !== a && b !== b)) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < smallestNormal) return difference < epsilon * smallestNormal;
  return difference / Math.min(sum, Number.MAX_VALUE) < epsilon;
}
