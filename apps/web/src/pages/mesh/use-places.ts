import { useState } from "react";
import {
  type Direction,
  type Layout,
  type LayoutEdge,
  noLayout,
  placeGraph,
  wayKey,
} from "../../logic/graph-layout.ts";

function shapeOf(nodes: readonly { id: string }[], edges: readonly LayoutEdge[]): string {
  const ids = nodes.map(({ id }) => id).toSorted();
  return `${ids.join("\n")}\n\n${edges.map(wayKey).toSorted().join("\n")}`;
}

/** A layout that outlives refreshes: made again only when nodes or edges come or go, and then nobody moves. */
export function usePlaces(
  nodes: readonly { id: string }[],
  edges: readonly LayoutEdge[],
  direction: Direction = "right",
): Layout {
  const place = (before: Layout) =>
    placeGraph(
      before,
      nodes.map(({ id }) => id),
      edges,
      direction,
    );
  const [placed, setPlaced] = useState<{ shape: string; layout: Layout }>(() => ({
    shape: shapeOf(nodes, edges),
    layout: place(noLayout),
  }));
  const shape = shapeOf(nodes, edges);
  if (shape === placed.shape) return placed.layout;
  const layout = place(placed.layout);
  setPlaced({ shape, layout });
  return layout;
}
