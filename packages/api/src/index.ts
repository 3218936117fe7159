import "./without-eval.ts";
export {
  ApiError,
  type CallOptions,
  type Client,
  type ClientOptions,
  createClient,
  pathOf,
} from "./client.ts";
export {
  type EntityRef,
  entityRef,
  type Health,
  type HealthState,
  type Points,
  type Problem,
  type Role,
} from "./common.ts";
export {
  type Action,
  type ActionState,
  action,
  type AlertInstance,
  alertInstance,
  type Criterion,
  criterion,
  type Diagnosis,
  diagnosis,
  type Evidence,
  evidence,
  type Hypothesis,
  hypothesis,
  type Incident,
  incident,
  type IncidentSummary,
  type Runbook,
  runbook,
  type TimelineEntry,
  timelineEntry,
} from "./incident.ts";
export type { LogExplanation, LogPatterns } from "./logs.ts";
export {
  type Change,
  change,
  type Graph,
  type GraphEdge,
  type GraphNode,
  graph,
  graphEdge,
  graphNode,
  type ServiceDetail,
  type Traffic,
} from "./mesh.ts";
export { entityPath, type PathRange, webPaths } from "./paths.ts";
export {
  apiPrefix,
  type BodyOf,
  type QueryOf,
  type ReplyOf,
  type RouteName,
  routes,
} from "./routes.ts";
export { type LiveEvent, liveEvent, type Session, type SignIn, type Status } from "./session.ts";
export type {
  AlertsPage,
  LogLine,
  LogPage,
  NowPage,
  PracticeState,
  QueryExplanation,
  SearchHit,
  SpanJson,
  Trace,
  TraceSummaryJson,
} from "./telemetry.ts";
export type { Joins, TraceComparisonJson, TraceExplanation, TraceOutline } from "./traces.ts";
