import { entityPath, type Joins, type SpanJson, type TraceOutline, webPaths } from "@skopos/api";
import { flagMeaning } from "@skopos/model";
import { IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { joinsQuery, tracePeersQuery, traceSpanQuery } from "../../data/queries.ts";
import { shortHost } from "../../logic/names.ts";
import { formatMs } from "../../logic/numbers.ts";
import { clockTimeMs, fullTime, nsToMs } from "../../logic/times.ts";
import { Go } from "../../parts/Go.tsx";
import { Loaded, Skeleton } from "../../parts/States.tsx";

function Attributes({
  title,
  values,
}: {
  readonly title: string;
  readonly values: SpanJson["attributes"];
}): ReactNode {
  const entries = Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return null;
  return (
    <section className="stack tight">
      {title !== "" && <h3>{title}</h3>}
      <dl className="attributes">
        {entries.map(([key, value]) => (
          <div key={key} style={{ display: "contents" }}>
            <dt>{key}</dt>
            <dd>
              {typeof value === "string" ? value : JSON.stringify(value)}
              {key === "response_flags" && typeof value === "string" && value !== "-" && (
                <span className="quiet"> {flagMeaning(value)}</span>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const linesShown = 5;

/** What belongs to the same moment in the other signals. */
function Together({ joins, logs }: { readonly joins: Joins; readonly logs: string }): ReactNode {
  const { lines, edges, changes, configuration } = joins;
  return (
    <section className="stack tight" aria-label="Belongs to this span">
      <h3>At the same moment</h3>
      {lines.length > 0 && (
        <>
          <ul className="stack tight">
            {lines.slice(0, linesShown).map(({ timeNs, line, entity }) => (
              <li key={`${timeNs} ${line}`} className="small">
                <span className="quiet">{entity?.name ?? ""}</span>{" "}
                <span className="mono clip">{line}</span>
              </li>
            ))}
          </ul>
          <Go to={logs}>
            {lines.length > linesShown ? `All ${lines.length} lines` : "These lines in Logs"}
          </Go>
        </>
      )}
      {edges.length > 0 && (
        <p className="row tight">
          {edges.slice(0, 4).map((edge) => (
            <Go key={edge.id} to={entityPath(edge)}>
              {edge.name}
            </Go>
          ))}
        </p>
      )}
      {changes.length > 0 && (
        <ul className="stack tight">
          {changes.slice(0, 3).map((change) => (
            <li key={change.id} className="small">
              <Go to={webPaths.changes({ id: change.id })}>{change.summary}</Go>
            </li>
          ))}
        </ul>
      )}
      {configuration.length > 0 && (
        <details>
          <summary>Configuration on the way ({configuration.length})</summary>
          <ul className="stack tight small">
            {configuration.map(({ serviceId, ref, changedSince }) => (
              <li key={`${serviceId} ${ref.objectKind} ${ref.id}`}>
                <Go to={webPaths.service(serviceId, "configuration")}>
                  {ref.objectKind} {ref.name}
                </Go>
                {changedSince && <span className="quiet"> changed since</span>}
              </li>
            ))}
          </ul>
        </details>
      )}
      {lines.length + edges.length + changes.length + configuration.length === 0 && (
        <p className="quiet">No log line, edge, change or configuration is known of it.</p>
      )}
    </section>
  );
}

function Details({
  span,
  logs,
  trace,
  row,
}: {
  readonly span: SpanJson;
  readonly logs: string;
  readonly trace: TraceOutline;
  readonly row: number;
}): ReactNode {
  const joins = useQuery(joinsQuery(trace.traceId, span.spanId));
  const peers = useQuery(tracePeersQuery(trace.traceId));
  const peer = peers.data?.operations.find(
    ({ service, name, kind }) =>
      service === span.service && name === span.name && kind === span.kind,
  );
  return (
    <>
      {span.status === "error" && (
        <p className="state failing wrap">
          ◆ Failed{span.statusMessage === "" ? "" : `: ${span.statusMessage}`}
        </p>
      )}
      <dl className="facts">
        <dt>Took</dt>
        <dd>
          {formatMs(span.durationMs)}, of which itself {formatMs(span.exclusiveMs)}
        </dd>
        {peer && (
          <>
            <dt>Usually</dt>
            <dd title="In the hour before">
              half below {formatMs(peer.p50Ms)}, 95 % below {formatMs(peer.p95Ms)}
              {peer.row === row && <span className="quiet">; this one is {peer.text}</span>}
            </dd>
          </>
        )}
        <dt>Began</dt>
        <dd title={fullTime(nsToMs(span.startNs))}>
          {clockTimeMs(nsToMs(span.startNs))}, {formatMs(span.offsetMs)} into the trace
        </dd>
        <dt>Kind</dt>
        <dd>{span.kind}</dd>
      </dl>
      <p className="row">
        <Go to={logs}>Logs of this request</Go>
        <Go to={webPaths.traces(`{ resource.service.name = ${JSON.stringify(span.service)} }`)}>
          More from {span.service}
        </Go>
      </p>
      <Loaded asked={joins} skeleton={<Skeleton rows={2} label="Looking for what belongs to it" />}>
        {(found) => <Together joins={found} logs={logs} />}
      </Loaded>
      {span.events.length > 0 && (
        <section className="stack tight">
          <h3>Events</h3>
          <ul className="stack tight">
            {span.events.map((event) => (
              <li key={`${event.offsetMs} ${event.name}`}>
                <b>{event.name}</b> <span className="quiet">at {formatMs(event.offsetMs)}</span>
                <Attributes title="" values={event.attributes} />
              </li>
            ))}
          </ul>
        </section>
      )}
      <Attributes title="Attributes" values={span.attributes} />
      <Attributes title="Resource" values={span.resource} />
    </>
  );
}

export function SpanPanel({
  trace,
  row,
  logs,
  close,
}: {
  readonly trace: TraceOutline;
  readonly row: number;
  readonly logs: string;
  readonly close: () => void;
}): ReactNode {
  const asked = useQuery(traceSpanQuery(trace.traceId, trace.spanIds[row] ?? "", row));
  const service = trace.services[trace.service[row] ?? 0];
  return (
    <aside className="span-panel stack" aria-label="The selected span">
      <div className="row between" style={{ flexWrap: "nowrap", alignItems: "flex-start" }}>
        <h2>
          {service?.entity ? (
            <Go to={entityPath(service.entity)}>{service.name}</Go>
          ) : (
            service?.name
          )}
          <br />
          <span className="quiet">{shortHost(trace.names[trace.name[row] ?? 0] ?? "")}</span>
        </h2>
        <button type="button" className="icon-button" aria-label="Close the panel" onClick={close}>
          <IconX size={18} aria-hidden="true" />
        </button>
      </div>
      <Loaded asked={asked} skeleton={<Skeleton rows={6} label="Loading the span" />}>
        {({ span }) => <Details span={span} logs={logs} trace={trace} row={row} />}
      </Loaded>
    </aside>
  );
}
