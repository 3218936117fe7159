/** What a reader's `counts` does, done here on its lines; for readers without it, and to check those that have it. */
import {
  type LabelMap,
  LabelSet,
  LimitError,
  type LogCountRequest,
  type LogCountSeries,
  type LogReader,
  type LogRecord,
} from "@skopos/model";
import { lineBatches } from "./read-lines.ts";

const linesMax = 5_000_000;
const utf8 = new TextEncoder();

interface Growing {
  readonly labels: LabelMap;
  readonly counts: Map<number, number>;
}

export function byteLength(text: string): number {
  for (let i = 0; i < text.length; i++)
    if (text.charCodeAt(i) >= 128) return utf8.encode(text).length;
  return text.length;
}

/** A line's labels as the seam defines them. */
export function labelsOf({ labels, metadata }: LogRecord): LabelMap {
  const names = Object.keys(metadata);
  if (names.length === 0) return labels;
  const all: Record<string, string> = { ...labels };
  for (const name of names) {
    const value = metadata[name];
    if (value !== undefined) all[name in labels ? `${name}_extracted` : name] = value;
  }
  return all;
}

export function countsOf(reader: LogReader, request: LogCountRequest): Promise<LogCountSeries[]> {
  return reader.counts ? reader.counts(request) : countLines(reader, request);
}

export async function countLines(
  reader: LogReader,
  request: LogCountRequest,
): Promise<LogCountSeries[]> {
  const { startNs, endNs, measure, seriesMax, signal } = request;
  const series = new Map<string, Growing>();
  const batches = lineBatches(reader, {
    matchers: request.matchers,
    filters: request.filters,
    ...(request.conditions ? { conditions: request.conditions } : {}),
    startNs: startNs + 1n,
    endNs: endNs + 1n,
    linesMax,
    ...(signal ? { signal } : {}),
  });
  for await (const batch of batches)
    for (const record of batch) {
      const labels = grouped(record, request.grouping);
      let one = series.get(labels.key);
      if (!one) {
        if (series.size >= seriesMax) throw tooManySeries(seriesMax);
        one = { labels: labels.toMap(), counts: new Map() };
        series.set(labels.key, one);
      }
      const bucket = bucketOf(request, record.timeNs);
      const amount = measure === "lines" ? 1 : byteLength(record.line);
      one.counts.set(bucket, (one.counts.get(bucket) ?? 0) + amount);
    }
  return [...series.values()].map(({ labels, counts }) => {
    const buckets = Uint32Array.from(counts.keys()).sort();
    return { labels, buckets, counts: Float64Array.from(buckets, (b) => counts.get(b) ?? 0) };
  });
}

export function tooManySeries(seriesMax: number): LimitError {
  return new LimitError(
    `the query makes more than ${seriesMax} series: aggregate with sum by (…), or drop labels`,
  );
}

function grouped(record: LogRecord, { type, names }: LogCountRequest["grouping"]): LabelSet {
  if (type === "stream") return LabelSet.fromMap(record.labels);
  const labels = labelsOf(record);
  if (type === "by") return LabelSet.fromPairs(names.map((name) => [name, labels[name] ?? ""]));
  return LabelSet.fromMap(labels).without((name) => names.includes(name));
}

function bucketOf({ startNs, stepNs, splitNs }: LogCountRequest, timeNs: bigint): number {
  const x = timeNs - startNs - 1n;
  const step = Number(x / stepNs);
  if (splitNs === 0n) return step;
  return step * 2 + (x % stepNs >= splitNs ? 1 : 0);
}
