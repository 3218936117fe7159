import "../../styles/incident.css";
import type { Graph, NowPage } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useMemo } from "react";
import { Spark } from "../../charts/Spark.tsx";
import { graphQuery, incidentsQuery, nowQuery, statusQuery } from "../../data/queries.ts";
import { useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { byTrouble, isTrouble, scopeGraph } from "../../logic/graph-look.ts";
import { plural } from "../../logic/numbers.ts";
import { EntityLink, nodeRef } from "../../parts/EntityLink.tsx";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Skeleton, Warnings } from "../../parts/States.tsx";
import { StateMark } from "../../parts/StateMark.tsx";
import { Ago, Value } from "../../parts/Value.tsx";
import { IncidentRow } from "../incidents/Row.tsx";

const Glance = lazy(async () => ({ default: (await import("../mesh/Glance.tsx")).Glance }));

/** Beyond this many nodes a small picture says nothing: the list of trouble stands in. */
const glanceNodesMax = 60;

function Calm({ now }: { readonly now: NowPage }): ReactNode {
  const { slowest } = now;
  if (now.requestsPerSecond === null)
    return (
      <p className="calm">
        No incident is open, but <b>no traffic is measured</b> either: absent is not healthy. Check
        under Metrics whether <code>istio_requests_total</code> arrives.
      </p>
    );
  return (
    <p className="calm">
      <b>{now.servicesHealthy === now.servicesTotal ? "All calm." : "No incident is open."}</b>{" "}
      {now.servicesHealthy} of {plural(now.servicesTotal, "service")} are healthy,{" "}
      <Value value={now.requestsPerSecond} unit="per-second" /> come in and{" "}
      <b>
        <Value value={now.errorRatio} unit="ratio" />
      </b>{" "}
      of them fail
      {slowest && (
        <>
          ; the slowest is <EntityLink entity={slowest.service} /> with{" "}
          <Value value={slowest.p95Ms} unit="ms" /> (p95
          {slowest.usualMs !== null && (
            <>
              , usually <Value value={slowest.usualMs} unit="ms" />
            </>
          )}
          )
        </>
      )}
      .{" "}
      {now.lastChangeAt === null ? (
        "No change is on record."
      ) : (
        <>
          The last <Go to="/changes">change</Go> was <Ago at={now.lastChangeAt} />.
        </>
      )}
    </p>
  );
}

function Users({ now }: { readonly now: NowPage }): ReactNode {
  return (
    <div className="criteria">
      <section className="criterion" aria-label="Requests from outside">
        <h3>Requests from outside</h3>
        <Spark points={now.requestsPoints} unit="per-second" label="Requests from outside" />
      </section>
      <section className="criterion" aria-label="Share that fails">
        <h3>Share of them that fails</h3>
        <Spark points={now.userErrorPoints} unit="ratio" label="Share of requests that fails" />
      </section>
    </div>
  );
}

function ServiceList({ graph, most }: { readonly graph: Graph; readonly most: number }): ReactNode {
  const nodes = graph.nodes.toSorted(byTrouble).slice(0, most);
  return (
    <ul className="compact-list" aria-label="Services, worst first">
      {nodes.map((node) => (
        <li key={node.id}>
          <span>
            <EntityLink entity={nodeRef(node)} /> <StateMark health={node.health} brief />
          </span>
          <span className="quiet num">
            <Value value={node.traffic.requestsPerSecond} unit="per-second" /> ·{" "}
            <Value value={node.traffic.errorRatio} unit="ratio" /> ·{" "}
            <Value value={node.traffic.p95Ms} unit="ms" />
          </span>
        </li>
      ))}
    </ul>
  );
}

function MeshGlance({ graph }: { readonly graph: Graph }): ReactNode {
  const { namespace } = useScope();
  const scoped = useMemo(
    () => ({ ...graph, ...scopeGraph(graph.nodes, graph.edges, namespace) }),
    [graph, namespace],
  );
  const trouble = scoped.nodes.filter(({ health }) => isTrouble(health.state)).length;
  if (scoped.nodes.length === 0)
    return (
      <Empty title="No mesh to see yet">
        <p>
          No service has reported traffic. After a start this takes a minute; if it lasts, see
          whether scrape targets are up: run <code>skopos query up</code>.
        </p>
      </Empty>
    );
  const small = scoped.nodes.length <= glanceNodesMax;
  return (
    <section className="stack">
      <div className="section-head">
        <h2>The mesh at a glance</h2>
        <span className="quiet">
          {plural(scoped.nodes.length, "service")}, {plural(scoped.edges.length, "connection")},{" "}
          {trouble === 0 ? "none in trouble" : `${trouble} in trouble`} ·{" "}
          <Go to="/mesh">Open the graph</Go>
        </span>
      </div>
      <Warnings warnings={graph.warnings} />
      {small && (
        <div className="panel phone-hide-glance">
          <Suspense fallback={<Skeleton rows={1} height={360} label="Drawing the mesh" />}>
            <Glance
              nodes={scoped.nodes}
              edges={scoped.edges}
              label="The mesh, from the gateways on the left"
            />
          </Suspense>
        </div>
      )}
      <div className={small ? "only-phone" : ""}>
        <ServiceList graph={scoped} most={12} />
      </div>
    </section>
  );
}

function PartsNotice(): ReactNode {
  const { data } = useQuery(statusQuery);
  if (!data) return null;
  const bad = data.parts
    .filter(({ state }) => state !== "ok")
    .map(({ name, state, detail }) => `${name} is ${state}: ${detail}`);
  return <Warnings warnings={[...bad, ...data.warnings]} />;
}

export function Now(): ReactNode {
  const { time } = useScope();
  const incidents = useQuery(incidentsQuery("open"));
  const now = useQuery(nowQuery);
  const graph = useQuery(graphQuery(time));
  const open = incidents.data?.incidents ?? [];
  useTitle(open.length > 0 ? `${open.length} open` : "Now");
  return (
    <div className="page">
      <h1 className={open.length === 0 ? "visually-hidden" : undefined}>
        {open.length === 0 ? "Now" : `${plural(open.length, "incident")} open`}
      </h1>
      <PartsNotice />
      <Loaded
        asked={incidents}
        skeleton={<Skeleton rows={2} height={56} label="Loading incidents" />}
      >
        {() =>
          open.length > 0 && (
            <div className="panel flush" role="list" aria-label="Open incidents">
              {open.map((incident) => (
                <div role="listitem" key={incident.id}>
                  <IncidentRow incident={incident} />
                </div>
              ))}
            </div>
          )
        }
      </Loaded>
      <Loaded asked={now} skeleton={<Skeleton rows={3} height={60} label="Loading the present" />}>
        {(data) => (
          <div className="stack">
            {open.length === 0 && incidents.data !== undefined && <Calm now={data} />}
            <Users now={data} />
          </div>
        )}
      </Loaded>
      <Loaded asked={graph} skeleton={<Skeleton rows={1} height={400} label="Loading the mesh" />}>
        {(data) => <MeshGlance graph={data} />}
      </Loaded>
    </div>
  );
}
