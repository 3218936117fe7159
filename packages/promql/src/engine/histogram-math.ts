/**
 * Arithmetic on native histograms whose layouts may differ: exponential ones are brought to the lower resolution and the
 * wider zero bucket, custom ones to the bounds they share. Nothing is changed in place.
 * Source: Prometheus, "Native histograms" specification, and `model/histogram` for what happens to counter reset hints.
 */
import type { NativeHistogram } from "@skopos/model";
import { customSchema, indexed } from "./native-histogram.ts";
import { CompensatedSum, MeanAccumulator } from "./sum.ts";

export type Counts = Map<number, number>;

/** A histogram with its buckets by index. */
export interface OpenHistogram {
  schema: number;
  count: number;
  sum: number;
  zeroThreshold: number;
  zeroCount: number;
  positive: Counts;
  negative: Counts;
  customValues: readonly number[];
  counterReset: NativeHistogram["counterReset"];
}

export function open(histogram: NativeHistogram): OpenHistogram {
  const { schema, count, sum, zeroThreshold, zeroCount, customValues, counterReset } = histogram;
  const positive = new Map(indexed(histogram.positiveSpans, histogram.positiveBuckets));
  const negative = new Map(indexed(histogram.negativeSpans, histogram.negativeBuckets));
  return {
    schema,
    count,
    sum,
    zeroThreshold,
    zeroCount,
    positive,
    negative,
    customValues,
    counterReset,
  };
}

/** Empty buckets are left out. */
export function close(histogram: OpenHistogram): NativeHistogram {
  const positive = spansOf(histogram.positive);
  const negative = spansOf(histogram.negative);
  const { schema, count, sum, zeroThreshold, zeroCount, customValues, counterReset } = histogram;
  return {
    schema,
    count,
    sum,
    zeroThreshold,
    zeroCount,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
    customValues,
    counterReset,
  };
}

function spansOf(counts: Counts): { spans: NativeHistogram["positiveSpans"]; buckets: number[] } {
  const indexes = [...counts.keys()].filter((index) => counts.get(index) !== 0);
  indexes.sort((a, b) => a - b);
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  for (const index of indexes) {
    const last = spans.at(-1);
    if (last && index === next) last.length += 1;
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  return { spans, buckets: indexes.map((index) => counts.get(index) ?? 0) };
}

export function usesCustomBuckets({ schema }: NativeHistogram): boolean {
  return schema === customSchema;
}

export interface Combined {
  readonly histogram: NativeHistogram;
  /** One says that it was reset, the other that it was not. */
  readonly conflictingResets: boolean;
  /** Custom bounds differed and only the shared ones are left. */
  readonly reconciled: boolean;
}

/** a + sign × b. Undefined when one has exponential and the other custom buckets. */
export function addHistograms(
  a: NativeHistogram,
  b: NativeHistogram,
  sign: 1 | -1 = 1,
): Combined | undefined {
  if (usesCustomBuckets(a) !== usesCustomBuckets(b)) return undefined;
  const [x, y] = [open(a), open(b)];
  const reconciled = alignLayouts(x, y);
  const hint = combineHints(a.counterReset, b.counterReset);
  x.count += sign * y.count;
  x.sum += sign * y.sum;
  x.zeroCount += sign * y.zeroCount;
  for (const [into, from] of [
    [x.positive, y.positive],
    [x.negative, y.negative],
  ] as const) {
    for (const [index, count] of from) into.set(index, (into.get(index) ?? 0) + sign * count);
  }
  x.counterReset = hint ?? "unknown";
  return { histogram: close(x), conflictingResets: hint === undefined, reconciled };
}

/** Undefined: "reset" meets "not reset". */
function combineHints(
  a: NativeHistogram["counterReset"],
  b: NativeHistogram["counterReset"],
): NativeHistogram["counterReset"] | undefined {
  if (a === b) return a;
  if (a === "gauge" || b === "gauge") return "gauge";
  return a === "unknown" || b === "unknown" ? "unknown" : undefined;
}

/**
 * The sum or mean of many histograms, every number of them accumulated like a float series of its own. Undefined when
 * exponential and custom buckets meet.
 */
export function accumulateHistograms(
  held: readonly NativeHistogram[],
  mean: boolean,
): Combined | undefined {
  const opened = held.map(open);
  const [first, ...rest] = opened;
  if (
    !first ||
    rest.some(({ schema }) => (schema === customSchema) !== (first.schema === customSchema))
  )
    return undefined;
  let reconciled = false;
  // The first pass brings the first to the layout that all share, the second brings the others there.
  for (const each of [...rest, ...rest]) if (alignLayouts(first, each)) reconciled = true;
  const total = (pick: (each: OpenHistogram) => number): number => {
    const acc = mean ? new MeanAccumulator() : new CompensatedSum();
    for (const each of opened) acc.add(pick(each));
    return acc instanceof MeanAccumulator ? acc.mean : acc.total;
  };
  const counts = (pick: (each: OpenHistogram) => Counts): Counts => {
    const indexes = new Set(opened.flatMap((each) => [...pick(each).keys()]));
    return new Map(
      [...indexes].map((index) => [index, total((each) => pick(each).get(index) ?? 0)]),
    );
  };
  const hints = new Set(held.map(({ counterReset }) => counterReset));
  const conflictingResets = hints.has("reset") && hints.has("not-reset");
  const [onlyHint = "unknown"] = hints;
  const mixedHint = hints.has("gauge") ? "gauge" : "unknown";
  const histogram = close({
    ...first,
    count: total(({ count }) => count),
    sum: total(({ sum }) => sum),
    zeroCount: total(({ zeroCount }) => zeroCount),
    positive: counts(({ positive }) => positive),
    negative: counts(({ negative }) => negative),
    counterReset: hints.size === 1 ? onlyHint : mixedHint,
  });
  return { histogram, conflictingResets, reconciled };
}

export function scaleHistogram(histogram: NativeHistogram, factor: number): NativeHistogram {
  const scaled = open(histogram);
  scaled.count *= factor;
  scaled.sum *= factor;
  scaled.zeroCount *= factor;
  for (const counts of [scaled.positive, scaled.negative])
    for (const [index, count] of counts) counts.set(index, count * factor);
  // A counter does not go down, so what is negative is a gauge.
  if (factor < 0) scaled.counterReset = "gauge";
  return close(scaled);
}

/** Division; everything becomes NaN or infinite when the divisor is zero. */
export function divideHistogram(histogram: NativeHistogram, divisor: number): NativeHistogram {
  const divided = open(histogram);
  divided.count /= divisor;
  divided.sum /= divisor;
  divided.zeroCount /= divisor;
  for (const counts of [divided.positive, divided.negative]) {
    for (const [index, count] of counts) counts.set(index, count / divisor);
    if (divisor === 0) counts.clear();
  }
  if (divisor < 0) divided.counterReset = "gauge";
  return close(divided);
}

/** An empty histogram of the same layout. */
export function emptyLike({ schema, customValues }: NativeHistogram): NativeHistogram {
  const positive: Counts = new Map();
  const negative: Counts = new Map();
  return close({
    schema,
    count: 0,
    sum: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    positive,
    negative,
    customValues,
    counterReset: "unknown",
  });
}

/** Brings both to one layout; whether custom bounds had to be reconciled. */
function alignLayouts(a: OpenHistogram, b: OpenHistogram): boolean {
  if (a.schema === customSchema) return alignCustomBounds(a, b);
  alignZeroBuckets(a, b);
  const schema = Math.min(a.schema, b.schema);
  reduceSchema(a, schema);
  reduceSchema(b, schema);
  return false;
}

function reduceSchema(histogram: OpenHistogram, schema: number): void {
  const shift = histogram.schema - schema;
  if (shift <= 0) return;
  const reduce = (counts: Counts): Counts => {
    const reduced: Counts = new Map();
    for (const [index, count] of counts) {
      const target = ((index - 1) >> shift) + 1;
      reduced.set(target, (reduced.get(target) ?? 0) + count);
    }
    return reduced;
  };
  histogram.positive = reduce(histogram.positive);
  histogram.negative = reduce(histogram.negative);
  histogram.schema = schema;
}

/** Widens the narrower zero bucket; a populated bucket that the new threshold would cut widens it further. */
function alignZeroBuckets(a: OpenHistogram, b: OpenHistogram): void {
  while (a.zeroThreshold !== b.zeroThreshold) {
    const [narrow, wide] = a.zeroThreshold < b.zeroThreshold ? [a, b] : [b, a];
    widenZeroBucket(narrow, wide.zeroThreshold);
  }
}

function widenZeroBucket(histogram: OpenHistogram, wanted: number): void {
  let threshold = wanted;
  const width = 2 ** -histogram.schema;
  for (const counts of [histogram.positive, histogram.negative]) {
    for (const [index, count] of counts) {
      const lower = 2 ** ((index - 1) * width);
      const upper = 2 ** (index * width);
      if (count !== 0 && lower < threshold && upper > threshold) threshold = upper;
    }
  }
  for (const counts of [histogram.positive, histogram.negative]) {
    for (const [index, count] of counts) {
      if (2 ** (index * width) > threshold) continue;
      histogram.zeroCount += count;
      counts.delete(index);
    }
  }
  histogram.zeroThreshold = threshold;
}

function sameBounds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

function alignCustomBounds(a: OpenHistogram, b: OpenHistogram): boolean {
  if (sameBounds(a.customValues, b.customValues)) return false;
  const shared = a.customValues.filter((bound) => b.customValues.includes(bound));
  for (const histogram of [a, b]) {
    const moved: Counts = new Map();
    for (const [index, count] of histogram.positive) {
      const upper = histogram.customValues[index] ?? Infinity;
      const found = shared.findIndex((bound) => bound >= upper);
      const target = found < 0 ? shared.length : found;
      moved.set(target, (moved.get(target) ?? 0) + count);
    }
    histogram.positive = moved;
    histogram.customValues = shared;
  }
  return true;
}

/** Whether a counter histogram started again between `previous` and `current`. */
export function detectReset(current: NativeHistogram, previous: NativeHistogram): boolean {
  if (current.counterReset === "reset") return true;
  if (current.counterReset === "not-reset") return false;
  if (current.count < previous.count) return true;
  if (usesCustomBuckets(current) !== usesCustomBuckets(previous)) return true;
  const [now, before] = [open(current), open(previous)];
  if (usesCustomBuckets(current)) alignCustomBounds(now, before);
  else {
    if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold)
      return true;
    widenZeroBucket(before, now.zeroThreshold);
    if (before.zeroThreshold !== now.zeroThreshold) return true;
    if (now.zeroCount < before.zeroCount) return true;
    reduceSchema(before, now.schema);
  }
  return shrinks(now.positive, before.positive) || shrinks(now.negative, before.negative);
}

function shrinks(now: Counts, before: Counts): boolean {
  return [...before].some(([index, count]) => (now.get(index) ?? 0) < count);
}

const same = (x: number, y: number): boolean => x === y || (x !== x && y !== y);

/** Same layout and same counts; upstream's equality, in which NaN sums are equal. */
export function histogramsEqual(a: NativeHistogram, b: NativeHistogram): boolean {
  if (a.schema !== b.schema || a.zeroThreshold !== b.zeroThreshold) return false;
  if (!same(a.count, b.count) || !same(a.sum, b.sum) || !same(a.zeroCount, b.zeroCount))
    return false;
  if (!sameBounds(a.customValues, b.customValues)) return false;
  const [x, y] = [close(open(a)), close(open(b))];
  return (
    JSON.stringify([x.positiveSpans, x.positiveBuckets, x.negativeSpans, x.negativeBuckets]) ===
    JSON.stringify([y.positiveSpans, y.positiveBuckets, y.negativeSpans, y.negativeBuckets])
  );
}
