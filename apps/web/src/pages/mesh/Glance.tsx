/** The graph without pan and zoom: on the home page and, oriented along the harm, on an incident. */
import { type GraphEdge, type GraphNode, webPaths } from "@skopos/api";
import { type ReactNode, useMemo } from "react";
import { useAddress } from "../../frame/address.ts";
import { boxAround, harmEdges } from "../../logic/graph-layout.ts";
import { Drawing } from "./Drawing.tsx";
import { usePlaces } from "./use-places.ts";

export interface GlanceProps {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** Given: arrows lead from the cause to its victims. */
  readonly causeId?: string | null;
  readonly harm?: boolean;
  readonly label: string;
  readonly maxHeight?: number;
}

export function Glance({
  nodes,
  edges,
  causeId = null,
  harm = false,
  label,
  maxHeight = 460,
}: GlanceProps): ReactNode {
  const { go } = useAddress();
  const drawn = useMemo(
    () =>
      harm
        ? harmEdges(edges, causeId)
        : edges.map((edge) => ({ edge, source: edge.source, target: edge.target })),
    [edges, harm, causeId],
  );
  const direction = harm ? "down" : "right";
  const layout = usePlaces(nodes, drawn, direction);
  // Names stand to the right of the nodes when the graph leads down.
  const room = harm ? 210 : 0;
  const box = harm ? boxAround(layout, 36, 40) : boxAround(layout);
  return (
    <svg
      className="mesh-svg still"
      viewBox={`${box.x} ${box.y} ${box.width + room} ${box.height}`}
      style={{ height: "auto", maxHeight, maxWidth: (box.width + room) * (harm ? 1 : 1.15) }}
      role="group"
      aria-label={label}
    >
      <Drawing
        nodes={nodes}
        edges={drawn}
        layout={layout}
        direction={direction}
        selection={{}}
        causeId={causeId}
        select={(selection) => go(webPaths.mesh(selection))}
      />
    </svg>
  );
}
