/** The service graph that spans tell, as the mesh's own drawing takes it, with how it stands to that of the metrics. */
import type { GraphEdge, GraphNode, ReplyOf, Traffic } from "@skopos/api";

export type SpanEdge = ReplyOf<"traceGraph">["edges"][number];

export type Standing = "agrees" | "differs" | "spans only" | "metrics only";

export function standingOf(edge: SpanEdge): Standing {
  if (edge.metricsPerSecond === null) return "spans only";
  if (edge.spansPerSecond === null) return "metrics only";
  return edge.verdict === "agrees" ? "agrees" : "differs";
}

export const edgeId = ({ source, target }: SpanEdge): string => `${source}->${target}`;

/** The part of a name behind its namespace. */
export const shortName = (id: string): string => id.split("/").at(-1) ?? id;

/** Calls that the spans stand for, were every service sampled like the rest; null where no span or no share is known. */
export function estimatedPerSecond(edge: SpanEdge, sampledShare: number | null): number | null {
  return edge.spansPerSecond === null || !sampledShare ? null : edge.spansPerSecond / sampledShare;
}

function trafficOf(edge: SpanEdge, sampledShare: number | null): Traffic {
  return {
    requestsPerSecond:
      estimatedPerSecond(edge, sampledShare) ?? edge.spansPerSecond ?? edge.metricsPerSecond,
    errorRatio: edge.calls === 0 ? null : edge.errors / edge.calls,
    p50Ms: edge.p50Ms,
    p95Ms: edge.p95Ms,
    p99Ms: null,
    sentBytesPerSecond: null,
    receivedBytesPerSecond: null,
  };
}

/**
 * Nodes and edges for the drawing. Health is not judged from spans: "unknown" marks an edge in which the two graphs differ, and a
 * node of which metrics know nothing.
 */
export function drawnGraph(
  edges: readonly SpanEdge[],
  sampledShare: number | null,
): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const drawn = edges.map((edge): GraphEdge => {
    const agrees = standingOf(edge) === "agrees";
    return {
      id: edgeId(edge),
      source: edge.source,
      target: edge.target,
      protocol: "http",
      traffic: trafficOf(edge, sampledShare),
      destinationP95Ms: null,
      flags: {},
      codes: {},
      mtlsRatio: null,
      health: { state: agrees ? "healthy" : "unknown", reasons: agrees ? [] : [edge.verdict] },
    };
  });
  const ids = new Set(edges.flatMap(({ source, target }) => [source, target]));
  return { nodes: [...ids].map((id) => nodeOf(id, edges, drawn)), edges: drawn };
}

function nodeOf(id: string, edges: readonly SpanEdge[], drawn: readonly GraphEdge[]): GraphNode {
  const incoming = drawn.filter(({ target }) => target === id);
  const rates = incoming.flatMap(({ traffic }) => traffic.requestsPerSecond ?? []);
  const measured = edges.some(
    ({ source, target, metricsPerSecond }) =>
      metricsPerSecond !== null && (source === id || target === id),
  );
  return {
    id,
    name: shortName(id),
    namespace: id.includes("/") ? (id.split("/")[0] ?? "") : "",
    kind: incoming.length === 0 ? "gateway" : measured ? "service" : "external",
    traffic: {
      requestsPerSecond: rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0),
      errorRatio: null,
      p50Ms: null,
      p95Ms: null,
      p99Ms: null,
      sentBytesPerSecond: null,
      receivedBytesPerSecond: null,
    },
    health: { state: measured ? "healthy" : "unknown", reasons: [] },
    replicas: null,
    versions: [],
    workloads: [],
    alerts: 0,
    incidentId: null,
  };
}

/** "3 of 4 connections agree with the metrics" and what becomes of the others. */
export function agreementSays(edges: readonly SpanEdge[]): string {
  const agreeing = edges.filter((edge) => standingOf(edge) === "agrees").length;
  if (agreeing === edges.length)
    return edges.length === 1
      ? "The one connection agrees with the metrics."
      : `All ${edges.length} connections agree with the metrics.`;
  return `${agreeing} of ${edges.length} connections agree with the metrics; the others say why not.`;
}
