/**
 * Spans out of Jaeger's JSON: times in microseconds, everything else in tags. Tags that Jaeger makes of OpenTelemetry's
 * fields become those fields again. Source: jaeger model/json; OpenTelemetry specification, "OpenTelemetry to Jaeger".
 */
import {
  type Attributes,
  type AttributeValue,
  type Span,
  type SpanEvent,
  spanKinds,
  type SpanLink,
  type SpanStatus,
} from "@skopos/model";
import { bad, bigOf, countOf, type Json, listOf, recordOf, textOf } from "./values.ts";

const nsPerMicrosecond = 1000n;

export function spansOfJaeger(value: unknown): Span[] {
  const trace = recordOf(value, "a trace");
  const processes = recordOf(trace["processes"] ?? {}, "processes");
  return listOf(trace["spans"], "spans").map((each) => spanOf(recordOf(each, "a span"), processes));
}

export function paddedId(value: unknown, digits: 16 | 32): string {
  const text = textOf(value, "an id").toLowerCase();
  if (!/^[0-9a-f]+$/.test(text) || text.length > digits) throw bad("an id is not hexadecimal");
  return text.padStart(digits, "0");
}

function spanOf(span: Json, processes: Json): Span {
  const traceId = paddedId(span["traceID"], 32);
  const { serviceName = "unknown_service", tags } = recordOf(
    processes[String(span["processID"])] ?? span["process"] ?? {},
    "a process",
  );
  const { parentSpanId, links } = referencesOf(span, traceId);
  return {
    traceId,
    spanId: paddedId(span["spanID"], 16),
    parentSpanId,
    service: textOf(serviceName, "a service"),
    name: textOf(span["operationName"] ?? "", "an operation"),
    startNs: bigOf(span["startTime"], "a start") * nsPerMicrosecond,
    durationNs: countOf(span["duration"] ?? 0, "a duration") * Number(nsPerMicrosecond),
    ...fieldsOf(attributesOf(span["tags"])),
    resource: attributesOf(tags),
    events: listOf(span["logs"], "logs").map(eventOf),
    links,
  };
}

function fieldsOf(tags: Attributes) {
  const {
    "span.kind": kind,
    "otel.status_code": code,
    "otel.status_description": statusMessage = "",
    "otel.scope.name": scopeName = tags["otel.library.name"] ?? "",
    "otel.scope.version": scopeVersion = tags["otel.library.version"] ?? "",
    "otel.library.name": _name,
    "otel.library.version": _version,
    ...rest
  } = tags;
  const { error, ...others } = rest;
  const failed = error === true || error === "true";
  const status: SpanStatus =
    code === "ERROR" || (failed && code === undefined) ? "error" : code === "OK" ? "ok" : "unset";
  return {
    kind: spanKinds.find((known) => known === kind) ?? ("unspecified" as const),
    status,
    statusMessage: String(statusMessage),
    scopeName: String(scopeName),
    scopeVersion: String(scopeVersion),
    // Beside a status the tag says the same once more.
    attributes: code === "ERROR" && error === true ? others : rest,
  };
}

function referencesOf(span: Json, traceId: string): { parentSpanId: string; links: SpanLink[] } {
  const references = listOf(span["references"], "references").map((each) => {
    const { refType, traceID, spanID } = recordOf(each, "a reference");
    const link = { traceId: paddedId(traceID, 32), spanId: paddedId(spanID, 16), attributes: {} };
    return { isChild: refType === "CHILD_OF", link };
  });
  const own = references.filter(({ link }) => link.traceId === traceId);
  const parent = own.find(({ isChild }) => isChild) ?? own[0];
  return {
    parentSpanId: parent?.link.spanId ?? "",
    links: references.filter((each) => each !== parent).map(({ link }) => link),
  };
}

function eventOf(value: unknown): SpanEvent {
  const { timestamp, fields } = recordOf(value, "a log");
  const { event, ...attributes } = attributesOf(fields);
  return {
    timeNs: bigOf(timestamp, "a log's time") * nsPerMicrosecond,
    name: event === undefined ? "" : String(event),
    attributes,
  };
}

function attributesOf(value: unknown): Attributes {
  const pairs = listOf(value, "tags").map((each) => {
    const { key, type, value: tag } = recordOf(each, "a tag");
    return [textOf(key, "a tag's key"), tagValueOf(type, tag)] as const;
  });
  return Object.fromEntries(pairs);
}

function tagValueOf(type: unknown, value: unknown): AttributeValue {
  if (type === "int64" || type === "float64") return countOf(value, "a tag");
  if (type === "bool") return value === true || value === "true";
  return textOf(value, "a tag");
}
