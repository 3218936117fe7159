/**
 * Spans out of OTLP's JSON as Tempo hands it out: protobuf's JSON form, with ids in base64, or OTLP's own, with ids in hex.
 * Of maps in attributes their JSON is kept. Source: opentelemetry/proto/trace/v1/trace.proto.
 */
import {
  type Attributes,
  type AttributeValue,
  LimitError,
  type Span,
  spanKinds,
  spanStatuses,
} from "@skopos/model";
import { bad, bigOf, countOf, type Json, listOf, recordOf, textOf } from "./values.ts";

const traceIdDigits = 32;
const spanIdDigits = 16;

/** `{ resourceSpans }`, or `{ batches }` as Tempo's first API calls it. Over `spansMax` spans: "limit". */
export function spansOfOtlp(trace: Json, spansMax: number): Span[] {
  const spans: Span[] = [];
  const resources = trace["resourceSpans"] ?? trace["batches"];
  for (const each of listOf(resources, "resourceSpans")) {
    const { resource = {}, scopeSpans } = recordOf(each, "resourceSpans");
    const attributes = attributesOf(recordOf(resource, "a resource")["attributes"]);
    const { "service.name": service = "unknown_service", ...rest } = attributes;
    for (const group of listOf(scopeSpans, "scopeSpans")) {
      const { scope: scopeJson = {}, spans: list } = recordOf(group, "scopeSpans");
      const scope = recordOf(scopeJson, "a scope");
      const scopeAttributes = attributesOf(scope["attributes"]);
      const shared = {
        service: String(service),
        resource: rest,
        scopeName: optionalText(scope["name"], "a scope's name"),
        scopeVersion: optionalText(scope["version"], "a scope's version"),
        ...(Object.keys(scopeAttributes).length > 0 ? { scopeAttributes } : {}),
      };
      for (const span of listOf(list, "spans")) {
        if (spans.length >= spansMax) throw new LimitError(`more than ${spansMax} spans`);
        spans.push({ ...shared, ...ownOf(recordOf(span, "a span")) });
      }
    }
  }
  return spans;
}

function ownOf(span: Json) {
  const startNs = bigOf(span["startTimeUnixNano"] ?? 0, "a start");
  const status = recordOf(span["status"] ?? {}, "a status");
  return {
    traceId: idOf(span["traceId"], traceIdDigits),
    spanId: idOf(span["spanId"], spanIdDigits),
    parentSpanId: parentOf(span["parentSpanId"]),
    name: optionalText(span["name"], "a span's name"),
    kind: wordOf(span["kind"], spanKinds, "SPAN_KIND_"),
    startNs,
    durationNs: Math.max(0, Number(bigOf(span["endTimeUnixNano"] ?? 0, "an end") - startNs)),
    status: wordOf(status["code"], spanStatuses, "STATUS_CODE_"),
    statusMessage: optionalText(status["message"], "a status's message"),
    attributes: attributesOf(span["attributes"]),
    events: listOf(span["events"], "events").map((each) => {
      const event = recordOf(each, "an event");
      return {
        timeNs: bigOf(event["timeUnixNano"] ?? 0, "an event's time"),
        name: optionalText(event["name"], "an event's name"),
        attributes: attributesOf(event["attributes"]),
      };
    }),
    links: listOf(span["links"], "links").map((each) => {
      const link = recordOf(each, "a link");
      return {
        traceId: idOf(link["traceId"], traceIdDigits),
        spanId: idOf(link["spanId"], spanIdDigits),
        attributes: attributesOf(link["attributes"]),
      };
    }),
  };
}

/** Hex of that many digits, or base64 of so many bytes: they differ in length. */
function idOf(value: unknown, digits: number): string {
  const text = textOf(value, "an id");
  if (text.length === digits && /^[0-9a-fA-F]*$/.test(text)) return text.toLowerCase();
  const hex = Buffer.from(text, "base64").toString("hex");
  if (hex.length !== digits) throw bad(`${JSON.stringify(text.slice(0, 64))} is no id`);
  return hex;
}

function parentOf(value: unknown): string {
  if (value === undefined || value === null || value === "") return "";
  const id = idOf(value, spanIdDigits);
  return /^0+$/.test(id) ? "" : id;
}

/** An enumeration by its number or its name; the first word where nothing, or something newer, is said. */
function wordOf<Word extends string>(value: unknown, words: readonly Word[], prefix: string): Word {
  const [usual] = words;
  if (usual === undefined) throw bad("an enumeration has no words");
  if (typeof value === "number") return words[value] ?? usual;
  return words.find((word) => value === prefix + word.toUpperCase()) ?? usual;
}

const optionalText = (value: unknown, what: string) =>
  value === undefined || value === null ? "" : textOf(value, what);

export function attributesOf(value: unknown): Attributes {
  const attributes: [string, AttributeValue][] = [];
  for (const each of listOf(value, "attributes")) {
    const pair = recordOf(each, "an attribute");
    const found = anyValueOf(pair["value"]);
    if (found !== undefined) attributes.push([textOf(pair["key"], "a key"), found]);
  }
  return Object.fromEntries(attributes);
}

function anyValueOf(value: unknown): AttributeValue | undefined {
  if (value === undefined || value === null) return undefined;
  const any = recordOf(value, "a value");
  if (any["stringValue"] !== undefined) return textOf(any["stringValue"], "stringValue");
  if (any["boolValue"] !== undefined) return any["boolValue"] === true;
  if (any["intValue"] !== undefined) return countOf(any["intValue"], "intValue");
  if (any["doubleValue"] !== undefined) return doubleOf(any["doubleValue"]);
  if (any["bytesValue"] !== undefined) return textOf(any["bytesValue"], "bytesValue");
  if (any["arrayValue"] !== undefined) {
    const { values } = recordOf(any["arrayValue"], "arrayValue");
    return listOf(values, "values").flatMap((each) => anyValueOf(each) ?? []);
  }
  if (any["kvlistValue"] === undefined) return undefined;
  const { values } = recordOf(any["kvlistValue"], "kvlistValue");
  return JSON.stringify(attributesOf(values));
}

/** Infinities and NaN are texts in protobuf's JSON. */
function doubleOf(value: unknown): number {
  return typeof value === "string" ? Number(value) : countOf(value, "doubleValue");
}
