/** The engines as the main thread sees them: every question goes to a query thread. */
import type { LogEngine, MetricEngine, TraceEngine } from "@skopos/model";
import { askTraceOutline, type OutlineJson } from "../views/trace-outline.ts";
import type { QueryPool } from "./query-pool.ts";

export interface Engines {
  readonly metrics: MetricEngine;
  readonly traces: TraceEngine;
  readonly logs: LogEngine;
}

/** A trace in columns; without rows when the trace is unknown. */
export type ReadOutline = (traceId: string, signal: AbortSignal) => Promise<OutlineJson>;

/** `remote` stands where the store's engine would, when the configuration names another server. */
export function createEngines(
  pool: QueryPool,
  timeoutMs: number,
  remote: Partial<Engines> = {},
): Engines & { readonly outline: ReadOutline } {
  const metrics: MetricEngine = {
    instant: ({ query, timeMs, timeoutMs: ms = timeoutMs, signal }) =>
      pool.call("instant", { query, timeMs, timeoutMs: ms }, { signal, timeoutMs: ms }),
    range: ({ query, startMs, endMs, stepMs, timeoutMs: ms = timeoutMs, signal }) =>
      pool.call(
        "range",
        { query, startMs, endMs, stepMs, timeoutMs: ms },
        { signal, timeoutMs: ms },
      ),
  };
  const traces: TraceEngine = {
    trace: (traceId, signal, within, parts) =>
      pool.call("trace", { traceId, within, parts }, { signal }),
    traces: (traceIds, signal, within) => pool.call("traces", { traceIds, within }, { signal }),
    search: (query, { startMs, endMs, limit, spansPerSet, signal }) =>
      pool.call("searchTraces", { query, startMs, endMs, limit, spansPerSet }, { signal }),
    metrics: (query, { startMs, endMs, stepMs, signal }) =>
      pool.call("traceMetrics", { query, startMs, endMs, stepMs }, { signal }),
    tags: ({ startMs, endMs, scope, signal }) =>
      pool.call("traceTags", { startMs, endMs, scope }, { signal }),
    tagValues: (tag, { startMs, endMs, query, limit, signal }) =>
      pool.call("traceTagValues", { tag, startMs, endMs, query, limit }, { signal }),
    services: (startMs, endMs) => pool.call("traceServices", { startMs, endMs }),
    operations: (service, startMs, endMs) =>
      pool.call("traceOperations", { service, startMs, endMs }),
  };
  const logs: LogEngine = {
    query: ({ signal, ...query }) => pool.call("logs", query, { signal }),
    labelNames: (startMs, endMs) => pool.call("logLabelNames", { startMs, endMs }),
    labelValues: (name, query, startMs, endMs) =>
      pool.call("logLabelValues", { name, query, startMs, endMs }),
    streams: (match, startMs, endMs) => pool.call("logStreams", { match, startMs, endMs }),
    stats: ({ signal, ...scope }) => pool.call("logStats", scope, { signal }),
    volume: ({ signal, ...request }) => pool.call("logVolume", request, { signal }),
    detectedFields: ({ signal, ...request }) => pool.call("logFields", request, { signal }),
    detectedFieldValues: (field, { signal, ...request }) =>
      pool.call("logFieldValues", { ...request, field }, { signal }),
    detectedLabels: ({ signal, ...scope }) => pool.call("logLabels", scope, { signal }),
    patterns: ({ signal, ...request }) => pool.call("logPatterns", request, { signal }),
    tail: ({ signal, ...request }) => pool.call("logTail", request, { signal }),
  };
  const elsewhere = remote.traces;
  const outline: ReadOutline = elsewhere
    ? (traceId, signal) => askTraceOutline(elsewhere, traceId, signal)
    : (traceId, signal) => pool.call("traceOutline", { traceId }, { signal });
  return { metrics, traces, logs, ...remote, outline };
}
