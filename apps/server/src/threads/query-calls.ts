/** What the main thread asks of a query thread. Everything here is structured-cloneable. */
import type {
  ExemplarSeries,
  DetectedField,
  DetectedFieldsRequest,
  DetectedLabel,
  LabelMap,
  LogPattern,
  LogQuery,
  LogResult,
  LogScope,
  LogStats,
  LogVolume,
  LogVolumeRequest,
  Matcher,
  MetricResult,
  Span,
  SpanParts,
  TagNames,
  TagScope,
  TagValue,
  TailBatch,
  TailRequest,
  TraceSearchResult,
} from "@skopos/model";
import type { ReadRequest } from "@skopos/ingest";
import type { QueryExplanation } from "@skopos/api";
import type { JsonNode } from "@skopos/promql/syntax";
import type { ClickHouseConnection, HeadCardinality, HeadShare } from "@skopos/store";
import type { OutlineJson } from "../views/trace-outline.ts";
import type { FederateRequest } from "./federation.ts";

/** What a query thread is started with. */
export interface QueryThreadData {
  readonly head: HeadShare;
  /** What was deleted. */
  readonly tombstonesFile: string;
  readonly clickhouse: ClickHouseConnection;
  /** The longest a query may take. */
  readonly timeoutMs: number;
}

/** What a query may say besides its text and times. */
export interface QueryOptions {
  readonly timeoutMs: number;
  /** How far back an instant selector looks; the engine's own when undefined. */
  readonly lookbackMs: number | undefined;
  /** Series of the answer beyond it are left out, with a warning. */
  readonly seriesLimit: number | undefined;
  /** Whether the answer tells what the query cost. */
  readonly stats: boolean;
}

interface SeriesRequest {
  readonly matcherSets: readonly (readonly Matcher[])[];
  readonly startMs: number;
  readonly endMs: number;
  readonly limit: number;
}

type WithoutSignal<Request> = Omit<Request, "signal">;

interface TimeRange {
  readonly startMs: number;
  readonly endMs: number;
}

export type QueryCalls = {
  instant(query: { query: string; timeMs: number; timeoutMs: number }): Promise<MetricResult>;
  range(query: {
    query: string;
    startMs: number;
    endMs: number;
    stepMs: number;
    timeoutMs: number;
  }): Promise<MetricResult>;
  /** The same as bytes of the Prometheus API's answer: no objects cross threads, and what is big comes in chunks. */
  instantJson(
    query: { query: string; timeMs: number } & QueryOptions,
  ): Promise<Uint8Array<ArrayBuffer>>;
  rangeJson(
    query: { query: string; startMs: number; endMs: number; stepMs: number } & QueryOptions,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** Runs a range query for what it costs; its result stays in the thread. */
  explain(query: {
    query: string;
    startMs: number;
    endMs: number;
    stepMs: number;
    timeoutMs: number;
  }): Promise<QueryExplanation>;
  formatQuery(query: { query: string }): Promise<string>;
  parseQuery(query: { query: string }): Promise<JsonNode>;
  /** Exposition text, for `/federate`. */
  federate(request: FederateRequest): Promise<Uint8Array<ArrayBuffer>>;
  /** A remote read's answer as it goes over HTTP. */
  remoteRead(request: ReadRequest & { externalLabels: LabelMap }): Promise<Uint8Array<ArrayBuffer>>;
  cardinality(request: { limit: number }): Promise<HeadCardinality>;
  /** Exemplars of the series that any of the query's selectors names. */
  exemplars(
    request: Omit<SeriesRequest, "matcherSets"> & { query: string },
  ): Promise<ExemplarSeries[]>;
  series(request: SeriesRequest): Promise<LabelMap[]>;
  labelNames(request: SeriesRequest): Promise<string[]>;
  labelValues(request: SeriesRequest & { name: string }): Promise<string[]>;

  trace(request: {
    traceId: string;
    within: TimeRange | undefined;
    parts: SpanParts | undefined;
  }): Promise<Span[]>;
  traceOutline(request: { traceId: string }): Promise<OutlineJson>;
  traces(request: {
    traceIds: readonly string[];
    within: TimeRange | undefined;
  }): Promise<Span[][]>;
  searchTraces(
    request: TimeRange & { query: string; limit: number; spansPerSet: number | undefined },
  ): Promise<TraceSearchResult>;
  traceMetrics(request: TimeRange & { query: string; stepMs: number }): Promise<MetricResult>;
  traceTags(request: TimeRange & { scope: TagScope | undefined }): Promise<TagNames[]>;
  traceTagValues(
    request: TimeRange & { tag: string; query: string | undefined; limit: number | undefined },
  ): Promise<TagValue[]>;
  traceServices(request: TimeRange): Promise<string[]>;
  traceOperations(request: TimeRange & { service: string }): Promise<string[]>;

  logs(query: Omit<LogQuery, "signal">): Promise<LogResult>;
  logLabelNames(request: TimeRange): Promise<string[]>;
  logLabelValues(
    request: TimeRange & { name: string; query: string | undefined },
  ): Promise<string[]>;
  logStreams(request: TimeRange & { match: readonly string[] }): Promise<LabelMap[]>;
  logStats(scope: WithoutSignal<LogScope>): Promise<LogStats>;
  logVolume(request: WithoutSignal<LogVolumeRequest>): Promise<LogVolume[]>;
  logFields(request: WithoutSignal<DetectedFieldsRequest>): Promise<DetectedField[]>;
  logFieldValues(
    request: WithoutSignal<DetectedFieldsRequest> & { field: string },
  ): Promise<string[]>;
  logLabels(scope: WithoutSignal<LogScope>): Promise<DetectedLabel[]>;
  logPatterns(request: WithoutSignal<LogScope> & { stepMs: number }): Promise<LogPattern[]>;
  logTail(request: WithoutSignal<TailRequest>): Promise<TailBatch>;
};
