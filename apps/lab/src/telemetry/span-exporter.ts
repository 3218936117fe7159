/**
 * Sends spans to a collector over OTLP/HTTP with JSON bodies, in batches. The buffer is bounded: when the collector is
 * down or slow the oldest spans are dropped and counted; nothing that records a span ever waits.
 */
import { messageOf } from "@skopos/model";
import { HttpClient } from "../http/client.ts";
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
  dropped = 0;
  exported = 0;
  failures = 0;
  lastFailure = "";
  readonly #resource: string;
  readonly #client: HttpClient;
  readonly #path: string;
  readonly #host: string;
  readonly #timer: ReturnType<typeof setInterval>;
  #buffer: RecordedSpan[] = [];
  #sending = false;

  /** `collectorUrl`: base of an OTLP/HTTP receiver; "/v1/traces" is appended. */
  constructor(collectorUrl: string, resource: SpanAttributes) {
    const url = new URL(collectorUrl);
    this.#client = new HttpClient({
      host: url.hostname,
      port: Number(url.port || "80"),
      timeoutMs: 5000,
      idleMax: 1,
    });
    this.#host = url.host;
    this.#path = `${url.pathname.replace(/\/$/, "")}/v1/traces`;
    this.#resource = attributesText(resource);
    this.#timer = setInterval(() => void this.flush(), flushEveryMs);
    this.#timer.unref();
  }

  record(span: RecordedSpan): void {
    if (!span.context.sampled) return;
    if (this.#buffer.length >= bufferedSpansMax) {
      this.#buffer.splice(0, bufferedSpansMax / 4);
      this.dropped += bufferedSpansMax / 4;
    }
    this.#buffer.push(span);
    if (this.#buffer.length >= batchSpansMax && !this.#sending) void this.flush();
  }

  /** Sends what is buffered; resolves when sent or failed. Spans of a failed batch go back in line. */
  async flush(): Promise<void> {
    if (this.#sending || this.#buffer.length === 0) return;
    this.#sending = true;
    const batch = this.#buffer.splice(0, batchSpansMax);
    try {
      const body = Buffer.from(encodeBatch(this.#resource, batch));
      const headers = ["host", this.#host, "content-type", "application/json"];
      const response = await this.#client.request({
        method: "POST",
        path: this.#path,
        headers,
        body,
      });
      if (response.status >= 300) throw new Error(`the collector answered ${response.status}`);
      this.exported += batch.length;
    } catch (error) {
      this.failures++;
      this.lastFailure = messageOf(error);
      const room = bufferedSpansMax - this.#buffer.length;
      this.dropped += Math.max(0, batch.length - room);
      this.#buffer = [...batch.slice(Math.max(0, batch.length - room)), ...this.#buffer];
    } finally {
      this.#sending = false;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    this.#client.close();
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
