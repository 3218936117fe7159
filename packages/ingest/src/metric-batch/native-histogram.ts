/**
 * What a native histogram must be to be stored: spans and buckets that fit together, counts that add up, custom bounds that
 * ascend. Source: prometheus/model/histogram/{histogram,generic}.go, Validate.
 */
import type { NativeHistogram } from "@skopos/model";

const customBucketsSchema = -53;
const schemaMin = -4;
const schemaMax = 8;
/** Buckets of one histogram; Prometheus's own are limited to 160 by default where they come from. */
export const bucketsMax = 20_000;

type Span = NativeHistogram["positiveSpans"][number];

/** Why the histogram cannot be used, "" when it can. `integer`: its counts were sent as whole numbers, so they must add up. */
export function histogramFault(histogram: NativeHistogram, integer: boolean): string {
  const { schema, count, sum } = histogram;
  const layout =
    schema === customBucketsSchema ? customFault(histogram) : exponentialFault(histogram);
  if (layout !== "") return layout;
  const positive = spansFault(histogram.positiveSpans, histogram.positiveBuckets.length);
  if (positive !== "") return `positive side: ${positive}`;
  const negative = spansFault(histogram.negativeSpans, histogram.negativeBuckets.length);
  if (negative !== "") return `negative side: ${negative}`;
  let observed = histogram.zeroCount;
  for (const each of [...histogram.positiveBuckets, ...histogram.negativeBuckets]) {
    if (!(each >= 0)) return "a bucket count is negative";
    observed += each;
  }
  if (!(count >= 0)) return "the count is negative";
  if (!integer) return "";
  // NaN observations are counted and fall into no bucket.
  const fits = Number.isNaN(sum) ? observed <= count : observed === count;
  return fits ? "" : `${observed} observations in buckets, but a count of ${count}`;
}

function customFault(histogram: NativeHistogram): string {
  const { customValues, positiveSpans, negativeSpans, zeroCount } = histogram;
  if (negativeSpans.length > 0 || zeroCount !== 0)
    return "custom buckets have neither a negative nor a zero bucket";
  for (const [i, bound] of customValues.entries())
    if (!(bound > (customValues[i - 1] ?? -Infinity)) || bound === Infinity)
      return "custom bounds must ascend and be finite";
  let end = 0;
  for (const { offset, length } of positiveSpans) end += offset + length;
  return end > customValues.length + 1 ? "more custom buckets than bounds" : "";
}

function exponentialFault({ schema, customValues }: NativeHistogram): string {
  if (schema < schemaMin || schema > schemaMax) return `unknown schema ${schema}`;
  return customValues.length > 0 ? "custom bounds with an exponential schema" : "";
}

function spansFault(spans: readonly Span[], buckets: number): string {
  let total = 0;
  for (const [i, { offset, length }] of spans.entries()) {
    if (i > 0 && offset < 0) return "a span begins before the end of the one before";
    total += length;
  }
  return total === buckets ? "" : `spans for ${total} buckets, but ${buckets} bucket counts`;
}
