import { useState } from "react";
import { type LayoutEdge, placeGraph, type Places } from "../../logic/graph-layout.ts";

function shapeOf(nodes: readonly { id: string }[], edges: readonly LayoutEdge[]): string {
  const ids = nodes.map(({ id }) => id).toSorted();
  const ways = edges.map(({ source, target }) => `${source}>${target}`).toSorted();
  return `${ids.join("\n")}\n\n${ways.join("\n")}`;
}

/** Places that outlive refreshes: laid out again only when nodes or edges come or go, and then nobody moves. */
export function usePlaces(nodes: readonly { id: string }[], edges: readonly LayoutEdge[]): Places {
  const [placed, setPlaced] = useState<{ shape: string; places: Places }>(() => ({
    shape: shapeOf(nodes, edges),
    places: placeGraph(
      new Map(),
      nodes.map(({ id }) => id),
      edges,
    ),
  }));
  const shape = shapeOf(nodes, edges);
  if (shape === placed.shape) return placed.places;
  const places = placeGraph(
    placed.places,
    nodes.map(({ id }) => id),
    edges,
  );
  setPlaced({ shape, places });
  return places;
}
