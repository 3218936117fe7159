/** Asks the metrics engine for the signals of a part of the mesh. Every query is one range query, all at once. */
import { anyOf, destinationNode, serviceNodes, sourceNode, type ObjectStore } from "@skopos/mesh";
import { type LabelMap, type MatrixSeries, messageOf, type MetricEngine } from "@skopos/model";
import {
  emptyEdge,
  emptyNode,
  type EdgeSignals,
  type NodeSignals,
  type Reporter,
  type Signals,
} from "./signals.ts";
import { type Series, sumOf } from "./statistics.ts";

const pair =
  "source_workload_namespace, source_canonical_service, destination_service_namespace, destination_service_name, destination_workload_namespace, destination_canonical_service";

/** Codes that mean "refused" beside the 5xx and "no response" (0). */
const refusals = new Set(["0", "401", "403", "404", "429"]);

export interface CollectInput {
  readonly engine: MetricEngine;
  readonly store: ObjectStore;
  /** Node ids whose edges are wanted, both directions. */
  readonly nodeIds: readonly string[];
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly windowMs: number;
}

/** PromQL texts by what they measure; `names` is a regex of service names, quoted. */
function texts(names: string, canonical: string, namespaces: string, w: string) {
  const requests = (reporter: Reporter, extra: string) =>
    ["destination_service_name=~" + names, "source_canonical_service=~" + canonical].map(
      (who) =>
        `sum by (${pair}, destination_canonical_revision, response_code, response_flags) (rate(istio_requests_total{reporter="${reporter}", ${who}}[${w}]))${extra}`,
    );
  const work = (reporter: Reporter) =>
    ["destination_service_name=~" + names, "source_canonical_service=~" + canonical].map(
      (who) =>
        `sum by (${pair}) (rate(istio_request_duration_milliseconds_sum{reporter="${reporter}", ${who}}[${w}]))`,
    );
  const pods = `namespace=~${namespaces}, container!="", container!="POD"`;
  return {
    sourceRequests: requests("source", " > 0"),
    destinationRequests: requests("destination", " > 0"),
    sourceWork: work("source"),
    destinationWork: work("destination"),
    tcp: [
      `sum by (${pair}, response_flags) (rate(istio_tcp_connections_closed_total{reporter="source", source_canonical_service=~${canonical}}[${w}]))`,
    ],
    tcpBytes: [
      `sum by (${pair}) (rate(istio_tcp_sent_bytes_total{reporter="source", source_canonical_service=~${canonical}}[${w}]))`,
    ],
    cpu: [`sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{${pods}}[${w}]))`],
    memory: [`sum by (namespace, pod) (container_memory_working_set_bytes{${pods}})`],
    throttled: [
      `sum by (namespace, pod) (rate(container_cpu_cfs_throttled_periods_total{${pods}}[${w}])) / sum by (namespace, pod) (rate(container_cpu_cfs_periods_total{${pods}}[${w}]))`,
    ],
    restarts: [
      `sum by (namespace, pod) (kube_pod_container_status_restarts_total{namespace=~${namespaces}})`,
    ],
    limits: [
      `sum by (namespace, pod, resource) (kube_pod_container_resource_limits{namespace=~${namespaces}, resource=~"cpu|memory"})`,
    ],
  };
}

const toSeries = (found: MatrixSeries): Series => ({
  times: [...found.times],
  values: [...found.values],
});

class Table {
  readonly edges = new Map<string, EdgeSignals>();
  readonly nodes = new Map<string, NodeSignals>();
  readonly #services: Map<string, string>;
  readonly #podOwner: (namespace: string, pod: string) => string | undefined;
  /** Two selections overlap: each series counts once. */
  readonly #seen = new Set<string>();

  constructor(store: ObjectStore) {
    this.#services = serviceNodes(store);
    const owners = new Map<string, string>();
    for (const deployment of store.objects("Deployment")) {
      const { name, namespace } = deployment.metadata;
      const labels: LabelMap = podLabels(deployment);
      const canonical =
        labels["service.istio.io/canonical-name"] ??
        labels["app.kubernetes.io/name"] ??
        labels["app"] ??
        name;
      owners.set(`${namespace}/${name}`, `${namespace}/${canonical}`);
    }
    // A pod that is gone has no object left; its name still tells its Deployment.
    this.#podOwner = (namespace, pod) =>
      owners.get(`${namespace}/${pod.replace(/-[a-z0-9]+-[a-z0-9]+$/, "")}`) ??
      owners.get(`${namespace}/${pod.replace(/-[a-z0-9]+$/, "")}`);
  }

  #isNew(what: string, labels: LabelMap): boolean {
    const key = what + JSON.stringify(Object.entries(labels).sort());
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }

  learn(labels: LabelMap): void {
    const service = labels["destination_service_name"];
    const space = labels["destination_service_namespace"];
    const canonical = labels["destination_canonical_service"];
    const workloadSpace = labels["destination_workload_namespace"];
    if (service && space && canonical && workloadSpace && canonical !== "unknown")
      this.#services.set(`${space}/${service}`, `${workloadSpace}/${canonical}`);
  }

  edge(labels: LabelMap, isTcp = false): EdgeSignals {
    const source = sourceNode(labels).id;
    const target = destinationNode(labels, this.#services).id;
    const id = `${source}->${target}`;
    const known = this.edges.get(id);
    if (known) return known;
    const edge = emptyEdge(source, target, labels["destination_service_name"] ?? "", isTcp);
    this.edges.set(id, edge);
    return edge;
  }

  node(id: string): NodeSignals {
    const known = this.nodes.get(id);
    if (known) return known;
    const node = emptyNode(id);
    this.nodes.set(id, node);
    return node;
  }

  takeRequests(reporter: Reporter, labels: LabelMap, series: Series): void {
    if (!this.#isNew(`requests ${reporter}`, labels)) return;
    const edge = this.edge(labels);
    edge.requests[reporter] = sumOf([edge.requests[reporter], series]);
    const code = labels["response_code"] ?? "";
    const flags = (labels["response_flags"] ?? "-")
      .split(",")
      .filter((flag) => flag !== "-" && flag);
    const failed = (code.startsWith("5") || refusals.has(code)) && !flags.includes("DC");
    if (failed) edge.failures[reporter] = sumOf([edge.failures[reporter], series]);
    if (reporter === "source")
      for (const flag of flags)
        edge.flags.set(flag, sumOf([edge.flags.get(flag) ?? { times: [], values: [] }, series]));
    if (code !== "" && reporter === "source")
      edge.codes.set(code, sumOf([edge.codes.get(code) ?? { times: [], values: [] }, series]));
    const revision = labels["destination_canonical_revision"];
    if (reporter !== "destination" || !revision || revision === "unknown") return;
    const { revisions } = this.node(edge.target);
    const known = revisions.get(revision) ?? {
      requests: { times: [], values: [] },
      failures: { times: [], values: [] },
    };
    revisions.set(revision, {
      requests: sumOf([known.requests, series]),
      failures: failed ? sumOf([known.failures, series]) : known.failures,
    });
  }

  takeWork(reporter: Reporter, labels: LabelMap, series: Series): void {
    if (!this.#isNew(`work ${reporter}`, labels)) return;
    const edge = this.edge(labels);
    edge.work[reporter] = sumOf([edge.work[reporter], series]);
  }

  takeTcp(labels: LabelMap, series: Series): void {
    const edge = this.edge(labels, true);
    for (const flag of (labels["response_flags"] ?? "-").split(","))
      if (flag !== "-" && flag)
        edge.flags.set(flag, sumOf([edge.flags.get(flag) ?? { times: [], values: [] }, series]));
  }

  takePod(
    field: "cpuCores" | "memoryBytes" | "throttledRatio" | "restarts",
    labels: LabelMap,
    series: Series,
  ): void {
    const owner = this.#podOwner(labels["namespace"] ?? "", labels["pod"] ?? "");
    if (owner === undefined) return;
    const node = this.node(owner);
    node[field] = sumOf([node[field], series]);
  }

  takeLimit(labels: LabelMap, series: Series): void {
    const owner = this.#podOwner(labels["namespace"] ?? "", labels["pod"] ?? "");
    const last = series.values.at(-1);
    if (owner === undefined || last === undefined) return;
    const node = this.node(owner);
    if (labels["resource"] === "cpu") node.cpuLimitCores = (node.cpuLimitCores ?? 0) + last;
    else node.memoryLimitBytes = (node.memoryLimitBytes ?? 0) + last;
  }
}

function podLabels(deployment: { readonly [field: string]: unknown }): LabelMap {
  const template = (
    deployment["spec"] as { template?: { metadata?: { labels?: LabelMap } } } | undefined
  )?.template;
  return template?.metadata?.labels ?? {};
}

/** A query that fails costs its signals and says so in `warnings`; throws when none could be asked. */
export async function collectSignals(input: CollectInput): Promise<Signals> {
  const { engine, store, startMs, endMs, stepMs, windowMs } = input;
  const window = `${Math.round(windowMs / 1000)}s`;
  const wanted = new Set(input.nodeIds);
  const behind = [...serviceNodes(store)].filter(([, id]) => wanted.has(id));
  const canonical = input.nodeIds.map((id) => id.split("/")[1] ?? id);
  const names = [...new Set([...behind.map(([key]) => key.split("/")[1] ?? key), ...canonical])];
  const namespaces = [...new Set(input.nodeIds.map((id) => id.split("/")[0] ?? id))];
  const queries = texts(anyOf(names), anyOf(canonical), anyOf(namespaces), window);
  const warnings: string[] = [];
  let answered = 0;
  let lastError: unknown;
  const ask = async (list: readonly string[]): Promise<readonly MatrixSeries[]> => {
    const found = await Promise.all(
      list.map(async (query) => {
        try {
          const { value } = await engine.range({
            query,
            startMs,
            endMs,
            stepMs,
            timeoutMs: 15_000,
          });
          answered++;
          return value.type === "matrix" ? value.series : [];
        } catch (error) {
          lastError = error;
          warnings.push(`a signal could not be measured: ${messageOf(error)}`);
          return [];
        }
      }),
    );
    return found.flat();
  };
  const table = new Table(store);
  const found = await Promise.all([
    ask(queries.sourceRequests),
    ask(queries.destinationRequests),
    ask(queries.sourceWork),
    ask(queries.destinationWork),
    ask(queries.tcp),
    ask(queries.tcpBytes),
    ask(queries.cpu),
    ask(queries.memory),
    ask(queries.throttled),
    ask(queries.restarts),
    ask(queries.limits),
  ]);
  if (answered === 0) throw lastError;
  for (const list of [found[0], found[1], found[5]])
    for (const { labels } of list) table.learn(labels);
  for (const item of found[0]) table.takeRequests("source", item.labels, toSeries(item));
  for (const item of found[1]) table.takeRequests("destination", item.labels, toSeries(item));
  for (const item of found[2]) table.takeWork("source", item.labels, toSeries(item));
  for (const item of found[3]) table.takeWork("destination", item.labels, toSeries(item));
  for (const item of found[5]) table.edge(item.labels, true);
  for (const item of found[4]) table.takeTcp(item.labels, toSeries(item));
  for (const item of found[6]) table.takePod("cpuCores", item.labels, toSeries(item));
  for (const item of found[7]) table.takePod("memoryBytes", item.labels, toSeries(item));
  for (const item of found[8]) table.takePod("throttledRatio", item.labels, toSeries(item));
  for (const item of found[9]) table.takePod("restarts", item.labels, toSeries(item));
  for (const item of found[10]) table.takeLimit(item.labels, toSeries(item));
  return {
    edges: table.edges,
    nodes: table.nodes,
    range: { startMs, endMs },
    stepMs,
    window,
    windowMs,
    warnings: [...new Set(warnings)],
  };
}
