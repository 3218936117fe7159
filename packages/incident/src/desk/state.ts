/** The desk's state: events folded in order. `fold` is the only writer and knows no clock. */
import type {
  Action,
  ActionState,
  AlertInstance,
  Diagnosis,
  EntityRef,
  Incident,
  TimelineEntry,
} from "@skopos/api";
import type { ChangeRecord } from "@skopos/mesh";
import { invariant } from "@skopos/model";
import type { DeskEvent, Planned } from "./events.ts";
import { timelineOf } from "./timeline.ts";

/** Resolved incidents beyond this leave memory; the log keeps them. */
const resolvedMax = 500;
const changesMax = 5000;
const timelineMax = 2000;

export interface IncidentRecord {
  readonly id: string;
  readonly title: string;
  readonly state: "open" | "acknowledged" | "mitigating" | "resolved";
  readonly startedAt: number;
  readonly detectedAt: number;
  readonly explainedAt: number | null;
  readonly resolvedAt: number | null;
  readonly resolvedHow: "alerts-quiet" | "verified-action" | "by-hand" | null;
  readonly owner: string | null;
  readonly roots: readonly string[];
  readonly services: readonly EntityRef[];
  readonly alerts: readonly AlertInstance[];
  readonly diagnosis: Diagnosis;
  readonly slice: Incident["slice"];
  readonly actions: readonly Action[];
  /** By action id: what carrying out and undoing need. */
  readonly planned: ReadonlyMap<string, Planned>;
  readonly timeline: readonly TimelineEntry[];
}

export interface DeskState {
  readonly incidents: Map<string, IncidentRecord>;
  changes: ChangeRecord[];
  lastSequence: number;
  /** Incidents ever opened: the next one's number. */
  openedCount: number;
}

export function emptyState(): DeskState {
  return { incidents: new Map(), changes: [], lastSequence: 0, openedCount: 0 };
}

const noDiagnosis: Diagnosis = {
  state: "looking",
  at: null,
  tookMs: null,
  hypotheses: [],
  ruledOut: [],
};

function opened(event: Extract<DeskEvent, { type: "incident-opened" }>): IncidentRecord {
  return {
    id: event.incidentId,
    title: event.title,
    state: "open",
    startedAt: event.startedAt,
    detectedAt: event.at,
    explainedAt: null,
    resolvedAt: null,
    resolvedHow: null,
    owner: null,
    roots: event.roots,
    services: event.service ? [event.service] : [],
    alerts: [event.alert],
    diagnosis: noDiagnosis,
    slice: { nodes: [], edges: [], causeId: null },
    actions: [],
    planned: new Map(),
    timeline: [],
  };
}

const mergeAlert = (alerts: readonly AlertInstance[], alert: AlertInstance) => [
  ...alerts.filter((other) => other.fingerprint !== alert.fingerprint),
  alert,
];

function mergeService(services: readonly EntityRef[], service: EntityRef | null) {
  if (!service || services.some((other) => other.id === service.id)) return services;
  return [...services, service];
}

/** An alert that shares roots with the incident narrows them: one fault has its cause in all of them. */
function narrowRoots(known: readonly string[], roots: readonly string[]): readonly string[] {
  const both = known.filter((root) => roots.includes(root));
  return both.length > 0 ? both : known;
}

function setAction(record: IncidentRecord, actionId: string, change: Partial<Action>) {
  return record.actions.map((action) =>
    action.id === actionId ? { ...action, ...change } : action,
  );
}

const closed: ReadonlySet<ActionState> = new Set([
  "succeeded",
  "undone",
  "failed",
  "refused",
  "expired",
]);
export const isClosed = (state: ActionState) => closed.has(state);
const flying: ReadonlySet<ActionState> = new Set(["executing", "verifying", "undoing"]);
/** Something was, or may have been, written and the outcome is not known yet. */
export const isInFlight = (state: ActionState) => flying.has(state);

function foldAction(
  record: IncidentRecord,
  event: Extract<DeskEvent, { actionId: string }>,
): IncidentRecord {
  const { at, actionId } = event;
  const settled = record.owner === null ? "open" : "acknowledged";
  const change = (next: Partial<Action>, state = record.state): IncidentRecord => ({
    ...record,
    state: record.state === "resolved" ? "resolved" : state,
    actions: setAction(record, actionId, next),
  });
  switch (event.type) {
    case "action-planned":
      return {
        ...change({
          state: "awaiting-approval",
          plan: event.planned.plan,
          criteria: event.planned.criteria,
          outcome: null,
          endedAt: null,
        }),
        planned: new Map(record.planned).set(actionId, event.planned),
      };
    case "action-closed":
      return change({ state: event.state, outcome: event.why, endedAt: at }, settled);
    case "action-approved":
      return change({ approvedBy: event.by });
    case "action-started":
      return change(
        { state: "executing", startedAt: at, deadlineAt: event.deadlineAt },
        "mitigating",
      );
    case "action-executed":
      return change({ state: "verifying", heldSince: null }, "mitigating");
    case "action-judged": {
      // What did not help is undone: the verdict is the intent.
      const state = ({ passed: "succeeded", failed: "undoing", inconclusive: "failed" } as const)[
        event.verdict
      ];
      return change(
        {
          state,
          outcome: event.text,
          criteria: event.criteria,
          ...(state !== "undoing" && { endedAt: at }),
        },
        event.verdict === "inconclusive" ? settled : "mitigating",
      );
    }
    case "undo-started":
      return change({ state: "undoing", outcome: event.why }, "mitigating");
    case "undo-finished":
      return change(
        { state: event.succeeded ? "undone" : "failed", outcome: event.text, endedAt: at },
        settled,
      );
  }
}

function foldIncident(record: IncidentRecord, event: DeskEvent): IncidentRecord {
  if ("actionId" in event) return foldAction(record, event);
  switch (event.type) {
    case "alert-joined":
      return {
        ...record,
        alerts: mergeAlert(record.alerts, event.alert),
        services: mergeService(record.services, event.service),
        roots: narrowRoots(record.roots, event.roots),
        startedAt: event.late ? record.startedAt : Math.min(record.startedAt, event.alert.activeAt),
      };
    case "alert-changed":
      return { ...record, alerts: mergeAlert(record.alerts, event.alert) };
    case "incident-reopened":
      return { ...record, state: "open", resolvedAt: null, resolvedHow: null, owner: null };
    case "diagnosed":
      return {
        ...record,
        diagnosis: event.diagnosis,
        title: event.title,
        startedAt: event.startedAt,
        slice: event.slice,
        explainedAt:
          record.explainedAt ?? (event.diagnosis.state === "explained" ? event.at : null),
      };
    case "acknowledged":
      return {
        ...record,
        owner: event.by,
        state: record.state === "open" ? "acknowledged" : record.state,
      };
    case "resolved":
      return { ...record, state: "resolved", resolvedAt: event.at, resolvedHow: event.how };
    case "action-proposed":
      return { ...record, actions: [...record.actions, event.action] };
    default:
      return record;
  }
}

function forgetOld(state: DeskState): void {
  if (state.incidents.size <= resolvedMax) return;
  for (const [id, record] of state.incidents)
    if (record.state === "resolved") {
      state.incidents.delete(id);
      if (state.incidents.size <= resolvedMax) return;
    }
}

/** Applies one event. Events of incidents that have left memory are passed over. */
export function fold(state: DeskState, sequence: number, event: DeskEvent): void {
  invariant(sequence > state.lastSequence, `event ${sequence} after ${state.lastSequence}`);
  state.lastSequence = sequence;
  if (event.type === "change-seen") {
    state.changes.push(event.record);
    if (state.changes.length > changesMax) state.changes.shift();
    return;
  }
  const known = state.incidents.get(event.incidentId);
  const base = event.type === "incident-opened" ? opened(event) : known;
  if (!base) return;
  if (event.type === "incident-opened") state.openedCount++;
  const next = foldIncident(base, event);
  const entries = timelineOf(base, event, sequence);
  state.incidents.set(event.incidentId, {
    ...next,
    timeline: [...base.timeline, ...entries].slice(-timelineMax),
  });
  forgetOld(state);
}
