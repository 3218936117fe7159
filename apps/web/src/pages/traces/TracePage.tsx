import "../../styles/trace.css";
import { type TraceExplanation, type TraceOutline, webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useMemo } from "react";
import { traceExplanationQuery, traceOutlineQuery } from "../../data/queries.ts";
import { useAddress } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { everyStream } from "../../logic/log-form.ts";
import { shortHost, shortServices } from "../../logic/names.ts";
import { formatMs, plural } from "../../logic/numbers.ts";
import { clockTimeMs, fullTime, nsToMs } from "../../logic/times.ts";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Notice, Skeleton, Warnings } from "../../parts/States.tsx";
import { SpanPanel } from "./SpanPanel.tsx";
import { Waterfall } from "./Waterfall.tsx";

const FlameGraph = lazy(() => import("./FlameGraph.tsx"));
const Operations = lazy(() => import("./Operations.tsx"));

/** Clocks of proxies and collectors differ: logs of a trace are looked for a little around it. */
const aroundMs = 60_000;

const views = [
  ["", "Timeline"],
  ["flame", "Flame graph"],
  ["operations", "Statistics"],
] as const;

function logsOf(trace: TraceOutline): string {
  const from = nsToMs(trace.startNs);
  const wanted = trace.requestId ?? trace.traceId;
  return webPaths.logs(`${everyStream} |= ${JSON.stringify(wanted)}`, {
    from: from - aroundMs,
    to: from + trace.durationMs + aroundMs,
  });
}

const marks: Readonly<Record<TraceExplanation["statements"][number]["kind"], string>> = {
  error: "◆ Failure",
  slow: "▲ Slow",
  change: "● Change",
  retry: "↻ Retry",
  calls: "≡ Calls",
};

function Explanation({
  traceId,
  select,
}: {
  readonly traceId: string;
  readonly select: (row: number) => void;
}): ReactNode {
  const asked = useQuery(traceExplanationQuery(traceId));
  return (
    <section className="panel stack tight" aria-label="What this trace says">
      <h2>What this trace says</h2>
      <Loaded asked={asked} skeleton={<Skeleton rows={2} label="Reading the trace" />}>
        {({ statements, warnings }) => (
          <>
            {statements.length === 0 && (
              <p className="quiet">
                Nothing unusual: no failure, no call far slower than its kind, no change just
                before.
              </p>
            )}
            <ul className="statements">
              {statements.map(({ kind, text, row, path }) => (
                <li key={text} data-statement={kind}>
                  <span className={`tag ${kind === "error" ? "failing" : "plain"}`}>
                    {marks[kind]}
                  </span>
                  <span>
                    {text}{" "}
                    {row !== null && (
                      <button
                        type="button"
                        className="button bare small"
                        onClick={() => select(row)}
                      >
                        Show it
                      </button>
                    )}
                    {path !== null && (
                      <Go to={path}>{kind === "change" ? "The change" : "The service"}</Go>
                    )}
                  </span>
                </li>
              ))}
            </ul>
            <Warnings warnings={warnings} />
          </>
        )}
      </Loaded>
    </section>
  );
}

/** Rows are named by span id; a client and a server that share one are told apart by the row behind it. */
function rowOf(trace: TraceOutline, name: string | null): number {
  if (name === null) return -1;
  const [id = "", row] = name.split(":");
  if (row !== undefined && trace.spanIds[Number(row)] === id) return Number(row);
  return trace.spanIds.indexOf(id);
}

function nameOf(trace: TraceOutline, row: number): string {
  const id = trace.spanIds[row] ?? "";
  return trace.spanIds.indexOf(id) === row ? id : `${id}:${row}`;
}

function Head({
  trace,
  color,
  names,
}: {
  readonly trace: TraceOutline;
  readonly color: (service: number) => string;
  readonly names: readonly string[];
}): ReactNode {
  const failing = trace.status.filter((status) => status === "error").length;
  const started = nsToMs(trace.startNs);
  const root = trace.services[trace.service[0] ?? 0]?.name ?? "";
  const operation = trace.names[trace.name[0] ?? 0] ?? "";
  useTitle(`${root} ${operation}`);
  return (
    <div className="stack tight">
      <p className="small quiet">
        <Go to="/traces">Traces</Go> / <span className="mono">{trace.traceId}</span>
      </p>
      <h1>
        {root} <span className="quiet">{shortHost(operation)}</span>
      </h1>
      <p className="row">
        <b>{formatMs(trace.durationMs)}</b>
        <span>{plural(trace.spanIds.length, "span")}</span>
        <span>{plural(trace.services.length, "service")}</span>
        {failing > 0 && <span className="state failing">◆ {failing} failed</span>}
        <span className="quiet" title={fullTime(started)}>
          {clockTimeMs(started)}
        </span>
        <Go to={logsOf(trace)}>Logs of this request</Go>
      </p>
      <ul className="by-service small" aria-label="Time on the critical path by service">
        {trace.byService.slice(0, 8).map(({ service, criticalMs }) => (
          <li key={service}>
            <span className="swatch" style={{ background: color(service) }} />
            {names[service]} <span className="quiet">{formatMs(criticalMs)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Body({ trace }: { readonly trace: TraceOutline }): ReactNode {
  const { search, patch } = useAddress();
  const selected = rowOf(trace, search.get("span"));
  const view = search.get("view") ?? "";
  const { colors, names } = useMemo(() => {
    const services = trace.services.map(({ name }) => name);
    const ranks = services.toSorted();
    const short = shortServices(services);
    return {
      colors: services.map((name) => `var(--series-${(ranks.indexOf(name) % 8) + 1})`),
      names: services.map((name) => short.get(name) ?? name),
    };
  }, [trace]);
  const color = (service: number) => colors[service] ?? "var(--muted)";
  const select = (row: number | null) =>
    patch({ span: row === null ? null : nameOf(trace, row) }, "replace");
  const show = (row: number) => patch({ span: nameOf(trace, row), view: null }, "replace");
  if (trace.spanIds.length === 0)
    return (
      <Empty title="This trace has no spans">
        <p>None arrived, or they are older than what is kept.</p>
        <Go to="/traces">Search traces</Go>
      </Empty>
    );
  return (
    <>
      <Head trace={trace} color={color} names={names} />
      {trace.truncated && (
        <Notice kind="degraded">
          <p>The trace has more spans than are read: these are the first ones.</p>
        </Notice>
      )}
      <Explanation traceId={trace.traceId} select={show} />
      <div className="row tight" role="tablist" aria-label="Views of the trace">
        {views.map(([key, title]) => (
          <button
            key={key}
            type="button"
            role="tab"
            aria-selected={view === key}
            className={view === key ? "button small primary" : "button small"}
            onClick={() => patch({ view: key === "" ? null : key }, "replace")}
          >
            {title}
          </button>
        ))}
      </div>
      <div className={selected >= 0 ? "trace-body with-panel" : "trace-body"}>
        <Suspense fallback={<Skeleton rows={8} height={30} />}>
          {view === "flame" ? (
            <FlameGraph trace={trace} color={color} names={names} select={show} />
          ) : view === "operations" ? (
            <Operations trace={trace} select={show} />
          ) : (
            <Waterfall
              trace={trace}
              color={color}
              names={names}
              selected={selected}
              select={select}
            />
          )}
        </Suspense>
        {selected >= 0 && (
          <SpanPanel
            key={selected}
            trace={trace}
            row={selected}
            logs={logsOf(trace)}
            close={() => select(null)}
          />
        )}
      </div>
    </>
  );
}

export function TracePage(): ReactNode {
  const { id = "" } = useParams({ strict: false });
  const asked = useQuery(traceOutlineQuery(id));
  return (
    <div className="page fill">
      <Loaded asked={asked} skeleton={<Skeleton rows={10} height={30} label="Loading the trace" />}>
        {(trace) => <Body trace={trace} />}
      </Loaded>
    </div>
  );
}
