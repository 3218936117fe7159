/** Classic histograms as native ones with custom buckets, for `load_with_nhcb`. */
import { type LabelSet, metricNameLabel, type NativeHistogram } from "@skopos/model";
import { customSchema } from "../engine/native-histogram.ts";
import type { MemorySample } from "./memory-reader.ts";

export interface ScriptSeries {
  readonly labels: LabelSet;
  readonly samples: readonly MemorySample[];
}

/** The parts of one histogram at one time. */
interface Parts {
  readonly buckets: Map<number, number>;
  count: number | undefined;
  sum: number;
}

/** One series per base name and labels without `le`. */
export function customBucketSeries(all: readonly ScriptSeries[]): ScriptSeries[] {
  const found = new Map<string, { labels: LabelSet; byTime: Map<number, Parts> }>();
  for (const { labels, samples } of all) {
    const [, base, part] = /^(.*)_(bucket|count|sum)$/.exec(labels.get(metricNameLabel)) ?? [];
    if (base === undefined) continue;
    const target = labels.with(metricNameLabel, base).with("le", "");
    const entry = found.get(target.key) ?? { labels: target, byTime: new Map<number, Parts>() };
    found.set(target.key, entry);
    for (const { timeMs, value } of samples) {
      if (typeof value !== "number") continue;
      const parts = entry.byTime.get(timeMs) ?? { buckets: new Map(), count: undefined, sum: 0 };
      entry.byTime.set(timeMs, parts);
      if (part === "sum") parts.sum = value;
      else if (part === "count") parts.count = value;
      else parts.buckets.set(Number(labels.get("le").replace("+Inf", "Infinity")), value);
    }
  }
  return [...found.values()].map(({ labels, byTime }) => ({
    labels,
    samples: [...byTime].flatMap(([timeMs, parts]) => {
      const value = toHistogram(parts);
      return value ? [{ timeMs, value }] : [];
    }),
  }));
}

function toHistogram({ buckets, count, sum }: Parts): NativeHistogram | undefined {
  const bounds = [...buckets.keys()].filter((bound) => !Number.isNaN(bound)).sort((a, b) => a - b);
  if (bounds.length === 0) return undefined;
  const total = count ?? buckets.get(bounds.at(-1) ?? NaN) ?? 0;
  let previous = 0;
  const counts = bounds.map((bound) => {
    const cumulative = buckets.get(bound) ?? 0;
    const own = cumulative - previous;
    previous = cumulative;
    return own;
  });
  const finite = bounds.filter((bound) => bound !== Infinity);
  if (finite.length === bounds.length) counts.push(total - previous);
  return {
    schema: customSchema,
    count: total,
    sum,
    zeroThreshold: 0,
    zeroCount: 0,
    positiveSpans: [{ offset: 0, length: counts.length }],
    positiveBuckets: counts,
    negativeSpans: [],
    negativeBuckets: [],
    customValues: finite,
    counterReset: "unknown",
  };
}
