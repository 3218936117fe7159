/**
 * Which alerts belong to one fault. Slowness and errors travel from callee to caller, so an alert's possible origins
 * ("roots") are the deepest disturbed services below the one it names. Alerts that share a root share an incident; a common
 * caller alone joins nothing, since it suffers from every fault below it.
 */
import type { EntityRef, Graph, GraphEdge, GraphNode, Traffic } from "@skopos/api";
import type { LabelMap } from "@skopos/model";
import { serviceEntity } from "@skopos/mesh";

/** Disturbed: fails or is slow against the picture from before. */
const disturbance = {
  errorRatioMin: 0.01,
  errorFactor: 3,
  latencyFactor: 1.5,
  latencyExcessMs: 15,
} as const;

function isDisturbed(now: Traffic, before: Traffic | undefined): boolean {
  const { errorRatio, p95Ms } = now;
  const usualErrors = before?.errorRatio ?? 0;
  if (
    errorRatio !== null &&
    errorRatio >= disturbance.errorRatioMin &&
    errorRatio >= usualErrors * disturbance.errorFactor
  )
    return true;
  const usual = before?.p95Ms ?? null;
  return (
    p95Ms !== null &&
    usual !== null &&
    p95Ms > usual * disturbance.latencyFactor &&
    p95Ms > usual + disturbance.latencyExcessMs
  );
}

/** Share of an edge's requests that a policy or a limit refused; such answers are no failures of the service. */
function refusedRatio(edge: GraphEdge | undefined): number {
  const perSecond = edge?.traffic.requestsPerSecond ?? 0;
  if (!edge || perSecond <= 0) return 0;
  const refused = ["401", "403", "429"].reduce((sum, code) => sum + (edge.codes[code] ?? 0), 0);
  return refused / perSecond;
}

function isEdgeDisturbed(edge: GraphEdge, before: GraphEdge | undefined): boolean {
  return (
    isDisturbed(edge.traffic, before?.traffic) ||
    refusedRatio(edge) >= refusedRatio(before) + 5 * disturbance.errorRatioMin
  );
}

export interface DisturbedGraph {
  readonly nodes: ReadonlySet<string>;
  /** Callees over disturbed edges. */
  readonly callees: ReadonlyMap<string, readonly string[]>;
  readonly callers: ReadonlyMap<string, readonly string[]>;
}

/** Compares the graph of now with the graph of before the trouble, where there is one. */
export function disturbedGraph(now: Graph, before: Graph | undefined): DisturbedGraph {
  const usualEdge = new Map(before?.edges.map((edge): [string, GraphEdge] => [edge.id, edge]));
  const usualNode = new Map(before?.nodes.map((node): [string, GraphNode] => [node.id, node]));
  const nodes = new Set(
    now.nodes
      .filter(
        (node) =>
          isDisturbed(node.traffic, usualNode.get(node.id)?.traffic) ||
          (node.replicas !== null && node.replicas.desired > 0 && node.replicas.ready === 0),
      )
      .map((node) => node.id),
  );
  const callees = new Map<string, string[]>();
  const callers = new Map<string, string[]>();
  for (const edge of now.edges) {
    if (!isEdgeDisturbed(edge, usualEdge.get(edge.id))) continue;
    callees.set(edge.source, [...(callees.get(edge.source) ?? []), edge.target]);
    callers.set(edge.target, [...(callers.get(edge.target) ?? []), edge.source]);
  }
  return { nodes, callees, callers };
}

/** The deepest services reached from `start` over disturbed edges; `start` itself when it calls none. */
export function rootsOf(graph: DisturbedGraph, start: string): string[] {
  const roots: string[] = [];
  const seen = new Set([start]);
  const queue = [start];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    const below = (graph.callees.get(id) ?? []).filter((callee) => callee !== id);
    if (below.length === 0) roots.push(id);
    for (const callee of below)
      if (!seen.has(callee)) {
        seen.add(callee);
        queue.push(callee);
      }
  }
  return roots.length > 0 ? roots.sort() : [start];
}

/** Everything above `start` over disturbed edges, `start` included. */
export function victimsOf(graph: DisturbedGraph, start: string): Set<string> {
  const seen = new Set([start]);
  const queue = [start];
  for (let id = queue.pop(); id !== undefined; id = queue.pop())
    for (const caller of graph.callers.get(id) ?? [])
      if (!seen.has(caller)) {
        seen.add(caller);
        queue.push(caller);
      }
  return seen;
}

const named = (labels: LabelMap, name: string) => {
  const value = labels[name];
  return value !== undefined && value !== "" && value !== "unknown" ? value : undefined;
};

/** The service an alert is about, by the labels that rules usually keep. `services` maps Kubernetes Services to nodes. */
export function serviceOfAlert(
  labels: LabelMap,
  services: ReadonlyMap<string, string>,
): EntityRef | null {
  const destination = named(labels, "destination_service_name");
  const space = named(labels, "destination_service_namespace");
  if (destination && space) {
    const key = `${space}/${destination}`;
    return serviceEntity(services.get(key) ?? key);
  }
  const canonical =
    named(labels, "destination_canonical_service") ?? named(labels, "destination_workload");
  const workloadSpace = named(labels, "destination_workload_namespace");
  if (canonical && workloadSpace) return serviceEntity(`${workloadSpace}/${canonical}`);
  const source = named(labels, "source_canonical_service") ?? named(labels, "source_workload");
  const sourceSpace = named(labels, "source_workload_namespace");
  if (source && sourceSpace) return serviceEntity(`${sourceSpace}/${source}`);
  const namespace = named(labels, "namespace");
  const name = ["service", "deployment", "workload", "app"]
    .map((label) => named(labels, label))
    .find(Boolean);
  if (!namespace || !name) return null;
  const key = `${namespace}/${name}`;
  return serviceEntity(services.get(key) ?? key);
}
