/**
 * A live tail: what Loki's WebSocket sends, and the lines kept of it. Newest first and bounded; while held, new lines wait apart
 * so that what is being read stands still. What had to be left out is counted.
 */
import type { EntityRef, LogLine } from "@skopos/api";

export const tailLinesMax = 2000;
const retryFirstMs = 1000;
const retryMaxMs = 30_000;

export interface TailState {
  /** Newest first. */
  readonly lines: readonly LogLine[];
  /** Came while held; newest first. */
  readonly waiting: readonly LogLine[];
  /** Pushed out by newer ones. */
  readonly pushedOut: number;
  /** Left out by the server, because this page read too slowly. */
  readonly leftOut: number;
}

export const emptyTail: TailState = { lines: [], waiting: [], pushedOut: 0, leftOut: 0 };

interface TailMessage {
  /** Newest first. */
  readonly lines: readonly LogLine[];
  readonly leftOut: number;
}

const levels: Readonly<Record<string, LogLine["level"]>> = {
  fatal: "error",
  critical: "error",
  error: "error",
  warn: "warning",
  warning: "warning",
  info: "info",
  debug: "debug",
  trace: "debug",
};

/** A browser cannot ask for labels and metadata apart: these are known to stand beside a line, not on its stream. */
const besideLine = new Set([
  "detected_level",
  "trace_id",
  "span_id",
  "method",
  "path",
  "status",
  "response_flags",
  "response_code_details",
  "bytes_received",
  "bytes_sent",
  "duration_ms",
  "upstream_service_time_ms",
  "request_id",
  "authority",
  "upstream_host",
  "upstream_cluster",
  "downstream_remote_address",
  "route_name",
]);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entityOf(labels: Readonly<Record<string, string>>): EntityRef | null {
  const namespace = labels["namespace"] ?? labels["k8s_namespace_name"];
  const name = labels["app"] ?? labels["service_name"];
  return namespace && name
    ? { kind: "service", id: `${namespace}/${name}`, name, namespace }
    : null;
}

function linesOf(stream: unknown): LogLine[] {
  if (!isRecord(stream) || !isRecord(stream["stream"]) || !Array.isArray(stream["values"]))
    return [];
  const labels: Record<string, string> = {};
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(stream["stream"]))
    if (typeof value === "string") (besideLine.has(name) ? metadata : labels)[name] = value;
  const level = levels[metadata["detected_level"] ?? labels["level"] ?? ""] ?? "unknown";
  const shared = {
    labels,
    metadata,
    level,
    traceId: metadata["trace_id"] ?? null,
    entity: entityOf({ ...metadata, ...labels }),
  };
  return stream["values"].flatMap((value: unknown): LogLine[] => {
    if (!Array.isArray(value)) return [];
    const [timeNs, line]: unknown[] = value;
    return typeof timeNs === "string" && /^\d+$/.test(timeNs) && typeof line === "string"
      ? [{ ...shared, timeNs, line }]
      : [];
  });
}

/** Null for what is no message of a tail. */
export function readTailMessage(text: unknown): TailMessage | null {
  if (typeof text !== "string") return null;
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return null; // Cut off, or not from a tail.
  }
  if (!isRecord(message) || !Array.isArray(message["streams"])) return null;
  const lines = message["streams"].flatMap(linesOf);
  // Nanoseconds of one length compare as texts.
  lines.sort((a, b) => (a.timeNs < b.timeNs ? 1 : a.timeNs > b.timeNs ? -1 : 0));
  const dropped = message["dropped_entries"];
  return { lines, leftOut: Array.isArray(dropped) ? dropped.length : 0 };
}

export function takeMessage(state: TailState, message: TailMessage, held: boolean): TailState {
  const leftOut = state.leftOut + message.leftOut;
  const place = held ? "waiting" : "lines";
  const all = [...message.lines, ...state[place]];
  const pushedOut = state.pushedOut + Math.max(0, all.length - tailLinesMax);
  return { ...state, [place]: all.slice(0, tailLinesMax), pushedOut, leftOut };
}

/** Where a tail that was cut off goes on, as the server takes it: behind the newest line that came. */
export function resumeFrom({ lines, waiting }: TailState): string | null {
  const newest = waiting[0] ?? lines[0];
  return newest === undefined ? null : `${BigInt(newest.timeNs) + 1n}`;
}

/** What waited comes in. */
export function letIn(state: TailState): TailState {
  if (state.waiting.length === 0) return state;
  const all = [...state.waiting, ...state.lines];
  const pushedOut = state.pushedOut + Math.max(0, all.length - tailLinesMax);
  return { ...state, lines: all.slice(0, tailLinesMax), waiting: [], pushedOut };
}

/** How long to wait before the n-th attempt (from 0) to connect again. */
export function retryDelayMs(attempt: number): number {
  return Math.min(retryMaxMs, retryFirstMs * 2 ** Math.min(attempt, 10));
}
