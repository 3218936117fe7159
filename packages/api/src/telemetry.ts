/** Traces, logs, alerts and practice as our own pages and the CLI see them. Nanoseconds travel as decimal strings. */
import { spanKinds, spanStatuses } from "@skopos/model";
import { z } from "zod";
import { entityRef, points } from "./common.ts";
import { alertInstance } from "./incident.ts";

type Json = string | number | boolean | readonly Json[];
const attributeValue: z.ZodType<Json> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.array(attributeValue)]),
);
const attributes = z.record(z.string(), attributeValue);

const traceSummary = z.object({
  traceId: z.string(),
  rootService: z.string(),
  rootName: z.string(),
  startNs: z.string(),
  durationMs: z.number(),
  spanCount: z.number(),
  errorCount: z.number(),
  services: z.record(z.string(), z.number()),
  matched: z.array(z.string()),
});
export type TraceSummaryJson = z.infer<typeof traceSummary>;
export const traceSearchResult = z.object({
  traces: z.array(traceSummary),
  warnings: z.array(z.string()),
});

export const span = z.object({
  spanId: z.string(),
  parentSpanId: z.string(),
  service: z.string(),
  name: z.string(),
  kind: z.enum(spanKinds),
  startNs: z.string(),
  /** From the start of the trace. */
  offsetMs: z.number(),
  durationMs: z.number(),
  /** Time spent in the span itself, its children taken away. */
  exclusiveMs: z.number(),
  status: z.enum(spanStatuses),
  statusMessage: z.string(),
  attributes,
  resource: attributes,
  events: z.array(z.object({ offsetMs: z.number(), name: z.string(), attributes })),
  /** On the chain of spans that decided how long the trace took. */
  critical: z.boolean(),
  entity: entityRef.nullable(),
});
export type SpanJson = z.infer<typeof span>;

export const trace = z.object({
  traceId: z.string(),
  startNs: z.string(),
  durationMs: z.number(),
  /** Depth-first, children by start; orphans hang below the root. */
  spans: z.array(span),
  /** The deepest failing span, if one fails. */
  errorOrigin: z.string().nullable(),
  requestId: z.string().nullable(),
});
export type Trace = z.infer<typeof trace>;

export const logLine = z.object({
  timeNs: z.string(),
  line: z.string(),
  labels: z.record(z.string(), z.string()),
  metadata: z.record(z.string(), z.string()),
  level: z.enum(["error", "warning", "info", "debug", "unknown"]),
  traceId: z.string().nullable(),
  entity: entityRef.nullable(),
});
export type LogLine = z.infer<typeof logLine>;
export const logResult = z.object({
  lines: z.array(logLine),
  /** All matching lines per bucket and level over the range asked for. */
  histogram: z.array(z.object({ at: z.number(), counts: z.record(z.string(), z.number()) })),
  /** Of a metric query, which has no lines. Steps without a value have no point. */
  metric: z
    .object({
      stepMs: z.number(),
      series: z.array(z.object({ labels: z.record(z.string(), z.string()), points })),
    })
    .nullable(),
  /** More lines lie beyond the limit. */
  more: z.boolean(),
  warnings: z.array(z.string()),
});
export type LogPage = z.infer<typeof logResult>;

/** What a PromQL query cost, operator by operator, inputs before what takes them. Times include those of the inputs. */
export const queryExplanation = z.object({
  operators: z.array(
    z.object({
      operator: z.string(),
      expression: z.string(),
      elapsedMs: z.number(),
      series: z.number(),
      /** 0 for the outermost. */
      depth: z.number(),
      /** Evaluated once for several places: it cost nothing here. */
      reused: z.boolean(),
    }),
  ),
  totalMs: z.number(),
  /** Of the total, what the store took. */
  readMs: z.number(),
  samplesRead: z.number(),
  notes: z.array(z.string()),
});
export type QueryExplanation = z.infer<typeof queryExplanation>;

const ruleStatus = z.object({
  name: z.string(),
  kind: z.enum(["alert", "record"]),
  query: z.string(),
  health: z.enum(["ok", "err", "unknown"]),
  lastError: z.string().nullable(),
  forMs: z.number(),
  lastEvaluationAt: z.number().nullable(),
  alerts: z.array(alertInstance),
});
export const alertsPage = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      file: z.string(),
      intervalMs: z.number(),
      rules: z.array(ruleStatus),
    }),
  ),
});
export type AlertsPage = z.infer<typeof alertsPage>;

const practiceScenario = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
});
export const practiceState = z.object({
  attached: z.boolean(),
  scenarios: z.array(practiceScenario),
  broken: z.object({ name: z.string(), since: z.number() }).nullable(),
  load: z
    .object({
      requestsPerSecond: z.number(),
      achievedPerSecond: z.number().nullable(),
      errorRatio: z.number().nullable(),
      p50Ms: z.number().nullable(),
      p95Ms: z.number().nullable(),
    })
    .nullable(),
  shape: z.string().nullable(),
});
export type PracticeState = z.infer<typeof practiceState>;
export const practiceBreak = z.union([
  z.object({ scenario: z.string().max(200) }),
  z.object({ yaml: z.string().max(200_000) }),
]);
export const practiceLoad = z.object({
  requestsPerSecond: z.number().min(0).max(2000),
  shape: z.enum(["steady", "daily", "burst"]),
});

const searchHit = z.object({ entity: entityRef, path: z.string(), detail: z.string() });
export const searchResult = z.object({ hits: z.array(searchHit) });
export type SearchHit = z.infer<typeof searchHit>;

/** The home page when nothing burns: the calm sentence's proof. */
export const now = z.object({
  at: z.number(),
  requestsPerSecond: z.number().nullable(),
  errorRatio: z.number().nullable(),
  p95Ms: z.number().nullable(),
  userErrorPoints: points,
  requestsPoints: points,
  slowest: z
    .object({ service: entityRef, p95Ms: z.number(), usualMs: z.number().nullable() })
    .nullable(),
  lastChangeAt: z.number().nullable(),
  servicesHealthy: z.number(),
  servicesTotal: z.number(),
});
export type NowPage = z.infer<typeof now>;
