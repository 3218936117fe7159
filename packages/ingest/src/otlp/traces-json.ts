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
        scopeAttributes: attributesFromJson(
          named["attributes"],
          collector.cutter,
          `${at}.scope.attributes`,
        ),
      };
      for (const [k, span] of asList(spans, `${at}.spans`).entries())
        collector.add(draftFromJson(span, collector.cutter, `${at}.spans[${k}]`), scope);
    }
  }
}

function draftFromJson(value: unknown, cutter: AttributeCutter, path: string): SpanDraft {
  const span = asObject(value, path);
  const status = asObject(span["status"] ?? {}, `${path}.status`);
  const { cut } = cutter;
  const draft: SpanDraft = {
    ...emptyDraft(),
    traceId: idFromJson(span["traceId"], 16, `${path}.traceId`),
    spanId: idFromJson(span["spanId"], 8, `${path}.spanId`),
    parentSpanId: idFromJson(span["parentSpanId"], 8, `${path}.parentSpanId`),
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
  draft.droppedAttributes = cutter.cut - cut + count(span["droppedAttributesCount"]);
  draft.droppedEvents = count(span["droppedEventsCount"]) + beyond(span["events"], eventsMax);
  draft.droppedLinks = count(span["droppedLinksCount"]) + beyond(span["links"], linksMax);
  return draft;
}

function count(value: unknown): number {
  return typeof value === "number" && value > 0 ? Math.trunc(value) : 0;
}

function beyond(list: unknown, max: number): number {
  return Array.isArray(list) ? Math.max(0, list.length - max) : 0;
}

/** An id of `bytes` bytes: hex as OTLP/JSON wants it, or base64 as protobuf's own JSON mapping writes bytes. */
export function idFromJson(value: unknown, bytes: number, path: string): string {
  const text = asText(value, path);
  if (text.length !== bytes * 2 && /^[A-Za-z0-9+/]+={1,2}$/.test(text)) {
    const decoded = Buffer.from(text, "base64");
    if (decoded.length === bytes) return decoded.toString("hex");
  }
  return text.toLowerCase();
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
export function enumNumber(value: unknown, names: readonly string[], path: string): number {
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
  return all.slice(0, linksMax).map((entry, i) => {
    const at = `${path}[${i}]`;
    const link = asObject(entry, at);
    return {
      traceId: idFromJson(link["traceId"], 16, `${at}.traceId`),
      spanId: idFromJson(link["spanId"], 8, `${at}.spanId`),
      attributes: attributesFromJson(link["attributes"], cutter, `${at}.attributes`),
    };
  });
}
