/** The graph as SVG: nodes with a ring of their health, edges by rate. Pure drawing; who pans and selects is outside. */
import "../../styles/mesh.css";
import type { GraphEdge, GraphNode } from "@skopos/api";
import type { KeyboardEvent, ReactNode } from "react";
import {
  edgeSays,
  edgeWidth,
  isPlaintext,
  isTrouble,
  nodeRadius,
  nodeSays,
  trafficLabel,
} from "../../logic/graph-look.ts";
import { type Direction, type Layout, type Place, wayKey } from "../../logic/graph-layout.ts";
import { edgePath } from "../../logic/graph-path.ts";

export interface Selection {
  readonly node?: string;
  readonly edge?: string;
}

interface DrawnEdge {
  readonly edge: GraphEdge;
  /** Where the arrow starts and ends; usually the edge's own. */
  readonly source: string;
  readonly target: string;
}

interface DrawingProps {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly DrawnEdge[];
  readonly layout: Layout;
  readonly direction?: Direction;
  readonly selection: Selection;
  readonly causeId?: string | null;
  readonly select: (selection: Selection) => void;
}

function onKey(act: () => void) {
  return (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    act();
  };
}

function EdgeMark({
  drawn,
  from,
  to,
  radii,
  bends,
  direction,
  selected,
  dimmed,
  labelled,
  select,
}: {
  readonly drawn: DrawnEdge;
  readonly from: Place;
  readonly to: Place;
  readonly radii: readonly [number, number];
  readonly bends: readonly Place[];
  readonly direction: Direction;
  readonly selected: boolean;
  readonly dimmed: boolean;
  readonly labelled: boolean;
  readonly select: () => void;
}): ReactNode {
  const { edge } = drawn;
  const { d, middle, tip, turn } = edgePath(from, to, radii, bends, direction);
  const names = [
    "mesh-edge",
    edge.health.state,
    isPlaintext(edge) ? "plaintext" : "",
    selected ? "selected" : "",
    dimmed ? "dimmed" : "",
    labelled || selected ? "labelled" : "",
  ];
  return (
    <g
      className={names.join(" ")}
      data-edge-id={edge.id}
      data-state={edge.health.state}
      role="button"
      tabIndex={-1}
      aria-label={edgeSays(edge)}
      aria-pressed={selected}
      onClick={select}
      onKeyDown={onKey(select)}
    >
      <path className="hit" d={d} />
      <path className="line" d={d} strokeWidth={edgeWidth(edge.traffic)} />
      <path
        className="tip"
        d="M0 0l-8 -4.5v9z"
        transform={`translate(${tip.x} ${tip.y}) rotate(${turn})`}
      />
      <text className="label" x={middle.x} y={middle.y - 6}>
        {trafficLabel(edge.traffic)}
      </text>
    </g>
  );
}

const glyphs: Readonly<Record<GraphNode["kind"], string>> = {
  gateway: "M-6 0h11M1 -4.5 5.5 0 1 4.5",
  service: "M-4.5 -4.5h9v9h-9z",
  tcp: "M-5 -4c0-2.6 10-2.6 10 0v8c0 2.6-10 2.6-10 0zM-5 -4c0 2.6 10 2.6 10 0",
  external: "M0 -6 6 0 0 6 -6 0z",
  unknown: "M-2.5 -2a2.5 2.5 0 1 1 2.5 2.8V2M0 5v.5",
};

function stateGlyph(node: GraphNode): { d: string; solid: boolean } {
  if (node.health.state === "failing") return { d: "M0 -7 7 0 0 7 -7 0z", solid: true };
  if (node.health.state === "degraded") return { d: "M0 -6 6.5 5.5h-13z", solid: false };
  return { d: glyphs[node.kind], solid: false };
}

function NodeMark({
  node,
  place,
  direction,
  selected,
  dimmed,
  isCause,
  select,
}: {
  readonly node: GraphNode;
  readonly place: Place;
  readonly direction: Direction;
  readonly selected: boolean;
  readonly dimmed: boolean;
  readonly isCause: boolean;
  readonly select: () => void;
}): ReactNode {
  const radius = nodeRadius(node.traffic.requestsPerSecond);
  const glyph = stateGlyph(node);
  const why = isTrouble(node.health.state) ? node.health.reasons[0] : undefined;
  const beside = direction === "down";
  const name = beside
    ? { x: radius + 10, y: why === undefined ? 4 : -2 }
    : { x: 0, y: radius + 17 };
  const names = [
    "mesh-node",
    beside ? "beside" : "",
    node.health.state,
    selected ? "selected" : "",
    dimmed ? "dimmed" : "",
  ];
  return (
    <g
      className={names.join(" ")}
      transform={`translate(${place.x} ${place.y})`}
      data-node-id={node.id}
      data-state={node.health.state}
      role="button"
      tabIndex={0}
      aria-label={nodeSays(node)}
      aria-pressed={selected}
      onClick={select}
      onKeyDown={onKey(select)}
    >
      <circle className="halo" r={radius + 6} />
      <circle className="disc" r={radius} />
      <path className={glyph.solid ? "glyph solid" : "glyph"} d={glyph.d} />
      <text {...name}>{node.name}</text>
      {why !== undefined && (
        <text className="why" {...name} y={name.y + 15}>
          {why.length > 42 ? `${why.slice(0, 40)}…` : why}
        </text>
      )}
      {isCause && (
        <text className="cause" {...(beside ? { ...name, y: name.y - 15 } : { y: -radius - 9 })}>
          cause
        </text>
      )}
    </g>
  );
}

export function Drawing({
  nodes,
  edges,
  layout,
  direction = "right",
  selection,
  causeId = null,
  select,
}: DrawingProps): ReactNode {
  const { places, ways } = layout;
  const radius = new Map(nodes.map((n) => [n.id, nodeRadius(n.traffic.requestsPerSecond)]));
  const touches = (edge: DrawnEdge) =>
    edge.source === selection.node || edge.target === selection.node;
  const near = new Set(
    selection.node === undefined
      ? []
      : [
          selection.node,
          ...edges.filter(touches).flatMap(({ source, target }) => [source, target]),
        ],
  );
  return (
    <>
      {edges.map((drawn) => {
        const from = places.get(drawn.source);
        const to = places.get(drawn.target);
        if (!from || !to) return null;
        return (
          <EdgeMark
            key={drawn.edge.id}
            drawn={drawn}
            from={from}
            to={to}
            radii={[radius.get(drawn.source) ?? 15, radius.get(drawn.target) ?? 15]}
            bends={ways.get(wayKey(drawn)) ?? []}
            direction={direction}
            selected={selection.edge === drawn.edge.id}
            dimmed={near.size > 0 && !touches(drawn)}
            labelled={
              (direction === "right" && isTrouble(drawn.edge.health.state)) ||
              (near.size > 0 && touches(drawn))
            }
            select={() => select({ edge: drawn.edge.id })}
          />
        );
      })}
      {nodes.map((node) => {
        const place = places.get(node.id);
        if (!place) return null;
        return (
          <NodeMark
            key={node.id}
            node={node}
            place={place}
            direction={direction}
            selected={selection.node === node.id}
            dimmed={near.size > 0 && !near.has(node.id)}
            isCause={node.id === causeId}
            select={() => select({ node: node.id })}
          />
        );
      })}
    </>
  );
}
