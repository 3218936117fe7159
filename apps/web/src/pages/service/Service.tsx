import "../../styles/lists.css";
import type { ServiceDetail } from "@skopos/api";
import { webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { TimeChart } from "../../charts/TimeChart.tsx";
import { serviceQuery, tracesQuery } from "../../data/queries.ts";
import { useMarks } from "../../data/use-marks.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { plural } from "../../logic/numbers.ts";
import { resolveRange } from "../../logic/scope.ts";
import { serviceQueries } from "../../logic/service-queries.ts";
import { Go } from "../../parts/Go.tsx";
import { StateMark } from "../../parts/StateMark.tsx";
import { Empty, Loaded, Skeleton } from "../../parts/States.tsx";
import { useNow } from "../../parts/use-now.ts";
import { Ago } from "../../parts/Value.tsx";
import { ChangeView } from "../changes/ChangeView.tsx";
import { Lines } from "../logs/Lines.tsx";
import { EdgeTable } from "../mesh/Lists.tsx";
import { Reasons, Red } from "../mesh/SidePanel.tsx";
import { TraceRows } from "../traces/TraceRows.tsx";
import { Pods } from "./Pods.tsx";

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

function Overview({ detail }: { readonly detail: ServiceDetail }): ReactNode {
  const { time } = useScope();
  const marks = useMarks(time, detail.node.id);
  const now = useNow(5000);
  const { start, end } = resolveRange(time, now);
  const { series } = detail;
  const shared = { start, end, marks };
  const shown = marks.filter(({ at }) => at >= start && at <= end);
  return (
    <div className="stack wide">
      <Reasons node={detail.node} />
      <Red traffic={detail.node.traffic} />
      <div className="charts">
        <TimeChart
          title="Requests"
          unit="per-second"
          lines={[{ label: "requests", points: series.requestsPerSecond }]}
          {...shared}
        />
        <TimeChart
          title="Errors"
          unit="ratio"
          lines={[{ label: "share that fails", points: series.errorRatio }]}
          {...shared}
        />
        <TimeChart
          title="How long they take"
          unit="ms"
          lines={[
            { label: "p50", points: series.p50Ms },
            { label: "p95", points: series.p95Ms },
            { label: "p99", points: series.p99Ms },
          ]}
          {...shared}
        />
      </div>
      {shown.length > 0 && (
        <section className="stack tight">
          <h3>Marks on the charts</h3>
          <ul className="stack tight">
            {shown.slice(0, 12).map((mark) => (
              <li key={`${mark.kind}${mark.at}${mark.label}`}>
                <span className="quiet">{mark.kind === "incident" ? "Incident" : "Change"}</span>{" "}
                <Go to={mark.path}>{mark.label}</Go>{" "}
                <span className="quiet">
                  <Ago at={mark.at} />
                </span>
              </li>
            ))}
          </ul>
        </section>
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
          <Go to={webPaths.mesh({ node: `${namespace}/${name}` })}>On the graph</Go>
        </div>
      </div>
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
      <Loaded
        asked={asked}
        skeleton={<Skeleton rows={3} height={160} label="Loading the service" />}
      >
        {(detail) => <TabBody tab={tab} detail={detail} />}
      </Loaded>
    </div>
  );
}
