/** Spans, and the seam between trace stores and TraceQL. */
import type { MetricResult } from "./metric.ts";

export type AttributeValue = string | number | boolean | readonly AttributeValue[];
export type Attributes = Readonly<Record<string, AttributeValue>>;
/** In the order of OTLP's numbers, as are the statuses. */
export const spanKinds = [
  "unspecified",
  "internal",
  "server",
  "client",
  "producer",
  "consumer",
] as const;
export type SpanKind = (typeof spanKinds)[number];
export const spanStatuses = ["unset", "ok", "error"] as const;
export type SpanStatus = (typeof spanStatuses)[number];

export interface SpanEvent {
  readonly timeNs: bigint;
  readonly name: string;
  readonly attributes: Attributes;
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Attributes;
}

export interface Span {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  /** "" for a root. */
  readonly parentSpanId: string;
  /** The resource's `service.name`; "unknown_service" when it has none. */
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind;
  /** Unix nanoseconds. */
  readonly startNs: bigint;
  readonly durationNs: number;
  readonly status: SpanStatus;
  readonly statusMessage: string;
  readonly attributes: Attributes;
  readonly resource: Attributes;
  readonly scopeName: string;
  readonly scopeVersion: string;
  /** Absent where there are none. */
  readonly scopeAttributes?: Attributes;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
  /** How many spans it stands for, where its trace was kept as a sample of its like; absent: itself. */
  readonly weight?: number;
}

/** A span that says nothing. */
export const emptySpan: Span = {
  traceId: "",
  spanId: "",
  parentSpanId: "",
  service: "",
  name: "",
  kind: "unspecified",
  startNs: 0n,
  durationNs: 0,
  status: "unset",
  statusMessage: "",
  attributes: {},
  resource: {},
  scopeName: "",
  scopeVersion: "",
  events: [],
  links: [],
};

/** Where a field of a span is looked up. "any": the span's own attributes, then its resource's, then its scope's. */
type FieldScope = "intrinsic" | "span" | "resource" | "any" | "event" | "link" | "instrumentation";

/** Properties that a span has of itself; times and durations in nanoseconds. */
export type SpanIntrinsic =
  | "service"
  | "name"
  | "kind"
  | "status"
  | "statusMessage"
  | "durationNs"
  | "traceId"
  | "spanId"
  | "parentSpanId"
  | "scopeName"
  | "scopeVersion"
  | "eventName"
  | "eventTimeSinceStartNs"
  | "linkTraceId"
  | "linkSpanId"
  | WholeTraceIntrinsic;

/**
 * What its trace is as a whole, in conditions alone: of its root, which is the span without a parent that starts first, and
 * from its first start to its last end. A trace without a root has no name and service.
 */
type WholeTraceIntrinsic = "rootName" | "rootService" | "traceDurationNs";

export type SpanField =
  | { readonly scope: "intrinsic"; readonly name: SpanIntrinsic }
  | { readonly scope: Exclude<FieldScope, "intrinsic">; readonly name: string };

/**
 * One comparison of one field. Values of another type than `value` never match, absent ones only "absent". A list matches
 * = =~ < > when one element does, != and !~ when it has elements of that type and none equals; one of several events or
 * links is enough for any operator but "absent". Patterns are RE2, and match whole texts.
 */
export interface SpanCondition {
  readonly type: "condition";
  readonly field: SpanField;
  readonly op: "=" | "!=" | ">" | ">=" | "<" | "<=" | "=~" | "!~" | "exists" | "absent";
  /** Ignored by "exists" and "absent". */
  readonly value: string | number | boolean;
}

/** What must hold on one span. "all" of nothing holds on every span, "any" of nothing on none. */
export type SpanPredicate =
  | SpanCondition
  | { readonly type: "all" | "any"; readonly of: readonly SpanPredicate[] }
  | { readonly type: "not"; readonly of: SpanPredicate };

/** What must hold on a trace: spans of it that need not be the same. */
export type TracePredicate =
  | { readonly type: "has"; readonly where: SpanPredicate }
  | { readonly type: "all" | "any"; readonly of: readonly TracePredicate[] };

/** Unix milliseconds, both inclusive. */
export interface TraceTimeRange {
  readonly startMs: number;
  readonly endMs: number;
}

export interface TraceSearch extends TraceTimeRange {
  readonly where: SpanPredicate;
  /** A trace belongs to the range when a matching span starts in it. Newest match first. */
  readonly limit: number;
  /** Matching spans given per trace. */
  readonly spansMax: number;
  readonly signal?: AbortSignal;
}

export interface TraceSummary {
  readonly traceId: string;
  readonly rootService: string;
  readonly rootName: string;
  readonly startNs: bigint;
  readonly durationNs: number;
  readonly spanCount: number;
  readonly errorCount: number;
  /** Spans per service. */
  readonly services: Readonly<Record<string, number>>;
  /** Failing spans per service; services without are left out. */
  readonly serviceErrors: Readonly<Record<string, number>>;
  /** Up to three span ids that matched. */
  readonly matched: readonly string[];
}

export interface FoundTrace {
  readonly summary: TraceSummary;
  /** Spans of the range that matched; `spans` holds the first of them. */
  readonly matchedCount: number;
  readonly spans: readonly Span[];
}

export interface CandidateSearch extends TraceTimeRange {
  readonly where: TracePredicate;
  readonly limit: number;
  readonly signal?: AbortSignal;
}

/** A trace that may match, and its newest span that speaks for it. */
export interface CandidateTrace {
  readonly traceId: string;
  readonly newestNs: bigint;
}

/** Spans counted, by their weight, and measured by step and fields, where the store can do it without handing them out. */
export interface SpanAggregation extends TraceTimeRange {
  readonly where: SpanPredicate;
  /** A span belongs to the first `startMs + i × stepMs`, i ≥ 1, that is not before its start. */
  readonly stepMs: number;
  readonly by: readonly SpanField[];
  /** What is measured; spans without a number there are left out. Undefined: spans are only counted. */
  readonly value?: SpanField;
  /** Group also by the power of two that the value reaches: `2^(exponent-1) < value ≤ 2^exponent`. Leaves out values ≤ 0. */
  readonly exponents: boolean;
  /** More rows than this are refused with "limit". */
  readonly rowsMax: number;
  readonly signal?: AbortSignal;
}

export interface SpanAggregationRow {
  readonly timeMs: number;
  /** In the order of `by`; undefined where the span has no such field. */
  readonly by: readonly (AttributeValue | undefined)[];
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly exponent: number;
}

export interface SpanAggregationResult {
  readonly rows: readonly SpanAggregationRow[];
  readonly warnings: readonly string[];
}

export type TagScope = Exclude<FieldScope, "any">;
/** In the order in which their tags are listed. */
export const tagScopes: readonly TagScope[] = [
  "resource",
  "span",
  "event",
  "link",
  "instrumentation",
  "intrinsic",
];

export interface TagNames {
  readonly scope: TagScope;
  /** Sorted. */
  readonly tags: readonly string[];
}

/** "keyword": a word of the language, such as `error`. Durations are written like 1.5s. */
export interface TagValue {
  readonly type: "string" | "int" | "float" | "bool" | "duration" | "keyword";
  readonly value: string;
}

export interface TagNamesRequest extends TraceTimeRange {
  readonly scope: Exclude<TagScope, "intrinsic">;
  readonly limit: number;
  readonly signal?: AbortSignal;
}

export interface FieldValuesRequest extends TraceTimeRange {
  readonly field: SpanField;
  readonly where: SpanPredicate;
  readonly limit: number;
  readonly signal?: AbortSignal;
}

/** What is wanted of a trace's spans. Who gives them may give more. */
export interface SpanParts {
  /** These attributes of spans and resources alone; no events, no links, nothing of the scope. */
  readonly attributes?: readonly string[];
  /** These spans alone. */
  readonly spanIds?: readonly string[];
}

/** Texts by row, of which many rows share few. */
export interface TextColumn {
  /** Each once. */
  readonly texts: readonly string[];
  /** By row, into `texts`. */
  readonly at: Int32Array;
}

/** An attribute that goes by several keys: of each span the first that has a text which is not empty. */
export interface FirstText {
  readonly scope: "span" | "resource";
  readonly keys: readonly string[];
}

/** Spans of one trace in columns, in any order: what the trace's shape and times are made of. Columns are by row. */
export interface SpanColumns {
  /** Span ids, each once: a client and a server may share one. */
  readonly ids: readonly string[];
  /** Into `ids`. */
  readonly id: Int32Array;
  /** Into `ids`; −1 where there is no parent, or none of these spans is it. */
  readonly parentId: Int32Array;
  readonly service: TextColumn;
  readonly name: TextColumn;
  /** Into `spanKinds`. */
  readonly kind: Uint8Array;
  /** Into `spanStatuses`. */
  readonly status: Uint8Array;
  /** Unix time of the earliest start. */
  readonly originNs: bigint;
  /** Since `originNs`. Doubles hold nanoseconds exactly for 104 days. */
  readonly startNs: Float64Array;
  readonly durationNs: Float64Array;
  /** Those that were asked for, in that order; "" where a span has none. */
  readonly firstTexts: readonly TextColumn[];
}

/**
 * Trace ids are 32 hex digits; shorter ones stand for themselves with zeros in front, as Jaeger and Zipkin have them.
 * Errors: `SkoposError` with code "bad-query", "limit", "cancelled", "unavailable".
 */
export interface TraceReader {
  /** Every span of the trace, duplicates removed, by start time. Empty when unknown. A right `within` makes it faster. */
  trace(
    traceId: string,
    signal?: AbortSignal,
    within?: TraceTimeRange,
    parts?: SpanParts,
  ): Promise<Span[]>;
  /** The same spans in columns, in any order. */
  columns(
    traceId: string,
    firstTexts: readonly FirstText[],
    signal?: AbortSignal,
  ): Promise<SpanColumns>;
  /** Several traces in the order asked for, those unknown left out. Over `spansMax` spans in all it rejects with "limit". */
  traces(
    traceIds: readonly string[],
    options: { spansMax: number; signal?: AbortSignal; within?: TraceTimeRange },
  ): Promise<Span[][]>;
  search(search: TraceSearch): Promise<FoundTrace[]>;
  /** Traces on which `where` holds, by the spans that start in the range. Newest first. */
  candidates(search: CandidateSearch): Promise<CandidateTrace[]>;
  aggregate(request: SpanAggregation): Promise<SpanAggregationResult>;
  /** Names of attributes, sorted. */
  tagNames(request: TagNamesRequest): Promise<string[]>;
  /** Values that the field has on matching spans, the most frequent first. */
  fieldValues(request: FieldValuesRequest): Promise<AttributeValue[]>;
  /** Sorted. */
  services(startMs: number, endMs: number): Promise<string[]>;
  /** Names of the service's spans, sorted. */
  operations(service: string, startMs: number, endMs: number): Promise<string[]>;
}

export interface MatchedSpan {
  readonly spanId: string;
  readonly service: string;
  readonly name: string;
  readonly startNs: bigint;
  readonly durationNs: number;
  /** The fields that the query names or selects, by the name they have in the query. */
  readonly attributes: Attributes;
}

export interface SpanSet {
  /** How many spans there are in the set; `spans` holds the first of them. */
  readonly matched: number;
  /** What belongs to the set as a whole: its group, as `by(…)`, and its aggregates, as `count()`. */
  readonly attributes: Attributes;
  readonly spans: readonly MatchedSpan[];
}

export interface TraceMatch extends TraceSummary {
  readonly spanSets: readonly SpanSet[];
}

export interface TraceSearchRequest extends TraceTimeRange {
  readonly limit: number;
  /** Spans given per span set; 3 when absent. */
  readonly spansPerSet?: number;
  readonly signal?: AbortSignal;
}

export interface TraceSearchResult {
  readonly traces: readonly TraceMatch[];
  readonly warnings: readonly string[];
  /** Spans that were read to answer, beyond what the store decided by itself. */
  readonly spansRead: number;
}

export interface TraceMetricsRequest extends TraceTimeRange {
  readonly stepMs: number;
  readonly signal?: AbortSignal;
}

/** Questions in TraceQL. Errors: as of `TraceReader`; parse and type errors are "bad-query" with line and column. */
export interface TraceEngine {
  trace(
    traceId: string,
    signal?: AbortSignal,
    within?: TraceTimeRange,
    parts?: SpanParts,
  ): Promise<Span[]>;
  /** Several whole traces at once, in the order asked for, those unknown left out. */
  traces(
    traceIds: readonly string[],
    signal?: AbortSignal,
    within?: TraceTimeRange,
  ): Promise<Span[][]>;
  /** An empty query finds every trace. Newest first. */
  search(query: string, request: TraceSearchRequest): Promise<TraceSearchResult>;
  /** The value is a matrix; durations are in seconds. */
  metrics(query: string, request: TraceMetricsRequest): Promise<MetricResult>;
  /** Names that can be asked for, by scope; every scope when none is given. */
  tags(request: TraceTimeRange & { scope?: TagScope; signal?: AbortSignal }): Promise<TagNames[]>;
  /** `tag` as a query writes it: `span.http.method`, `.foo`, `status`, `span:name`. `query` narrows the spans looked at. */
  tagValues(
    tag: string,
    request: TraceTimeRange & { query?: string; limit?: number; signal?: AbortSignal },
  ): Promise<TagValue[]>;
  services(startMs: number, endMs: number): Promise<string[]>;
  operations(service: string, startMs: number, endMs: number): Promise<string[]>;
}
