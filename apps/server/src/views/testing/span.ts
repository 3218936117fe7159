import type { Span } from "@skopos/model";

/** When the traces of these tests begin. */
export const originMs = 1_700_000_000_000;

/** A span of a sidecar: its name is its id, times are milliseconds since the trace's start. */
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
    service: "posts.social",
    name: spanId,
    kind: "server",
    startNs: BigInt(originMs + startMs) * 1_000_000n,
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
