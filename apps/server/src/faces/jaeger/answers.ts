/** Traces in Jaeger's JSON: times in microseconds, one process for each service with its resource. Source: jaeger model/json. */
import type { AttributeValue, Attributes, Span } from "@skopos/model";

interface KeyValue {
  readonly key: string;
  readonly type: "string" | "bool" | "int64" | "float64";
  readonly value: string | number | boolean;
}

function keyValue(key: string, value: AttributeValue): KeyValue {
  switch (typeof value) {
    case "string":
      return { key, type: "string", value };
    case "boolean":
      return { key, type: "bool", value };
    case "number":
      return { key, type: Number.isSafeInteger(value) ? "int64" : "float64", value };
    default:
      return { key, type: "string", value: JSON.stringify(value) };
  }
}

const keyValues = (attributes: Attributes) =>
  Object.entries(attributes).map(([key, value]) => keyValue(key, value));

/** Jaeger knows no attributes of scopes, and finds them as the span's: so they stand there, unless the span says otherwise. */
function scopeTags({ attributes, scopeAttributes = {} }: Span): KeyValue[] {
  return keyValues(scopeAttributes).filter(({ key }) => !Object.hasOwn(attributes, key));
}

const microseconds = (ns: bigint) => Number(ns / 1000n);

/** What Jaeger keeps as tags and OTLP has fields for. */
function ownTags(span: Span): KeyValue[] {
  const tags: KeyValue[] = [];
  if (span.kind !== "unspecified") tags.push(keyValue("span.kind", span.kind));
  if (span.status !== "unset") tags.push(keyValue("otel.status_code", span.status.toUpperCase()));
  if (span.status === "error" && span.attributes["error"] === undefined)
    tags.push(keyValue("error", true));
  if (span.statusMessage !== "") tags.push(keyValue("otel.status_description", span.statusMessage));
  if (span.scopeName !== "") tags.push(keyValue("otel.scope.name", span.scopeName));
  if (span.scopeVersion !== "") tags.push(keyValue("otel.scope.version", span.scopeVersion));
  return tags;
}

function referencesOf(span: Span): object[] {
  const parent =
    span.parentSpanId === ""
      ? []
      : [{ refType: "CHILD_OF", traceID: span.traceId, spanID: span.parentSpanId }];
  const links = span.links.map(({ traceId, spanId }) => ({
    refType: "FOLLOWS_FROM",
    traceID: traceId,
    spanID: spanId,
  }));
  return [...parent, ...links];
}

export function jaegerTrace(traceId: string, spans: readonly Span[]): object {
  const processIds = new Map<string, string>();
  const processes: Record<string, object> = {};
  const processOf = ({ service, resource }: Span): string => {
    const key = JSON.stringify([service, Object.entries(resource).sort()]);
    const known = processIds.get(key);
    if (known !== undefined) return known;
    const id = `p${processIds.size + 1}`;
    processIds.set(key, id);
    processes[id] = {
      serviceName: service,
      tags: keyValues(resource).filter((tag) => tag.key !== "service.name"),
    };
    return id;
  };
  return {
    traceID: traceId,
    spans: spans.map((span) => ({
      traceID: span.traceId,
      spanID: span.spanId,
      operationName: span.name,
      references: referencesOf(span),
      startTime: microseconds(span.startNs),
      duration: Math.round(span.durationNs / 1000),
      tags: [...keyValues(span.attributes), ...scopeTags(span), ...ownTags(span)],
      logs: span.events.map(({ timeNs, name, attributes }) => ({
        timestamp: microseconds(timeNs),
        fields: [
          ...(attributes["event"] === undefined && name !== "" ? [keyValue("event", name)] : []),
          ...keyValues(attributes),
        ],
      })),
      processID: processOf(span),
      warnings: null,
    })),
    processes,
    warnings: null,
  };
}

/** Jaeger's envelope around every list. */
export function structured(
  data: readonly unknown[] | null,
  errors: object[] | null = null,
): object {
  return { data, total: data?.length ?? 0, limit: 0, offset: 0, errors };
}
