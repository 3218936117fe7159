/**
 * The trim operators: `h </ x` keeps the observations up to x, `h >/ x` those above. Cut buckets are interpolated as quantiles
 * are, and the sum is estimated anew from where the remaining observations stand; a histogram that loses nothing stays as it is.
 */
import type { NativeHistogram } from "@skopos/model";
import { close, type Counts, open, usesCustomBuckets } from "./histogram-math.ts";
import { boundsOf } from "./native-histogram.ts";

/** What is left of one bucket: how many observations, and at what value they stand for the sum. */
interface Rest {
  readonly count: number;
  readonly value: number;
}

type Scale = "linear" | "logarithmic";

export function trimHistogram(
  histogram: NativeHistogram,
  at: number,
  keepBelow: boolean,
): NativeHistogram {
  const trimmed = open(histogram);
  const custom = usesCustomBuckets(histogram);
  let removed = 0;
  let count = 0;
  let sum = 0;
  const keep = (before: number, rest: Rest): number => {
    removed += before - rest.count;
    count += rest.count;
    if (rest.count !== 0) sum += rest.count * rest.value;
    return rest.count;
  };
  const trimSide = (counts: Counts, sign: 1 | -1): void => {
    for (const [index, before] of counts) {
      const [near, far] = boundsOf(histogram, index);
      const [lower, upper] = sign === 1 ? [near, far] : [-far, -near];
      const rest = custom
        ? trimCustom(lower, upper, before, at, keepBelow)
        : trimBucket(lower, upper, before, at, keepBelow, "logarithmic");
      counts.set(index, keep(before, rest));
    }
  };
  const hasPositive = [...trimmed.positive.values()].some((each) => each !== 0);
  const hasNegative = [...trimmed.negative.values()].some((each) => each !== 0);
  trimSide(trimmed.positive, 1);
  trimSide(trimmed.negative, -1);
  if (trimmed.zeroCount !== 0) {
    const lower = hasPositive && !hasNegative ? 0 : -trimmed.zeroThreshold;
    const upper = hasNegative && !hasPositive ? 0 : trimmed.zeroThreshold;
    const rest = trimBucket(lower, upper, trimmed.zeroCount, at, keepBelow, "linear");
    trimmed.zeroCount = keep(trimmed.zeroCount, rest);
  }
  return removed === 0 ? histogram : close({ ...trimmed, count, sum });
}

function trimBucket(
  lower: number,
  upper: number,
  count: number,
  at: number,
  keepBelow: boolean,
  scale: Scale,
): Rest {
  if (keepBelow ? upper <= at : lower >= at) return { count, value: middle(lower, upper, scale) };
  if (keepBelow ? lower >= at : upper <= at) return { count: 0, value: 0 };
  const below = shareBelow(lower, upper, at, scale);
  const [from, to] = keepBelow ? [lower, at] : [at, upper];
  return { count: count * (keepBelow ? below : 1 - below), value: middle(from, to, scale) };
}

function shareBelow(lower: number, upper: number, at: number, scale: Scale): number {
  if (scale === "linear") return (at - lower) / (upper - lower);
  const [low, high, cut] = [lower, upper, at].map((x) => Math.log2(Math.abs(x)));
  return ((cut ?? NaN) - (low ?? NaN)) / ((high ?? NaN) - (low ?? NaN));
}

function middle(lower: number, upper: number, scale: Scale): number {
  if (scale === "linear") return (lower + upper) / 2;
  return Math.sqrt(lower * upper) * (upper < 0 || lower < 0 ? -1 : 1);
}

/** Buckets without a finite end cannot be cut: they are kept whole or dropped whole. */
function trimCustom(
  lower: number,
  upper: number,
  count: number,
  at: number,
  keepBelow: boolean,
): Rest {
  const none = { count: 0, value: 0 };
  if (at === (keepBelow ? Infinity : -Infinity)) return { count, value: 0 };
  if (at === (keepBelow ? -Infinity : Infinity)) return none;
  if (lower === -Infinity && upper === Infinity) return none;
  if (upper === Infinity) return keepBelow ? none : { count, value: Math.max(at, lower) };
  if (lower !== -Infinity) return trimBucket(lower, upper, count, at, keepBelow, "linear");
  if (upper <= 0) return keepBelow ? { count, value: Math.min(at, upper) } : none;
  return at < 0 ? none : trimBucket(0, upper, count, at, keepBelow, "linear");
}
