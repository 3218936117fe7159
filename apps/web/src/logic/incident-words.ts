/** Incidents and actions in words. */
import type { Action, ActionState, IncidentSummary } from "@skopos/api";
import { mechanisms, type Mechanism } from "@skopos/model";
import { formatSpan } from "./numbers.ts";

export function mechanismSays(mechanism: Mechanism): string {
  return mechanisms[mechanism];
}

/** "connection-pool-overflow" → "Connection pool overflow". */
export function mechanismName(mechanism: Mechanism): string {
  const words = mechanism.replaceAll("-", " ").replace(/^mtls/, "mTLS").replace(/^dns/, "DNS");
  return words.replace("cpu", "CPU").replace(/^[a-z](?!TLS)/, (first) => first.toUpperCase());
}

/** "very likely" rather than 0.93214: a confidence is not a measurement. */
export function confidenceWord(confidence: number): string {
  if (confidence >= 0.85) return "very likely";
  if (confidence >= 0.6) return "likely";
  if (confidence >= 0.35) return "possible";
  return "a guess";
}

export const stateWord: Readonly<Record<IncidentSummary["state"], string>> = {
  open: "Open",
  acknowledged: "Acknowledged",
  mitigating: "Mitigating",
  resolved: "Resolved",
};

export const actionWord: Readonly<Record<ActionState, string>> = {
  proposed: "Proposed",
  planning: "Asking the cluster for a dry run",
  "awaiting-approval": "Waits for approval",
  executing: "Executing",
  verifying: "Watching whether it helped",
  succeeded: "Helped: recovered and stayed so",
  undoing: "Did not help: undoing",
  undone: "Undone",
  failed: "Failed",
  refused: "Refused",
  expired: "Expired",
};

const running: ReadonlySet<ActionState> = new Set([
  "planning",
  "executing",
  "verifying",
  "undoing",
]);

export function isRunning(action: Action): boolean {
  return running.has(action.state);
}

export function isOver(action: Action): boolean {
  return (
    action.state === "succeeded" ||
    action.state === "undone" ||
    action.state === "failed" ||
    action.state === "refused"
  );
}

function urgency(action: Action): number {
  if (isRunning(action)) return 0;
  return isOver(action) ? 2 : 1;
}

/** What runs stands first, then what can be done, then what is over; the newest first among equals. */
export function byUrgency(a: Action, b: Action): number {
  return urgency(a) - urgency(b) || (b.startedAt ?? -Infinity) - (a.startedAt ?? -Infinity) || 0;
}

export interface HoldTime {
  /** 0 to 1. */
  readonly done: number;
  readonly says: string;
}

/** How long the criteria have held, and how long they still must. */
export function holdTime(action: Action, nowMs: number): HoldTime | null {
  if (action.state !== "verifying") return null;
  const deadline =
    action.deadlineAt === null || action.deadlineAt <= nowMs
      ? ""
      : ` It is undone if not steady in ${formatSpan(action.deadlineAt - nowMs)}.`;
  if (action.heldSince === null)
    return {
      done: 0,
      says: `Not yet back. It must hold for ${formatSpan(action.holdMs)} once it is.${deadline}`,
    };
  const heldMs = Math.max(0, nowMs - action.heldSince);
  const restMs = Math.max(0, action.holdMs - heldMs);
  return {
    done: action.holdMs > 0 ? Math.min(1, heldMs / action.holdMs) : 1,
    says:
      restMs > 0
        ? `Back to normal; must stay so for ${formatSpan(Math.max(1000, restMs))} more.`
        : "Back to normal and stayed so.",
  };
}
