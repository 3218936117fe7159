/**
 * The service graph that spans tell, and how it agrees with the one that metrics tell. A call is a span whose parent belongs to
 * another service; of a client span and the server span below it only one call is counted. A call that no server span answered
 * (the client's own proxy refused it, or the callee sends no spans) is counted under the name that the client's attributes give.
 */
import type { Span } from "@skopos/model";
import { buildForest, childrenOf, type SpanForest } from "./forest.ts";

export interface SpanEdge {
  readonly source: string;
  readonly target: string;
  /** Both by the weight of the spans, which need not be whole. */
  readonly calls: number;
  readonly errors: number;
  /** Of the callee's side where it was seen, else of the caller's. */
  readonly p50Ms: number;
  readonly p95Ms: number;
}

const edgesMax = 20_000;

/**
 * Edges between services (as spans name them), most calls first. `nameOf` says which service a span belongs to, `nameOfPeer`
 * which one is meant by the name that a client span gives its callee.
 */
export function serviceGraph(
  traces: Iterable<readonly Span[]>,
  nameOf: (span: Span) => string = ({ service }) => service,
  nameOfPeer: (name: string) => string = (name) => name,
): SpanEdge[] {
  const edges = new Map<string, { source: string; target: string; calls: Call[] }>();
  const note = (source: string, target: string, call: Call) => {
    const key = `${source}\u0000${target}`;
    const edge = edges.get(key) ?? { source, target, calls: [] };
    if (edge.calls.length === 0 && edges.size >= edgesMax) return;
    edge.calls.push(call);
    edges.set(key, edge);
  };
  for (const spans of traces) {
    const forest = buildForest(spans);
    forest.spans.forEach((span, index) => {
      const source = nameOf(span);
      let answered = false;
      for (const child of childrenOf(forest, index)) {
        const callee = forest.spans[child];
        if (!callee || nameOf(callee) === source) continue;
        answered = true;
        // The caller's own span may fail for other calls than this one.
        const failed =
          callee.status === "error" || (span.kind === "client" && span.status === "error");
        const ms = lengthMs(forest, child);
        note(source, nameOf(callee), { ms, failed, weight: callee.weight ?? 1 });
      }
      const peer = span.kind === "client" && !answered ? peerOf(span) : undefined;
      const named = peer === undefined ? undefined : nameOfPeer(peer);
      if (named !== undefined && named !== source && !delegates(forest, index))
        note(source, named, {
          ms: lengthMs(forest, index),
          failed: span.status === "error",
          weight: span.weight ?? 1,
        });
    });
  }
  return [...edges.values()]
    .map(({ source, target, calls }) => ({ source, target, ...measured(calls) }))
    .sort((a, b) => b.calls - a.calls || (a.source < b.source ? -1 : 1));
}

interface Call {
  readonly ms: number;
  readonly failed: boolean;
  /** How many calls it stands for. */
  readonly weight: number;
}

function measured(calls: readonly Call[]): Omit<SpanEdge, "source" | "target"> {
  const sorted = calls.toSorted((a, b) => a.ms - b.ms);
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  const errors = sorted.reduce((sum, { failed, weight }) => (failed ? sum + weight : sum), 0);
  const at = (q: number) => {
    let below = 0;
    for (const { ms, weight } of sorted) {
      below += weight;
      if (below > q * total) return ms;
    }
    return sorted.at(-1)?.ms ?? 0;
  };
  return { calls: total, errors, p50Ms: at(0.5), p95Ms: at(0.95) };
}

const lengthMs = (forest: SpanForest, index: number) =>
  ((forest.endNs[index] ?? 0) - (forest.startNs[index] ?? 0)) / 1e6;

/** Another client span of the same service below is nearer to the wire (an application's span above its proxy's). */
function delegates(forest: SpanForest, index: number): boolean {
  for (const child of childrenOf(forest, index))
    if (forest.spans[child]?.kind === "client") return true;
  return false;
}

const clusterKeys = ["upstream_cluster.name", "upstream_cluster"] as const;
const peerKeys = ["peer.service", "server.address", "net.peer.name", "db.system", "db.system.name"];
/** All attributes of spans that the graph is made of. */
export const callAttributes: readonly string[] = [...clusterKeys, ...peerKeys];

const outboundCluster = /^outbound\|\d+\|[^|]*\|([^.|]+)(?:\.([^.|]+))?/;

/** Whom a client span called, by OpenTelemetry's conventions or Istio's cluster name ("name.namespace"). */
function peerOf({ attributes }: Span): string | undefined {
  const cluster = attributes[clusterKeys[0]] ?? attributes[clusterKeys[1]];
  const istio = typeof cluster === "string" ? outboundCluster.exec(cluster) : null;
  if (istio) return istio[2] === undefined ? istio[1] : `${istio[1]}.${istio[2]}`;
  for (const key of peerKeys) {
    const value = attributes[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return undefined;
}

/** An edge as the two graphs see it; rates in calls per second, null where the graph does not have it. */
export interface EdgeAgreement {
  readonly source: string;
  readonly target: string;
  readonly spansPerSecond: number | null;
  readonly metricsPerSecond: number | null;
  /** "agrees", or in words why the two may differ. */
  readonly verdict: string;
}

export interface MetricEdge {
  readonly source: string;
  readonly target: string;
  /** Null where only bytes are counted (TCP). */
  readonly requestsPerSecond: number | null;
}

/** Fewer calls than this say nothing. */
const callsMin = 3;

/**
 * Compares by names that both graphs share. `reporting` are the services that send spans at all. The share of requests that are
 * traced is taken from the data: the median ratio of the edges in both.
 */
export function compareGraphs(
  spans: readonly SpanEdge[],
  metrics: readonly MetricEdge[],
  windowSeconds: number,
  reporting: ReadonlySet<string>,
): { sampledShare: number | null; edges: EdgeAgreement[] } {
  const key = ({ source, target }: { source: string; target: string }) =>
    `${source}\u0000${target}`;
  const bySpans = new Map(spans.map((edge) => [key(edge), edge]));
  const byMetrics = new Map(metrics.map((edge) => [key(edge), edge]));
  const ratios = spans
    .flatMap((edge) => {
      const rate = byMetrics.get(key(edge))?.requestsPerSecond;
      return rate && edge.calls >= callsMin ? [edge.calls / windowSeconds / rate] : [];
    })
    .sort((a, b) => a - b);
  const sampledShare = ratios.length === 0 ? null : (ratios[ratios.length >> 1] ?? null);
  const named = new Map<string, { source: string; target: string }>([...byMetrics, ...bySpans]);
  const uncounted = metrics.filter(({ requestsPerSecond }) => requestsPerSecond === null);
  for (const edge of uncounted) if (!bySpans.has(key(edge))) named.delete(key(edge));
  const edges = [...named].map(([place, { source, target }]) => {
    const spanEdge = bySpans.get(place);
    const metricEdge = byMetrics.get(place);
    const spansPerSecond = spanEdge ? spanEdge.calls / windowSeconds : null;
    const metricsPerSecond = metricEdge?.requestsPerSecond ?? null;
    const bytesTo = uncounted.filter((edge) => edge.source === source).map((edge) => edge.target);
    const facts = { spansPerSecond, metricsPerSecond, sampledShare, windowSeconds, bytesTo };
    return {
      source,
      target,
      spansPerSecond,
      metricsPerSecond,
      verdict: verdictOf(source, target, facts, reporting),
    };
  });
  return { sampledShare, edges };
}

interface EdgeFacts {
  readonly spansPerSecond: number | null;
  readonly metricsPerSecond: number | null;
  readonly sampledShare: number | null;
  readonly windowSeconds: number;
  /** Where metrics count the source's bytes, but no calls. */
  readonly bytesTo: readonly string[];
}

function verdictOf(
  source: string,
  target: string,
  { spansPerSecond, metricsPerSecond, sampledShare, windowSeconds, bytesTo }: EdgeFacts,
  reporting: ReadonlySet<string>,
): string {
  if (metricsPerSecond === null && bytesTo.includes(target))
    return "only spans count its calls: for the proxies it is TCP, bytes without requests";
  if (metricsPerSecond === null && bytesTo.length > 0)
    return `only spans show it under this name: metrics count bytes, not calls (TCP), from ${source} to ${bytesTo.slice(0, 3).join(", ")}, which may be the same`;
  if (metricsPerSecond === null)
    return `only spans show it: neither ${source}'s nor ${target}'s proxy reports such requests (no sidecar, or a protocol it does not count)`;
  if (spansPerSecond === null) {
    if (!reporting.has(source) && !reporting.has(target))
      return `only metrics show it: neither ${source} nor ${target} sends spans`;
    if (!reporting.has(source)) return `only metrics show it: ${source} sends no spans`;
    const expected = metricsPerSecond * (sampledShare ?? 1) * windowSeconds;
    return expected < callsMin
      ? "only metrics show it: with so few requests none was traced"
      : `only metrics show it: ${source} does not pass the trace on to ${target} (its headers are not propagated), or its client spans are missing`;
  }
  if (sampledShare === null || spansPerSecond * windowSeconds < callsMin) return "agrees";
  const expected = metricsPerSecond * sampledShare;
  const slack =
    3 * Math.sqrt(Math.max(1, expected * windowSeconds)) + 0.3 * expected * windowSeconds;
  const gap = (spansPerSecond - expected) * windowSeconds;
  if (Math.abs(gap) <= slack) return "agrees";
  return gap > 0
    ? `spans show more calls than the metrics' rate explains (${times(spansPerSecond / expected)}): ${source} samples more than others, or retries are spans of their own`
    : `spans show fewer calls than the metrics' rate explains (${times(spansPerSecond / expected)}): ${source} samples less, or drops spans`;
}

const times = (ratio: number) => `${ratio.toFixed(1)} times`;
