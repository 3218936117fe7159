import type { Health, HealthState } from "@skopos/api";
import type { ReactNode } from "react";

const word: Readonly<Record<HealthState, string>> = {
  healthy: "Healthy",
  degraded: "Degraded",
  failing: "Failing",
  idle: "Idle",
  unknown: "Unknown",
};

/** The shape of a state, readable without colour: ring, triangle, filled diamond, dash, question. */
function StateShape({
  state,
  size = 14,
}: {
  readonly state: HealthState;
  readonly size?: number;
}): ReactNode {
  const stroke = { fill: "none", stroke: "currentColor", strokeWidth: 2 };
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      {state === "healthy" && <path d="M3 8.5 6.5 12 13 4.5" {...stroke} />}
      {state === "degraded" && <path d="M8 2.5 14.5 13.5H1.5Z" {...stroke} />}
      {state === "failing" && <path d="M8 1 15 8 8 15 1 8Z" fill="currentColor" />}
      {state === "idle" && <path d="M3 8h10" {...stroke} />}
      {state === "unknown" && <path d="M5.5 6a2.5 2.5 0 1 1 2.5 2.8V10M8 12.5v.5" {...stroke} />}
    </svg>
  );
}

export function StateMark({
  health,
  brief = false,
}: {
  readonly health: Health;
  readonly brief?: boolean;
}): ReactNode {
  const why = health.reasons.join("; ");
  return (
    <span className={`state ${health.state}`} title={why || undefined}>
      <StateShape state={health.state} />
      <span className={brief ? "visually-hidden" : undefined}>{word[health.state]}</span>
    </span>
  );
}
