/** Log lines as a page shows them: level, trace and service read off labels, metadata or the line itself. */
import type { EntityRef, LogLine } from "@skopos/api";
import { accessLogMetadata, parseAccessLogLine } from "@skopos/ingest";
import type { LabelMap, LogLine as FoundLine, LogRecord } from "@skopos/model";

type Level = LogLine["level"];

/** What levels are called, by the one we show. */
export const levelNames: Readonly<Record<string, Level>> = {
  fatal: "error",
  critical: "error",
  error: "error",
  err: "error",
  warning: "warning",
  warn: "warning",
  info: "info",
  notice: "info",
  debug: "debug",
  trace: "debug",
};

function parsedLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function levelOf(record: LogRecord, json: Record<string, unknown> | undefined): Level {
  const named =
    record.metadata["level"] ??
    record.labels["level"] ??
    record.metadata["detected_level"] ??
    textOf(json?.["level"]);
  if (named) return levelNames[named.toLowerCase()] ?? "unknown";
  const code = Number(json?.["response_code"]);
  if (Number.isInteger(code) && json && "response_code" in json)
    return code >= 500 || code === 0 ? "error" : code >= 400 ? "warning" : "info";
  const word = /\b(fatal|error|warn(?:ing)?|info|debug)\b/i.exec(record.line.slice(0, 200))?.[1];
  return word ? (levelNames[word.toLowerCase()] ?? "unknown") : "unknown";
}

/** The service that wrote lines with these labels: of Kubernetes collectors, or OpenTelemetry's attributes as labels. */
export function entityOf(labels: LabelMap): EntityRef | null {
  const namespace =
    labels["namespace"] ?? labels["k8s_namespace_name"] ?? labels["service_namespace"];
  const name = labels["app"] ?? labels["service_name"];
  return namespace && name
    ? { kind: "service", id: `${namespace}/${name}`, name, namespace }
    : null;
}

/** What an access log line says, and what a query parsed out of a line, is shown as its metadata is. */
export function toLogLine(found: FoundLine): LogLine {
  const entry = parseAccessLogLine(found.line);
  const said = entry ? accessLogMetadata(entry) : {};
  const record = { ...found, metadata: { ...said, ...found.metadata, ...found.parsed } };
  const json = parsedLine(record.line);
  return {
    timeNs: record.timeNs.toString(),
    line: record.line,
    labels: record.labels,
    metadata: record.metadata,
    level: levelOf(record, json),
    traceId: record.metadata["trace_id"] ?? textOf(json?.["trace_id"]) ?? null,
    entity: entityOf({ ...record.metadata, ...record.labels }),
  };
}

/** Lines per level in `buckets` equal parts of the range. Empty parts stay, as zero lines seen. */
export function toHistogram(
  lines: readonly LogLine[],
  startMs: number,
  endMs: number,
  buckets: number,
): { at: number; counts: Record<string, number> }[] {
  const widthMs = Math.max(1, (endMs - startMs) / buckets);
  const bars = Array.from({ length: buckets }, (_, i) => ({
    at: Math.round(startMs + i * widthMs),
    counts: {} as Record<string, number>,
  }));
  for (const line of lines) {
    const bar =
      bars[
        Math.min(
          buckets - 1,
          Math.floor((Number(BigInt(line.timeNs) / 1_000_000n) - startMs) / widthMs),
        )
      ];
    if (bar) bar.counts[line.level] = (bar.counts[line.level] ?? 0) + 1;
  }
  return bars;
}
