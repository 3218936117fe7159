import "../../styles/lists.css";
import { type ReactNode, useState } from "react";
import { useAddress } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { metricViews, readMetricView } from "../../logic/metric-views.ts";
import { History } from "./History.tsx";
import { Places } from "./Places.tsx";
import { QueryPanel } from "./QueryPanel.tsx";

interface Example {
  readonly name: string;
  readonly query: string;
  readonly view?: string;
}

const latencyBuckets =
  'sum by (le) (rate(istio_request_duration_milliseconds_bucket{reporter="destination"}[1m]))';

const examples: readonly Example[] = [
  {
    name: "Requests by service",
    query: 'sum by (destination_service_name) (rate(istio_requests_total{reporter="source"}[1m]))',
    view: "stacked",
  },
  {
    name: "Share that fails",
    query:
      'sum by (destination_service_name) (rate(istio_requests_total{reporter="source", response_code=~"5.."}[1m])) / sum by (destination_service_name) (rate(istio_requests_total{reporter="source"}[1m]))',
  },
  {
    name: "p95 in ms",
    query:
      'histogram_quantile(0.95, sum by (le, destination_service_name) (rate(istio_request_duration_milliseconds_bucket{reporter="destination"}[1m])))',
  },
  { name: "Latency as a heat map", query: latencyBuckets, view: "heat" },
  { name: "Targets that are up", query: "up" },
];

function Begin(): ReactNode {
  const { patch } = useAddress();
  return (
    <div className="stack">
      <section className="stack tight">
        <h2>To begin with</h2>
        <ul className="stack tight">
          {examples.map(({ name, query, view = null }) => (
            <li key={name}>
              <button type="button" className="link-row" onClick={() => patch({ q: query, view })}>
                <span>
                  {name} <span className="mono small quiet">{query}</span>
                </span>
              </button>
            </li>
          ))}
        </ul>
      </section>
      <section className="stack tight">
        <h2>Run before</h2>
        <History choose={(query) => patch({ q: query })} />
      </section>
    </div>
  );
}

function CopyLink(): ReactNode {
  const [says, setSays] = useState("Copy link");
  const copy = () =>
    navigator.clipboard.writeText(location.href).then(
      () => setSays("Copied"),
      () => setSays("The browser refused"),
    );
  return (
    <button type="button" className="button" onClick={() => void copy()}>
      {says}
    </button>
  );
}

export function Metrics(): ReactNode {
  const { search, patch } = useAddress();
  const queries = search.getAll("q");
  const shown = queries.length === 0 ? [""] : queries;
  const now = readMetricView(search.get("view"));
  useTitle("Metrics");
  return (
    <div className="page fill">
      <div className="page-head">
        <h1>Metrics</h1>
        <Places />
        <div className="segmented" role="group" aria-label="View">
          {metricViews.map(([view, name]) => (
            <button
              key={view}
              type="button"
              aria-pressed={view === now}
              onClick={() => patch({ view: view === "graph" ? null : view })}
            >
              {name}
            </button>
          ))}
        </div>
      </div>
      {shown.map((query, at) => (
        // A query is known by its place: its text changes under it.
        // oxlint-disable-next-line react/no-array-index-key
        <QueryPanel key={at} query={query} at={at} only={shown.length === 1} />
      ))}
      {queries.length > 0 && (
        <div className="row tight">
          <button type="button" className="button" onClick={() => patch({ q: [...queries, "up"] })}>
            Add a query
          </button>
          <CopyLink />
        </div>
      )}
      {queries.length === 0 && <Begin />}
    </div>
  );
}
