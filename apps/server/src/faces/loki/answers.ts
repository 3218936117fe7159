/** Results in Loki's JSON. Nanoseconds are decimal strings; samples have seconds and a string, as Prometheus's do. */
import type { LogLine, LogPlan, LogResult, LogVolume, MetricValue } from "@skopos/model";

type Labels = Readonly<Record<string, string>>;

export interface LokiStream {
  readonly stream: Labels;
  readonly values: readonly (readonly unknown[])[];
}

/**
 * Lines by stream, in the order in which they came. A client that asks for categories gets structured metadata and parsed labels
 * beside each line; for others they are labels of the stream, as they were before there were categories.
 */
export function streamsOf(lines: readonly LogLine[], categorised: boolean): LokiStream[] {
  const streams = new Map<string, { stream: Labels; values: unknown[][] }>();
  for (const { timeNs, labels, metadata, parsed, line } of lines) {
    const stream = categorised ? labels : { ...labels, ...metadata, ...parsed };
    const key = JSON.stringify(Object.entries(stream).sort());
    const known = streams.get(key) ?? { stream, values: [] };
    const value: unknown[] = [timeNs.toString(), line];
    if (categorised) value.push(categoriesOf(metadata, parsed));
    known.values.push(value);
    streams.set(key, known);
  }
  return [...streams.values()];
}

function categoriesOf(metadata: Labels, parsed: Labels): object {
  return {
    ...(Object.keys(metadata).length > 0 ? { structuredMetadata: metadata } : {}),
    ...(Object.keys(parsed).length > 0 ? { parsed } : {}),
  };
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
}

const seconds = (timeMs: number) => timeMs / 1000;

function metricData(value: MetricValue): object {
  switch (value.type) {
    case "scalar":
      return {
        resultType: "scalar",
        result: [seconds(value.timeMs), numberText(value.value)],
      };
    case "string":
      return { resultType: "string", result: [seconds(value.timeMs), value.value] };
    case "vector":
      return {
        resultType: "vector",
        result: value.samples.map(({ labels, timeMs, value: sample }) => ({
          metric: labels,
          value: [seconds(timeMs), numberText(sample)],
        })),
      };
    case "matrix":
      return {
        resultType: "matrix",
        result: value.series.map(({ labels, times, values }) => ({
          metric: labels,
          values: Array.from(times, (timeMs, i) => [seconds(timeMs), numberText(values[i] ?? NaN)]),
        })),
      };
  }
}

/** Loki's statistics, of which we know how many lines were read. */
function statsOf({ selections }: LogPlan): object {
  const lines = selections.reduce((sum, { linesRead }) => sum + linesRead, 0);
  return { summary: { totalLinesProcessed: lines, totalEntriesReturned: 0 } };
}

export function resultData(result: LogResult, categorised: boolean): object {
  const stats = statsOf(result.plan);
  if (result.type === "metric") return { ...metricData(result.value), stats };
  return {
    resultType: "streams",
    result: streamsOf(result.records, categorised),
    ...(categorised ? { encodingFlags: ["categorize-labels"] } : {}),
    stats,
  };
}

export function volumeData(volumes: readonly LogVolume[], overTime: boolean): object {
  const result = volumes.map(({ labels, points }) => {
    const samples = points.map(([timeMs, bytes]) => [seconds(timeMs), String(bytes)]);
    return overTime ? { metric: labels, values: samples } : { metric: labels, value: samples[0] };
  });
  return { resultType: overTime ? "matrix" : "vector", result };
}
