/**
 * Spans back into OTLP, as JSON and as protobuf: what Tempo's trace-by-id answers with. Resources and scopes are those that spans
 * share. Source: opentelemetry/proto/trace/v1/trace.proto.
 */
import type { AttributeValue, Attributes, Span } from "@skopos/model";

const kinds: Readonly<Record<Span["kind"], number>> = {
  unspecified: 0,
  internal: 1,
  server: 2,
  client: 3,
  producer: 4,
  consumer: 5,
};
const statuses: Readonly<Record<Span["status"], number>> = { unset: 0, ok: 1, error: 2 };

interface ScopeSpans {
  readonly first: Span;
  readonly spans: Span[];
}
interface ResourceSpans {
  readonly first: Span;
  readonly scopes: Map<string, ScopeSpans>;
}

function grouped(spans: readonly Span[]): ResourceSpans[] {
  const resources = new Map<string, ResourceSpans>();
  for (const span of spans) {
    const resourceKey = JSON.stringify([span.service, Object.entries(span.resource).sort()]);
    const resource = resources.get(resourceKey) ?? { first: span, scopes: new Map() };
    resources.set(resourceKey, resource);
    const { scopeName, scopeVersion, scopeAttributes = {} } = span;
    const scopeKey = JSON.stringify([scopeName, scopeVersion, Object.entries(scopeAttributes)]);
    const scope = resource.scopes.get(scopeKey) ?? { first: span, spans: [] };
    scope.spans.push(span);
    resource.scopes.set(scopeKey, scope);
  }
  return [...resources.values()];
}

/** The service's name is an attribute of the resource on the wire. */
function resourceOf({ service, resource }: Span): Attributes {
  return { "service.name": service, ...resource };
}

function anyValueJson(value: AttributeValue): object {
  switch (typeof value) {
    case "string":
      return { stringValue: value };
    case "boolean":
      return { boolValue: value };
    case "number":
      return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
    default:
      return { arrayValue: { values: value.map(anyValueJson) } };
  }
}

export function attributesJson(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValueJson(value) }));
}

const base64 = (hex: string) => Buffer.from(hex, "hex").toString("base64");

/** `resourceSpans` in protobuf's JSON form, where ids are base64: as Tempo writes them. */
export function resourceSpansJson(spans: readonly Span[]): object[] {
  return grouped(spans).map(({ first, scopes }) => ({
    resource: { attributes: attributesJson(resourceOf(first)) },
    scopeSpans: [...scopes.values()].map((scope) => ({
      scope: scopeJson(scope.first),
      spans: scope.spans.map(spanJson),
    })),
  }));
}

function scopeJson({ scopeName: name, scopeVersion: version, scopeAttributes }: Span): object {
  const scope = { name, version };
  return scopeAttributes ? { ...scope, attributes: attributesJson(scopeAttributes) } : scope;
}

function spanJson(span: Span): object {
  const endNs = span.startNs + BigInt(Math.round(span.durationNs));
  return {
    traceId: base64(span.traceId),
    spanId: base64(span.spanId),
    ...(span.parentSpanId === "" ? {} : { parentSpanId: base64(span.parentSpanId) }),
    name: span.name,
    kind: `SPAN_KIND_${span.kind.toUpperCase()}`,
    startTimeUnixNano: span.startNs.toString(),
    endTimeUnixNano: endNs.toString(),
    attributes: attributesJson(span.attributes),
    events: span.events.map(({ timeNs, name, attributes }) => ({
      timeUnixNano: timeNs.toString(),
      name,
      attributes: attributesJson(attributes),
    })),
    links: span.links.map((link) => ({
      traceId: base64(link.traceId),
      spanId: base64(link.spanId),
      attributes: attributesJson(link.attributes),
    })),
    status: {
      code: `STATUS_CODE_${span.status.toUpperCase()}`,
      ...(span.statusMessage === "" ? {} : { message: span.statusMessage }),
    },
  };
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const integer = (field: number, value: bigint | number) =>
  Buffer.concat([varint(BigInt(field << 3)), varint(BigInt(value))]);

function bytes(field: number, body: Uint8Array): Buffer {
  return Buffer.concat([varint(BigInt((field << 3) | 2)), varint(BigInt(body.length)), body]);
}

const text = (field: number, value: string) => bytes(field, Buffer.from(value));
const hex = (field: number, value: string) => bytes(field, Buffer.from(value, "hex"));
const message = (field: number, parts: readonly Uint8Array[]) => bytes(field, Buffer.concat(parts));

function fixed64(field: number, value: bigint): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64LE(BigInt.asUintN(64, value));
  return Buffer.concat([varint(BigInt((field << 3) | 1)), body]);
}

function double(field: number, value: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeDoubleLE(value);
  return Buffer.concat([varint(BigInt((field << 3) | 1)), body]);
}

function anyValue(value: AttributeValue): Buffer {
  switch (typeof value) {
    case "string":
      return text(1, value);
    case "boolean":
      return integer(2, value ? 1 : 0);
    case "number":
      return Number.isSafeInteger(value) ? integer(3, value) : double(4, value);
    default:
      return message(
        5,
        value.map((item) => bytes(1, anyValue(item))),
      );
  }
}

const attributeFields = (field: number, attributes: Attributes) =>
  Object.entries(attributes).map(([key, value]) =>
    message(field, [text(1, key), bytes(2, anyValue(value))]),
  );

function spanMessage(span: Span): Buffer {
  return message(2, [
    hex(1, span.traceId),
    hex(2, span.spanId),
    ...(span.parentSpanId === "" ? [] : [hex(4, span.parentSpanId)]),
    text(5, span.name),
    integer(6, kinds[span.kind]),
    fixed64(7, span.startNs),
    fixed64(8, span.startNs + BigInt(Math.round(span.durationNs))),
    ...attributeFields(9, span.attributes),
    ...span.events.map((event) =>
      message(11, [
        fixed64(1, event.timeNs),
        text(2, event.name),
        ...attributeFields(3, event.attributes),
      ]),
    ),
    ...span.links.map((link) =>
      message(13, [
        hex(1, link.traceId),
        hex(2, link.spanId),
        ...attributeFields(4, link.attributes),
      ]),
    ),
    message(15, [
      ...(span.statusMessage === "" ? [] : [text(2, span.statusMessage)]),
      integer(3, statuses[span.status]),
    ]),
  ]);
}

function scopeMessage({ scopeName, scopeVersion, scopeAttributes = {} }: Span): Buffer {
  return message(1, [
    text(1, scopeName),
    text(2, scopeVersion),
    ...attributeFields(3, scopeAttributes),
  ]);
}

/** `TracesData`, which Tempo calls `Trace`: field 1 repeated. */
export function traceMessage(spans: readonly Span[]): Buffer {
  return Buffer.concat(
    grouped(spans).map(({ first, scopes }) =>
      message(1, [
        message(1, attributeFields(1, resourceOf(first))),
        ...[...scopes.values()].map((scope) =>
          message(2, [scopeMessage(scope.first), ...scope.spans.map(spanMessage)]),
        ),
      ]),
    ),
  );
}

/** `TraceByIDResponse`: the trace is its field 1. */
export function traceByIdMessage(spans: readonly Span[]): Buffer {
  return bytes(1, traceMessage(spans));
}
