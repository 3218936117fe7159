/** Reads `# TYPE`, `# HELP` and `# UNIT` lines. */
import type { MetricType } from "./page.ts";
import { failAt, latin1, type LinePosition } from "./series.ts";

export interface MetadataLine {
  readonly kind: "type" | "help" | "unit";
  readonly family: string;
  /** The type (a `MetricType` when kind is "type"), the unescaped help, or the unit. */
  readonly text: string;
}

const textTypes: Readonly<Record<string, MetricType>> = {
  counter: "counter",
  gauge: "gauge",
  histogram: "histogram",
  summary: "summary",
  untyped: "unknown",
  unknown: "unknown",
};
const openMetricsTypes: readonly string[] = [
  "counter",
  "gauge",
  "histogram",
  "gaugehistogram",
  "summary",
  "info",
  "stateset",
  "unknown",
];
const decoder = new TextDecoder();
const textLine = /^#[ \t]+(TYPE|HELP|UNIT)[ \t]+("(?:[^"\\]|\\.)*"|[^ \t"]+)(?:[ \t]+(.*))?$/s;
const openMetricsLine = /^# (TYPE|HELP|UNIT) ("(?:[^"\\]|\\.)*"|[a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/s;

/**
 * Reads the comment in `bytes[start, end)`. Undefined when it is no metadata: in the text format a comment may say anything.
 * Throws `ExpositionError` for a type the format does not know, and in OpenMetrics for a malformed line.
 */
export function parseMetadataLine(
  bytes: Uint8Array,
  start: number,
  end: number,
  openMetrics: boolean,
  position: LinePosition,
): MetadataLine | undefined {
  const line = decoder.decode(bytes.subarray(start, end));
  const match = (openMetrics ? openMetricsLine : textLine).exec(line);
  if (!match) {
    if (openMetrics && /^# (TYPE|HELP|UNIT)/.test(latin1(bytes, start, Math.min(end, start + 6))))
      return failAt(position, start, "a metadata line needs a metric name, one space and its text");
    return undefined;
  }
  const [, word, rawName = "", rest = ""] = match;
  const family = rawName.startsWith('"') ? unescape(rawName.slice(1, -1)) : rawName;
  if (word === "HELP") return { kind: "help", family, text: unescape(rest) };
  if (word === "UNIT") {
    if (openMetrics && !/^[a-zA-Z0-9_:]*$/.test(rest))
      return failAt(position, start, `${JSON.stringify(rest)} is not a unit`);
    return { kind: "unit", family, text: rest.trim() };
  }
  const type = openMetrics
    ? openMetricsTypes.find((known) => known === rest)
    : textTypes[rest.trim()];
  // Prometheus treats a type it does not know in the text format as untyped.
  if (type === undefined && openMetrics)
    return failAt(position, start, `${JSON.stringify(rest)} is not a metric type`);
  return { kind: "type", family, text: type ?? "unknown" };
}

function unescape(text: string): string {
  return text.replaceAll(/\\([\\"n])/g, (_, c: string) => (c === "n" ? "\n" : c));
}
