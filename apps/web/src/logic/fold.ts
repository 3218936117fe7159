/**
 * Big meshes open folded: a namespace without trouble is one node. Trouble, chosen namespaces and whatever is
 * selected stay unfolded.
 */
import type { GraphEdge, GraphNode, HealthState, Traffic } from "@skopos/api";
import { isTrouble } from "./graph-look.ts";

/** Up to this many nodes nothing is folded. */
const unfoldedNodesMax = 60;
const groupPrefix = "ns:";

export interface FoldedGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly folded: readonly string[];
}

export function groupNamespace(nodeId: string): string | null {
  return nodeId.startsWith(groupPrefix) ? nodeId.slice(groupPrefix.length) : null;
}

const worst: readonly HealthState[] = ["failing", "degraded", "unknown", "healthy", "idle"];

function worstOf(states: readonly HealthState[]): HealthState {
  return worst.find((state) => states.includes(state)) ?? "unknown";
}

function sum(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? known.reduce((total, value) => total + value, 0) : null;
}

/** Rates add up and ratios are weighted; quantiles of many do not combine and are left out. */
export function joinTraffic(all: readonly Traffic[]): Traffic {
  const rate = sum(all.map(({ requestsPerSecond }) => requestsPerSecond));
  const errors = sum(
    all.map(({ requestsPerSecond, errorRatio }) =>
      requestsPerSecond === null || errorRatio === null ? null : requestsPerSecond * errorRatio,
    ),
  );
  return {
    requestsPerSecond: rate,
    errorRatio: rate === null || rate === 0 || errors === null ? null : errors / rate,
    p50Ms: null,
    p95Ms: null,
    p99Ms: null,
    sentBytesPerSecond: sum(all.map(({ sentBytesPerSecond }) => sentBytesPerSecond)),
    receivedBytesPerSecond: sum(all.map(({ receivedBytesPerSecond }) => receivedBytesPerSecond)),
  };
}

function groupNode(namespace: string, members: readonly GraphNode[]): GraphNode {
  const state = worstOf(members.map(({ health }) => health.state));
  const ill = members.filter(({ health }) => isTrouble(health.state)).length;
  return {
    id: groupPrefix + namespace,
    name: `${namespace} (${members.length})`,
    namespace,
    kind: "service",
    traffic: joinTraffic(members.map(({ traffic }) => traffic)),
    health: { state, reasons: ill > 0 ? [`${ill} of ${members.length} in trouble`] : [] },
    replicas: null,
    versions: [],
    workloads: [],
    alerts: members.reduce((total, { alerts }) => total + alerts, 0),
    incidentId: members.find(({ incidentId }) => incidentId !== null)?.incidentId ?? null,
  };
}

function joinEdges(
  id: string,
  source: string,
  target: string,
  all: readonly GraphEdge[],
): GraphEdge {
  const [first] = all;
  const shares = all.filter(({ mtlsRatio }) => mtlsRatio !== null);
  return {
    id,
    source,
    target,
    protocol: first?.protocol ?? "http",
    traffic: joinTraffic(all.map(({ traffic }) => traffic)),
    destinationP95Ms: null,
    flags: {},
    codes: {},
    mtlsRatio:
      shares.length > 0 ? Math.min(...shares.map(({ mtlsRatio }) => mtlsRatio ?? 1)) : null,
    health: { state: worstOf(all.map(({ health }) => health.state)), reasons: [] },
  };
}

export function foldGraph(
  nodes: readonly GraphNode[],
  edges: readonly GraphEdge[],
  unfolded: ReadonlySet<string>,
): FoldedGraph {
  if (nodes.length <= unfoldedNodesMax) return { nodes, edges, folded: [] };
  const byNamespace = new Map<string, GraphNode[]>();
  for (const node of nodes) {
    const members = byNamespace.get(node.namespace);
    if (members) members.push(node);
    else byNamespace.set(node.namespace, [node]);
  }
  const standsFor = new Map<string, string>();
  const outNodes: GraphNode[] = [];
  const folded: string[] = [];
  for (const [namespace, members] of byNamespace) {
    const open =
      members.length < 3 ||
      unfolded.has(namespace) ||
      members.some(({ health }) => isTrouble(health.state));
    if (open) outNodes.push(...members);
    else {
      folded.push(namespace);
      outNodes.push(groupNode(namespace, members));
      for (const { id } of members) standsFor.set(id, groupPrefix + namespace);
    }
  }
  const outEdges: GraphEdge[] = [];
  const joined = new Map<string, { source: string; target: string; all: GraphEdge[] }>();
  for (const edge of edges) {
    const source = standsFor.get(edge.source) ?? edge.source;
    const target = standsFor.get(edge.target) ?? edge.target;
    if (source === edge.source && target === edge.target) outEdges.push(edge);
    else if (source !== target) {
      const key = `${source}->${target}`;
      const group = joined.get(key) ?? { source, target, all: [] };
      group.all.push(edge);
      joined.set(key, group);
    }
  }
  for (const [key, { source, target, all }] of joined)
    outEdges.push(joinEdges(key, source, target, all));
  return { nodes: outNodes, edges: outEdges, folded: folded.toSorted() };
}
