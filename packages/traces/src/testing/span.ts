import type { Span } from "@skopos/model";

const originNs = 1_700_000_000_000_000_000n;

/** A span for tests: times in milliseconds since the trace's start. */
export function span(
  spanId: string,
  parentSpanId: string,
  startMs: number,
  durationMs: number,
  more: Partial<Span> = {},
): Span {
  return {
    traceId: "t",
    spanId,
    parentSpanId,
    service: "a",
    name: spanId,
    kind: "server",
    startNs: originNs + BigInt(Math.round(startMs * 1e6)),
    durationNs: durationMs * 1e6,
    status: "unset",
    statusMessage: "",
    attributes: {},
    resource: {},
    scopeName: "",
    scopeVersion: "",
    events: [],
    links: [],
    ...more,
  };
}
