/** The guard rails that every action passes again at the moment of its approval. Each answers with the reason to refuse. */
import type { Action, Graph } from "@skopos/api";
import { deploymentsOf, type ObjectStore, replicasOf } from "@skopos/mesh";
import type { DeskSettings } from "../settings.ts";
import { type IncidentRecord, isInFlight } from "../desk/state.ts";

export interface RailsContext {
  readonly incident: IncidentRecord;
  readonly action: Action;
  /** The service that the action is to help. */
  readonly serviceId: string;
  readonly incidents: readonly IncidentRecord[];
  readonly settings: DeskSettings;
  readonly store: ObjectStore;
  readonly graph: Graph | undefined;
  readonly nowMs: number;
}

const hourMs = 3_600_000;
/** After this many actions on one target that did not help within the hour, no further one. */
const failuresMax = 2;

/** Actions that bring replicas back may run when few are left; others would only add to the trouble. */
const restoring: ReadonlySet<Action["kind"]> = new Set(["rollout-undo", "scale"]);

function allActions(incidents: readonly IncidentRecord[]): Action[] {
  return incidents.flatMap((incident) => incident.actions);
}

function neighbourhood(serviceId: string, graph: Graph | undefined): Set<string> {
  const near = new Set([serviceId]);
  for (const edge of graph?.edges ?? []) {
    if (edge.source === serviceId) near.add(edge.target);
    if (edge.target === serviceId) near.add(edge.source);
  }
  return near;
}

function readyRatio(store: ObjectStore, serviceId: string): number | undefined {
  const replicas = deploymentsOf(store, serviceId).map(replicasOf);
  const desired = replicas.reduce((sum, item) => sum + item.desired, 0);
  if (desired === 0) return undefined;
  return replicas.reduce((sum, item) => sum + item.ready, 0) / desired;
}

const executed = (item: Action) => item.startedAt !== null;

/** Undefined when nothing speaks against it. */
export function refusalOf(context: RailsContext): string | undefined {
  const { incident, action, settings, nowMs } = context;
  if (settings.paused) return "Actions are paused for the whole mesh.";
  if (incident.state === "resolved") return "The incident is resolved.";
  if (!incident.alerts.some((alert) => alert.state === "firing"))
    return "No alert of this incident fires any more.";
  if (!context.graph || context.graph.edges.length === 0)
    return "There is no fresh telemetry: what an action does could not be judged.";
  const near = neighbourhood(context.serviceId, context.graph);
  for (const other of context.incidents)
    for (const candidate of other.actions) {
      const target = other.diagnosis.hypotheses.find((item) => item.id === candidate.hypothesisId);
      const isNear = candidate.target.id === action.target.id || near.has(target?.node.id ?? "");
      if (candidate.id !== action.id && isInFlight(candidate.state) && isNear)
        return `Another action is under way next to it: ${candidate.title}.`;
    }
  if (incident.actions.filter(executed).length >= settings.actionsPerIncidentMax)
    return `${settings.actionsPerIncidentMax} actions were tried for this incident; more need a person at the cluster.`;
  const recent = allActions(context.incidents).filter(
    (item) => item.startedAt !== null && item.startedAt > nowMs - hourMs,
  );
  if (recent.length >= settings.actionsPerHourMax)
    return `${recent.length} actions ran in the last hour, which is the limit.`;
  const failures = recent.filter(
    (item) =>
      item.target.id === action.target.id && (item.state === "failed" || item.state === "undone"),
  );
  if (failures.length >= failuresMax)
    return `${failures.length} actions on ${action.target.name} did not help in the last hour.`;
  const ready = readyRatio(context.store, context.serviceId);
  if (ready !== undefined && ready < settings.readyRatioMin && !restoring.has(action.kind))
    return `Only ${Math.round(ready * 100)} % of its replicas are ready.`;
  return undefined;
}
