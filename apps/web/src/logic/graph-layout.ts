/**
 * Where the nodes of a graph stand. Layered from left to right by dagre, from sorted input, so that the same graph
 * always looks the same; a node that was placed stays where it is, and new ones find a free place in their layer.
 */
import { graphlib, layout } from "@dagrejs/dagre";

export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface LayoutEdge {
  readonly source: string;
  readonly target: string;
}

export type Places = ReadonlyMap<string, Place>;

export const columnGap = 190;
export const rowGap = 96;

/** Left to right, callers before callees. Coordinates are node centres. */
export function layoutGraph(ids: readonly string[], edges: readonly LayoutEdge[]): Places {
  const graph = new graphlib.Graph();
  graph.setGraph({
    rankdir: "LR",
    nodesep: rowGap - 56,
    ranksep: columnGap - 56,
    ranker: "longest-path",
  });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(ids);
  for (const id of ids.toSorted()) graph.setNode(id, { width: 56, height: 56 });
  const sorted = edges.toSorted((a, b) =>
    `${a.source} ${a.target}` < `${b.source} ${b.target}` ? -1 : 1,
  );
  for (const { source, target } of sorted)
    if (known.has(source) && known.has(target) && source !== target) graph.setEdge(source, target);
  layout(graph);
  const places = new Map<string, Place>();
  for (const id of ids) {
    const { x, y } = graph.node(id);
    if (x !== undefined && y !== undefined) places.set(id, { x, y });
  }
  return places;
}

function isFree(at: Place, taken: readonly Place[]): boolean {
  return taken.every(
    (other) => Math.abs(other.x - at.x) > columnGap / 2 || Math.abs(other.y - at.y) > rowGap * 0.7,
  );
}

function nearestFree(wanted: Place, taken: readonly Place[]): Place {
  for (let step = 0; step <= taken.length; step++) {
    for (const sign of [1, -1]) {
      const at = { x: wanted.x, y: wanted.y + sign * step * rowGap };
      if (isFree(at, taken)) return at;
    }
  }
  return wanted;
}

/** Beside its placed callers, else before its placed callees; `null` when it knows nobody. */
function besideNeighbours(id: string, edges: readonly LayoutEdge[], placed: Places): Place | null {
  const known = (other: string) => placed.get(other);
  const callers = edges.filter(({ target }) => target === id).map(({ source }) => known(source));
  const callees = edges.filter(({ source }) => source === id).map(({ target }) => known(target));
  const left = callers.filter((place) => place !== undefined);
  const right = callees.filter((place) => place !== undefined);
  const from = left.length > 0 ? left : right;
  if (from.length === 0) return null;
  const y = from.reduce((sum, place) => sum + place.y, 0) / from.length;
  const xs = from.map((place) => place.x);
  return { x: left.length > 0 ? Math.max(...xs) + columnGap : Math.min(...xs) - columnGap, y };
}

/** Keeps what stands, places what is new, forgets what is gone. */
export function placeGraph(
  previous: Places,
  ids: readonly string[],
  edges: readonly LayoutEdge[],
): Places {
  const kept = new Map<string, Place>();
  for (const id of ids) {
    const place = previous.get(id);
    if (place) kept.set(id, place);
  }
  const fresh = ids.filter((id) => !kept.has(id));
  // When half of it is new, this is another graph.
  if (kept.size === 0 || fresh.length > kept.size) return layoutGraph(ids, edges);
  const ideal = fresh.length > 0 ? layoutGraph(ids, edges) : new Map<string, Place>();
  for (const id of fresh.toSorted()) {
    const wanted = besideNeighbours(id, edges, kept) ?? ideal.get(id) ?? { x: 0, y: 0 };
    kept.set(id, nearestFree(wanted, [...kept.values()]));
  }
  return kept;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The smallest box around all places, with room for names. */
export function boxAround(places: Places, margin = 72): Box {
  const all = [...places.values()];
  if (all.length === 0) return { x: 0, y: 0, width: 400, height: 200 };
  const xs = all.map(({ x }) => x);
  const ys = all.map(({ y }) => y);
  const x = Math.min(...xs) - margin;
  const y = Math.min(...ys) - margin * 0.75;
  return {
    x,
    y,
    width: Math.max(...xs) + margin - x,
    height: Math.max(...ys) + margin - y,
  };
}

/**
 * Edges turned so that they lead away from `causeId`: how harm travels. Edges between nodes equally far keep
 * pointing from callee to caller, the usual way of harm.
 */
export function harmEdges<Edge extends LayoutEdge>(
  edges: readonly Edge[],
  causeId: string | null,
): { readonly edge: Edge; readonly source: string; readonly target: string }[] {
  const distance = new Map<string, number>();
  const queue = causeId === null ? [] : [causeId];
  if (causeId !== null) distance.set(causeId, 0);
  for (let at = 0; at < queue.length; at++) {
    const id = queue[at] ?? "";
    const next = (distance.get(id) ?? 0) + 1;
    for (const { source, target } of edges) {
      const other = source === id ? target : target === id ? source : null;
      if (other === null || distance.has(other)) continue;
      distance.set(other, next);
      queue.push(other);
    }
  }
  return edges.map((edge) => {
    const caller = distance.get(edge.source) ?? Infinity;
    const callee = distance.get(edge.target) ?? Infinity;
    return caller < callee
      ? { edge, source: edge.source, target: edge.target }
      : { edge, source: edge.target, target: edge.source };
  });
}
