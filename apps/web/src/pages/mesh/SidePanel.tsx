/** What is known about the selected service or connection, and the ways on. */
import { type Graph, type GraphEdge, type GraphNode, type Traffic, webPaths } from "@skopos/api";
import { IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { changesQuery } from "../../data/queries.ts";
import { useScope } from "../../frame/address.ts";
import { isPlaintext, trafficLabel } from "../../logic/graph-look.ts";
import { flagMeaning } from "@skopos/model";
import { formatRate, formatRatio } from "../../logic/numbers.ts";
import { serviceQueries } from "../../logic/service-queries.ts";
import { EntityLink, nodeRef } from "../../parts/EntityLink.tsx";
import { Go } from "../../parts/Go.tsx";
import { StateMark } from "../../parts/StateMark.tsx";
import { Ago, Value } from "../../parts/Value.tsx";
import type { Selection } from "./Drawing.tsx";

export function Red({ traffic }: { readonly traffic: Traffic }): ReactNode {
  const tcp = traffic.requestsPerSecond === null && traffic.sentBytesPerSecond !== null;
  if (tcp)
    return (
      <dl className="figures">
        <div className="figure">
          <dt>Sent</dt>
          <dd>
            <Value value={traffic.sentBytesPerSecond} unit="bytes-per-second" />
          </dd>
        </div>
        <div className="figure">
          <dt>Received</dt>
          <dd>
            <Value value={traffic.receivedBytesPerSecond} unit="bytes-per-second" />
          </dd>
        </div>
      </dl>
    );
  return (
    <dl className="figures">
      <div className="figure">
        <dt>Requests</dt>
        <dd>
          <Value value={traffic.requestsPerSecond} unit="per-second" />
        </dd>
      </div>
      <div className="figure">
        <dt>Errors</dt>
        <dd>
          <Value value={traffic.errorRatio} unit="ratio" />
        </dd>
      </div>
      <div className="figure">
        <dt title="Half, 95 of 100 and 99 of 100 requests are at most this slow">
          p50 · p95 · p99
        </dt>
        <dd>
          <Value value={traffic.p50Ms} unit="ms" /> · <Value value={traffic.p95Ms} unit="ms" /> ·{" "}
          <Value value={traffic.p99Ms} unit="ms" />
        </dd>
      </div>
    </dl>
  );
}

export function Reasons({ node }: { readonly node: GraphNode | GraphEdge }): ReactNode {
  if (node.health.reasons.length === 0) return null;
  return (
    <ul className="stack tight">
      {node.health.reasons.map((reason) => (
        <li key={reason}>{reason}</li>
      ))}
    </ul>
  );
}

function FlagBars({ edge }: { readonly edge: GraphEdge }): ReactNode {
  const flags = Object.entries(edge.flags).toSorted(([, a], [, b]) => b - a);
  if (flags.length === 0) return <p className="quiet">No response flags.</p>;
  const most = Math.max(...flags.map(([, rate]) => rate));
  return (
    <div className="bars">
      {flags.map(([flag, rate]) => (
        <div key={flag} style={{ display: "contents" }}>
          <span title={flagMeaning(flag)}>
            <b className="mono">{flag}</b> <span className="quiet">{flagMeaning(flag)}</span>
          </span>
          <span className="track" aria-hidden="true">
            <i style={{ width: `${(rate / most) * 100}%` }} />
          </span>
          <span className="num">{formatRate(rate)}</span>
        </div>
      ))}
    </div>
  );
}

function Neighbours({
  title,
  edges,
  nodes,
  end,
  select,
}: {
  readonly title: string;
  readonly edges: readonly GraphEdge[];
  readonly nodes: readonly GraphNode[];
  readonly end: "source" | "target";
  readonly select: (selection: Selection) => void;
}): ReactNode {
  return (
    <section className="stack tight">
      <h3>{title}</h3>
      {edges.length === 0 && <p className="quiet">nobody seen</p>}
      <ul>
        {edges.map((edge) => (
          <li key={edge.id}>
            <button
              type="button"
              className="link-row"
              onClick={() => select({ edge: edge.id })}
              aria-label={`Connection ${edge.source} to ${edge.target}`}
            >
              <span>
                <StateMark health={edge.health} brief />{" "}
                {nodes.find(({ id }) => id === edge[end])?.name ?? edge[end]}
              </span>
              <span className="quiet num">{trafficLabel(edge.traffic)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Changes({ serviceId }: { readonly serviceId: string }): ReactNode {
  const { time } = useScope();
  const { data } = useQuery(changesQuery(time, serviceId));
  return (
    <section className="stack tight">
      <h3>Changes</h3>
      {data?.changes.length === 0 && <p className="quiet">none in this time range</p>}
      <ul className="stack tight">
        {data?.changes.slice(0, 5).map((change) => (
          <li key={change.id}>
            <Go to={webPaths.changes({ id: change.id })}>{change.summary}</Go>{" "}
            <span className="quiet">
              <Ago at={change.at} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Head({
  title,
  close,
  children,
}: {
  readonly title: ReactNode;
  readonly close: () => void;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <div className="row between" style={{ flexWrap: "nowrap", alignItems: "flex-start" }}>
      <div className="stack tight">
        <h2>{title}</h2>
        {children}
      </div>
      <button type="button" className="icon-button" aria-label="Close the panel" onClick={close}>
        <IconX size={18} aria-hidden="true" />
      </button>
    </div>
  );
}

function NodePanel({
  node,
  graph,
  select,
}: {
  readonly node: GraphNode;
  readonly graph: Graph;
  readonly select: (selection: Selection) => void;
}): ReactNode {
  const queries = serviceQueries(node);
  return (
    <>
      <Head title={<EntityLink entity={nodeRef(node)} />} close={() => select({})}>
        <p className="row tight">
          <StateMark health={node.health} /> <span className="quiet">{node.namespace}</span>
          {node.replicas && (
            <span className="quiet">
              {node.replicas.ready} of {node.replicas.desired} ready
            </span>
          )}
          {node.versions.length > 0 && <span className="quiet">{node.versions.join(", ")}</span>}
        </p>
      </Head>
      <Reasons node={node} />
      {node.incidentId !== null && (
        <Go to={webPaths.incident(node.incidentId)} className="strong">
          Open its incident
        </Go>
      )}
      <Red traffic={node.traffic} />
      <p className="row">
        <Go to={webPaths.service(node.id)}>Service page</Go>
        <Go to={webPaths.traces(queries.traces)}>Traces</Go>
        <Go to={webPaths.logs(queries.logs)}>Logs</Go>
        <Go to={webPaths.metrics(queries.requests)}>Metrics</Go>
      </p>
      <Neighbours
        title="Called by"
        edges={graph.edges.filter(({ target }) => target === node.id)}
        nodes={graph.nodes}
        end="source"
        select={select}
      />
      <Neighbours
        title="Calls"
        edges={graph.edges.filter(({ source }) => source === node.id)}
        nodes={graph.nodes}
        end="target"
        select={select}
      />
      <Changes serviceId={node.id} />
    </>
  );
}

function EdgeFacts({ edge }: { readonly edge: GraphEdge }): ReactNode {
  const { mtlsRatio, destinationP95Ms } = edge;
  const codes = Object.entries(edge.codes).filter(([, rate]) => rate > 0);
  return (
    <dl className="facts">
      <dt>Protocol</dt>
      <dd>{edge.protocol}</dd>
      <dt title="Mutual TLS: both sides prove who they are, and nobody else can read along">
        Mutual TLS
      </dt>
      <dd className={isPlaintext(edge) ? "state degraded" : undefined}>
        {mtlsRatio === null ? "not known" : `${formatRatio(mtlsRatio)} of the traffic`}
      </dd>
      <dt>Codes</dt>
      <dd>
        {codes.length === 0
          ? "–"
          : codes.map(([code, rate]) => `${code}: ${formatRate(rate)}`).join(", ")}
      </dd>
      {destinationP95Ms !== null && (
        <>
          <dt title="The gap to the caller's p95 is the network, the proxies or a queue between">
            p95 at callee
          </dt>
          <dd>
            <Value value={destinationP95Ms} unit="ms" />
          </dd>
        </>
      )}
    </dl>
  );
}

function EdgePanel({
  edge,
  graph,
  select,
}: {
  readonly edge: GraphEdge;
  readonly graph: Graph;
  readonly select: (selection: Selection) => void;
}): ReactNode {
  const source = graph.nodes.find(({ id }) => id === edge.source);
  const target = graph.nodes.find(({ id }) => id === edge.target);
  return (
    <>
      <Head
        title={
          <>
            {source ? <EntityLink entity={nodeRef(source)} /> : edge.source} →{" "}
            {target ? <EntityLink entity={nodeRef(target)} /> : edge.target}
          </>
        }
        close={() => select({})}
      >
        <StateMark health={edge.health} />
      </Head>
      <Reasons node={edge} />
      <Red traffic={edge.traffic} />
      <EdgeFacts edge={edge} />
      <h3>Response flags</h3>
      <FlagBars edge={edge} />
      {source && target && (
        <p className="row">
          <Go to={webPaths.metrics(serviceQueries(target, source).requests)}>Metrics</Go>
          <Go to={webPaths.traces(serviceQueries(target).failing)}>Failing traces</Go>
          <Go to={webPaths.logs(serviceQueries(source).logs)}>Logs of the caller</Go>
        </p>
      )}
      {target && <Changes serviceId={target.id} />}
    </>
  );
}

export function SidePanel({
  graph,
  selection,
  select,
}: {
  readonly graph: Graph;
  readonly selection: Selection;
  readonly select: (selection: Selection) => void;
}): ReactNode {
  const node = graph.nodes.find(({ id }) => id === selection.node);
  const edge = graph.edges.find(({ id }) => id === selection.edge);
  return (
    <aside className="side-panel stack" aria-label="Details of the selection">
      {node && <NodePanel node={node} graph={graph} select={select} />}
      {edge && <EdgePanel edge={edge} graph={graph} select={select} />}
      {!node && !edge && (
        <Head title={selection.node ?? selection.edge ?? ""} close={() => select({})}>
          <p className="quiet">Not seen in this window: no traffic, or gone.</p>
        </Head>
      )}
    </aside>
  );
}
