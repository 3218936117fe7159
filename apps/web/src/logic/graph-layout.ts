/**
 * Where the nodes of a graph stand and which way its edges go. Layered by dagre from sorted input, so that the same
 * graph always looks the same; a node that was placed stays where it is, and new ones find a free place in their layer.
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

type Places = ReadonlyMap<string, Place>;

export interface Layout {
  /** Node centres. */
  readonly places: Places;
  /** Bends of edges that pass other layers, by `wayKey`; the ends are left out. */
  readonly ways: ReadonlyMap<string, readonly Place[]>;
}

/** Across from the gateways, or down from a cause. */
export type Direction = "right" | "down";

const columnGap = 240;
const rowGap = 104;
const nodeBox = 56;

export const noLayout: Layout = { places: new Map(), ways: new Map() };

export function wayKey({ source, target }: LayoutEdge): string {
  return `${source}>${target}`;
}

function bendsOf(points: readonly { x: number; y: number }[] | undefined): Place[] {
  // The first and last point lie on the nodes' boxes; three points mean a straight way.
  return (points ?? []).length > 3 ? (points ?? []).slice(1, -1).map(({ x, y }) => ({ x, y })) : [];
}

/** Callers before callees, in the given direction. */
export function layoutGraph(
  ids: readonly string[],
  edges: readonly LayoutEdge[],
  direction: Direction = "right",
): Layout {
  const graph = new graphlib.Graph();
  const down = direction === "down";
  graph.setGraph({
    rankdir: down ? "TB" : "LR",
    nodesep: down ? 140 : rowGap - nodeBox,
    ranksep: down ? 44 : columnGap - nodeBox,
    edgesep: 48,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(ids);
  for (const id of ids.toSorted()) graph.setNode(id, { width: nodeBox, height: nodeBox });
  const sorted = edges
    .filter(({ source, target }) => known.has(source) && known.has(target) && source !== target)
    .toSorted((a, b) => (wayKey(a) < wayKey(b) ? -1 : 1));
  for (const { source, target } of sorted) graph.setEdge(source, target);
  layout(graph);
  const places = new Map<string, Place>();
  for (const id of ids) {
    const { x, y } = graph.node(id);
    if (x !== undefined && y !== undefined) places.set(id, { x, y });
  }
  const ways = new Map<string, Place[]>();
  for (const edge of sorted) {
    const bends = bendsOf(graph.edge(edge.source, edge.target).points);
    if (bends.length > 0) ways.set(wayKey(edge), bends);
  }
  return { places, ways };
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
  const callers = edges.filter(({ target }) => target === id).map(({ source }) => source);
  const callees = edges.filter(({ source }) => source === id).map(({ target }) => target);
  const standing = (others: string[]) =>
    others.map((other) => placed.get(other)).filter((place) => place !== undefined);
  const left = standing(callers);
  const from = left.length > 0 ? left : standing(callees);
  if (from.length === 0) return null;
  const y = from.reduce((sum, place) => sum + place.y, 0) / from.length;
  const xs = from.map((place) => place.x);
  return { x: left.length > 0 ? Math.max(...xs) + columnGap : Math.min(...xs) - columnGap, y };
}

/** Keeps what stands, places what is new, forgets what is gone. */
export function placeGraph(
  previous: Layout,
  ids: readonly string[],
  edges: readonly LayoutEdge[],
  direction: Direction = "right",
): Layout {
  const kept = new Map<string, Place>();
  for (const id of ids) {
    const place = previous.places.get(id);
    if (place) kept.set(id, place);
  }
  const fresh = ids.filter((id) => !kept.has(id));
  // When more of it is new than known, this is another graph.
  if (kept.size === 0 || fresh.length > kept.size) return layoutGraph(ids, edges, direction);
  const ideal = layoutGraph(ids, edges, direction);
  for (const id of fresh.toSorted()) {
    const wanted = besideNeighbours(id, edges, kept) ?? ideal.places.get(id) ?? { x: 0, y: 0 };
    kept.set(id, nearestFree(wanted, [...kept.values()]));
  }
  // Nodes that were placed before their calls were known stand in each other's way: then order counts more than memory.
  if (backwards(edges, kept, direction) > backwards(edges, ideal.places, direction)) return ideal;
  return { places: kept, ways: previous.ways };
}

/** How many calls do not lead onwards. */
function backwards(edges: readonly LayoutEdge[], places: Places, direction: Direction): number {
  const along = direction === "right" ? "x" : "y";
  return edges.filter(({ source, target }) => {
    const from = places.get(source);
    const to = places.get(target);
    return from !== undefined && to !== undefined && to[along] <= from[along];
  }).length;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The smallest box around everything, with room for names. */
export function boxAround({ places, ways }: Layout, marginX = 120, marginY = 56): Box {
  const all = [...places.values(), ...[...ways.values()].flat()];
  if (all.length === 0) return { x: 0, y: 0, width: 400, height: 200 };
  const xs = all.map(({ x }) => x);
  const ys = all.map(({ y }) => y);
  const x = Math.min(...xs) - marginX;
  const y = Math.min(...ys) - marginY;
  return {
    x,
    y,
    width: Math.max(...xs) + marginX - x,
    height: Math.max(...ys) + marginY + 12 - y,
  };
}

/**
 * Edges turned so that they lead away from `causeId`: how harm travels. Edges between nodes equally far point from
 * callee to caller, the usual way of harm.
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
