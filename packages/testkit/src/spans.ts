import { emptySpan, type Span } from "@skopos/model";

/** A span that says nothing but `more`. */
export function blankSpan(more: Partial<Span>): Span {
  return { ...emptySpan, traceId: "t", kind: "server", ...more };
}

/** When traces of `spansOf` begin. */
export const traceOriginMs = 1_700_000_000_000;

/** Makes spans of a trace in which everything is `service`'s own: a span's name is its id, times are since the trace's start. */
export function spansOf(service: string) {
  return (
    spanId: string,
    parentSpanId: string,
    startMs: number,
    durationMs: number,
    more: Partial<Span> = {},
  ): Span =>
    blankSpan({
      spanId,
      parentSpanId,
      service,
      name: spanId,
      startNs: BigInt(traceOriginMs) * 1_000_000n + BigInt(Math.round(startMs * 1e6)),
      durationNs: durationMs * 1e6,
      ...more,
    });
}
