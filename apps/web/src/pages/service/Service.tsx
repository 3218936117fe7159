import "../../styles/lists.css";
import type { ServiceDetail } from "@skopos/api";
import { ApiError, webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { serviceQuery, tracesQuery } from "../../data/queries.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { plural } from "../../logic/numbers.ts";
import { serviceQueries } from "../../logic/service-queries.ts";
import { Go } from "../../parts/Go.tsx";
import { StateMark } from "../../parts/StateMark.tsx";
import { Empty, Loaded, Notice, Skeleton } from "../../parts/States.tsx";
import { ChangeView } from "../changes/ChangeView.tsx";
import { Lines } from "../logs/Lines.tsx";
import { EdgeTable } from "../mesh/Lists.tsx";
import { Reasons, Red } from "../mesh/SidePanel.tsx";
import { TraceRows } from "../traces/TraceRows.tsx";
import { FromSpans } from "./FromSpans.tsx";
import { Pods } from "./Pods.tsx";
import { RedCharts } from "./RedCharts.tsx";

const tabs = [
  ["overview", "Overview"],
  ["edges", "In/Out"],
  ["traces", "Traces"],
  ["logs", "Logs"],
  ["configuration", "Configuration"],
  ["changes", "Changes"],
  ["resources", "Resources"],
] as const;
type Tab = (typeof tabs)[number][0];

function readTab(text: string | null): Tab {
  return tabs.find(([tab]) => tab === text)?.[0] ?? "overview";
}

/** Neither requests nor bytes: no sidecar counts for it. */
function isUnmeasured({ node }: ServiceDetail): boolean {
  const { requestsPerSecond, sentBytesPerSecond } = node.traffic;
  return requestsPerSecond === null && sentBytesPerSecond === null;
}

function Overview({ detail }: { readonly detail: ServiceDetail }): ReactNode {
  const { node, series } = detail;
  const bare = isUnmeasured(detail) && series.requestsPerSecond.every(([, rate]) => rate === null);
  return (
    <div className="stack wide">
      <Reasons node={node} />
      {bare ? (
        <FromSpans namespace={node.namespace} name={node.name} />
      ) : (
        <>
          <Red traffic={node.traffic} />
          <RedCharts serviceId={node.id} series={series} />
        </>
      )}
    </div>
  );
}

function Traces({ detail }: { readonly detail: ServiceDetail }): ReactNode {
  const { time } = useScope();
  const query = serviceQueries(detail.node).traces;
  const asked = useQuery(tracesQuery(time, query, 50));
  return (
    <div className="stack">
      <p>
        <Go to={webPaths.traces(query)}>Open in Traces</Go>
      </p>
      <Loaded asked={asked}>
        {(found) => <TraceRows found={found} where={detail.node.name} />}
      </Loaded>
    </div>
  );
}

function Configuration({ detail }: { readonly detail: ServiceDetail }): ReactNode {
  if (detail.configuration.length === 0)
    return (
      <Empty title="No configuration shapes it">
        <p>No Deployment, Service or Istio object names this service.</p>
      </Empty>
    );
  return (
    <div className="stack">
      {detail.configuration.map(({ ref, yaml }, at) => (
        <details key={`${ref.objectKind}${ref.id}`} className="fold" open={at === 0}>
          <summary>
            {ref.objectKind ?? ref.kind} {ref.name}
          </summary>
          <pre className="query-text" style={{ margin: 16, maxHeight: 480, overflow: "auto" }}>
            {yaml}
          </pre>
        </details>
      ))}
    </div>
  );
}

function TabBody({
  tab,
  detail,
}: {
  readonly tab: Tab;
  readonly detail: ServiceDetail;
}): ReactNode {
  switch (tab) {
    case "edges":
      return (
        <div className="stack wide">
          <section className="stack tight">
            <h2>Called by</h2>
            <EdgeTable edges={detail.incoming} label="Callers" parameter="sort" />
          </section>
          <section className="stack tight">
            <h2>Calls</h2>
            <EdgeTable edges={detail.outgoing} label="Callees" parameter="osort" />
          </section>
        </div>
      );
    case "traces":
      return <Traces detail={detail} />;
    case "logs":
      return <Lines query={serviceQueries(detail.node).logs} where={detail.node.name} />;
    case "configuration":
      return <Configuration detail={detail} />;
    case "changes":
      return detail.changes.length === 0 ? (
        <Empty title="No changes on record">
          <p>Nothing that touches this service was rolled out, scaled or edited lately.</p>
        </Empty>
      ) : (
        <div className="panel flush">
          {detail.changes.map((change, at) => (
            <ChangeView key={change.id} change={change} open={at === 0} />
          ))}
        </div>
      );
    case "resources":
      return <Pods detail={detail} />;
    default:
      return <Overview detail={detail} />;
  }
}

export function Service(): ReactNode {
  const { namespace = "", name = "" } = useParams({ strict: false });
  const { time } = useScope();
  const { search } = useAddress();
  const tab = readTab(search.get("tab"));
  const asked = useQuery(serviceQuery(namespace, name, time));
  const path = webPaths.service(`${namespace}/${name}`);
  const outside = asked.error instanceof ApiError && asked.error.httpStatus === 404;
  useTitle(name);
  return (
    <div className="page">
      <div className="stack tight">
        <p className="small quiet">
          <Go to="/mesh">Mesh</Go> / {namespace}
        </p>
        <div className="row">
          <h1>{name}</h1>
          {asked.data && <StateMark health={asked.data.node.health} />}
          {asked.data?.node.replicas && (
            <span className="quiet">
              {asked.data.node.replicas.ready} of{" "}
              {plural(asked.data.node.replicas.desired, "replica")} ready
            </span>
          )}
          {asked.data?.node.incidentId && (
            <Go to={webPaths.incident(asked.data.node.incidentId)}>Open its incident</Go>
          )}
          {!outside && <Go to={webPaths.mesh({ node: `${namespace}/${name}` })}>On the graph</Go>}
        </div>
      </div>
      {!outside && (
        <nav className="tabs" aria-label="About this service">
          {tabs.map(([key, title]) => (
            <Go
              key={key}
              to={key === "overview" ? path : `${path}?tab=${key}`}
              aria-current={tab === key ? "page" : undefined}
            >
              {title}
            </Go>
          ))}
        </nav>
      )}
      {outside ? (
        <div className="stack wide">
          <Notice>
            <p>
              The mesh does not know {name}: neither metrics of a sidecar nor objects of the cluster
              name it.
            </p>
          </Notice>
          <FromSpans namespace={namespace} name={name} />
        </div>
      ) : (
        <Loaded
          asked={asked}
          skeleton={<Skeleton rows={3} height={160} label="Loading the service" />}
        >
          {(detail) => <TabBody tab={tab} detail={detail} />}
        </Loaded>
      )}
    </div>
  );
}
