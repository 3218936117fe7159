/**
 * The mesh as people look at it: the graph of a moment, a service in detail, the home page's figures. Answers are cached
 * for at most one scrape interval, and the same question asked twice at once is measured once.
 */
import type { Change, Graph, NowPage, ServiceDetail } from "@skopos/api";
import { type MetricEngine, SkoposError } from "@skopos/model";
import {
  appliesTo,
  deploymentsOf,
  entityOf,
  type ObjectStore,
  podsOf,
  replicasOf,
  serviceEntity,
  serviceIdOfDeployment,
} from "../cluster/store.ts";
import { yamlOf } from "../changes/canonical.ts";
import type { ChangeQuery } from "../changes/log.ts";
import { type KubeObject, listAt, numberAt, textAt, timeAt } from "../kube/object.ts";
import { buildGraph } from "./build.ts";
import { measure } from "./measure.ts";
import { chart, type ChartRange } from "./points.ts";
import { failed, queries, serviceQueries, windowText } from "./queries.ts";

/** What topology needs of the cluster. */
export interface ClusterView extends ObjectStore {
  changes(query: ChangeQuery): Change[];
  readonly lastChangeAt: number | null;
}

export interface TopologyOptions {
  readonly engine: MetricEngine;
  readonly cluster: ClusterView;
  readonly scrapeIntervalMs: number;
  /** Requests in the window below which nothing is judged. */
  readonly requestsMin?: number;
}

export interface Trouble {
  readonly alerts: number;
  readonly incidentId: string | null;
}

export interface GraphQuery {
  readonly timeMs: number;
  readonly windowMs: number;
  readonly namespace?: string;
}

/** A rate over fewer scrapes than this misses requests when one of them fails. */
const scrapesPerWindow = 4;
const graphsCached = 16;

const configurationKinds = [
  "Service",
  "DestinationRule",
  "VirtualService",
  "PeerAuthentication",
  "AuthorizationPolicy",
  "Gateway",
];

export class Topology {
  readonly #engine: MetricEngine;
  readonly #cluster: ClusterView;
  readonly #scrapeIntervalMs: number;
  readonly #requestsMin: number;
  readonly #graphs = new Map<string, Promise<Graph>>();

  constructor(options: TopologyOptions) {
    this.#engine = options.engine;
    this.#cluster = options.cluster;
    this.#scrapeIntervalMs = options.scrapeIntervalMs;
    this.#requestsMin = options.requestsMin ?? 5;
  }

  /** The shortest window that is honest at this scrape interval. */
  get windowMinMs(): number {
    return this.#scrapeIntervalMs * scrapesPerWindow;
  }

  /**
   * The graph of the window before `timeMs`. `trouble` says what alerts and incidents there are on a node now.
   * A narrower window than the scrape interval allows is widened; the answer says what it covers.
   */
  async graph(query: GraphQuery, trouble?: (nodeId: string) => Trouble): Promise<Graph> {
    const windowMs = Math.max(query.windowMs, this.windowMinMs);
    const timeMs = Math.floor(query.timeMs / this.#scrapeIntervalMs) * this.#scrapeIntervalMs;
    const whole = await this.#whole(timeMs, windowMs);
    const graph = query.namespace === undefined ? whole : inNamespace(whole, query.namespace);
    if (!trouble) return graph;
    return { ...graph, nodes: graph.nodes.map((node) => ({ ...node, ...trouble(node.id) })) };
  }

  #whole(timeMs: number, windowMs: number): Promise<Graph> {
    const key = `${timeMs}/${windowMs}`;
    const known = this.#graphs.get(key);
    if (known) return known;
    const flight = measure(this.#engine, timeMs, windowMs).then((found) =>
      buildGraph({
        found,
        store: this.#cluster,
        timeMs,
        windowMs,
        requestsMin: this.#requestsMin,
      }),
    );
    this.#graphs.set(key, flight);
    flight.catch(() => this.#graphs.delete(key));
    const oldest = this.#graphs.keys().next().value;
    if (this.#graphs.size > graphsCached && oldest !== undefined) this.#graphs.delete(oldest);
    return flight;
  }

  /** Throws `not-found` for a service that neither the cluster nor the telemetry knows. */
  async serviceDetail(
    serviceId: string,
    range: { readonly startMs: number; readonly endMs: number },
    trouble?: (nodeId: string) => Trouble,
  ): Promise<ServiceDetail> {
    const windowMs = Math.max(60_000, this.windowMinMs);
    const graph = await this.graph({ timeMs: range.endMs, windowMs }, trouble);
    const node = graph.nodes.find((candidate) => candidate.id === serviceId);
    if (!node) throw new SkoposError("not-found", `there is no service ${serviceId} in this mesh`);
    const gateway = node.kind === "gateway";
    const [series, workloads] = await Promise.all([
      this.#series(serviceId, gateway, range),
      this.#workloads(serviceId, range.endMs),
    ]);
    return {
      node,
      incoming: graph.edges.filter((edge) => edge.target === serviceId),
      outgoing: graph.edges.filter((edge) => edge.source === serviceId),
      series,
      workloads,
      configuration: this.configuration(serviceId),
      changes: this.#cluster.changes({ ...range, serviceId }),
    };
  }

  async #series(
    serviceId: string,
    gateway: boolean,
    range: { readonly startMs: number; readonly endMs: number },
  ): Promise<ServiceDetail["series"]> {
    const window = windowText(Math.max(30_000, this.windowMinMs));
    const at: ChartRange = { ...range, stepMinMs: this.#scrapeIntervalMs };
    const draw = (query: string) => chart(this.#engine, query, at);
    const [requestsPerSecond, errorRatio, p50Ms, p95Ms, p99Ms] = await Promise.all([
      draw(serviceQueries.requests(serviceId, gateway, window)),
      draw(serviceQueries.errorRatio(serviceId, gateway, window)),
      draw(serviceQueries.quantile(0.5, serviceId, gateway, window)),
      draw(serviceQueries.quantile(0.95, serviceId, gateway, window)),
      draw(serviceQueries.quantile(0.99, serviceId, gateway, window)),
    ]);
    return { requestsPerSecond, errorRatio, p50Ms, p95Ms, p99Ms };
  }

  async #workloads(serviceId: string, timeMs: number): Promise<ServiceDetail["workloads"]> {
    const deployments = deploymentsOf(this.#cluster, serviceId);
    const pods = deployments.map((deployment) => podsOf(this.#cluster, deployment));
    const names = pods.flat().map((pod) => pod.metadata.name);
    const [namespace = ""] = serviceId.split("/");
    const ask = async (query: string): Promise<ReadonlyMap<string, number>> => {
      if (names.length === 0) return new Map();
      const { value } = await this.#engine.instant({ query, timeMs, timeoutMs: 20_000 });
      const samples = value.type === "vector" ? value.samples : [];
      return new Map(samples.map(({ labels, value: sample }) => [labels["pod"] ?? "", sample]));
    };
    const window = windowText(Math.max(60_000, this.windowMinMs));
    const [cpu, memory] = await Promise.all([
      ask(queries.cpuOfPods(namespace, names, window)),
      ask(queries.memoryOfPods(namespace, names)),
    ]);
    return deployments.map((deployment, i) => ({
      ref: entityOf(deployment),
      replicas: replicasOf(deployment),
      image: textAt(deployment, "spec", "template", "spec", "containers", 0, "image") ?? "",
      version: textAt(deployment, "spec", "template", "metadata", "labels", "version") ?? "",
      pods: (pods[i] ?? []).map((pod) => podRow(pod, cpu, memory)),
    }));
  }

  /** The objects that shape a service now: its deployments, and what routes, limits or guards it. */
  configuration(serviceId: string): ServiceDetail["configuration"] {
    const objects: KubeObject[] = [
      ...deploymentsOf(this.#cluster, serviceId),
      ...configurationKinds.flatMap((kind) =>
        this.#cluster.objects(kind).filter((item) => appliesTo(this.#cluster, item, serviceId)),
      ),
    ];
    return objects.map((object) => ({ ref: entityOf(object), yaml: yamlOf(object) }));
  }

  /** The home page's figures at `timeMs`, with charts of the last half hour. */
  async now(timeMs: number): Promise<NowPage> {
    const windowMs = Math.max(60_000, this.windowMinMs);
    const graph = await this.graph({ timeMs, windowMs });
    const gateways = graph.nodes.filter((node) => node.kind === "gateway");
    const users = userSelector(gateways.map((node) => node.id));
    const window = windowText(windowMs);
    const range = { startMs: timeMs - 1_800_000, endMs: timeMs, stepMinMs: this.#scrapeIntervalMs };
    const all = `sum(rate(istio_requests_total{${users}}[${window}]))`;
    const bad = `sum(rate(istio_requests_total{${users}, ${failed}}[${window}]))`;
    const ratio = `(${bad} or ${all} * 0) / (${all} > 0)`;
    const p95 = `histogram_quantile(0.95, sum by (le) (rate(istio_request_duration_milliseconds_bucket{${users}}[${window}])))`;
    const one = async (query: string): Promise<number | null> => {
      const { value } = await this.#engine.instant({ query, timeMs, timeoutMs: 20_000 });
      const sample = value.type === "vector" ? value.samples[0]?.value : undefined;
      return sample === undefined || Number.isNaN(sample) ? null : sample;
    };
    const [requestsPerSecond, errorRatio, p95Ms, userErrorPoints, requestsPoints] =
      await Promise.all([
        one(all),
        one(ratio),
        one(p95),
        chart(this.#engine, ratio, range),
        chart(this.#engine, all, range),
      ]);
    const services = graph.nodes.filter((node) =>
      ["service", "gateway", "tcp"].includes(node.kind),
    );
    return {
      at: graph.at,
      requestsPerSecond,
      errorRatio,
      p95Ms,
      userErrorPoints,
      requestsPoints,
      slowest: await this.#slowest(graph, timeMs, windowMs),
      lastChangeAt: this.#cluster.lastChangeAt,
      servicesHealthy: services.filter((node) => ["healthy", "idle"].includes(node.health.state))
        .length,
      servicesTotal: services.length,
    };
  }

  async #slowest(graph: Graph, timeMs: number, windowMs: number): Promise<NowPage["slowest"]> {
    let slowest: Graph["nodes"][number] | undefined;
    for (const node of graph.nodes) {
      if (node.kind !== "service" || node.traffic.p95Ms === null) continue;
      if (!slowest || node.traffic.p95Ms > (slowest.traffic.p95Ms ?? 0)) slowest = node;
    }
    if (!slowest || slowest.traffic.p95Ms === null) return null;
    const usual = serviceQueries.quantile(0.95, slowest.id, false, "1800s");
    const { value } = await this.#engine.instant({ query: usual, timeMs: timeMs - windowMs });
    const sample = value.type === "vector" ? value.samples[0]?.value : undefined;
    return {
      service: serviceEntity(slowest.id),
      p95Ms: slowest.traffic.p95Ms,
      usualMs: sample === undefined || Number.isNaN(sample) ? null : sample,
    };
  }

  /** Ids of the services the cluster knows, for search. */
  serviceIds(): string[] {
    return [...new Set(this.#cluster.objects("Deployment").map(serviceIdOfDeployment))].sort();
  }
}

/** Requests as users make them: what gateways send on; without a gateway, everything that destinations received. */
export function userSelector(gatewayIds: readonly string[]): string {
  const pairs = gatewayIds.map((id) => id.split("/"));
  if (pairs.length === 0) return `reporter="destination"`;
  const spaces = [...new Set(pairs.map(([space = ""]) => space))].join("|");
  const names = [...new Set(pairs.map(([, name = ""]) => name))].join("|");
  return `reporter="source", source_workload_namespace=~"${spaces}", source_canonical_service=~"${names}"`;
}

function podRow(
  pod: KubeObject,
  cpu: ReadonlyMap<string, number>,
  memory: ReadonlyMap<string, number>,
) {
  const { name } = pod.metadata;
  const statuses = listAt(pod, "status", "containerStatuses");
  const ready = listAt(pod, "status", "conditions").some(
    (condition) => textAt(condition, "type") === "Ready" && textAt(condition, "status") === "True",
  );
  return {
    name,
    phase: textAt(pod, "status", "phase") ?? "Unknown",
    ready,
    restarts: statuses.reduce<number>(
      (sum, status) => sum + (numberAt(status, "restartCount") ?? 0),
      0,
    ),
    startedAt: timeAt(pod, "status", "startTime") ?? null,
    cpuCores: cpu.get(name) ?? null,
    memoryBytes: memory.get(name) ?? null,
  };
}

function inNamespace(graph: Graph, namespace: string): Graph {
  const inside = new Set(
    graph.nodes.filter((node) => node.namespace === namespace).map((node) => node.id),
  );
  const edges = graph.edges.filter((edge) => inside.has(edge.source) || inside.has(edge.target));
  const touched = new Set(edges.flatMap((edge) => [edge.source, edge.target]));
  return {
    ...graph,
    nodes: graph.nodes.filter((node) => inside.has(node.id) || touched.has(node.id)),
    edges,
  };
}
