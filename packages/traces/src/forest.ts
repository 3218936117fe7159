/**
 * A trace as trees, in columns: every span hangs below its parent, orphans and members of parent cycles become roots. Order is
 * depth-first, siblings by start, so that a page can show rows as they come.
 *
 * Zipkin lets a client and a server share one span id. The server half then hangs below the client half, and what names that id
 * as its parent hangs below the server half, whose process made it.
 *
 * Times are nanoseconds since the earliest start: doubles hold them exactly for 104 days.
 */
import type { Span } from "@skopos/model";

export interface SpanForest {
  /** Depth-first; the other columns are by index into this. */
  readonly spans: readonly Span[];
  /** −1 for roots. A parent stands before its children. */
  readonly parent: Int32Array;
  readonly depth: Int32Array;
  /** How many spans stand below, children of children among them. */
  readonly descendants: Int32Array;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
  /** Unix time of the earliest start. */
  readonly originNs: bigint;
  /** From the earliest start to the latest end. */
  readonly durationNs: number;
}

/** Children of `index`, by start. */
export function* childrenOf(forest: SpanForest, index: number): Generator<number> {
  const end = index + (forest.descendants[index] ?? 0);
  for (let child = index + 1; child <= end; child += 1 + (forest.descendants[child] ?? 0))
    yield child;
}

/** `spans` are those of one trace, in any order. */
export function buildForest(spans: readonly Span[]): SpanForest {
  const count = spans.length;
  const parents = cutCycles(parentsOf(spans));
  const originNs = spans.reduce(
    (least, { startNs }) => (startNs < least ? startNs : least),
    spans[0]?.startNs ?? 0n,
  );
  const starts = Float64Array.from(spans, ({ startNs }) => Number(startNs - originNs));
  const order = depthFirst(spans, parents, starts);
  const rankOf = new Int32Array(count);
  order.forEach((from, rank) => (rankOf[from] = rank));

  const forest = {
    spans: Array.from(order, (from) => spans[from]).filter((span) => span !== undefined),
    parent: new Int32Array(count).fill(-1),
    depth: new Int32Array(count),
    descendants: new Int32Array(count),
    startNs: new Float64Array(count),
    endNs: new Float64Array(count),
    originNs,
    durationNs: 0,
  };
  for (let rank = 0; rank < count; rank++) {
    const from = order[rank] ?? 0;
    const parent = parents[from] ?? -1;
    const start = starts[from] ?? 0;
    const end = start + Math.max(0, spans[from]?.durationNs ?? 0);
    forest.startNs[rank] = start;
    forest.endNs[rank] = end;
    if (end > forest.durationNs) forest.durationNs = end;
    if (parent < 0) continue;
    forest.parent[rank] = rankOf[parent] ?? -1;
    forest.depth[rank] = (forest.depth[rankOf[parent] ?? 0] ?? 0) + 1;
  }
  for (let rank = count - 1; rank > 0; rank--) {
    const parent = forest.parent[rank] ?? -1;
    if (parent >= 0)
      forest.descendants[parent] =
        (forest.descendants[parent] ?? 0) + 1 + (forest.descendants[rank] ?? 0);
  }
  return forest;
}

const callerKinds: ReadonlySet<Span["kind"]> = new Set(["client", "producer"]);

function parentsOf(spans: readonly Span[]): Int32Array {
  /** By span id: the half that children belong to, and the caller's half where the id is shared. */
  const owner = new Map<string, number>();
  const caller = new Map<string, number>();
  spans.forEach(({ spanId, kind }, index) => {
    if (callerKinds.has(kind)) {
      if (!caller.has(spanId)) caller.set(spanId, index);
      if (!owner.has(spanId)) owner.set(spanId, index);
      return;
    }
    const held = owner.get(spanId);
    if (held === undefined || caller.get(spanId) === held) owner.set(spanId, index);
  });
  return Int32Array.from(spans, ({ spanId, parentSpanId, kind }, index) => {
    const shared = caller.get(spanId);
    if (shared !== undefined && shared !== index && !callerKinds.has(kind)) return shared;
    return parentSpanId === "" ? -1 : (owner.get(parentSpanId) ?? -1);
  });
}

/** Makes one member of every cycle a root. */
function cutCycles(parents: Int32Array): Int32Array {
  const seenIn = new Int32Array(parents.length).fill(-1);
  for (let start = 0; start < parents.length; start++) {
    let at = start;
    while (at >= 0 && seenIn[at] === -1) {
      seenIn[at] = start;
      const up = parents[at] ?? -1;
      if (up >= 0 && seenIn[up] === start) {
        parents[at] = -1;
        break;
      }
      at = up;
    }
  }
  return parents;
}

function depthFirst(spans: readonly Span[], parents: Int32Array, starts: Float64Array): Int32Array {
  const bySiblingOrder = Int32Array.from(spans.keys()).sort(
    (a, b) =>
      (starts[a] ?? 0) - (starts[b] ?? 0) ||
      (spans[b]?.durationNs ?? 0) - (spans[a]?.durationNs ?? 0) ||
      a - b,
  );
  // Linked lists of children; filling them from the last makes each list ascend.
  const first = new Int32Array(spans.length + 1).fill(-1);
  const next = new Int32Array(spans.length).fill(-1);
  for (let i = spans.length - 1; i >= 0; i--) {
    const index = bySiblingOrder[i] ?? 0;
    const list = (parents[index] ?? -1) + 1;
    next[index] = first[list] ?? -1;
    first[list] = index;
  }
  const order = new Int32Array(spans.length);
  const pending: number[] = [];
  let rank = 0;
  for (let at = first[0] ?? -1; at >= 0;) {
    order[rank++] = at;
    const sibling = next[at] ?? -1;
    if (sibling >= 0) pending.push(sibling);
    const child = first[at + 1] ?? -1;
    at = child >= 0 ? child : (pending.pop() ?? -1);
  }
  return order;
}
