/** Bytes of lines by label, as Loki's `index/volume` and `index/volume_range` answer. */
import type {
  LabelMap,
  LogCountRequest,
  LogReader,
  LogVolume,
  LogVolumeRequest,
} from "@skopos/model";
import { parseSelector } from "../syntax/parse.ts";
import { countsOf } from "./count-lines.ts";

const seriesMax = 50_000;
const nsPerMs = 1_000_000n;

interface Growing {
  readonly labels: LabelMap;
  readonly bytes: Map<number, number>;
  total: number;
}

export async function readVolume(
  reader: LogReader,
  request: LogVolumeRequest,
): Promise<LogVolume[]> {
  const matchers = parseSelector(request.query);
  const targets = request.targetLabels ?? [];
  const startNs = BigInt(Math.floor(request.startMs)) * nsPerMs;
  const endNs = BigInt(Math.ceil(request.endMs)) * nsPerMs;
  if (endNs <= startNs) return [];
  const byLabel = request.aggregateBy === "labels";
  const names = targets.length > 0 ? targets : [...new Set(matchers.map(({ name }) => name))];
  const grouping: LogCountRequest["grouping"] = byLabel
    ? { type: "stream", names: [] }
    : { type: "by", names };
  const stepMs = request.stepMs ?? Math.ceil(request.endMs) - Math.floor(request.startMs);
  const series = await countsOf(reader, {
    matchers,
    filters: [],
    measure: "bytes",
    // Buckets are left-open: a line at the very start belongs to the range.
    startNs: startNs - 1n,
    endNs: endNs - 1n,
    stepNs: BigInt(Math.max(1, Math.round(stepMs))) * nsPerMs,
    splitNs: 0n,
    grouping,
    seriesMax,
    ...(request.signal ? { signal: request.signal } : {}),
  });
  const volumes = new Map<string, Growing>();
  for (const one of series)
    for (const labels of byLabel ? labelNames(one.labels, targets) : [one.labels])
      add(volumes, labels, one.buckets, one.counts);
  return [...volumes.values()]
    .sort((a, b) => b.total - a.total)
    .slice(0, request.limit)
    .map(({ labels, bytes }) => ({ labels, points: pointsOf(bytes, request) }));
}

function labelNames(labels: LabelMap, targets: readonly string[]): LabelMap[] {
  const names = Object.keys(labels);
  const wanted = targets.length > 0 ? names.filter((name) => targets.includes(name)) : names;
  return wanted.map((name) => ({ [name]: "" }));
}

function add(
  volumes: Map<string, Growing>,
  labels: LabelMap,
  buckets: Uint32Array,
  counts: Float64Array,
): void {
  const key = JSON.stringify(Object.entries(labels).sort());
  let volume = volumes.get(key);
  if (!volume) {
    volume = { labels, bytes: new Map(), total: 0 };
    volumes.set(key, volume);
  }
  for (let i = 0; i < buckets.length; i++) {
    const bucket = buckets[i] ?? 0;
    const bytes = counts[i] ?? 0;
    volume.bytes.set(bucket, (volume.bytes.get(bucket) ?? 0) + bytes);
    volume.total += bytes;
  }
}

function pointsOf(
  bytes: ReadonlyMap<number, number>,
  request: LogVolumeRequest,
): [number, number][] {
  const { stepMs, startMs, endMs } = request;
  if (stepMs === undefined) return [[endMs, [...bytes.values()].reduce((sum, b) => sum + b, 0)]];
  return [...bytes.entries()]
    .sort(([a], [b]) => a - b)
    .map(([bucket, sum]) => [Math.floor(startMs) + bucket * stepMs, sum]);
}
