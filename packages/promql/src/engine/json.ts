/**
 * Results in the format of Prometheus's HTTP API, in chunks, so that a large answer never exists as one string.
 * Source: Prometheus documentation, "HTTP API", expression queries.
 */
import {
  type LabelMap,
  LimitError,
  type MetricResult,
  type MetricValue,
  type NativeHistogram,
} from "@skopos/model";
import { defaultLimits } from "./limits.ts";
import { histogramBuckets } from "./native-histogram.ts";
import { formatPoint, formatSampleValue, formatTimestamp } from "./value-text.ts";
import { WrittenSeries } from "./written-series.ts";

/** About this many characters are gathered before a chunk is handed on. */
const chunkSize = 64 * 1024;

/** The whole answer. Throws `LimitError` when it would be longer than `sizeMax` characters. */
export function toPrometheusJson(
  result: MetricResult,
  sizeMax = defaultLimits.resultBytesMax,
): string {
  let text = "";
  for (const chunk of prometheusJsonChunks(result)) {
    text += chunk;
    if (text.length > sizeMax) {
      throw new LimitError(
        `the answer is larger than ${sizeMax} bytes: aggregate it or shorten the range`,
      );
    }
  }
  return text;
}

/** `{"status":"success","data":{"resultType":…,"result":…},…}` piece by piece; `stats` becomes a member of `data`. */
export function* prometheusJsonChunks(result: MetricResult, stats?: object): Generator<string> {
  const { value, warnings, infos } = result;
  let text = `{"status":"success","data":{"resultType":"${value.type}","result":`;
  for (const piece of valuePieces(value)) {
    text += piece;
    if (text.length < chunkSize) continue;
    yield text;
    text = "";
  }
  if (stats) text += `,"stats":${JSON.stringify(stats)}`;
  text += "}";
  if (warnings.length > 0) text += `,"warnings":${JSON.stringify(warnings)}`;
  if (infos.length > 0) text += `,"infos":${JSON.stringify(infos)}`;
  yield `${text}}`;
}

function* valuePieces(value: MetricValue): Generator<string> {
  switch (value.type) {
    case "scalar":
      yield formatPoint(value.timeMs, value.value);
      return;
    case "string":
      yield `[${formatTimestamp(value.timeMs)},${JSON.stringify(value.value)}]`;
      return;
    case "vector":
      yield "[";
      for (const [i, { labels, timeMs, value: number, histogram }] of value.samples.entries()) {
        const sample = histogram
          ? `"histogram":${histogramPoint(timeMs, histogram)}`
          : `"value":${formatPoint(timeMs, number)}`;
        yield `${i > 0 ? "," : ""}{"metric":${metric(labels)},${sample}}`;
      }
      yield "]";
      return;
    case "matrix":
      yield "[";
      for (const [i, series] of value.series.entries()) {
        const { labels, times, values, histograms } = series;
        yield `${i > 0 ? "," : ""}{"metric":${metric(labels)}`;
        if (series instanceof WrittenSeries) {
          yield `,"values":[${series.text}]}`;
          continue;
        }
        const floats: string[] = [];
        const held: string[] = [];
        for (let t = 0; t < times.length; t++) {
          const histogram = histograms?.get(t);
          const timeMs = times[t] ?? NaN;
          if (histogram) held.push(histogramPoint(timeMs, histogram));
          else floats.push(formatPoint(timeMs, values[t] ?? NaN));
        }
        if (floats.length > 0) yield `,"values":[${floats.join(",")}]`;
        if (held.length > 0) yield `,"histograms":[${held.join(",")}]`;
        yield "}";
      }
      yield "]";
  }
}

function metric(labels: LabelMap): string {
  return JSON.stringify(labels);
}

const quoted = (value: number): string => `"${formatSampleValue(value)}"`;

function histogramPoint(timeMs: number, histogram: NativeHistogram): string {
  const buckets = histogramBuckets(histogram).map(
    ({ boundaries, lower, upper, count }) =>
      `[${boundaries},${quoted(lower)},${quoted(upper)},${quoted(count)}]`,
  );
  const list = buckets.length > 0 ? `,"buckets":[${buckets.join(",")}]` : "";
  return `[${formatTimestamp(timeMs)},{"count":${quoted(histogram.count)},"sum":${quoted(histogram.sum)}${list}}]`;
}
