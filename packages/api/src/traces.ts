/** What is understood of traces: outline, patterns, peers, comparison, graph, joins. Nanoseconds travel as decimal strings. */
import { spanKinds, spanStatuses } from "@skopos/model";
import { z } from "zod";
import { entityRef, requestSeries } from "./common.ts";
import { change } from "./mesh.ts";
import { logLine, span } from "./telemetry.ts";

/**
 * A trace in columns, so that 50,000 spans are four megabytes, one as they are sent, and open at once; a span's attributes come with `traceSpan`.
 * Rows are depth-first, siblings by start; `service`, `name` index into the lists of the same name.
 */
export const traceOutline = z.object({
  traceId: z.string(),
  startNs: z.string(),
  durationMs: z.number(),
  /** More spans exist than are read of one trace. */
  truncated: z.boolean(),
  services: z.array(z.object({ name: z.string(), entity: entityRef.nullable() })),
  names: z.array(z.string()),
  spanIds: z.array(z.string()),
  /** Row of the parent; −1 for roots. */
  parent: z.array(z.number()),
  depth: z.array(z.number()),
  /** Rows below, at any depth. */
  below: z.array(z.number()),
  service: z.array(z.number()),
  name: z.array(z.number()),
  kind: z.array(z.enum(spanKinds)),
  status: z.array(z.enum(spanStatuses)),
  /** From the start of the trace. */
  offsetMs: z.array(z.number()),
  durationsMs: z.array(z.number()),
  /** Time spent in the span itself, its children taken away. */
  exclusiveMs: z.array(z.number()),
  /** Stretches of time in which the trace waited for this row itself, by time. */
  criticalPath: z.object({
    rows: z.array(z.number()),
    fromMs: z.array(z.number()),
    toMs: z.array(z.number()),
  }),
  /** Row of the deepest failing span. */
  errorOrigin: z.number().nullable(),
  requestId: z.string().nullable(),
  patterns: z.array(
    z.object({
      kind: z.enum(["retry", "repeated", "serial"]),
      parent: z.number(),
      rows: z.array(z.number()),
      /** "10 calls of "GET /users/#" one after the other: as one call they could save 81 ms". */
      text: z.string(),
      savableMs: z.number(),
    }),
  ),
  /** Where the time went. */
  byService: z.array(
    z.object({
      service: z.number(),
      spans: z.number(),
      errors: z.number(),
      exclusiveMs: z.number(),
      criticalMs: z.number(),
    }),
  ),
});
export type TraceOutline = z.infer<typeof traceOutline>;

export const traceSpan = z.object({
  span,
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })),
});

/** How a span's duration stands among the others of its operation in the hour around it. */
export const tracePeers = z.object({
  operations: z.array(
    z.object({
      service: z.string(),
      name: z.string(),
      kind: z.string(),
      /** Row of the operation's slowest span in this trace. */
      row: z.number(),
      durationMs: z.number(),
      p50Ms: z.number(),
      p95Ms: z.number(),
      p99Ms: z.number(),
      /** "slower than 99 % of its kind". */
      text: z.string(),
    }),
  ),
  warnings: z.array(z.string()),
});

/** What a trace says, in sentences; most telling first. */
export const traceExplanation = z.object({
  statements: z.array(
    z.object({
      kind: z.enum(["error", "slow", "change", "retry", "calls"]),
      text: z.string(),
      /** Row of the outline that shows it. */
      row: z.number().nullable(),
      entity: entityRef.nullable(),
      /** Page that shows more of it. */
      path: z.string().nullable(),
    }),
  ),
  warnings: z.array(z.string()),
});
export type TraceExplanation = z.infer<typeof traceExplanation>;

export const traceComparison = z.object({
  selected: z.number(),
  rest: z.number(),
  attributes: z.array(
    z.object({
      scope: z.enum(["intrinsic", "span", "resource"]),
      key: z.string(),
      value: z.string(),
      service: z.string(),
      selectedShare: z.number(),
      restShare: z.number(),
    }),
  ),
  operations: z.array(
    z.object({
      service: z.string(),
      name: z.string(),
      kind: z.string(),
      selectedMs: z.number().nullable(),
      restMs: z.number().nullable(),
      selectedShare: z.number(),
      restShare: z.number(),
      selectedErrorShare: z.number(),
      restErrorShare: z.number(),
    }),
  ),
  warnings: z.array(z.string()),
});
export type TraceComparisonJson = z.infer<typeof traceComparison>;

/** The service graph of spans beside that of metrics. */
export const traceGraph = z.object({
  /** Traces that were looked at, drawn evenly from the range, and what share of its spans they are. */
  traces: z.number(),
  share: z.number(),
  /** The share of requests that are traced, as the two graphs tell; null when they share no edge. */
  sampledShare: z.number().nullable(),
  edges: z.array(
    z.object({
      source: z.string(),
      target: z.string(),
      /** Among the traces that were looked at; rates are of all. */
      calls: z.number(),
      errors: z.number(),
      p50Ms: z.number().nullable(),
      p95Ms: z.number().nullable(),
      metricsPerSecond: z.number().nullable(),
      spansPerSecond: z.number().nullable(),
      verdict: z.string(),
    }),
  ),
  warnings: z.array(z.string()),
});

/** Requests, errors and durations from server spans: all that is known of a service without a sidecar. */
export const traceRed = z.object({
  services: z.array(
    z.object({
      service: z.string(),
      entity: entityRef.nullable(),
      callsPerSecond: z.number(),
      errorRatio: z.number(),
      p50Ms: z.number().nullable(),
      p95Ms: z.number().nullable(),
      /** Whether metrics of a sidecar tell the same, untouched by sampling. */
      hasSidecar: z.boolean(),
    }),
  ),
  warnings: z.array(z.string()),
});

/** One service as its server spans tell: what is known of it where no sidecar counts. Null where no span tells. */
export const serviceSpans = z.object({
  callsPerSecond: z.number().nullable(),
  errorRatio: z.number().nullable(),
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
  series: requestSeries,
  warnings: z.array(z.string()),
});

/** All that belongs to one moment of one request: whichever of them is known names the others. */
export const joins = z.object({
  at: z.number(),
  traceId: z.string().nullable(),
  requestId: z.string().nullable(),
  spans: z.array(
    z.object({
      spanId: z.string(),
      service: z.string(),
      name: z.string(),
      kind: z.string(),
      status: z.string(),
      durationMs: z.number(),
      edge: entityRef.nullable(),
    }),
  ),
  lines: z.array(logLine),
  /** Edges of the graph that the request went over. */
  edges: z.array(entityRef),
  exemplars: z.array(
    z.object({
      series: z.record(z.string(), z.string()),
      value: z.number(),
      at: z.number(),
      traceId: z.string().nullable(),
    }),
  ),
  /** Objects that shape the services on the way, and whether they changed since that moment. */
  configuration: z.array(
    z.object({ serviceId: z.string(), ref: entityRef, changedSince: z.boolean() }),
  ),
  /** The latest changes before that moment, newest first. */
  changes: z.array(change),
  warnings: z.array(z.string()),
});
export type Joins = z.infer<typeof joins>;
