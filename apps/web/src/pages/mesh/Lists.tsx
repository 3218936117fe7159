import type { GraphEdge, GraphNode } from "@skopos/api";
import { webPaths } from "@skopos/api";
import type { ReactNode } from "react";
import { isPlaintext } from "../../logic/graph-look.ts";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { EntityLink, nodeRef } from "../../parts/EntityLink.tsx";
import { Go } from "../../parts/Go.tsx";
import { StateMark } from "../../parts/StateMark.tsx";
import { Value } from "../../parts/Value.tsx";

const rank = { failing: 0, degraded: 1, unknown: 2, healthy: 3, idle: 4 };

/** What services and connections are told by alike. */
const stateColumn: Column<Pick<GraphNode, "health" | "traffic">> = {
  key: "state",
  title: "State",
  cell: ({ health }) => rank[health.state],
  show: ({ health }) => <StateMark health={health} />,
};

const errorsColumn: Column<Pick<GraphNode, "health" | "traffic">> = {
  key: "errors",
  title: "Errors",
  numeric: true,
  cell: ({ traffic }) => traffic.errorRatio,
  show: ({ traffic }) => <Value value={traffic.errorRatio} unit="ratio" />,
};

const p95Column: Column<Pick<GraphNode, "health" | "traffic">> = {
  key: "p95",
  title: "p95",
  numeric: true,
  cell: ({ traffic }) => traffic.p95Ms,
  show: ({ traffic }) => <Value value={traffic.p95Ms} unit="ms" />,
};

const nodeColumns: readonly Column<GraphNode>[] = [
  stateColumn,
  {
    key: "name",
    title: "Service",
    cell: ({ name }) => name,
    show: (node) => <EntityLink entity={nodeRef(node)} />,
  },
  { key: "ns", title: "Namespace", cell: ({ namespace }) => namespace, minor: true },
  {
    key: "rate",
    title: "Requests",
    numeric: true,
    cell: ({ traffic }) => traffic.requestsPerSecond,
    show: ({ traffic }) => <Value value={traffic.requestsPerSecond} unit="per-second" />,
  },
  errorsColumn,
  p95Column,
  {
    key: "p99",
    title: "p99",
    numeric: true,
    minor: true,
    cell: ({ traffic }) => traffic.p99Ms,
    show: ({ traffic }) => <Value value={traffic.p99Ms} unit="ms" />,
  },
  {
    key: "ready",
    title: "Ready",
    numeric: true,
    minor: true,
    cell: ({ replicas }) => (replicas ? replicas.ready : null),
    show: ({ replicas }) => (replicas ? `${replicas.ready}/${replicas.desired}` : "–"),
  },
];

const edgeColumns: readonly Column<GraphEdge>[] = [
  stateColumn,
  {
    key: "name",
    title: "Connection",
    cell: ({ id }) => id,
    show: (edge) => (
      <Go to={webPaths.mesh({ edge: edge.id })}>
        {edge.source.split("/").at(-1)} → {edge.target.split("/").at(-1)}
      </Go>
    ),
  },
  {
    key: "rate",
    title: "Requests",
    numeric: true,
    cell: ({ traffic }) => traffic.requestsPerSecond,
    show: ({ traffic }) =>
      traffic.requestsPerSecond === null && traffic.sentBytesPerSecond !== null ? (
        <Value value={traffic.sentBytesPerSecond} unit="bytes-per-second" />
      ) : (
        <Value value={traffic.requestsPerSecond} unit="per-second" />
      ),
  },
  errorsColumn,
  p95Column,
  {
    key: "flags",
    title: "Flags",
    minor: true,
    cell: ({ flags }) => Object.keys(flags).toSorted().join(" "),
  },
  {
    key: "mtls",
    title: "Mutual TLS",
    minor: true,
    cell: ({ mtlsRatio }) => mtlsRatio,
    show: (edge) =>
      edge.mtlsRatio === null ? (
        <span className="faint">not known</span>
      ) : isPlaintext(edge) ? (
        <span className="state degraded">
          ▲ <Value value={edge.mtlsRatio} unit="ratio" />
        </span>
      ) : (
        "all"
      ),
  },
];

export function EdgeTable({
  edges,
  label,
  parameter,
}: {
  readonly edges: readonly GraphEdge[];
  readonly label: string;
  readonly parameter: string;
}): ReactNode {
  return (
    <DataTable
      label={label}
      rows={edges}
      rowKey={({ id }) => id}
      columns={edgeColumns}
      sort="state"
      parameter={parameter}
      attributes={({ id, health }) => ({ "data-edge-id": id, "data-state": health.state })}
    />
  );
}

/** The same data as the graph, as tables. */
export function Lists({
  nodes,
  edges,
}: {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}): ReactNode {
  return (
    <div className="mesh-lists stack wide">
      <section className="stack tight">
        <h2>Services</h2>
        <DataTable
          label="Services"
          rows={nodes}
          rowKey={({ id }) => id}
          columns={nodeColumns}
          sort="state"
          attributes={({ id, health }) => ({ "data-node-id": id, "data-state": health.state })}
        />
      </section>
      <section className="stack tight">
        <h2>Connections</h2>
        <EdgeTable edges={edges} label="Connections" parameter="esort" />
      </section>
    </div>
  );
}
