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
import type { Place, Places } from "../../logic/graph-layout.ts";

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
  readonly places: Places;
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

function pathBetween(from: Place, to: Place, fromRadius: number, toRadius: number) {
  const forward = to.x > from.x + 20;
  const sameColumn = Math.abs(to.x - from.x) <= 20;
  const start = { x: from.x + (forward || sameColumn ? fromRadius : -fromRadius), y: from.y };
  const end = { x: to.x + (forward ? -toRadius - 7 : toRadius + 7), y: to.y };
  const bend = sameColumn ? 60 : Math.max(40, Math.abs(end.x - start.x) / 2) * (forward ? 1 : -1);
  const c1 = { x: start.x + bend, y: start.y };
  const c2 = { x: sameColumn ? end.x + bend : end.x - bend, y: end.y };
  return {
    d: `M${start.x} ${start.y}C${c1.x} ${c1.y} ${c2.x} ${c2.y} ${end.x} ${end.y}`,
    middle: {
      x: (start.x + 3 * c1.x + 3 * c2.x + end.x) / 8,
      y: (start.y + 3 * c1.y + 3 * c2.y + end.y) / 8,
    },
    end,
    tip: forward ? 7 : -7,
  };
}

function EdgeMark({
  drawn,
  from,
  to,
  radii,
  selected,
  dimmed,
  labelled,
  select,
}: {
  readonly drawn: DrawnEdge;
  readonly from: Place;
  readonly to: Place;
  readonly radii: readonly [number, number];
  readonly selected: boolean;
  readonly dimmed: boolean;
  readonly labelled: boolean;
  readonly select: () => void;
}): ReactNode {
  const { edge } = drawn;
  const { d, middle, end, tip } = pathBetween(from, to, radii[0], radii[1]);
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
      <path className="tip" d={`M${end.x + tip} ${end.y}l${-tip} -4.5v9z`} />
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
  selected,
  dimmed,
  isCause,
  select,
}: {
  readonly node: GraphNode;
  readonly place: Place;
  readonly selected: boolean;
  readonly dimmed: boolean;
  readonly isCause: boolean;
  readonly select: () => void;
}): ReactNode {
  const radius = nodeRadius(node.traffic.requestsPerSecond);
  const glyph = stateGlyph(node);
  const why = isTrouble(node.health.state) ? node.health.reasons[0] : undefined;
  const names = [
    "mesh-node",
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
      <text y={radius + 17}>{node.name}</text>
      {why !== undefined && (
        <text className="why" y={radius + 32}>
          {why.length > 42 ? `${why.slice(0, 40)}…` : why}
        </text>
      )}
      {isCause && (
        <text className="cause" y={-radius - 9}>
          cause
        </text>
      )}
    </g>
  );
}

export function Drawing({
  nodes,
  edges,
  places,
  selection,
  causeId = null,
  select,
}: DrawingProps): ReactNode {
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
            selected={selection.edge === drawn.edge.id}
            dimmed={near.size > 0 && !touches(drawn)}
            labelled={isTrouble(drawn.edge.health.state) || (near.size > 0 && touches(drawn))}
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

export type { DrawnEdge };
