/** Sends spans to a collector over OTLP/HTTP with JSON bodies. */
import { SendBuffer } from "../http/send-buffer.ts";
import { nanosText } from "./clock.ts";
import type { TraceContext } from "./trace-context.ts";

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface RecordedSpan {
  readonly scope: "envoy" | "app";
  readonly context: TraceContext;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client" | "producer";
  readonly startMs: number;
  readonly endMs: number;
  readonly error?: string;
  readonly attributes: SpanAttributes;
}

const kindNumbers = { internal: 1, server: 2, client: 3, producer: 4 } as const;
const bufferedSpansMax = 4096;
const batchSpansMax = 512;
const flushEveryMs = 1000;

export class SpanExporter {
  readonly #buffer: SendBuffer<RecordedSpan>;

  /** `collectorUrl`: base of an OTLP/HTTP receiver; "/v1/traces" is appended. */
  constructor(collectorUrl: string, resource: SpanAttributes) {
    const resourceText = attributesText(resource);
    this.#buffer = new SendBuffer({
      url: collectorUrl,
      path: "/v1/traces",
      itemsMax: bufferedSpansMax,
      batchMax: batchSpansMax,
      everyMs: flushEveryMs,
      encode: (batch) => encodeBatch(resourceText, batch),
    });
  }

  record(span: RecordedSpan): void {
    if (span.context.sampled) this.#buffer.add(span);
  }

  close(): Promise<void> {
    return this.#buffer.close();
  }
}

function encodeBatch(resource: string, spans: readonly RecordedSpan[]): string {
  const scopes = (["envoy", "app"] as const).flatMap((scope) => {
    const own = spans.filter((span) => span.scope === scope).map(encodeSpan);
    return own.length === 0 ? [] : [`{"scope":{"name":"${scope}"},"spans":[${own.join(",")}]}`];
  });
  return `{"resourceSpans":[{"resource":{"attributes":${resource}},"scopeSpans":[${scopes.join(",")}]}]}`;
}

function encodeSpan(span: RecordedSpan): string {
  const status =
    span.error === undefined ? "{}" : `{"code":2,"message":${JSON.stringify(span.error)}}`;
  return (
    `{"traceId":"${span.context.traceId}","spanId":"${span.context.spanId}",` +
    `"parentSpanId":"${span.parentSpanId}","name":${JSON.stringify(span.name)},` +
    `"kind":${kindNumbers[span.kind]},"startTimeUnixNano":"${nanosText(span.startMs)}",` +
    `"endTimeUnixNano":"${nanosText(span.endMs)}","attributes":${attributesText(span.attributes)},` +
    `"status":${status}}`
  );
}

function attributesText(attributes: SpanAttributes): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(attributes)) {
    parts.push(`{"key":${JSON.stringify(key)},"value":${valueText(value)}}`);
  }
  return `[${parts.join(",")}]`;
}

function valueText(value: string | number | boolean): string {
  if (typeof value === "string") return `{"stringValue":${JSON.stringify(value)}}`;
  if (typeof value === "boolean") return `{"boolValue":${value}}`;
  return Number.isInteger(value) ? `{"intValue":"${value}"}` : `{"doubleValue":${value}}`;
}
