/**
 * OTLP's exponential histograms as native ones. OTLP's bucket i holds (base^i, base^(i+1)], Prometheus's bucket k holds
 * (base^(k-1), base^k]: k = i + 1. Scales finer than schema 8 are made coarser by merging neighbours.
 * Source: OpenTelemetry data model, "ExponentialHistogram"; the compatibility specification.
 */
import type { NativeHistogram } from "@skopos/model";
import type { ExponentialBuckets, ExponentialPoint } from "./metric-draft.ts";

const schemaMax = 8;
/** Below it an observation counts as zero, where the point does not say. */
const zeroThresholdDefault = 1e-128;
/** Empty buckets between two others that cost less as zeros than as a span of their own. */
const gapMax = 2;

/** Counts are not checked here. */
export function nativeHistogramOf(point: ExponentialPoint): NativeHistogram {
  const schema = Math.min(point.scale, schemaMax);
  const coarser = Math.min(point.scale - schema, 31);
  const positive = layOut(point.positive, coarser);
  const negative = layOut(point.negative, coarser);
  return {
    schema,
    count: point.count,
    sum: point.sum ?? 0,
    zeroThreshold: point.zeroThreshold > 0 ? point.zeroThreshold : zeroThresholdDefault,
    zeroCount: point.zeroCount,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
    customValues: [],
    counterReset: "unknown",
  };
}

function layOut({ offset, counts }: ExponentialBuckets, coarser: number) {
  const spans: { offset: number; length: number }[] = [];
  const buckets: number[] = [];
  let end = 0;
  for (const [i, count] of counts.entries()) {
    if (count === 0) continue;
    const index = Math.floor((offset + i) / 2 ** coarser) + 1;
    const last = spans.at(-1);
    if (last && index === end - 1) {
      buckets[buckets.length - 1] = (buckets.at(-1) ?? 0) + count;
      continue;
    }
    const gap = index - end;
    if (last && gap <= gapMax) {
      for (let k = 0; k < gap; k++) buckets.push(0);
      last.length += gap + 1;
    } else spans.push({ offset: gap, length: 1 });
    buckets.push(count);
    end = index + 1;
  }
  return { spans, buckets };
}
