/**
 * OTLP log records as Loki keeps them: a few resource attributes name the stream, the rest and what belongs to the record
 * alone is structured metadata. Source: grafana.com/docs/loki, "Ingesting logs to Loki using OpenTelemetry Collector".
 */
import type { LabelMap, LogRecord } from "@skopos/model";
import { IngestError } from "../errors.ts";
import { logLimits, type LogLimits } from "../log-limits.ts";
import { AttributeCutter } from "./attributes.ts";
import { type FlatAttributes, labelNameOf } from "./flat-attributes.ts";

/** Log records as they were read. What is rejected is reported, the rest is fit to be kept. */
export interface DecodedLogs {
  readonly records: LogRecord[];
  readonly rejected: number;
  /** Why records were rejected; absent when none was. */
  readonly error?: string;
  /** Attributes and texts that were cut to their limits. */
  readonly cut: number;
}

const streamAttributes = new Set(
  [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
  ].map(labelNameOf),
);

/** Ranges of four, from severity number 1 on. */
const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
/** The last nanosecond that fits the stores' columns is later than this: 2200-01-01. */
const timeMaxNs = 7_258_118_400_000_000_000n;

export interface LogDraft {
  timeNs: bigint;
  observedNs: bigint;
  severityNumber: number;
  severityText: string;
  line: string;
  traceId: string;
  spanId: string;
  flags: number;
  dropped: number;
  eventName: string;
  attributes: Readonly<Record<string, string>>;
}

export interface LogScope {
  readonly labels: LabelMap;
  readonly metadata: LabelMap;
}

export class LogCollector {
  readonly cutter = new AttributeCutter();
  /** Lines have a limit of their own. */
  readonly lineCutter = new AttributeCutter({
    ...this.cutter.limits,
    count: 1024,
    valueChars: Number.MAX_SAFE_INTEGER,
  });
  readonly #limits: LogLimits;
  readonly #records: LogRecord[] = [];
  #rejected = 0;
  #error: string | undefined;

  constructor(limits: LogLimits = logLimits) {
    this.#limits = limits;
  }

  /** What the records of one resource and scope share. */
  scope(resource: FlatAttributes, name: string, version: string, scope: FlatAttributes): LogScope {
    const labels: Record<string, string> = {};
    const metadata: Record<string, string> = {};
    for (const [key, value] of Object.entries(resource.pairs)) {
      if (streamAttributes.has(key)) labels[key] = value;
      else metadata[key] = value;
    }
    labels["service_name"] ??= "unknown_service";
    if (name !== "") metadata["scope_name"] = name;
    if (version !== "") metadata["scope_version"] = version;
    return { labels, metadata: Object.assign(metadata, scope.pairs) };
  }

  add(draft: LogDraft, scope: LogScope): void {
    const timeNs = draft.timeNs > 0n ? draft.timeNs : draft.observedNs;
    const reason = this.#fault(draft, timeNs);
    if (reason !== undefined) {
      this.#rejected++;
      this.#error ??= reason;
      return;
    }
    if (this.#records.length >= this.#limits.records)
      throw new IngestError(
        "too-large",
        `more than ${this.#limits.records} log records in one request: send fewer at a time`,
      );
    const { labels } = scope;
    this.#records.push({ timeNs, labels, metadata: metadataOf(draft, scope), line: draft.line });
  }

  result(): DecodedLogs {
    const counts = {
      records: this.#records,
      rejected: this.#rejected,
      cut: this.cutter.cut + this.lineCutter.cut,
    };
    return this.#error === undefined ? counts : { ...counts, error: this.#error };
  }

  #fault(draft: LogDraft, timeNs: bigint): string | undefined {
    if (timeNs <= 0n) return "a log record has no time";
    if (timeNs > timeMaxNs) return "a log record's time is after the year 2200";
    const { lineChars } = this.#limits;
    if (draft.line.length > lineChars)
      return `a line has ${draft.line.length} characters, ${lineChars} are allowed`;
    return undefined;
  }
}

function metadataOf(draft: LogDraft, scope: LogScope): LabelMap {
  const metadata: Record<string, string> = { ...scope.metadata, ...draft.attributes };
  if (draft.severityText !== "") metadata["severity_text"] = draft.severityText;
  if (draft.severityNumber > 0) metadata["severity_number"] = String(draft.severityNumber);
  const level = levels[Math.floor((draft.severityNumber - 1) / 4)];
  if (draft.severityNumber > 0 && level !== undefined) metadata["detected_level"] = level;
  if (/[1-9a-f]/.test(draft.traceId)) metadata["trace_id"] = draft.traceId;
  if (/[1-9a-f]/.test(draft.spanId)) metadata["span_id"] = draft.spanId;
  if (draft.flags > 0) metadata["flags"] = String(draft.flags);
  if (draft.dropped > 0) metadata["dropped_attributes_count"] = String(draft.dropped);
  if (draft.eventName !== "") metadata["event_name"] = draft.eventName;
  if (draft.observedNs > 0n && draft.timeNs > 0n && draft.observedNs !== draft.timeNs)
    metadata["observed_timestamp"] = String(draft.observedNs);
  return metadata;
}
