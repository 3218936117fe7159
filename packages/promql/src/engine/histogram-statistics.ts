/** What native histograms say about their observations: quantiles, fractions, spread. */
import type { NativeHistogram } from "@skopos/model";
import { type Bucket, histogramBuckets } from "./native-histogram.ts";
import { usesCustomBuckets } from "./histogram-math.ts";
import { CompensatedSum } from "./sum.ts";
import { formatSampleValue } from "./value-text.ts";

/** Buckets as they are interpolated in: the zero bucket does not reach to the side that has no observations. */
function interpolationBuckets(histogram: NativeHistogram): Bucket[] {
  const buckets = histogramBuckets(histogram);
  const custom = usesCustomBuckets(histogram);
  const positive = histogram.positiveBuckets.length > 0;
  const negative = histogram.negativeBuckets.length > 0;
  return buckets.map((bucket) => {
    if (custom)
      return bucket.lower === -Infinity && bucket.upper > 0 ? { ...bucket, lower: 0 } : bucket;
    if (bucket.lower > 0 || bucket.upper < 0) return bucket;
    if (positive && !negative) return { ...bucket, lower: 0 };
    return negative && !positive ? { ...bucket, upper: 0 } : bucket;
  });
}

/** Linear in custom and zero buckets, logarithmic in exponential ones. Sum NaN: there are observations of NaN, above all others. */
export function nativeQuantile(q: number, histogram: NativeHistogram): number {
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  if (histogram.count === 0 || Number.isNaN(q)) return NaN;
  const forward = Number.isNaN(histogram.sum) || q < 0.5;
  const buckets = interpolationBuckets(histogram);
  if (!forward) buckets.reverse();
  let rank = (forward ? q : 1 - q) * histogram.count;
  let count = 0;
  let bucket: Bucket | undefined;
  for (bucket of buckets) {
    count += bucket.count;
    if (count >= rank) break;
  }
  if (!bucket) return NaN;
  const custom = usesCustomBuckets(histogram);
  if (custom && bucket.lower === -Infinity) return bucket.upper;
  if (custom && bucket.upper === Infinity) return bucket.lower;
  count = Math.min(count, histogram.count);
  if (count < rank) return Number.isNaN(histogram.sum) ? NaN : bucket.upper;
  rank = forward ? rank - (count - bucket.count) : count - rank;
  const fraction = rank / bucket.count;
  const { lower, upper } = bucket;
  if (custom || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * fraction;
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  if (lower > 0) return 2 ** (logLower + (logUpper - logLower) * fraction);
  return -(2 ** (logUpper + (logLower - logUpper) * (1 - fraction)));
}

/** The share of observations in (lower, upper]; NaN observations count as none of them. */
export function nativeFraction(lower: number, upper: number, histogram: NativeHistogram): number {
  if (histogram.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN;
  if (lower >= upper) return 0;
  const custom = usesCustomBuckets(histogram);
  const buckets = interpolationBuckets(histogram);
  const rankOf = (value: number): number => {
    let rank = 0;
    for (const bucket of buckets) {
      if (bucket.lower >= value) return rank;
      if (bucket.upper > value) return rank + partBelow(bucket, value, custom);
      rank += bucket.count;
    }
    return Number.isNaN(histogram.sum) ? rank : histogram.count;
  };
  const part = Math.min(rankOf(upper), histogram.count) - Math.min(rankOf(lower), histogram.count);
  return part / histogram.count;
}

function partBelow({ lower, upper, count }: Bucket, value: number, custom: boolean): number {
  if (lower === -Infinity) return count;
  if (upper === Infinity) return 0;
  if (custom || (lower <= 0 && upper >= 0)) return (count * (value - lower)) / (upper - lower);
  const [logLower, logUpper, logValue] = [lower, upper, value].map((x) => Math.log2(Math.abs(x)));
  if (logLower === undefined || logUpper === undefined || logValue === undefined) return NaN;
  if (value > 0) return (count * (logValue - logLower)) / (logUpper - logLower);
  return count * (1 - (logValue - logUpper) / (logLower - logUpper));
}

/** Every observation stands at the middle of its bucket: geometric for exponential, arithmetic for custom ones. */
export function nativeVariance(histogram: NativeHistogram): number {
  const mean = histogram.sum / histogram.count;
  const custom = usesCustomBuckets(histogram);
  const sum = new CompensatedSum();
  for (const { lower, upper, count } of histogramBuckets(histogram)) {
    const delta = middle(lower, upper, custom) - mean;
    sum.add(count * delta * delta);
  }
  return (sum.sum + sum.rest) / histogram.count;
}

function middle(lower: number, upper: number, custom: boolean): number {
  if (custom) return (upper + lower) / 2;
  if (lower <= 0 && upper >= 0) return 0;
  return Math.sqrt(upper * lower) * (upper < 0 ? -1 : 1);
}

const brackets: readonly (readonly [string, string])[] = [
  ["(", "]"],
  ["[", ")"],
  ["(", ")"],
  ["[", "]"],
];

/** As upstream prints histograms: {count:3, sum:5, (0.5,1]:1, (1,2]:2}. */
export function histogramText(histogram: NativeHistogram): string {
  const parts = [
    `count:${formatSampleValue(histogram.count)}`,
    `sum:${formatSampleValue(histogram.sum)}`,
  ];
  for (const { lower, upper, count, boundaries } of histogramBuckets(histogram)) {
    const [left = "(", right = "]"] = brackets[boundaries] ?? [];
    parts.push(
      `${left}${formatSampleValue(lower)},${formatSampleValue(upper)}${right}:${formatSampleValue(count)}`,
    );
  }
  return `{${parts.join(", ")}}`;
}
