/**
 * Native histograms: exponential buckets (schema −4…8, upper bound of index i is 2^(i × 2^−schema)) and custom buckets
 * (schema −53, bounds listed). Source: Prometheus, "Native histograms" specification.
 */
import type { NativeHistogram } from "@skopos/model";

export const customSchema = -53;

export interface Bucket {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
  /** As in the HTTP API: 0 open left, 1 open right, 2 open both, 3 closed both. */
  readonly boundaries: 0 | 1 | 2 | 3;
}

/** Non-empty buckets by ascending bound. */
export function histogramBuckets(histogram: NativeHistogram): Bucket[] {
  const negative: Bucket[] = [];
  for (const [index, count] of indexed(histogram.negativeSpans, histogram.negativeBuckets)) {
    const [lower, upper] = boundsOf(histogram, index);
    negative.push({ lower: -upper, upper: -lower, count, boundaries: 1 });
  }
  const positive: Bucket[] = [];
  for (const [index, count] of indexed(histogram.positiveSpans, histogram.positiveBuckets)) {
    const [lower, upper] = boundsOf(histogram, index);
    positive.push({ lower, upper, count, boundaries: 0 });
  }
  const zero: Bucket[] = [];
  if (histogram.zeroCount !== 0) {
    const { zeroThreshold, zeroCount } = histogram;
    zero.push({ lower: -zeroThreshold, upper: zeroThreshold, count: zeroCount, boundaries: 3 });
  }
  return [...negative.reverse(), ...zero, ...positive].filter(({ count }) => count !== 0);
}

export function* indexed(
  spans: NativeHistogram["positiveSpans"],
  counts: readonly number[],
): Generator<[index: number, count: number]> {
  let index = 0;
  let at = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++) yield [index++, counts[at++] ?? 0];
  }
}

export function boundsOf(
  { schema, customValues }: NativeHistogram,
  index: number,
): [number, number] {
  if (schema === customSchema)
    return [customValues[index - 1] ?? -Infinity, customValues[index] ?? Infinity];
  const width = 2 ** -schema;
  return [2 ** ((index - 1) * width), 2 ** (index * width)];
}

/** Whether two histograms have the same buckets, empty ones aside. */
export function histogramsAlmostEqual(
  a: NativeHistogram,
  b: NativeHistogram,
  equal: (x: number, y: number) => boolean,
): boolean {
  if (a.schema !== b.schema || !equal(a.zeroThreshold, b.zeroThreshold)) return false;
  if (!equal(a.count, b.count) || !equal(a.sum, b.sum) || !equal(a.zeroCount, b.zeroCount))
    return false;
  if (a.customValues.length !== b.customValues.length) return false;
  if (a.customValues.some((bound, i) => bound !== b.customValues[i])) return false;
  const [x, y] = [histogramBuckets(a), histogramBuckets(b)];
  return (
    x.length === y.length &&
    x.every(({ lower, upper, count }, i) => {
      const other = y[i];
      return (
        other !== undefined &&
        lower === other.lower &&
        upper === other.upper &&
        equal(count, other.count)
      );
    })
  );
}
