/**
 * A trace as trees, in columns: every span hangs below its parent, orphans and members of parent cycles become roots. Order is
 * depth-first, siblings by start, so that a page can show rows as they come.
 *
 * Zipkin lets a client and a server share one span id. The server half then hangs below the client half, and what names that id
 * as its parent hangs below the server half, whose process made it.
 *
 * Times are nanoseconds since the earliest start: doubles hold them exactly for 104 days.
 */
import { type Span, type SpanColumns, spanKinds } from "@skopos/model";
import { columnsOfSpans } from "./columns.ts";

/** The trees without what their spans say. Columns are by index in depth-first order. */
export interface TraceShape {
  readonly count: number;
  /** What it was built from, and of which row there each span is. */
  readonly columns: SpanColumns;
  readonly row: Int32Array;
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

export interface SpanForest extends TraceShape {
  /** Depth-first; the columns are by index into this. */
  readonly spans: readonly Span[];
}

/** Children of `index`, by start. */
export function* childrenOf(shape: TraceShape, index: number): Generator<number> {
  const end = index + (shape.descendants[index] ?? 0);
  for (let child = index + 1; child <= end; child += 1 + (shape.descendants[child] ?? 0))
    yield child;
}

/** `spans` are those of one trace, in any order. */
export function buildForest(spans: readonly Span[]): SpanForest {
  const shape = buildShape(columnsOfSpans(spans));
  const ordered = Array.from(shape.row, (row) => spans[row]).filter((span) => span !== undefined);
  return { ...shape, spans: ordered };
}

export function buildShape(columns: SpanColumns): TraceShape {
  const count = columns.id.length;
  const parents = cutCycles(parentsOf(columns));
  const row = depthFirst(columns, parents);
  const indexOf = new Int32Array(count);
  for (let index = 0; index < count; index++) indexOf[row[index] ?? 0] = index;

  const parent = new Int32Array(count).fill(-1);
  const depth = new Int32Array(count);
  const descendants = new Int32Array(count);
  const startNs = new Float64Array(count);
  const endNs = new Float64Array(count);
  let durationNs = 0;
  for (let index = 0; index < count; index++) {
    const from = row[index] ?? 0;
    const start = columns.startNs[from] ?? 0;
    const end = start + Math.max(0, columns.durationNs[from] ?? 0);
    startNs[index] = start;
    endNs[index] = end;
    if (end > durationNs) durationNs = end;
    const above = parents[from] ?? -1;
    if (above < 0) continue;
    const at = indexOf[above] ?? -1;
    parent[index] = at;
    depth[index] = (depth[at] ?? 0) + 1;
  }
  for (let index = count - 1; index > 0; index--) {
    const above = parent[index] ?? -1;
    if (above >= 0) descendants[above] = (descendants[above] ?? 0) + 1 + (descendants[index] ?? 0);
  }
  const { originNs } = columns;
  return {
    count,
    columns,
    row,
    parent,
    depth,
    descendants,
    startNs,
    endNs,
    originNs,
    durationNs,
  };
}

/** By kind: whether it is the caller's half of a call. */
const isCaller = spanKinds.map((kind) => kind === "client" || kind === "producer");

/** By row. */
function parentsOf({ ids, id, parentId, kind }: SpanColumns): Int32Array {
  /** By span id: the half that children belong to, and the caller's half where the id is shared. */
  const owner = new Int32Array(ids.length).fill(-1);
  const caller = new Int32Array(ids.length).fill(-1);
  for (let row = 0; row < id.length; row++) {
    const own = id[row] ?? 0;
    if (isCaller[kind[row] ?? 0]) {
      if (caller[own] === -1) caller[own] = row;
      if (owner[own] === -1) owner[own] = row;
    } else if (owner[own] === -1 || owner[own] === caller[own]) owner[own] = row;
  }
  const parents = new Int32Array(id.length).fill(-1);
  for (let row = 0; row < id.length; row++) {
    const shared = caller[id[row] ?? 0] ?? -1;
    const named = parentId[row] ?? -1;
    if (shared >= 0 && shared !== row && !isCaller[kind[row] ?? 0]) parents[row] = shared;
    else if (named >= 0) parents[row] = owner[named] ?? -1;
  }
  return parents;
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

/** Rows in depth-first order. */
function depthFirst({ startNs, durationNs }: SpanColumns, parents: Int32Array): Int32Array {
  const count = parents.length;
  // An array, not a typed one: its sort makes use of rows that are ordered already, as they mostly come in long runs.
  const bySiblingOrder = Array.from({ length: count }, (_, row) => row).sort(
    (a, b) =>
      (startNs[a] ?? 0) - (startNs[b] ?? 0) || (durationNs[b] ?? 0) - (durationNs[a] ?? 0) || a - b,
  );
  // Linked lists of children; filling them from the last makes each list ascend.
  const first = new Int32Array(count + 1).fill(-1);
  const next = new Int32Array(count).fill(-1);
  for (let i = count - 1; i >= 0; i--) {
    const index = bySiblingOrder[i] ?? 0;
    const list = (parents[index] ?? -1) + 1;
    next[index] = first[list] ?? -1;
    first[list] = index;
  }
  const order = new Int32Array(count);
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
