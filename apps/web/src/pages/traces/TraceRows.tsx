import "../../styles/lists.css";
import type { ReplyOf, TraceSummaryJson } from "@skopos/api";
import { webPaths } from "@skopos/api";
import type { ReactNode } from "react";
import { shortHost } from "../../logic/names.ts";
import { formatMs, plural } from "../../logic/numbers.ts";
import { nsToMs } from "../../logic/times.ts";
import { Go } from "../../parts/Go.tsx";
import { Empty, Warnings } from "../../parts/States.tsx";
import { Ago } from "../../parts/Value.tsx";

function TraceRow({
  trace,
  longestMs,
}: {
  readonly trace: TraceSummaryJson;
  readonly longestMs: number;
}): ReactNode {
  const services = Object.keys(trace.services);
  const [first] = trace.matched;
  return (
    <Go
      to={webPaths.trace(trace.traceId, first)}
      className={trace.errorCount > 0 ? "trace-row error" : "trace-row"}
      data-row=""
      data-trace-id={trace.traceId}
      title={services.join(", ")}
    >
      <span>
        <b>{trace.rootService}</b> <span className="quiet">{shortHost(trace.rootName)}</span>
      </span>
      <span className="track" aria-hidden="true">
        <i style={{ width: `${(trace.durationMs / longestMs) * 100}%` }} />
      </span>
      <span className="num">{formatMs(trace.durationMs)}</span>
      <span className="small quiet">
        {plural(trace.spanCount, "span")}
        {trace.errorCount > 0 && (
          <span className="state failing">&ensp;◆ {plural(trace.errorCount, "error")}</span>
        )}
      </span>
      <span className="small quiet">
        <Ago at={nsToMs(trace.startNs)} />
      </span>
    </Go>
  );
}

export function TraceRows({
  found,
  where,
}: {
  readonly found: ReplyOf<"traces">;
  readonly where: string;
}): ReactNode {
  if (found.traces.length === 0)
    return (
      <>
        <Warnings warnings={found.warnings} />
        <Empty title={where === "" ? "No traces match" : `No traces from ${where} in this time`}>
          <p>
            Widen the time range, drop a condition, or see whether its sidecar samples requests: a
            sampling of 0 % sends none.
          </p>
        </Empty>
      </>
    );
  const longestMs = Math.max(0.001, ...found.traces.map(({ durationMs }) => durationMs));
  return (
    <>
      <Warnings warnings={found.warnings} />
      <div className="panel flush">
        {found.traces.map((trace) => (
          <TraceRow key={trace.traceId} trace={trace} longestMs={longestMs} />
        ))}
      </div>
    </>
  );
}
