/**
 * The chain of work that decided how long a trace took, walked from the end of its first root backwards: at each moment it is the
 * child that finished last before it, and between children the span itself (as Jaeger's critical path). Children that end after
 * their parent, or start before it, did not decide and are passed over.
 */
import { childrenOf, type TraceShape } from "./forest.ts";

/** A stretch of the path: between `fromNs` and `toNs` the trace waited for the span itself, not for a child. */
export interface PathSegment {
  readonly index: number;
  /** Since the trace's start. */
  readonly fromNs: number;
  readonly toNs: number;
}

/** By time. Empty for a trace without spans. */
export function criticalPath(shape: TraceShape): PathSegment[] {
  if (shape.count === 0) return [];
  const { startNs, endNs } = shape;
  const segments: PathSegment[] = [];
  const pending: { index: number; untilNs: number }[] = [{ index: 0, untilNs: Infinity }];
  for (let item = pending.pop(); item; item = pending.pop()) {
    const { index } = item;
    const begin = startNs[index] ?? 0;
    let until = Math.min(item.untilNs, endNs[index] ?? 0);
    const lastFirst = [...childrenOf(shape, index)].sort(
      (a, b) => (endNs[b] ?? 0) - (endNs[a] ?? 0),
    );
    for (const child of lastFirst) {
      const end = endNs[child] ?? 0;
      const start = startNs[child] ?? 0;
      if (end > until || start < begin) continue;
      if (until > end) segments.push({ index, fromNs: end, toNs: until });
      pending.push({ index: child, untilNs: end });
      until = start;
    }
    if (until > begin || (endNs[index] ?? 0) === begin)
      segments.push({ index, fromNs: begin, toNs: until });
  }
  return segments.sort((a, b) => a.fromNs - b.fromNs || a.toNs - b.toNs);
}
