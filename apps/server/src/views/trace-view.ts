/** A trace as a page shows it: depth-first order, exclusive time, the critical path, and where its error began. */
import type { SpanJson, Trace } from "@skopos/api";
import type { Span } from "@skopos/model";
import { buildForest, criticalPath, errorOrigin, exclusiveTimes } from "@skopos/traces";
import { requestIdOf, serviceEntity } from "./span-entity.ts";

/** `spans` are those of one trace, in any order. */
export function toTraceView(traceId: string, spans: readonly Span[]): Trace {
  const forest = buildForest(spans);
  const own = exclusiveTimes(forest);
  const critical = new Set(criticalPath(forest).map(({ index }) => index));
  const origin = errorOrigin(forest);
  return {
    traceId,
    startNs: forest.originNs.toString(),
    durationMs: forest.durationNs / 1e6,
    spans: forest.spans.map((span, index) =>
      toSpanJson(span, forest.originNs, (own[index] ?? 0) / 1e6, critical.has(index)),
    ),
    errorOrigin: forest.spans[origin]?.spanId ?? null,
    requestId: requestIdOf(forest.spans),
  };
}

/** `originNs` is the start of the trace. */
export function toSpanJson(
  span: Span,
  originNs: bigint,
  exclusiveMs: number,
  critical: boolean,
): SpanJson {
  const offsetMs = (timeNs: bigint) => Number(timeNs - originNs) / 1e6;
  return {
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    service: span.service,
    name: span.name,
    kind: span.kind,
    startNs: span.startNs.toString(),
    offsetMs: offsetMs(span.startNs),
    durationMs: span.durationNs / 1e6,
    exclusiveMs,
    status: span.status,
    statusMessage: span.statusMessage,
    attributes: span.attributes,
    resource: span.resource,
    events: span.events.map((event) => ({
      offsetMs: offsetMs(event.timeNs),
      name: event.name,
      attributes: event.attributes,
    })),
    critical,
    entity: serviceEntity(span),
  };
}
