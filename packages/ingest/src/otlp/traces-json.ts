/** OTLP/JSON traces: ids in hex, 64-bit numbers as text, enums as numbers; the rest as protobuf's JSON mapping has it. */
import type { Span } from "@skopos/model";
import { asInt64, asList, asObject, asText, badJson, parseJson } from "../wire/json.ts";
import { type AttributeCutter, attributesFromJson } from "./attributes.ts";
import {
  emptyDraft,
  eventsMax,
  linksMax,
  type Scope,
  type SpanCollector,
  type SpanDraft,
} from "./span-draft.ts";

/** Throws "bad-json" with the path of what is wrong. */
export function spansFromJson(body: Uint8Array, collector: SpanCollector): void {
  const root = asObject(parseJson(body), "");
  for (const [i, entry] of asList(root["resourceSpans"], "resourceSpans").entries()) {
    const path = `resourceSpans[${i}]`;
    const { resource, scopeSpans } = asObject(entry, path);
    const attributes =
      resource === undefined || resource === null
        ? {}
        : attributesFromJson(
            asObject(resource, `${path}.resource`)["attributes"],
            collector.cutter,
            `${path}.resource.attributes`,
          );
    for (const [j, scopeEntry] of asList(scopeSpans, `${path}.scopeSpans`).entries()) {
      const at = `${path}.scopeSpans[${j}]`;
      const { scope: rawScope, spans } = asObject(scopeEntry, at);
      const named = asObject(rawScope ?? {}, `${at}.scope`);
      const scope: Scope = {
        resource: attributes,
        scopeName: collector.cutter.text(asText(named["name"], `${at}.scope.name`)),
        scopeVersion: collector.cutter.text(asText(named["version"], `${at}.scope.version`)),
      };
      for (const [k, span] of asList(spans, `${at}.spans`).entries())
        collector.add(draftFromJson(span, collector.cutter, `${at}.spans[${k}]`), scope);
    }
  }
}

function draftFromJson(value: unknown, cutter: AttributeCutter, path: string): SpanDraft {
  const span = asObject(value, path);
  const status = asObject(span["status"] ?? {}, `${path}.status`);
  return {
    ...emptyDraft(),
    traceId: asText(span["traceId"], `${path}.traceId`).toLowerCase(),
    spanId: asText(span["spanId"], `${path}.spanId`).toLowerCase(),
    parentSpanId: asText(span["parentSpanId"], `${path}.parentSpanId`).toLowerCase(),
    name: asText(span["name"], `${path}.name`),
    kind: enumNumber(span["kind"], spanKinds, `${path}.kind`),
    startNs: asInt64(span["startTimeUnixNano"], `${path}.startTimeUnixNano`),
    endNs: asInt64(span["endTimeUnixNano"], `${path}.endTimeUnixNano`),
    status: enumNumber(status["code"], statusCodes, `${path}.status.code`),
    statusMessage: asText(status["message"], `${path}.status.message`),
    attributes: attributesFromJson(span["attributes"], cutter, `${path}.attributes`),
    events: eventsFromJson(span["events"], cutter, `${path}.events`),
    links: linksFromJson(span["links"], cutter, `${path}.links`),
  };
}

const spanKinds = [
  "SPAN_KIND_UNSPECIFIED",
  "SPAN_KIND_INTERNAL",
  "SPAN_KIND_SERVER",
  "SPAN_KIND_CLIENT",
  "SPAN_KIND_PRODUCER",
  "SPAN_KIND_CONSUMER",
];
const statusCodes = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/** OTLP wants numbers; several exporters write the names, which is harmless to read. */
function enumNumber(value: unknown, names: readonly string[], path: string): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === "number") return value;
  const index = names.findIndex((name) => name === value);
  return index >= 0 ? index : badJson(path, "a number");
}

function eventsFromJson(
  value: unknown,
  cutter: AttributeCutter,
  path: string,
): Span["events"][number][] {
  const all = asList(value, path);
  cutter.cut += Math.max(0, all.length - eventsMax);
  return all.slice(0, eventsMax).map((entry, i) => {
    const at = `${path}[${i}]`;
    const event = asObject(entry, at);
    return {
      timeNs: asInt64(event["timeUnixNano"], `${at}.timeUnixNano`),
      name: cutter.text(asText(event["name"], `${at}.name`)),
      attributes: attributesFromJson(event["attributes"], cutter, `${at}.attributes`),
    };
  });
}

function linksFromJson(
  value: unknown,
  cutter: AttributeCutter,
  path: string,
): Span["links"][number][] {
  const all = asList(value, path);
  cutter.cut += Math.max(0, all.length - linksMax);
  return all.slice(0, linksMax).map((entry, i) => {
    const at = `${path}[${i}]`;
    const link = asObject(entry, at);
    return {
      traceId: asText(link["traceId"], `${at}.traceId`).toLowerCase(),
      spanId: asText(link["spanId"], `${at}.spanId`).toLowerCase(),
      attributes: attributesFromJson(link["attributes"], cutter, `${at}.attributes`),
    };
  });
}
