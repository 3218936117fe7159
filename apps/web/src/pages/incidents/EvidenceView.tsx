/** Evidence drawn, each kind in the way it is understood fastest, with a link to the same thing in full. */
import { type Evidence, webPaths } from "@skopos/api";
import type { ReactNode } from "react";
import { Spark } from "../../charts/Spark.tsx";
import { formatMs, formatRate, plural } from "../../logic/numbers.ts";
import { Diff } from "../../parts/Diff.tsx";
import { EntityLink } from "../../parts/EntityLink.tsx";
import { Go } from "../../parts/Go.tsx";
import { Ago } from "../../parts/Value.tsx";

function Flags({ of }: { readonly of: Extract<Evidence, { kind: "flags" }> }): ReactNode {
  const most = Math.max(0.001, ...of.flags.flatMap(({ now, before }) => [now, before ?? 0]));
  return (
    <div className="bars" role="list" aria-label="Response flags">
      {of.flags.map(({ flag, meaning, now, before }) => (
        <div key={flag} role="listitem" style={{ display: "contents" }}>
          <span title={meaning}>
            <b className="mono">{flag}</b> <span className="quiet">{meaning}</span>
          </span>
          <span className="track" aria-hidden="true">
            <i style={{ width: `${(now / most) * 100}%` }} />
            {before !== null && (
              <i className="before" style={{ width: `${(before / most) * 100}%` }} />
            )}
          </span>
          <span className="num">
            {formatRate(now)}{" "}
            <span className="quiet">
              {before === null ? "before: not measured" : `before ${formatRate(before)}`}
            </span>
          </span>
        </div>
      ))}
    </div>
  );
}

function SpanBar({ of }: { readonly of: Extract<Evidence, { kind: "trace" }> }): ReactNode {
  const most = Math.max(of.durationMs, of.usualMs ?? 0, 0.001);
  return (
    <div className="bars">
      <span className="mono">
        {of.service}: {of.spanName}
      </span>
      <span className="track" aria-hidden="true">
        <i style={{ width: `${(of.durationMs / most) * 100}%` }} />
        {of.usualMs !== null && (
          <i className="before" style={{ width: `${(of.usualMs / most) * 100}%` }} />
        )}
      </span>
      <span className="num">
        {formatMs(of.durationMs)}{" "}
        {of.usualMs !== null && <span className="quiet">usually {formatMs(of.usualMs)}</span>}
      </span>
    </div>
  );
}

function Drawn({ evidence }: { readonly evidence: Evidence }): ReactNode {
  switch (evidence.kind) {
    case "metric":
      return (
        <Spark
          points={evidence.points}
          unit={evidence.unit}
          label={evidence.statement}
          normal={evidence.normal}
          onsetAt={evidence.onsetAt}
        />
      );
    case "flags":
      return <Flags of={evidence} />;
    case "change":
      return (
        <div className="stack tight">
          <p className="quiet">
            {evidence.change.summary}, <Ago at={evidence.change.at} />
            {evidence.change.by !== null && ` by ${evidence.change.by}`}
          </p>
          <Diff diff={evidence.change.diff} label={evidence.change.summary} />
        </div>
      );
    case "logs":
      return (
        <div className="stack tight">
          <p>
            <b>{plural(evidence.count, "line")}</b> <span className="quiet">like</span>{" "}
            <code>{evidence.pattern}</code>
          </p>
          <p className="log-line">{evidence.example}</p>
        </div>
      );
    case "trace":
      return <SpanBar of={evidence} />;
    case "config":
      return (
        <div className="stack tight">
          <p>
            {evidence.object.objectKind} <EntityLink entity={evidence.object} />
          </p>
          <pre>{evidence.excerpt}</pre>
        </div>
      );
    default:
      return (
        <p className="quiet">
          {evidence.nodes.map((id, at) => (
            <span key={id}>
              {at > 0 && " → "}
              <Go to={webPaths.mesh({ node: id })}>{id}</Go>
            </span>
          ))}
        </p>
      );
  }
}

const openWord: Readonly<Record<Evidence["kind"], string>> = {
  metric: "Open in Metrics",
  flags: "Open in Metrics",
  change: "Open the change",
  logs: "Open in Logs",
  trace: "Open the trace",
  config: "Open the object",
  topology: "Open the graph",
};

export function EvidenceView({ evidence }: { readonly evidence: Evidence }): ReactNode {
  return (
    <li className="evidence" data-evidence-kind={evidence.kind}>
      <div className="says">
        <span>{evidence.statement}</span>
        <Go to={evidence.link} className="small num">
          {openWord[evidence.kind]}
        </Go>
      </div>
      <Drawn evidence={evidence} />
    </li>
  );
}
