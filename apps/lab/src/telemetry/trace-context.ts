/**
 * Trace context in both forms that meshes carry: W3C `traceparent` (https://www.w3.org/TR/trace-context/) and B3
 * multi-headers (https://github.com/openzipkin/b3-propagation). W3C wins where both are present.
 */
import { headerOf, type Headers, withoutHeaders } from "../http/message.ts";

export interface TraceContext {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

const traceHeaders: ReadonlySet<string> = new Set([
  "traceparent",
  "tracestate",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
]);

/** Ids need to be unlikely to meet, not hard to guess, and are made for every request. */
function randomHex(words: number): string {
  let text = "";
  for (let i = 0; i < words; i++) {
    text += Math.floor(Math.random() * 4_294_967_296)
      .toString(16)
      .padStart(8, "0");
  }
  return text;
}

export function newTraceId(): string {
  return randomHex(4);
}

export function newSpanId(): string {
  return randomHex(2);
}

/** A version 4 UUID, as Envoy makes for `x-request-id`. */
export function newRequestId(): string {
  const hex = randomHex(4);
  const variant = ((Number.parseInt(hex[16] ?? "0", 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

export function extractTrace(headers: Headers): TraceContext | undefined {
  const parent = headerOf(headers, "traceparent");
  const w3c = parent && /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(parent);
  if (w3c) {
    const [, traceId = "", spanId = "", flags = "00"] = w3c;
    return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
  }
  const traceId = headerOf(headers, "x-b3-traceid");
  const spanId = headerOf(headers, "x-b3-spanid");
  if (traceId === undefined || spanId === undefined) return undefined;
  if (!/^([0-9a-f]{16}){1,2}$/.test(traceId) || !/^[0-9a-f]{16}$/.test(spanId)) return undefined;
  const sampled = headerOf(headers, "x-b3-sampled");
  return { traceId: traceId.padStart(32, "0"), spanId, sampled: sampled !== "0" };
}

/** `headers` with `context` in place of whatever trace context they carried. */
export function injectTrace(headers: Headers, context: TraceContext, parentId?: string): Headers {
  const kept = withoutHeaders(headers, traceHeaders);
  const flag = context.sampled ? "1" : "0";
  kept.push("traceparent", `00-${context.traceId}-${context.spanId}-0${flag}`);
  kept.push("x-b3-traceid", context.traceId, "x-b3-spanid", context.spanId);
  if (parentId !== undefined) kept.push("x-b3-parentspanid", parentId);
  kept.push("x-b3-sampled", flag);
  return kept;
}
