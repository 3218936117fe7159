/** What comes back of traces, put in the order that trace readers promise. */
import type { Span, TraceTimeRange } from "@skopos/model";
import type { Parameters } from "./connection.ts";

/** Spans handed out at once, of one trace or several. */
export const spansMax = 500_000;

/** By start time, each once. */
export function inOrder(spans: readonly Span[]): Span[] {
  const once = new Map<string, Span>();
  // A client's and a server's span may share an id (Zipkin).
  for (const span of spans) once.set(`${span.spanId} ${span.kind} ${span.service}`, span);
  return [...once.values()].sort((a, b) =>
    a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0,
  );
}

/** Whole seconds around the range, as Tempo takes them. */
export function secondsRange({ startMs, endMs }: TraceTimeRange): Parameters {
  const start = Math.floor(startMs / 1000);
  return [
    ["start", String(start)],
    ["end", String(Math.max(start + 1, Math.ceil(endMs / 1000)))],
  ];
}
