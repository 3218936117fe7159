/** How traffic and health of nodes and edges look and read. */
import type { GraphEdge, GraphNode, HealthState } from "@skopos/api";
import { formatMs, formatRate, formatRatio, say } from "./numbers.ts";

export function isTrouble(state: HealthState): boolean {
  return state === "failing" || state === "degraded";
}

const order: Readonly<Record<HealthState, number>> = {
  failing: 0,
  degraded: 1,
  unknown: 2,
  healthy: 3,
  idle: 4,
};

/** Worst first, then busiest, then by name. */
export function byTrouble(a: GraphNode, b: GraphNode): number {
  return (
    order[a.health.state] - order[b.health.state] ||
    (b.traffic.requestsPerSecond ?? -1) - (a.traffic.requestsPerSecond ?? -1) ||
    (a.id < b.id ? -1 : 1)
  );
}

/** Three sizes: below 1/s, below 100/s, above. Radius in pixels. */
export function nodeRadius(requestsPerSecond: number | null): number {
  if (requestsPerSecond === null || requestsPerSecond < 1) return 15;
  return requestsPerSecond < 100 ? 20 : 25;
}

/** By the logarithm of the rate, 1 to 5 pixels. */
export function edgeWidth(traffic: GraphEdge["traffic"]): number {
  const rate = traffic.requestsPerSecond;
  if (rate !== null) return Math.min(5, 1 + Math.log10(1 + rate) * 1.2);
  const bytes = traffic.sentBytesPerSecond;
  return bytes === null ? 1 : Math.min(5, 1 + Math.log10(1 + bytes / 1000));
}

/** Traffic that the destination reports as not wholly mutual TLS. */
export function isPlaintext(edge: GraphEdge): boolean {
  return edge.mtlsRatio !== null && edge.mtlsRatio < 0.999;
}

/** "120/s · 4.1 % errors · 340 ms"; what is not measured is left out. */
export function trafficLabel(traffic: GraphEdge["traffic"]): string {
  const parts: string[] = [];
  if (traffic.requestsPerSecond !== null) parts.push(formatRate(traffic.requestsPerSecond));
  else if (traffic.sentBytesPerSecond !== null)
    parts.push(say(traffic.sentBytesPerSecond, "bytes-per-second").text);
  if (traffic.errorRatio !== null && traffic.errorRatio > 0)
    parts.push(`${formatRatio(traffic.errorRatio)} errors`);
  if (traffic.p95Ms !== null) parts.push(formatMs(traffic.p95Ms));
  return parts.join(" · ") || "no traffic measured";
}

/** For screen readers: "user-service, failing: 4.1 % of requests fail, 120/s". */
export function nodeSays(node: GraphNode): string {
  const why = node.health.reasons.length > 0 ? `: ${node.health.reasons.join(", ")}` : "";
  return `${node.name}, ${node.health.state}${why}, ${trafficLabel(node.traffic)}`;
}

export function edgeSays(edge: GraphEdge): string {
  const plain = isPlaintext(edge) ? ", not mutual TLS" : "";
  return `${edge.source} to ${edge.target}, ${edge.health.state}, ${trafficLabel(edge.traffic)}${plain}`;
}

/** The part of the graph inside a namespace, with its neighbours. */
export function scopeGraph<Node extends GraphNode, Edge extends GraphEdge>(
  nodes: readonly Node[],
  edges: readonly Edge[],
  namespace: string | undefined,
): { nodes: Node[]; edges: Edge[] } {
  if (namespace === undefined) return { nodes: [...nodes], edges: [...edges] };
  const inside = new Set(nodes.filter((node) => node.namespace === namespace).map(({ id }) => id));
  const near = edges.filter(({ source, target }) => inside.has(source) || inside.has(target));
  const shown = new Set([...inside, ...near.flatMap(({ source, target }) => [source, target])]);
  return { nodes: nodes.filter(({ id }) => shown.has(id)), edges: near };
}
