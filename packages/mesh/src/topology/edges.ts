/** Folds rows of measurements into edges: one per pair of nodes, with the source's numbers before the destination's. */
import type { GraphEdge, Traffic } from "@skopos/api";
import type { LabelMap, VectorSample } from "@skopos/model";
import type { Measurements } from "./measure.ts";
import { destinationNode, type NodeName, sourceNode } from "./naming.ts";
import type { Reporter } from "./queries.ts";

/** gRPC codes that mean the server failed: unknown, deadline, unimplemented, internal, unavailable, data loss. */
const grpcFailures = new Set(["2", "4", "12", "13", "14", "15"]);

interface Tally {
  perSecond: number;
  failedPerSecond: number;
  readonly codes: Map<string, number>;
  readonly flags: Map<string, number>;
  /** "503 UO" → per second. */
  readonly failures: Map<string, number>;
}

const emptyTally = (): Tally => ({
  perSecond: 0,
  failedPerSecond: 0,
  codes: new Map(),
  flags: new Map(),
  failures: new Map(),
});

export interface EdgeDraft {
  readonly id: string;
  readonly source: NodeName;
  readonly target: NodeName;
  protocol: GraphEdge["protocol"];
  readonly tallies: Record<Reporter, Tally>;
  readonly latency: Record<"p50" | "p95" | "p99", number | null>;
  readonly destinationLatency: Record<"p50" | "p95" | "p99", number | null>;
  sentBytes: Record<Reporter, number | null>;
  receivedBytes: Record<Reporter, number | null>;
  readonly mtls: { secured: number; known: number };
  readonly revisions: Set<string>;
}

const none = () => ({ p50: null, p95: null, p99: null });

const add = (map: Map<string, number>, key: string, value: number) =>
  void map.set(key, (map.get(key) ?? 0) + value);

export function isFailure(labels: LabelMap): boolean {
  const code = labels["response_code"] ?? "";
  const flags = (labels["response_flags"] ?? "").split(",");
  if (flags.includes("DC")) return false;
  const grpc = labels["grpc_response_status"] ?? "";
  return code === "0" || code.startsWith("5") || grpcFailures.has(grpc);
}

export class EdgeTable {
  readonly #edges = new Map<string, EdgeDraft>();
  readonly #services: Map<string, string>;

  /** `services` maps Kubernetes Services to nodes; what the rows tell is added to it. */
  constructor(services: ReadonlyMap<string, string>) {
    this.#services = new Map(services);
  }

  get edges(): readonly EdgeDraft[] {
    return [...this.#edges.values()];
  }

  #edge(labels: LabelMap): EdgeDraft {
    const source = sourceNode(labels);
    const target = destinationNode(labels, this.#services);
    const id = `${source.id}->${target.id}`;
    const known = this.#edges.get(id);
    if (known) return known;
    const edge: EdgeDraft = {
      id,
      source,
      target,
      protocol: "http",
      tallies: { source: emptyTally(), destination: emptyTally() },
      latency: none(),
      destinationLatency: none(),
      sentBytes: { source: null, destination: null },
      receivedBytes: { source: null, destination: null },
      mtls: { secured: 0, known: 0 },
      revisions: new Set(),
    };
    this.#edges.set(id, edge);
    return edge;
  }

  /** Which node a Kubernetes Service leads to, where requests reached one. */
  #learn(samples: readonly VectorSample[]): void {
    for (const { labels } of samples) {
      const service = labels["destination_service_name"];
      const space = labels["destination_service_namespace"];
      const canonical = labels["destination_canonical_service"];
      const workloadSpace = labels["destination_workload_namespace"];
      if (!service || !space || !canonical || !workloadSpace || canonical === "unknown") continue;
      this.#services.set(`${space}/${service}`, `${workloadSpace}/${canonical}`);
    }
  }

  #takeSecurity(edge: EdgeDraft, labels: LabelMap, value: number): void {
    const policy = labels["connection_security_policy"];
    if (policy === undefined || policy === "" || policy === "unknown") return;
    edge.mtls.known += value;
    if (policy === "mutual_tls") edge.mtls.secured += value;
  }

  #takeRequests(reporter: Reporter, samples: readonly VectorSample[]): void {
    for (const { labels, value } of samples) {
      if (!(value > 0)) continue;
      const edge = this.#edge(labels);
      const tally = edge.tallies[reporter];
      tally.perSecond += value;
      const code = labels["response_code"] ?? "";
      const flags = labels["response_flags"] ?? "-";
      if (code !== "") add(tally.codes, code, value);
      for (const flag of flags.split(",")) if (flag !== "-" && flag) add(tally.flags, flag, value);
      if (isFailure(labels)) {
        tally.failedPerSecond += value;
        const grpc = labels["grpc_response_status"];
        const what = code === "0" ? "no response" : code === "200" && grpc ? `gRPC ${grpc}` : code;
        add(tally.failures, flags === "-" || flags === "" ? what : `${what} ${flags}`, value);
      }
      if (labels["request_protocol"] === "grpc") edge.protocol = "grpc";
      const revision = labels["destination_canonical_revision"];
      if (revision && revision !== "unknown") edge.revisions.add(revision);
      if (reporter === "destination") this.#takeSecurity(edge, labels, value);
    }
  }

  #takeBytes(
    field: "sentBytes" | "receivedBytes",
    reporter: Reporter,
    samples: readonly VectorSample[],
  ): void {
    for (const { labels, value } of samples) {
      const edge = this.#edge(labels);
      edge[field][reporter] = (edge[field][reporter] ?? 0) + value;
      if (reporter === "destination" && edge.tallies.destination.perSecond === 0)
        this.#takeSecurity(edge, labels, value);
    }
  }

  #takeLatency(
    field: "latency" | "destinationLatency",
    quantile: "p50" | "p95" | "p99",
    samples: readonly VectorSample[],
  ): void {
    for (const { labels, value } of samples) {
      if (Number.isNaN(value)) continue;
      const edge = this.#edge(labels);
      // Two Kubernetes Services in front of one workload: the slower one is what people notice.
      edge[field][quantile] = Math.max(edge[field][quantile] ?? 0, value);
    }
  }

  take(found: Measurements): void {
    this.#learn(found.requests.source);
    this.#learn(found.requests.destination);
    this.#learn(found.tcpSent.source);
    this.#takeRequests("source", found.requests.source);
    this.#takeRequests("destination", found.requests.destination);
    for (const reporter of ["source", "destination"] as const) {
      this.#takeBytes("sentBytes", reporter, found.tcpSent[reporter]);
      this.#takeBytes("receivedBytes", reporter, found.tcpReceived[reporter]);
    }
    this.#takeLatency("latency", "p50", found.edgeP50);
    this.#takeLatency("latency", "p95", found.edgeP95);
    this.#takeLatency("latency", "p99", found.edgeP99);
    this.#takeLatency("destinationLatency", "p50", found.edgeDestinationP50);
    this.#takeLatency("destinationLatency", "p95", found.edgeDestinationP95);
    this.#takeLatency("destinationLatency", "p99", found.edgeDestinationP99);
    for (const edge of this.#edges.values()) {
      const isTcp =
        edge.tallies.source.perSecond === 0 &&
        edge.tallies.destination.perSecond === 0 &&
        (edge.sentBytes.source ?? edge.sentBytes.destination ?? edge.receivedBytes.source) !== null;
      if (isTcp) edge.protocol = "tcp";
    }
  }
}

/** What the caller saw, or what the destination saw where the caller has no proxy. */
export function tallyOf(edge: EdgeDraft): Tally {
  const { source, destination } = edge.tallies;
  return source.perSecond > 0 ? source : destination;
}

export function trafficOf(edge: EdgeDraft, floorPerSecond: number): Traffic {
  const tally = tallyOf(edge);
  const hasSource = edge.tallies.source.perSecond > 0;
  const latency = hasSource ? edge.latency : edge.destinationLatency;
  const isTcp = edge.protocol === "tcp";
  return {
    requestsPerSecond: isTcp || tally.perSecond === 0 ? null : tally.perSecond,
    errorRatio: tally.perSecond >= floorPerSecond ? tally.failedPerSecond / tally.perSecond : null,
    p50Ms: latency.p50,
    p95Ms: latency.p95,
    p99Ms: latency.p99,
    sentBytesPerSecond: edge.sentBytes.source ?? edge.sentBytes.destination,
    receivedBytesPerSecond: edge.receivedBytes.source ?? edge.receivedBytes.destination,
  };
}
