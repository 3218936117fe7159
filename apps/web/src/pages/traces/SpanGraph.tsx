/** The service graph that spans tell: drawn, as a list, and beside that of the metrics with why the two differ. */
import "../../styles/mesh.css";
import "../../styles/trace.css";
import { useMediaQuery } from "@mantine/hooks";
import { type ReplyOf, webPaths } from "@skopos/api";
import { IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { traceGraphQuery } from "../../data/queries.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { capital } from "../../logic/names.ts";
import { plural } from "../../logic/numbers.ts";
import {
  agreementSays,
  drawnGraph,
  edgeId,
  estimatedPerSecond,
  shortName,
  type SpanEdge,
  standingOf,
} from "../../logic/span-graph.ts";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Skeleton } from "../../parts/States.tsx";
import { Value } from "../../parts/Value.tsx";
import { Canvas } from "../mesh/Canvas.tsx";
import type { Selection } from "../mesh/Drawing.tsx";
import { Places } from "./Places.tsx";

type Told = ReplyOf<"traceGraph">;

const standingRank = { differs: 0, "spans only": 1, "metrics only": 2, agrees: 3 } as const;
const marks = {
  differs: "≠ Differs",
  "spans only": "◇ Spans only",
  "metrics only": "○ Metrics only",
  agrees: "Agrees",
} as const;

function StandingMark({ edge }: { readonly edge: SpanEdge }): ReactNode {
  const standing = standingOf(edge);
  return <span className={standing === "agrees" ? "quiet" : "tag plain"}>{marks[standing]}</span>;
}

const columns: readonly Column<SpanEdge>[] = [
  {
    key: "name",
    title: "Connection",
    cell: edgeId,
    show: (edge) => (
      <Go to={webPaths.traceGraph({ edge: edgeId(edge), view: "list" })}>
        {shortName(edge.source)} → {shortName(edge.target)}
      </Go>
    ),
  },
  {
    key: "standing",
    title: "Against metrics",
    cell: (edge) => standingRank[standingOf(edge)],
    show: (edge) => <StandingMark edge={edge} />,
  },
  {
    key: "calls",
    title: "Calls traced",
    numeric: true,
    minor: true,
    cell: ({ calls }) => calls,
  },
  {
    key: "errors",
    title: "Failed",
    numeric: true,
    cell: ({ calls, errors }) => (calls === 0 ? null : errors / calls),
    show: ({ calls, errors }) => <Value value={calls === 0 ? null : errors / calls} unit="ratio" />,
  },
  {
    key: "p95",
    title: "p95",
    numeric: true,
    cell: ({ p95Ms }) => p95Ms,
    show: ({ p95Ms }) => <Value value={p95Ms} unit="ms" />,
  },
  {
    key: "metrics",
    title: "By metrics",
    numeric: true,
    minor: true,
    cell: ({ metricsPerSecond }) => metricsPerSecond,
    show: ({ metricsPerSecond }) => <Value value={metricsPerSecond} unit="per-second" />,
  },
  {
    key: "why",
    title: "Why they differ",
    minor: true,
    cell: ({ verdict }) => verdict,
    show: (edge) =>
      standingOf(edge) === "agrees" ? null : <span className="small wrap">{edge.verdict}</span>,
  },
];

/** The panel says why. */
const besidePanel = columns.filter(({ key }) => key !== "why");

/** Spans of one service inside traces that pass from one to the other. */
function tracesOver({ source, target }: SpanEdge): string {
  const named = (id: string) => {
    const [namespace, name] = id.includes("/") ? id.split("/") : [undefined, id];
    const names = namespace === undefined ? name : `${name}|${name}[.]${namespace}`;
    return `resource.service.name =~ ${JSON.stringify(names)}`;
  };
  return target.includes("/")
    ? `{ ${named(source)} } >> { ${named(target)} }`
    : `{ ${named(source)} && kind = client }`;
}

function EdgeFigures({ edge, told }: { readonly edge: SpanEdge; readonly told: Told }): ReactNode {
  const standing = standingOf(edge);
  const serviceId = edge.target.includes("/") ? edge.target : edge.source;
  return (
    <div className="stack">
      <p>
        <StandingMark edge={edge} />
      </p>
      <p>
        {standing === "agrees" ? "Both graphs tell the same of it." : `${capital(edge.verdict)}.`}
      </p>
      <dl className="facts">
        <dt>Calls traced</dt>
        <dd className="num">{edge.calls}</dd>
        <dt>Failed</dt>
        <dd>
          <Value value={edge.calls === 0 ? null : edge.errors / edge.calls} unit="ratio" />
        </dd>
        <dt>p50 · p95</dt>
        <dd>
          <Value value={edge.p50Ms} unit="ms" /> · <Value value={edge.p95Ms} unit="ms" />
        </dd>
        <dt>Spans</dt>
        <dd>
          <Value value={edge.spansPerSecond} unit="per-second" />
        </dd>
        <dt title="The spans, divided by the share of requests that is traced">
          They stand for about
        </dt>
        <dd>
          <Value value={estimatedPerSecond(edge, told.sampledShare)} unit="per-second" />
        </dd>
        <dt>By metrics</dt>
        <dd>
          <Value value={edge.metricsPerSecond} unit="per-second" />
        </dd>
      </dl>
      <p className="row tight">
        <Go to={webPaths.traces(tracesOver(edge))}>Its traces</Go>
        {edge.metricsPerSecond !== null && (
          <Go to={webPaths.mesh({ edge: edgeId(edge) })}>On the mesh</Go>
        )}
        {serviceId.includes("/") && (
          <Go to={webPaths.service(serviceId)}>{shortName(serviceId)}</Go>
        )}
      </p>
    </div>
  );
}

function Panel({
  told,
  view,
  selection,
  select,
}: {
  readonly told: Told;
  readonly view: string;
  readonly selection: Selection;
  readonly select: (selection: Selection) => void;
}): ReactNode {
  const { node } = selection;
  const edge = told.edges.find((each) => edgeId(each) === selection.edge);
  const ends = told.edges.filter(({ source, target }) => source === node || target === node);
  const title = edge
    ? `${shortName(edge.source)} → ${shortName(edge.target)}`
    : shortName(node ?? "");
  return (
    <aside className="side-panel stack" aria-label={`About ${title}`}>
      <div className="row between">
        <h2>{title}</h2>
        <button type="button" className="icon-button" aria-label="Close" onClick={() => select({})}>
          <IconX size={18} aria-hidden="true" />
        </button>
      </div>
      {edge ? (
        <EdgeFigures edge={edge} told={told} />
      ) : (
        <>
          {ends.length === 0 && <p className="quiet">No span of this time names it.</p>}
          <ul className="stack tight">
            {ends.map((each) => (
              <li key={edgeId(each)}>
                <Go to={webPaths.traceGraph({ edge: edgeId(each), view })}>
                  {shortName(each.source)} → {shortName(each.target)}
                </Go>{" "}
                <StandingMark edge={each} />
              </li>
            ))}
          </ul>
          {node?.includes("/") && <Go to={webPaths.service(node)}>The service</Go>}
        </>
      )}
    </aside>
  );
}

function Body({ told, view }: { readonly told: Told; readonly view: string }): ReactNode {
  const { search, patch } = useAddress();
  const node = search.get("node");
  const edge = search.get("edge");
  const selection: Selection = { ...(node ? { node } : {}), ...(edge ? { edge } : {}) };
  const select = (next: Selection) =>
    patch({ node: next.node ?? null, edge: next.edge ?? null }, "replace");
  const drawn = useMemo(() => drawnGraph(told.edges, told.sampledShare), [told]);
  if (told.edges.length === 0)
    return (
      <Empty title="Spans show no calls in this time">
        <p>
          No trace passes from one service to another. Widen the time range, or see whether the
          sidecars sample requests and the applications pass trace headers on.
        </p>
        <Go to="/traces">Search traces</Go>
      </Empty>
    );
  return (
    <div className={node || edge ? "span-graph with-panel" : "span-graph"}>
      {view === "list" ? (
        <DataTable
          label="Connections that spans tell"
          rows={told.edges}
          rowKey={edgeId}
          columns={node || edge ? besidePanel : columns}
          sort="standing"
          attributes={(each) => ({ "data-edge-id": edgeId(each) })}
        />
      ) : (
        <div className="stack tight">
          <Canvas nodes={drawn.nodes} edges={drawn.edges} selection={selection} select={select} />
          <p className="small quiet">
            Dotted: differs from the metrics. A dashed ring: no metrics know the service. The same
            as words is in the list.
          </p>
        </div>
      )}
      {(node || edge) && <Panel told={told} view={view} selection={selection} select={select} />}
    </div>
  );
}

export function SpanGraph(): ReactNode {
  const { time } = useScope();
  const { search, patch } = useAddress();
  const phone = useMediaQuery("(max-width: 760px)", undefined, { getInitialValueInEffect: false });
  const view = search.get("view") ?? (phone ? "list" : "graph");
  const asked = useQuery(traceGraphQuery(time));
  useTitle("Service graph of spans");
  return (
    <div className="page">
      <div className="page-head">
        <h1>Service graph</h1>
        <Places />
        <span className="grow" />
        <div className="segmented" role="group" aria-label="View">
          {(["graph", "list"] as const).map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={view === each}
              aria-keyshortcuts={each === "list" ? "l" : undefined}
              onClick={() => patch({ view: each }, "replace")}
            >
              {each === "graph" ? "Graph" : "List"}
            </button>
          ))}
        </div>
      </div>
      <Loaded asked={asked} skeleton={<Skeleton rows={1} height={420} label="Reading traces" />}>
        {(told) => (
          <>
            {told.edges.length > 0 && (
              <p role="status">
                {agreementSays(told.edges)}{" "}
                <span className="quiet">
                  {told.warnings.length === 0
                    ? `${plural(told.traces, "trace")} read.`
                    : told.warnings.map((warning) => `${capital(warning)}. `)}{" "}
                  {told.sampledShare !== null &&
                    `About ${Math.round(told.sampledShare * 100)} % of requests are traced.`}
                </span>
              </p>
            )}
            <Body told={told} view={view} />
          </>
        )}
      </Loaded>
    </div>
  );
}
