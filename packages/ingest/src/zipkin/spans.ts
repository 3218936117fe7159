/**
 * Zipkin v2 spans, in JSON (a list of spans) and protobuf (ListOfSpans). A span without valid ids or a time is rejected and
 * counted; a body that cannot be read at all is an error.
 * Source: zipkin.io/zipkin-api, zipkin2-api.yaml and zipkin.proto.
 */
import { isIP } from "node:net";
import { bodyMaxDefault, inflateBody, mediaTypeOf } from "../wire/body.ts";
import { asInt64, asList, asObject, asText, badJson, parseJson } from "../wire/json.ts";
import { ProtobufReader } from "../wire/protobuf.ts";
import type { DecodedTraces } from "../otlp/span-draft.ts";
import type { DecodeOptions } from "../otlp/traces.ts";
import {
  checkedKind,
  emptyZipkinSpan,
  ZipkinCollector,
  type ZipkinEndpoint,
  zipkinKind,
  type ZipkinSpan,
} from "./span-of.ts";

/** Throws "bad-protobuf", "bad-json", "bad-gzip", "too-large", "unsupported-media-type". */
export function decodeZipkinSpans(
  body: Uint8Array,
  contentType: string | undefined,
  options: DecodeOptions = {},
): DecodedTraces {
  const type = mediaTypeOf(contentType, "json");
  const sizeMax = options.bodyMax ?? bodyMaxDefault;
  const bytes = inflateBody(body, options.contentEncoding, sizeMax);
  const collector = new ZipkinCollector();
  if (type === "json") readJson(bytes, collector);
  else {
    const reader = new ProtobufReader(bytes, "ListOfSpans");
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === 1) collector.add(readSpan(reader.message("Span"), collector));
      else reader.skip();
    }
  }
  return collector.result();
}

function readSpan(reader: ProtobufReader, collector: ZipkinCollector): ZipkinSpan {
  const span = emptyZipkinSpan();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) span.traceId = reader.hex();
    else if (field === 2) span.parentId = reader.hex();
    else if (field === 3) span.id = reader.hex();
    else if (field === 4) span.kind = zipkinKind(reader.int32());
    else if (field === 5) span.name = reader.text();
    else if (field === 6) span.timestampUs = reader.fixed64();
    else if (field === 7) span.durationUs = reader.uint64();
    else if (field === 8) span.local = readEndpoint(reader.message("Endpoint"));
    else if (field === 9) span.remote = readEndpoint(reader.message("Endpoint"));
    else if (field === 10) readAnnotation(reader.message("Annotation"), span, collector);
    else if (field === 11) readTag(reader.message("TagsEntry"), span, collector);
    else if (field === 12) span.debug = reader.int32() !== 0;
    else if (field === 13) span.shared = reader.int32() !== 0;
    else reader.skip();
  }
  return span;
}

function readEndpoint(reader: ProtobufReader): ZipkinEndpoint {
  let serviceName = "";
  let ip = "";
  let port = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) serviceName = reader.text();
    else if (field === 2) ip = reader.bytes().join(".");
    else if (field === 3) ip = ipv6Text(reader.hex());
    else if (field === 4) port = reader.int32();
    else reader.skip();
  }
  return { serviceName, ip: isIP(ip) === 0 ? "" : ip, port };
}

function ipv6Text(hex: string): string {
  const groups = hex.match(/.{4}/g) ?? [];
  return groups.map((group) => group.replace(/^0{1,3}/, "")).join(":");
}

function readAnnotation(
  reader: ProtobufReader,
  span: ZipkinSpan,
  collector: ZipkinCollector,
): void {
  let timestampUs = 0n;
  let value = "";
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) timestampUs = reader.fixed64();
    else if (field === 2) value = reader.text();
    else reader.skip();
  }
  collector.annotate(span, timestampUs, value);
}

function readTag(reader: ProtobufReader, span: ZipkinSpan, collector: ZipkinCollector): void {
  let key = "";
  let value = "";
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) key = reader.text();
    else if (field === 2) value = reader.text();
    else reader.skip();
  }
  collector.tag(span, key, value);
}

function readJson(bytes: Uint8Array, collector: ZipkinCollector): void {
  const root = parseJson(bytes);
  if (!Array.isArray(root)) badJson("", "a list of spans");
  for (const [i, entry] of asList(root, "").entries())
    collector.add(spanFromJson(entry, collector, `[${i}]`));
}

function spanFromJson(value: unknown, collector: ZipkinCollector, path: string): ZipkinSpan {
  const raw = asObject(value, path);
  const span: ZipkinSpan = {
    ...emptyZipkinSpan(),
    traceId: asText(raw["traceId"], `${path}.traceId`),
    id: asText(raw["id"], `${path}.id`),
    parentId: asText(raw["parentId"], `${path}.parentId`),
    kind: checkedKind(asText(raw["kind"], `${path}.kind`), `${path}.kind`),
    name: asText(raw["name"], `${path}.name`),
    timestampUs: microseconds(raw["timestamp"], `${path}.timestamp`),
    durationUs: microseconds(raw["duration"], `${path}.duration`),
    local: endpointFromJson(raw["localEndpoint"], `${path}.localEndpoint`),
    remote: endpointFromJson(raw["remoteEndpoint"], `${path}.remoteEndpoint`),
    debug: raw["debug"] === true,
    shared: raw["shared"] === true,
  };
  for (const [i, entry] of asList(raw["annotations"], `${path}.annotations`).entries()) {
    const at = `${path}.annotations[${i}]`;
    const { timestamp, value: text } = asObject(entry, at);
    const timestampUs = microseconds(timestamp, `${at}.timestamp`);
    collector.annotate(span, timestampUs, asText(text, `${at}.value`));
  }
  const tags = raw["tags"];
  if (tags !== undefined && tags !== null)
    for (const [key, text] of Object.entries(asObject(tags, `${path}.tags`)))
      collector.tag(span, key, typeof text === "string" ? text : JSON.stringify(text));
  return span;
}

/** Some clients write fractions of microseconds. */
function microseconds(value: unknown, path: string): bigint {
  return asInt64(typeof value === "number" && value > 0 ? Math.round(value) : value, path);
}

function endpointFromJson(value: unknown, path: string): ZipkinEndpoint | undefined {
  if (value === undefined || value === null) return undefined;
  const raw = asObject(value, path);
  const ip = asText(raw["ipv4"], `${path}.ipv4`) || asText(raw["ipv6"], `${path}.ipv6`);
  const port = raw["port"];
  return {
    serviceName: asText(raw["serviceName"], `${path}.serviceName`),
    ip: isIP(ip) === 0 ? "" : ip,
    port: typeof port === "number" && Number.isInteger(port) ? port : 0,
  };
}
