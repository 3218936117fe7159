/**
 * Takes spans: encodes them once, as rows of `spans`, and has them acknowledged by the journal. The order of columns is
 * that of `spanColumns`; another order or set needs another kind of frame, since old frames may wait in a journal:
 * those of kind `spans` have the columns before `scope_attributes`.
 */
import type { Attributes, Span, SpanEvent, SpanLink, SpanSink } from "@skopos/model";
import { frameKinds } from "../journal/frame.ts";
import type { JournalWriter } from "../journal/journal.ts";
import { attributesOf, attributeText } from "./attribute-text.ts";
import { TsvRows } from "./tsv-rows.ts";

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
  readonly #rows = new TsvRows();

  constructor(journal: JournalWriter) {
    this.#journal = journal;
  }

  /** Also rejects with "overloaded" when the journal's buffer is full. */
  async append(spans: readonly Span[]): Promise<void> {
    // What an earlier call left when it failed half-way was never in the journal.
    this.#rows.clear();
    let position = 0;
    // Spans of one resource come together and share the object.
    let resource: Attributes | undefined;
    let resourceField = "";
    for (const span of spans) {
      const rows = this.#rows;
      rows.text(span.service);
      rows.plain(String(span.startNs));
      rows.plain(String(Math.max(0, Math.round(span.durationNs))));
      rows.id(span.traceId, 16);
      rows.id(span.spanId, 8);
      rows.id(span.parentSpanId, 8);
      rows.text(span.name);
      rows.plain(span.kind);
      rows.plain(span.status);
      rows.text(span.statusMessage);
      rows.text(span.scopeName);
      rows.text(span.scopeVersion);
      rows.mapOf(span.attributes, attributeText);
      if (resource === span.resource) rows.raw(resourceField);
      else {
        resource = span.resource;
        resourceField = rows.captured(() => rows.mapOf(span.resource, attributeText));
      }
      rows.text(eventsText(span.events));
      rows.text(linksText(span.links));
      rows.mapOf(span.scopeAttributes ?? noAttributes, attributeText);
      rows.endRow();
      if (rows.sizeBytes >= frameBytesWanted)
        position = this.#journal.append(frameKinds.scopedSpans, rows.take());
    }
    if (this.#rows.sizeBytes > 0)
      position = this.#journal.append(frameKinds.scopedSpans, this.#rows.take());
    if (position > 0) await this.#journal.flushed(position);
  }
}
