/** A span while it is read, the judgement whether it is one, and the collection of those that are. */
import {
  type Attributes,
  type Span,
  type SpanEvent,
  spanKinds,
  type SpanLink,
  spanStatuses,
} from "@skopos/model";
import { IngestError } from "../errors.ts";
import { AttributeCutter } from "./attributes.ts";

export interface DecodedTraces {
  readonly spans: Span[];
  readonly rejected: number;
  /** Why spans were rejected; absent when none was. */
  readonly error?: string;
  /** Attributes, events and texts that were cut to their limits. */
  readonly cut: number;
}

/** Spans of one request. */
const spansMax = 250_000;
export const eventsMax = 256;
export const linksMax = 128;
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
  /** Lost on the way or cut here; told on the span, by the names that OpenTelemetry gives them. */
  droppedAttributes: number;
  droppedEvents: number;
  droppedLinks: number;
}

export interface Scope {
  readonly resource: Attributes;
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly scopeAttributes?: Attributes;
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
    droppedAttributes: 0,
    droppedEvents: 0,
    droppedLinks: 0,
  };
}

export class SpanCollector {
  readonly cutter = new AttributeCutter();
  readonly #spans: Span[] = [];
  #rejected = 0;
  #error: string | undefined;
  #dropped = 0;

  add(draft: SpanDraft, scope: Scope): void {
    const reason = fault(draft);
    if (reason !== undefined) {
      this.#rejected++;
      this.#error ??= reason;
      return;
    }
    if (this.#spans.length >= spansMax)
      throw new IngestError(
        "too-large",
        `more than ${spansMax} spans in one request: send fewer at a time`,
      );
    const { scopeAttributes } = scope;
    const service = scope.resource["service.name"];
    this.#dropped += draft.droppedEvents + draft.droppedLinks;
    this.#spans.push({
      traceId: draft.traceId,
      spanId: draft.spanId,
      parentSpanId: isZero(draft.parentSpanId) ? "" : draft.parentSpanId,
      service: typeof service === "string" && service !== "" ? service : "unknown_service",
      name: this.cutter.text(draft.name),
      kind: spanKinds[draft.kind] ?? "unspecified",
      startNs: draft.startNs,
      // A clock that went back between start and end leaves a span of no length, not a negative one.
      durationNs: draft.endNs > draft.startNs ? Number(draft.endNs - draft.startNs) : 0,
      status: spanStatuses[draft.status] ?? "unset",
      statusMessage: this.cutter.text(draft.statusMessage),
      attributes: withDropped(draft),
      resource: scope.resource,
      scopeName: scope.scopeName,
      scopeVersion: scope.scopeVersion,
      events: draft.events,
      links: draft.links,
      ...(scopeAttributes && !isEmpty(scopeAttributes) ? { scopeAttributes } : {}),
    });
  }

  result(): DecodedTraces {
    const cut = this.cutter.cut + this.#dropped;
    const counts = { spans: this.#spans, rejected: this.#rejected, cut };
    return this.#error === undefined ? counts : { ...counts, error: this.#error };
  }
}

function isEmpty(attributes: Attributes): boolean {
  for (const _ in attributes) return false;
  return true;
}

function withDropped(draft: SpanDraft): Attributes {
  const { attributes, droppedAttributes, droppedEvents, droppedLinks } = draft;
  if (droppedAttributes + droppedEvents + droppedLinks === 0) return attributes;
  return {
    ...attributes,
    ...(droppedAttributes > 0 ? { "otel.dropped_attributes_count": droppedAttributes } : {}),
    ...(droppedEvents > 0 ? { "otel.dropped_events_count": droppedEvents } : {}),
    ...(droppedLinks > 0 ? { "otel.dropped_links_count": droppedLinks } : {}),
  };
}

function fault(draft: SpanDraft): string | undefined {
  const id = draft.spanId || "?";
  if (!isHex(draft.traceId, 32) || isZero(draft.traceId))
    return `span ${id} has no valid trace id (16 bytes, not all zero)`;
  if (!isHex(draft.spanId, 16) || isZero(draft.spanId))
    return `a span of trace ${draft.traceId} has no valid span id (8 bytes, not all zero)`;
  if (draft.startNs <= 0n) return `span ${id} has no start time`;
  if (draft.startNs > startMaxNs) return `span ${id} starts after the year 2200`;
  if (draft.parentSpanId !== "" && !isHex(draft.parentSpanId, 16))
    return `span ${id} has a parent span id that is not 8 bytes`;
  return undefined;
}

/** Whether a text is so many lower-case hexadecimal digits. */
function isHex(text: string, digits: number): boolean {
  if (text.length !== digits) return false;
  for (let i = 0; i < digits; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x30 || (code > 0x39 && code < 0x61) || code > 0x66) return false;
  }
  return true;
}

/** Nothing but zeros, or nothing at all. */
function isZero(text: string): boolean {
  let i = 0;
  while (i < text.length && text.charCodeAt(i) === 0x30) i++;
  return i === text.length;
}
