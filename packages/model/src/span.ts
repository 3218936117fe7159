/** Spans, and the seam between trace stores and TraceQL. */

export type AttributeValue = string | number | boolean | readonly AttributeValue[];
export type Attributes = Readonly<Record<string, AttributeValue>>;
export type SpanKind = "unspecified" | "internal" | "server" | "client" | "producer" | "consumer";
export type SpanStatus = "unset" | "ok" | "error";

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
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
}

/** One condition on a span; a search's conditions must all hold on the same span. */
export interface SpanCondition {
  readonly scope: "intrinsic" | "span" | "resource" | "any";
  /** Intrinsics: "service", "name", "kind", "status", "durationMs". Otherwise the attribute's key. */
  readonly name: string;
  readonly op: "=" | "!=" | ">" | ">=" | "<" | "<=" | "=~" | "!~" | "exists";
  readonly value: string | number | boolean;
}

export interface TraceSearch {
  readonly conditions: readonly SpanCondition[];
  /** Unix milliseconds; a trace belongs to the range when a matching span starts in it. */
  readonly startMs: number;
  readonly endMs: number;
  /** Newest first. */
  readonly limit: number;
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
  /** Up to three span ids that matched. */
  readonly matched: readonly string[];
}

export interface TraceReader {
  /** Every span of the trace, duplicates removed, by start time. Empty when unknown. */
  trace(traceId: string, signal?: AbortSignal): Promise<Span[]>;
  search(search: TraceSearch): Promise<TraceSummary[]>;
  services(startMs: number, endMs: number): Promise<string[]>;
  operations(service: string, startMs: number, endMs: number): Promise<string[]>;
}

/** Errors: `SkoposError` with code "bad-query", "limit", "cancelled", "unavailable". */
export interface TraceEngine {
  trace(traceId: string, signal?: AbortSignal): Promise<Span[]>;
  search(
    query: string,
    range: { startMs: number; endMs: number; limit: number; signal?: AbortSignal },
  ): Promise<TraceSummary[]>;
  services(startMs: number, endMs: number): Promise<string[]>;
  operations(service: string, startMs: number, endMs: number): Promise<string[]>;
}
