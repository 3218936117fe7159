/**
 * Takes spans: encodes them once, as blocks of rows of `spans`, and has them acknowledged by the journal. The columns are
 * `spanColumns`; another set needs another kind of frame, since old frames may wait in a journal: those of kind `spans`
 * have the columns before `scope_attributes`.
 */
import {
  type Attributes,
  type Span,
  type SpanEvent,
  spanKinds,
  type SpanLink,
  type SpanSink,
  spanStatuses,
} from "@skopos/model";
import { frameKinds } from "../journal/frame.ts";
import type { JournalWriter } from "../journal/journal.ts";
import { attributesOf, attributeText } from "./attribute-text.ts";
import { DictionaryColumn, MapColumn, NativeBlock, PlainColumn } from "./native-block.ts";
import { kind, status } from "./tables.ts";

export const firstSpanColumns = [
  "service",
  "start_ns",
  "duration_ns",
  "trace_id",
  "span_id",
  "parent_span_id",
  "name",
  "kind",
  "status",
  "status_message",
  "scope_name",
  "scope_version",
  "attributes",
  "resource",
  "events",
  "links",
] as const;
export const spanColumns = [...firstSpanColumns, "scope_attributes"] as const;

/** Frames are cut at about this size. */
export const frameBytesWanted = 4 * 1024 * 1024;

const name = "LowCardinality(String)";
export const textMap = "Map(LowCardinality(String), String)";
const noAttributes: Attributes = {};

function texts(attributes: Attributes): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [key, attributeText(value)]),
  );
}

/** "" for none, else JSON: [[ns, name, {…}], …]. */
function eventsText(events: readonly SpanEvent[]): string {
  if (events.length === 0) return "";
  return JSON.stringify(events.map((e) => [String(e.timeNs), e.name, texts(e.attributes)]));
}

export function eventsOf(text: string): SpanEvent[] {
  if (text === "") return [];
  // Written by `eventsText`.
  const found = JSON.parse(text) as [string, string, Record<string, string>][];
  return found.map(([timeNs, name, attributes]) => ({
    timeNs: BigInt(timeNs),
    name,
    attributes: attributesOf(attributes),
  }));
}

/** "" for none, else JSON: [[trace id, span id, {…}], …]. */
function linksText(links: readonly SpanLink[]): string {
  if (links.length === 0) return "";
  return JSON.stringify(links.map((l) => [l.traceId, l.spanId, texts(l.attributes)]));
}

export function linksOf(text: string): SpanLink[] {
  if (text === "") return [];
  // Written by `linksText`.
  const found = JSON.parse(text) as [string, string, Record<string, string>][];
  return found.map(([traceId, spanId, attributes]) => ({
    traceId,
    spanId,
    attributes: attributesOf(attributes),
  }));
}

export class TraceStore implements SpanSink {
  readonly #journal: JournalWriter;
  readonly #service = new DictionaryColumn();
  readonly #start = new PlainColumn();
  readonly #duration = new PlainColumn();
  readonly #traceId = new PlainColumn();
  readonly #spanId = new PlainColumn();
  readonly #parentSpanId = new PlainColumn();
  readonly #name = new DictionaryColumn();
  readonly #kind = new PlainColumn();
  readonly #status = new PlainColumn();
  readonly #statusMessage = new PlainColumn();
  readonly #scopeName = new DictionaryColumn();
  readonly #scopeVersion = new DictionaryColumn();
  readonly #attributes = new MapColumn();
  readonly #resource = new MapColumn();
  readonly #events = new PlainColumn();
  readonly #links = new PlainColumn();
  readonly #scopeAttributes = new MapColumn();
  readonly #block = new NativeBlock([
    { name: "service", type: name, values: this.#service },
    { name: "start_ns", type: "Int64", values: this.#start },
    { name: "duration_ns", type: "UInt64", values: this.#duration },
    { name: "trace_id", type: "FixedString(16)", values: this.#traceId },
    { name: "span_id", type: "FixedString(8)", values: this.#spanId },
    { name: "parent_span_id", type: "FixedString(8)", values: this.#parentSpanId },
    { name: "name", type: name, values: this.#name },
    { name: "kind", type: kind, values: this.#kind },
    { name: "status", type: status, values: this.#status },
    { name: "status_message", type: "String", values: this.#statusMessage },
    { name: "scope_name", type: name, values: this.#scopeName },
    { name: "scope_version", type: name, values: this.#scopeVersion },
    { name: "attributes", type: textMap, values: this.#attributes },
    { name: "resource", type: textMap, values: this.#resource },
    { name: "events", type: "String", values: this.#events },
    { name: "links", type: "String", values: this.#links },
    { name: "scope_attributes", type: textMap, values: this.#scopeAttributes },
  ]);

  constructor(journal: JournalWriter) {
    this.#journal = journal;
  }

  /** Also rejects with "overloaded" when the journal's buffer is full. */
  async append(spans: readonly Span[]): Promise<void> {
    const block = this.#block;
    // What an earlier call left when it failed half-way was never in the journal.
    block.clear();
    let position = 0;
    // Spans of one resource come together and share the object.
    let resource: Attributes | undefined;
    for (const span of spans) {
      if (resource === span.resource) this.#resource.again();
      else {
        resource = span.resource;
        putAttributes(this.#resource, resource);
      }
      this.#own(span);
      block.endRow();
      if (block.sizeBytes < frameBytesWanted) continue;
      position = this.#journal.append(frameKinds.spanBlocks, block.take());
      resource = undefined;
    }
    if (block.rows > 0) position = this.#journal.append(frameKinds.spanBlocks, block.take());
    if (position > 0) await this.#journal.flushed(position);
  }

  /** All columns but the resource. */
  #own(span: Span): void {
    this.#service.text(span.service);
    this.#start.int64(span.startNs);
    this.#duration.uint64(Math.max(0, Math.round(span.durationNs)));
    this.#traceId.hex(span.traceId, 16);
    this.#spanId.hex(span.spanId, 8);
    this.#parentSpanId.hex(span.parentSpanId, 8);
    this.#name.text(span.name);
    this.#kind.enum8(spanKinds.indexOf(span.kind));
    this.#status.enum8(spanStatuses.indexOf(span.status));
    this.#statusMessage.text(span.statusMessage);
    this.#scopeName.text(span.scopeName);
    this.#scopeVersion.text(span.scopeVersion);
    putAttributes(this.#attributes, span.attributes);
    this.#events.text(eventsText(span.events));
    this.#links.text(linksText(span.links));
    putAttributes(this.#scopeAttributes, span.scopeAttributes ?? noAttributes);
  }
}

function putAttributes(column: MapColumn, attributes: Attributes): void {
  for (const key in attributes) {
    const value = attributes[key];
    if (value !== undefined) column.put(key, attributeText(value));
  }
  column.endRow();
}
