/** A span while it is read, the judgement whether it is one, and the collection of those that are. */
import type { Attributes, Span, SpanEvent, SpanLink } from "@skopos/model";
import { AttributeCutter } from "./attributes.ts";

export interface DecodedTraces {
  readonly spans: Span[];
  readonly rejected: number;
  /** Why spans were rejected; absent when none was. */
  readonly error?: string;
  /** Attributes, events and texts that were cut to their limits. */
  readonly cut: number;
}

export const eventsMax = 256;
export const linksMax = 128;
const kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;
const statuses = ["unset", "ok", "error"] as const;
const noAttributes: Attributes = {};
/** 2200-01-01: a time beyond it is a unit mistaken, and would not fit the stores' columns. */
const startMaxNs = 7_258_118_400_000_000_000n;

/** A span being read; the collector judges and completes it. */
export interface SpanDraft {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: number;
  startNs: bigint;
  endNs: bigint;
  status: number;
  statusMessage: string;
  attributes: Attributes;
  events: SpanEvent[];
  links: SpanLink[];
}

export interface Scope {
  readonly resource: Attributes;
  readonly scopeName: string;
  readonly scopeVersion: string;
}

export function emptyDraft(): SpanDraft {
  return {
    traceId: "",
    spanId: "",
    parentSpanId: "",
    name: "",
    kind: 0,
    startNs: 0n,
    endNs: 0n,
    status: 0,
    statusMessage: "",
    attributes: noAttributes,
    events: [],
    links: [],
  };
}

export class SpanCollector {
  readonly cutter = new AttributeCutter();
  readonly #spans: Span[] = [];
  #rejected = 0;
  #error: string | undefined;

  add(draft: SpanDraft, scope: Scope): void {
    const reason = fault(draft);
    if (reason !== undefined) {
      this.#rejected++;
      this.#error ??= reason;
      return;
    }
    const service = scope.resource["service.name"];
    this.#spans.push({
      traceId: draft.traceId,
      spanId: draft.spanId,
      parentSpanId: /^0*$/.test(draft.parentSpanId) ? "" : draft.parentSpanId,
      service: typeof service === "string" && service !== "" ? service : "unknown_service",
      name: this.cutter.text(draft.name),
      kind: kinds[draft.kind] ?? "unspecified",
      startNs: draft.startNs,
      // A clock that went back between start and end leaves a span of no length, not a negative one.
      durationNs: draft.endNs > draft.startNs ? Number(draft.endNs - draft.startNs) : 0,
      status: statuses[draft.status] ?? "unset",
      statusMessage: this.cutter.text(draft.statusMessage),
      attributes: draft.attributes,
      resource: scope.resource,
      scopeName: scope.scopeName,
      scopeVersion: scope.scopeVersion,
      events: draft.events,
      links: draft.links,
    });
  }

  result(): DecodedTraces {
    const counts = { spans: this.#spans, rejected: this.#rejected, cut: this.cutter.cut };
    return this.#error === undefined ? counts : { ...counts, error: this.#error };
  }
}

function fault(draft: SpanDraft): string | undefined {
  const id = draft.spanId || "?";
  if (!/^[0-9a-f]{32}$/.test(draft.traceId) || /^0+$/.test(draft.traceId))
    return `span ${id} has no valid trace id (16 bytes, not all zero)`;
  if (!/^[0-9a-f]{16}$/.test(draft.spanId) || /^0+$/.test(draft.spanId))
    return `a span of trace ${draft.traceId} has no valid span id (8 bytes, not all zero)`;
  if (draft.startNs <= 0n) return `span ${id} has no start time`;
  if (draft.startNs > startMaxNs) return `span ${id} starts after the year 2200`;
  if (draft.parentSpanId !== "" && !/^[0-9a-f]{16}$/.test(draft.parentSpanId))
    return `span ${id} has a parent span id that is not 8 bytes`;
  return undefined;
}
