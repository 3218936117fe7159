/** How long a span was busy itself, its children taken away. */
import type { Span } from "@skopos/model";
import { buildForest, childrenOf, type TraceShape } from "./forest.ts";

/**
 * By index of the shape: duration less the part that children cover, in nanoseconds. Children that run at the same time count
 * once; of a child that outlives its parent only the part inside counts.
 */
export function exclusiveTimes(shape: TraceShape): Float64Array {
  const { startNs, endNs } = shape;
  const times = new Float64Array(shape.count);
  for (let index = 0; index < times.length; index++) {
    const end = endNs[index] ?? 0;
    let reached = startNs[index] ?? 0;
    let own = end - reached;
    for (const child of childrenOf(shape, index)) {
      const from = Math.max(startNs[child] ?? 0, reached);
      const to = Math.min(endNs[child] ?? 0, end);
      if (to <= from) continue;
      own -= to - from;
      reached = to;
    }
    times[index] = own;
  }
  return times;
}

/** A span with the time spent in itself. */
export interface SpanTime {
  readonly span: Span;
  readonly exclusiveMs: number;
}

/** `exclusiveTimes` for callers that want spans, not columns. */
export function timedSpans(spans: readonly Span[]): SpanTime[] {
  const forest = buildForest(spans);
  const times = exclusiveTimes(forest);
  return forest.spans.map((span, index) => ({ span, exclusiveMs: (times[index] ?? 0) / 1e6 }));
}
