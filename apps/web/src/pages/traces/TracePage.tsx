import "../../styles/trace.css";
import type { SpanJson, Trace } from "@skopos/api";
import { entityPath, webPaths } from "@skopos/api";
import { IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";
import { traceQuery } from "../../data/queries.ts";
import { useAddress } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { flagMeaning } from "../../logic/flags.ts";
import { everyStream } from "../../logic/log-form.ts";
import { shortHost, shortServices } from "../../logic/names.ts";
import { formatMs, plural } from "../../logic/numbers.ts";
import { clockTimeMs, fullTime, nsToMs } from "../../logic/times.ts";
import { timeByService } from "../../logic/waterfall.ts";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Skeleton } from "../../parts/States.tsx";
import { Waterfall } from "./Waterfall.tsx";

/** Clocks of proxies and collectors differ: logs of a trace are looked for a little around it. */
const aroundMs = 60_000;

function logsOf(trace: Trace): string {
  const from = nsToMs(trace.startNs);
  const wanted = trace.requestId ?? trace.traceId;
  return webPaths.logs(`${everyStream} |= ${JSON.stringify(wanted)}`, {
    from: from - aroundMs,
    to: from + trace.durationMs + aroundMs,
  });
}

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
      <h3>{title}</h3>
      <dl className="attributes">
        {entries.map(([key, value]) => (
          <div key={key} style={{ display: "contents" }}>
            <dt>{key}</dt>
            <dd
              title={
                key === "response_flags" && typeof value === "string" && value !== "-"
                  ? flagMeaning(value)
                  : undefined
              }
            >
              {typeof value === "string" ? value : JSON.stringify(value)}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function SpanPanel({
  span,
  trace,
  close,
}: {
  readonly span: SpanJson;
  readonly trace: Trace;
  readonly close: () => void;
}): ReactNode {
  return (
    <aside className="span-panel stack" aria-label="The selected span">
      <div className="row between" style={{ flexWrap: "nowrap", alignItems: "flex-start" }}>
        <h2>
          {span.entity ? <Go to={entityPath(span.entity)}>{span.service}</Go> : span.service}
          <br />
          <span className="quiet">{shortHost(span.name)}</span>
        </h2>
        <button type="button" className="icon-button" aria-label="Close the panel" onClick={close}>
          <IconX size={18} aria-hidden="true" />
        </button>
      </div>
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
        <dt>Began</dt>
        <dd title={fullTime(nsToMs(span.startNs))}>
          {clockTimeMs(nsToMs(span.startNs))}, {formatMs(span.offsetMs)} into the trace
        </dd>
        <dt>Kind</dt>
        <dd>{span.kind}</dd>
      </dl>
      <p className="row">
        <Go to={logsOf(trace)}>Logs of this request</Go>
        <Go to={webPaths.traces(`{ resource.service.name = "${span.service}" }`)}>
          More from {span.service}
        </Go>
      </p>
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
    </aside>
  );
}

function Body({ trace }: { readonly trace: Trace }): ReactNode {
  const { search, patch } = useAddress();
  const selected = search.get("span");
  const shares = useMemo(() => timeByService(trace.spans), [trace]);
  const colors = useMemo(() => {
    const names = shares.map(({ service }) => service).toSorted();
    return new Map(names.map((name, at) => [name, `var(--series-${(at % 8) + 1})`]));
  }, [shares]);
  const names = useMemo(() => shortServices(shares.map(({ service }) => service)), [shares]);
  const color = (service: string) => colors.get(service) ?? "var(--muted)";
  const select = (span: string | null) => patch({ span }, "replace");
  const [root] = trace.spans;
  const span = trace.spans.find(({ spanId }) => spanId === selected);
  const failing = trace.spans.filter(({ status }) => status === "error").length;
  const started = nsToMs(trace.startNs);
  useTitle(root ? `${root.service} ${root.name}` : "Trace");
  if (!root)
    return (
      <Empty title="This trace has no spans">
        <p>None arrived, or they are older than what is kept.</p>
        <Go to="/traces">Search traces</Go>
      </Empty>
    );
  return (
    <>
      <div className="stack tight">
        <p className="small quiet">
          <Go to="/traces">Traces</Go> / <span className="mono">{trace.traceId}</span>
        </p>
        <h1>
          {root.service} <span className="quiet">{shortHost(root.name)}</span>
        </h1>
        <p className="row">
          <b>{formatMs(trace.durationMs)}</b>
          <span>{plural(trace.spans.length, "span")}</span>
          <span>{plural(shares.length, "service")}</span>
          {failing > 0 && <span className="state failing">◆ {failing} failed</span>}
          <span className="quiet" title={fullTime(started)}>
            {clockTimeMs(started)}
          </span>
          <Go to={logsOf(trace)}>Logs of this request</Go>
          {trace.errorOrigin !== null && trace.errorOrigin !== selected && (
            <button
              type="button"
              className="button small"
              onClick={() => select(trace.errorOrigin)}
            >
              Where the error began
            </button>
          )}
        </p>
        <ul className="by-service small" aria-label="Time by service">
          {shares.slice(0, 8).map(({ service, exclusiveMs }) => (
            <li key={service}>
              <span className="swatch" style={{ background: color(service) }} />
              {names.get(service) ?? service} <span className="quiet">{formatMs(exclusiveMs)}</span>
            </li>
          ))}
        </ul>
      </div>
      <div className={span ? "trace-body with-panel" : "trace-body"}>
        <Waterfall trace={trace} color={color} names={names} selected={selected} select={select} />
        {span && <SpanPanel span={span} trace={trace} close={() => select(null)} />}
      </div>
    </>
  );
}

export function TracePage(): ReactNode {
  const { id = "" } = useParams({ strict: false });
  const asked = useQuery(traceQuery(id));
  return (
    <div className="page fill">
      <Loaded asked={asked} skeleton={<Skeleton rows={10} height={30} label="Loading the trace" />}>
        {(trace) => <Body trace={trace} />}
      </Loaded>
    </div>
  );
}
