/**
 * When the trouble began: the split of the alerting signal that separates two levels best, then back to the first point
 * that left the usual band. Works on short histories; without a usable one the alert's own start stands.
 */
import { mean, median, type Series, spread } from "./statistics.ts";

const samplesMin = 4;
/** A point is outside the usual band beyond this many spreads. */
const outsideSpreads = 4;

function bestSplit(values: readonly number[]): number | undefined {
  const total = mean(values);
  let best: { index: number; gain: number } | undefined;
  let sum = 0;
  for (let i = 1; i < values.length; i++) {
    sum += values[i - 1] ?? 0;
    if (i < 3 || values.length - i < 1) continue;
    const left = sum / i;
    // Between-group variance; upward shifts only, for every alerting signal here is bad when high.
    const right = (total * values.length - sum) / (values.length - i);
    const gain = right > left ? i * (values.length - i) * (right - left) ** 2 : 0;
    if (!best || gain > best.gain) best = { index: i, gain };
  }
  return best && best.gain > 0 ? best.index : undefined;
}

/** Unix ms; undefined when the signal has no onset to be seen. */
export function onsetOf(series: Series): number | undefined {
  const { times, values } = series;
  if (values.length < samplesMin) return undefined;
  const split = bestSplit(values);
  if (split === undefined) return undefined;
  const usual = values.slice(0, split);
  const level = median(usual);
  const after = median(values.slice(split));
  const band = Math.max(
    outsideSpreads * spread(usual, Math.abs(level) * 0.05),
    (after - level) * 0.1,
  );
  let first = split;
  while (first > 0 && (values[first - 1] ?? level) > level + band) first--;
  while (first < values.length - 1 && (values[first] ?? 0) <= level + band) first++;
  return times[first];
}
