/**
 * OTLP traces: ExportTraceServiceRequest, in protobuf and JSON, to spans. A span without a valid trace and span id is
 * rejected and counted for the partial-success answer; a body that cannot be read at all is an error.
 * Source: opentelemetry/proto/trace/v1/trace.proto and the OTLP specification.
 */
import type { Attributes } from "@skopos/model";
import { bodyMaxDefault, inflateBody, mediaTypeOf } from "../wire/body.ts";
import { ProtobufReader } from "../wire/protobuf.ts";
import { type AttributeCutter, readKeyValue, AttributePairs } from "./attributes.ts";
import {
  type DecodedTraces,
  emptyDraft,
  eventsMax,
  linksMax,
  SpanCollector,
  type SpanDraft,
} from "./span-draft.ts";
import { spansFromJson } from "./traces-json.ts";

export interface DecodeOptions {
  readonly contentEncoding?: string | undefined;
  /** Bytes after inflating. */
  readonly bodyMax?: number;
}

const noAttributes: Attributes = {};

/** Throws "bad-protobuf", "bad-json", "bad-gzip", "too-large", "unsupported-media-type". */
export function decodeOtlpTraces(
  body: Uint8Array,
  contentType: string | undefined,
  options: DecodeOptions = {},
): DecodedTraces {
  const type = mediaTypeOf(contentType, "protobuf");
  const sizeMax = options.bodyMax ?? bodyMaxDefault;
  const bytes = inflateBody(body, options.contentEncoding, sizeMax);
  const collector = new SpanCollector();
  if (type === "json") spansFromJson(bytes, collector);
  else readRequest(new ProtobufReader(bytes, "ExportTraceServiceRequest"), collector);
  return collector.result();
}

function readRequest(reader: ProtobufReader, collector: SpanCollector): void {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readResourceSpans(reader.message("ResourceSpans"), collector);
    else reader.skip();
  }
}

function readResourceSpans(reader: ProtobufReader, collector: SpanCollector): void {
  let resource: Attributes = noAttributes;
  // The resource may follow the scopes on the wire.
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) resource = readAttributes(reader.message("Resource"), 1, collector.cutter);
    else reader.skip();
  }
  reader.rewind();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) readScopeSpans(reader.message("ScopeSpans"), resource, collector);
    else reader.skip();
  }
}

/** Attributes of a message that holds them in field `number`. */
function readAttributes(
  reader: ProtobufReader,
  number: number,
  cutter: AttributeCutter,
): Attributes {
  const pairs = new AttributePairs();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === number) readKeyValue(reader, cutter, pairs);
    else reader.skip();
  }
  return pairs.attributes;
}

function readScopeSpans(
  reader: ProtobufReader,
  resource: Attributes,
  collector: SpanCollector,
): void {
  let scopeName = "";
  let scopeVersion = "";
  const pairs = new AttributePairs();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) {
      const scope = reader.message("InstrumentationScope");
      for (let part = scope.next(); part !== 0; part = scope.next()) {
        if (part === 1) scopeName = collector.cutter.text(scope.text());
        else if (part === 2) scopeVersion = collector.cutter.text(scope.text());
        else if (part === 3) readKeyValue(scope, collector.cutter, pairs);
        else scope.skip();
      }
    } else reader.skip();
  }
  const scope = { resource, scopeName, scopeVersion, scopeAttributes: pairs.attributes };
  reader.rewind();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) collector.add(readSpan(reader, collector.cutter), scope);
    else reader.skip();
  }
}

/** The Span that the reader's field holds. */
function readSpan(reader: ProtobufReader, cutter: AttributeCutter): SpanDraft {
  const outer = reader.enter();
  const draft = emptyDraft();
  const pairs = new AttributePairs();
  const { cut } = cutter;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) draft.traceId = reader.hex();
    else if (field === 2) draft.spanId = reader.hex();
    else if (field === 4) draft.parentSpanId = reader.hex();
    else if (field === 5) draft.name = reader.name();
    else if (field === 6) draft.kind = reader.int32();
    else if (field === 7) draft.startNs = reader.fixed64();
    else if (field === 8) draft.endNs = reader.fixed64();
    else if (field === 9) readKeyValue(reader, cutter, pairs);
    else if (field === 10) draft.droppedAttributes += reader.int32();
    else if (field === 11) addEvent(draft, reader, cutter);
    else if (field === 12) draft.droppedEvents += reader.int32();
    else if (field === 13) addLink(draft, reader, cutter);
    else if (field === 15) readStatus(reader.message("Status"), draft);
    else reader.skip();
  }
  draft.droppedAttributes += cutter.cut - cut;
  draft.attributes = pairs.attributes;
  reader.leave(outer);
  return draft;
}

function addEvent(draft: SpanDraft, reader: ProtobufReader, cutter: AttributeCutter): void {
  if (draft.events.length >= eventsMax) {
    draft.droppedEvents++;
    reader.skip();
    return;
  }
  const event = reader.message("Event");
  const pairs = new AttributePairs();
  let timeNs = 0n;
  let name = "";
  for (let field = event.next(); field !== 0; field = event.next()) {
    if (field === 1) timeNs = event.fixed64();
    else if (field === 2) name = cutter.text(event.text());
    else if (field === 3) readKeyValue(event, cutter, pairs);
    else event.skip();
  }
  draft.events.push({ timeNs, name, attributes: pairs.attributes });
}

function addLink(draft: SpanDraft, reader: ProtobufReader, cutter: AttributeCutter): void {
  if (draft.links.length >= linksMax) {
    draft.droppedLinks++;
    reader.skip();
    return;
  }
  const link = reader.message("Link");
  const pairs = new AttributePairs();
  let traceId = "";
  let spanId = "";
  for (let field = link.next(); field !== 0; field = link.next()) {
    if (field === 1) traceId = link.hex();
    else if (field === 2) spanId = link.hex();
    else if (field === 4) readKeyValue(link, cutter, pairs);
    else link.skip();
  }
  draft.links.push({ traceId, spanId, attributes: pairs.attributes });
}

function readStatus(reader: ProtobufReader, draft: SpanDraft): void {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) draft.statusMessage = reader.text();
    else if (field === 3) draft.status = reader.int32();
    else reader.skip();
  }
}
