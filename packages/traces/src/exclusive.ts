/** How long a span was busy itself, its children taken away. */
import type { Span } from "@skopos/model";

/** A span with the time spent in itself. */
export interface SpanTime {
  readonly span: Span;
  readonly exclusiveMs: number;
}

/** Duration less the part that children cover; children that run at the same time count once. */
export function exclusiveTimes(spans: readonly Span[]): SpanTime[] {
  const children = new Map<string, Span[]>();
  for (const span of spans)
    children.set(span.parentSpanId, [...(children.get(span.parentSpanId) ?? []), span]);
  return spans.map((span) => {
    const start = span.startNs;
    const end = start + BigInt(Math.round(span.durationNs));
    const parts = (children.get(span.spanId) ?? [])
      .map((child) => ({
        from: child.startNs < start ? start : child.startNs,
        to: child.startNs + BigInt(Math.round(child.durationNs)),
      }))
      .map(({ from, to }) => ({ from, to: to > end ? end : to }))
      .filter(({ from, to }) => to > from)
      .sort((a, b) => (a.from < b.from ? -1 : 1));
    let covered = 0n;
    let reached = start;
    for (const { from, to } of parts) {
      const begin = from > reached ? from : reached;
      if (to > begin) {
        covered += to - begin;
        reached = to;
      }
    }
    return { span, exclusiveMs: (span.durationNs - Number(covered)) / 1e6 };
  });
}
