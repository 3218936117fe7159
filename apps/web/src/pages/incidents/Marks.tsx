import type { IncidentSummary } from "@skopos/api";
import { IconAlertOctagonFilled, IconAlertTriangle, IconInfoCircle } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { confidenceWord, stateWord } from "../../logic/incident-words.ts";
import { formatRatio } from "../../logic/numbers.ts";

const severityIcon = {
  critical: IconAlertOctagonFilled,
  warning: IconAlertTriangle,
  info: IconInfoCircle,
};

export function SeverityMark({
  severity,
  brief = false,
}: {
  readonly severity: IncidentSummary["severity"];
  readonly brief?: boolean;
}): ReactNode {
  const Icon = severityIcon[severity];
  return (
    <span className={`severity ${severity}`} title={severity}>
      <Icon size={17} aria-hidden="true" />
      <span className={brief ? "visually-hidden" : undefined}>
        {severity[0]?.toUpperCase()}
        {severity.slice(1)}
      </span>
    </span>
  );
}

const stateClass: Readonly<Record<IncidentSummary["state"], string>> = {
  open: "failing",
  acknowledged: "degraded",
  mitigating: "busy",
  resolved: "healthy",
};

export function IncidentStateMark({
  state,
}: {
  readonly state: IncidentSummary["state"];
}): ReactNode {
  return (
    <span className={`state ${stateClass[state]}`} data-testid="incident-state" data-state={state}>
      {state === "resolved" ? "✓ " : ""}
      {stateWord[state]}
    </span>
  );
}

/** A word first, the number beside it. */
export function Confidence({ value }: { readonly value: number }): ReactNode {
  return (
    <span
      className="confidence"
      title={`Confidence ${formatRatio(value)}, of what the evidence supports`}
    >
      <span className="track" aria-hidden="true">
        <i style={{ width: `${Math.round(value * 100)}%` }} />
      </span>
      <span>
        {confidenceWord(value)} <span className="quiet">({formatRatio(value)})</span>
      </span>
    </span>
  );
}
