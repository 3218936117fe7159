/**
 * OTLP logs: ExportLogsServiceRequest, in protobuf and JSON, to log lines. A record without a time, or with a line that is
 * too long, is rejected and counted for the partial-success answer; a body that cannot be read at all is an error.
 * Source: opentelemetry/proto/logs/v1/logs.proto and the OTLP specification.
 */
import { bodyMaxDefault, inflateBody, mediaTypeOf } from "../wire/body.ts";
import { asInt64, asList, asObject, asText, parseJson } from "../wire/json.ts";
import { ProtobufReader } from "../wire/protobuf.ts";
import { type AttributeCutter, anyValueFromJson, readAnyValue } from "./attributes.ts";
import { FlatAttributes } from "./flat-attributes.ts";
import { type DecodedLogs, LogCollector, type LogDraft, type LogScope } from "./log-draft.ts";
import { enumNumber, idFromJson } from "./traces-json.ts";
import type { DecodeOptions } from "./traces.ts";

/** Throws "bad-protobuf", "bad-json", "bad-gzip", "too-large", "unsupported-media-type". */
export function decodeOtlpLogs(
  body: Uint8Array,
  contentType: string | undefined,
  options: DecodeOptions = {},
): DecodedLogs {
  const type = mediaTypeOf(contentType, "protobuf");
  const sizeMax = options.bodyMax ?? bodyMaxDefault;
  const bytes = inflateBody(body, options.contentEncoding, sizeMax);
  const collector = new LogCollector();
  if (type === "json") readJson(parseJson(bytes), collector);
  else readRequest(new ProtobufReader(bytes, "ExportLogsServiceRequest"), collector);
  return collector.result();
}

function emptyDraft(): LogDraft {
  return {
    timeNs: 0n,
    observedNs: 0n,
    severityNumber: 0,
    severityText: "",
    line: "",
    traceId: "",
    spanId: "",
    flags: 0,
    dropped: 0,
    eventName: "",
    attributes: {},
  };
}

function readRequest(reader: ProtobufReader, collector: LogCollector): void {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readResourceLogs(reader.message("ResourceLogs"), collector);
    else reader.skip();
  }
}

function readResourceLogs(reader: ProtobufReader, collector: LogCollector): void {
  const resource = new FlatAttributes(collector.cutter);
  // The resource may follow the scopes on the wire.
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readAttributes(reader.message("Resource"), resource);
    else reader.skip();
  }
  reader.rewind();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) readScopeLogs(reader.message("ScopeLogs"), resource, collector);
    else reader.skip();
  }
}

function readAttributes(reader: ProtobufReader, into: FlatAttributes): void {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) into.read(reader.message("KeyValue"));
    else reader.skip();
  }
}

function readScopeLogs(
  reader: ProtobufReader,
  resource: FlatAttributes,
  collector: LogCollector,
): void {
  let name = "";
  let version = "";
  const attributes = new FlatAttributes(collector.cutter);
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) {
      const scope = reader.message("InstrumentationScope");
      for (let part = scope.next(); part !== 0; part = scope.next()) {
        if (part === 1) name = collector.cutter.text(scope.text());
        else if (part === 2) version = collector.cutter.text(scope.text());
        else if (part === 3) attributes.read(scope.message("KeyValue"));
        else scope.skip();
      }
    } else reader.skip();
  }
  const scope: LogScope = collector.scope(resource, name, version, attributes);
  reader.rewind();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) collector.add(readRecord(reader.message("LogRecord"), collector), scope);
    else reader.skip();
  }
}

function readRecord(reader: ProtobufReader, collector: LogCollector): LogDraft {
  const draft = emptyDraft();
  const { cut } = collector.cutter;
  const attributes = new FlatAttributes(collector.cutter);
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) draft.timeNs = reader.fixed64();
    else if (field === 2) draft.severityNumber = reader.int32();
    else if (field === 3) draft.severityText = collector.cutter.text(reader.text());
    else if (field === 5)
      draft.line = lineOf(readAnyValue(reader.message("AnyValue"), collector.lineCutter, 0));
    else if (field === 6) attributes.read(reader.message("KeyValue"));
    else if (field === 7) draft.dropped += reader.int32();
    else if (field === 8) draft.flags = reader.fixed32();
    else if (field === 9) draft.traceId = reader.hex();
    else if (field === 10) draft.spanId = reader.hex();
    else if (field === 11) draft.observedNs = reader.fixed64();
    else if (field === 12) draft.eventName = collector.cutter.text(reader.text());
    else reader.skip();
  }
  draft.dropped += collector.cutter.cut - cut;
  draft.attributes = attributes.pairs;
  return draft;
}

function lineOf(body: ReturnType<typeof readAnyValue>): string {
  if (body === undefined) return "";
  return typeof body === "object" ? JSON.stringify(body) : String(body);
}

function readJson(value: unknown, collector: LogCollector): void {
  const root = asObject(value, "");
  for (const [i, entry] of asList(root["resourceLogs"], "resourceLogs").entries()) {
    const path = `resourceLogs[${i}]`;
    const { resource, scopeLogs } = asObject(entry, path);
    const resourceAttributes = attributesOf(resource, `${path}.resource`, collector.cutter);
    for (const [j, scopeEntry] of asList(scopeLogs, `${path}.scopeLogs`).entries()) {
      const at = `${path}.scopeLogs[${j}]`;
      const { scope: rawScope, logRecords } = asObject(scopeEntry, at);
      const named = asObject(rawScope ?? {}, `${at}.scope`);
      const scope = collector.scope(
        resourceAttributes,
        collector.cutter.text(asText(named["name"], `${at}.scope.name`)),
        collector.cutter.text(asText(named["version"], `${at}.scope.version`)),
        attributesOf(rawScope, `${at}.scope`, collector.cutter),
      );
      for (const [k, record] of asList(logRecords, `${at}.logRecords`).entries())
        collector.add(draftFromJson(record, collector, `${at}.logRecords[${k}]`), scope);
    }
  }
}

function attributesOf(holder: unknown, path: string, cutter: AttributeCutter): FlatAttributes {
  const flat = new FlatAttributes(cutter);
  if (holder !== undefined && holder !== null)
    flat.readJson(asObject(holder, path)["attributes"], `${path}.attributes`);
  return flat;
}

function draftFromJson(value: unknown, collector: LogCollector, path: string): LogDraft {
  const record = asObject(value, path);
  const { cutter } = collector;
  const { cut } = cutter;
  const dropped = record["droppedAttributesCount"];
  const flags = record["flags"];
  const draft: LogDraft = {
    ...emptyDraft(),
    timeNs: asInt64(record["timeUnixNano"], `${path}.timeUnixNano`),
    observedNs: asInt64(record["observedTimeUnixNano"], `${path}.observedTimeUnixNano`),
    severityNumber: enumNumber(record["severityNumber"], severities, `${path}.severityNumber`),
    severityText: cutter.text(asText(record["severityText"], `${path}.severityText`)),
    line: lineOf(anyValueFromJson(record["body"], collector.lineCutter, `${path}.body`, 0)),
    traceId: idFromJson(record["traceId"], 16, `${path}.traceId`),
    spanId: idFromJson(record["spanId"], 8, `${path}.spanId`),
    flags: typeof flags === "number" ? flags : 0,
    eventName: cutter.text(asText(record["eventName"], `${path}.eventName`)),
    attributes: attributesOf(record, path, cutter).pairs,
  };
  draft.dropped = cutter.cut - cut + (typeof dropped === "number" ? dropped : 0);
  return draft;
}

/** "SEVERITY_NUMBER_UNSPECIFIED", "…_TRACE", "…_TRACE2" to "…_FATAL4". */
const severities = [
  "SEVERITY_NUMBER_UNSPECIFIED",
  ...["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].flatMap((level) =>
    ["", "2", "3", "4"].map((step) => `SEVERITY_NUMBER_${level}${step}`),
  ),
];
