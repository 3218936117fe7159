/**
 * A trace as a forest: who is whose parent, in the order of a walk. Spans whose parent is missing are roots of their own.
 * Where a client's and a server's span share an id (Zipkin), the server's hangs below the client's, and takes the children.
 * Parents that go in a circle are cut at the span met first.
 */
import type { Span } from "@skopos/model";

export interface TraceTree {
  readonly spans: readonly Span[];
  /** Index of the parent; −1 for none. */
  readonly parent: Int32Array;
  /** Indexes in the order of a walk from the roots, a parent before its children. */
  readonly order: Int32Array;
  /** Nested sets: a span's descendants are those with `left < their left < right`. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly childCount: Int32Array;
  /** Index of the span without a parent that starts first; −1 where every span names one. */
  readonly root: number;
  readonly durationNs: number;
}

export function plantTrace(spans: readonly Span[]): TraceTree {
  const parent = parentsOf(spans);
  const { order, left, right } = walk(parent);
  const childCount = new Int32Array(spans.length);
  for (const index of parent) if (index >= 0) childCount[index] = (childCount[index] ?? 0) + 1;
  return { spans, parent, order, left, right, childCount, ...extent(spans) };
}

function extent(spans: readonly Span[]): { root: number; durationNs: number } {
  let root = -1;
  let from = spans[0]?.startNs ?? 0n;
  let to = from;
  for (const [i, span] of spans.entries()) {
    const end = span.startNs + BigInt(Math.round(span.durationNs));
    if (span.startNs < from) from = span.startNs;
    if (end > to) to = end;
    if (span.parentSpanId !== "") continue;
    const known = spans[root];
    if (!known || span.startNs < known.startNs) root = i;
  }
  return { root, durationNs: Number(to - from) };
}

function parentsOf(spans: readonly Span[]): Int32Array {
  const callers = new Map<string, number>();
  const owners = new Map<string, number>();
  for (const [i, { spanId, kind }] of spans.entries()) {
    if (kind === "client" && !callers.has(spanId)) callers.set(spanId, i);
    const owner = owners.get(spanId);
    if (owner === undefined || (kind === "server" && spans[owner]?.kind !== "server"))
      owners.set(spanId, i);
  }
  const parent = new Int32Array(spans.length).fill(-1);
  for (const [i, { spanId, parentSpanId, kind }] of spans.entries()) {
    const caller = kind === "server" ? callers.get(spanId) : undefined;
    const found = caller ?? (parentSpanId === "" ? undefined : owners.get(parentSpanId));
    if (found !== undefined && found !== i) parent[i] = found;
  }
  return parent;
}

function walk(parent: Int32Array): Pick<TraceTree, "order" | "left" | "right"> {
  const count = parent.length;
  const children = childLists(parent);
  const order = new Int32Array(count);
  const left = new Int32Array(count);
  const right = new Int32Array(count);
  let walked = 0;
  let number = 0;
  const stack: number[] = [];
  const descend = (root: number) => {
    stack.push(root);
    while (stack.length > 0) {
      const index = stack.pop() ?? 0;
      if (index < 0) {
        right[-index - 1] = ++number;
        continue;
      }
      left[index] = ++number;
      order[walked++] = index;
      stack.push(-index - 1);
      let child = children.first[index] ?? -1;
      while (child >= 0) {
        if (left[child] === 0) stack.push(child);
        child = children.next[child] ?? -1;
      }
    }
  };
  for (let i = 0; i < count; i++) if ((parent[i] ?? -1) < 0) descend(i);
  for (let i = 0; i < count; i++) {
    if (left[i] !== 0) continue;
    parent[i] = -1;
    descend(i);
  }
  return { order, left, right };
}

/** Children as linked lists: the first of each span, and the next of the same parent. */
function childLists(parent: Int32Array): { first: Int32Array; next: Int32Array } {
  const first = new Int32Array(parent.length).fill(-1);
  const next = new Int32Array(parent.length).fill(-1);
  for (let i = parent.length - 1; i >= 0; i--) {
    const above = parent[i] ?? -1;
    if (above < 0) continue;
    next[i] = first[above] ?? -1;
    first[above] = i;
  }
  return { first, next };
}
