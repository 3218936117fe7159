/** A trace as rows: depth first as the server orders it, with depth, folding and bars. */
import type { SpanJson } from "@skopos/api";

export interface WaterfallRow {
  readonly span: SpanJson;
  readonly depth: number;
  /** Spans below it, at any depth. */
  readonly below: number;
  readonly collapsed: boolean;
  /** A retry of the sibling before: same callee, and that one failed. */
  readonly retry: boolean;
}

/** Deeper than this, rows are not indented further. */
export const depthMax = 40;

interface Known {
  readonly depth: number;
  below: number;
}

function measure(spans: readonly SpanJson[]): Map<string, Known> {
  const known = new Map<string, Known>();
  const parents = new Map(spans.map(({ spanId, parentSpanId }) => [spanId, parentSpanId]));
  for (const { spanId, parentSpanId } of spans) {
    // Parents come first; whoever's parent did not arrive stands on the first level below the root.
    const depth =
      parentSpanId === "" ? 0 : (known.get(parentSpanId)?.depth ?? (known.size === 0 ? -1 : 0)) + 1;
    known.set(spanId, { depth, below: 0 });
    let up: string | undefined = parentSpanId;
    for (let hops = 0; up && hops <= spans.length; hops++) {
      const above = known.get(up);
      if (!above) break;
      above.below++;
      up = parents.get(up);
    }
  }
  return known;
}

function failedLike(before: SpanJson | undefined, span: SpanJson): boolean {
  return (
    before !== undefined &&
    before.status === "error" &&
    before.parentSpanId === span.parentSpanId &&
    before.service === span.service &&
    before.name === span.name &&
    span.kind === "client"
  );
}

/** `collapsed` holds the ids of spans whose descendants are hidden. */
export function waterfallRows(
  spans: readonly SpanJson[],
  collapsed: ReadonlySet<string>,
): WaterfallRow[] {
  const known = measure(spans);
  const rows: WaterfallRow[] = [];
  const lastChild = new Map<string, SpanJson>();
  let hiddenBelow = Infinity;
  for (const span of spans) {
    const { depth, below } = known.get(span.spanId) ?? { depth: 0, below: 0 };
    const before = lastChild.get(span.parentSpanId);
    lastChild.set(span.parentSpanId, span);
    if (depth > hiddenBelow) continue;
    hiddenBelow = Infinity;
    const folded = below > 0 && collapsed.has(span.spanId);
    if (folded) hiddenBelow = depth;
    rows.push({ span, depth, below, collapsed: folded, retry: failedLike(before, span) });
  }
  return rows;
}

/** Position and width of a bar in percent of the trace; never thinner than what can be seen. */
export function barOf(span: SpanJson, traceMs: number): { left: number; width: number } {
  if (traceMs <= 0) return { left: 0, width: 100 };
  const left = Math.min(99.7, Math.max(0, (span.offsetMs / traceMs) * 100));
  return { left, width: Math.max(0.3, Math.min(100 - left, (span.durationMs / traceMs) * 100)) };
}

/** Round times for the ruler, from 0 on, at most six. */
export function rulerTicks(traceMs: number): number[] {
  if (traceMs <= 0) return [0];
  const rough = traceMs / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
  const ticks: number[] = [];
  for (let at = 0; at < traceMs * 0.97; at += step) ticks.push(at);
  return ticks;
}

/** Time spent by service, most first: where the trace spends itself. */
export function timeByService(
  spans: readonly SpanJson[],
): { service: string; exclusiveMs: number; spans: number; errors: number }[] {
  const sums = new Map<string, { exclusiveMs: number; spans: number; errors: number }>();
  for (const { service, exclusiveMs, status } of spans) {
    const sum = sums.get(service) ?? { exclusiveMs: 0, spans: 0, errors: 0 };
    sum.exclusiveMs += exclusiveMs;
    sum.spans++;
    if (status === "error") sum.errors++;
    sums.set(service, sum);
  }
  return [...sums]
    .map(([service, sum]) => ({ service, ...sum }))
    .toSorted((a, b) => b.exclusiveMs - a.exclusiveMs);
}
