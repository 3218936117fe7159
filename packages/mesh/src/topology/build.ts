/** Builds the graph of one moment from measurements and the cluster's objects. Pure. */
import type { EntityRef, Graph, GraphEdge, GraphNode, Traffic } from "@skopos/api";
import type { VectorSample } from "@skopos/model";
import {
  deploymentsOf,
  entityOf,
  type ObjectStore,
  type Replicas,
  replicasOf,
  serviceIdOfDeployment,
  serviceIdOfService,
  templateLabels,
} from "../cluster/store.ts";
import { mapAt } from "../kube/object.ts";
import { type EdgeDraft, EdgeTable, tallyOf, trafficOf } from "./edges.ts";
import { judge } from "./health.ts";
import type { Measurements } from "./measure.ts";
import { isGateway, type NodeName, serviceNodes } from "./naming.ts";

export interface GraphInput {
  readonly found: Measurements;
  readonly store: ObjectStore;
  readonly timeMs: number;
  readonly windowMs: number;
  /** Fewer requests than this in the window are not judged. */
  readonly requestsMin: number;
}

interface NodeDraft extends NodeName {
  incoming: EdgeDraft[];
  outgoing: EdgeDraft[];
}

const noTraffic: Traffic = {
  requestsPerSecond: null,
  errorRatio: null,
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  sentBytesPerSecond: null,
  receivedBytesPerSecond: null,
};

/** Quantiles by node id, from rows with the labels of one side. */
function byNode(samples: readonly VectorSample[], side: "source" | "destination") {
  const found = new Map<string, number>();
  for (const { labels, value } of samples) {
    const namespace = labels[`${side}_workload_namespace`];
    const name = labels[`${side}_canonical_service`];
    if (namespace && name && !Number.isNaN(value)) found.set(`${namespace}/${name}`, value);
  }
  return found;
}

function draftNodes(edges: readonly EdgeDraft[], store: ObjectStore): Map<string, NodeDraft> {
  const nodes = new Map<string, NodeDraft>();
  const node = (name: NodeName) => {
    const known = nodes.get(name.id);
    if (known) return known;
    const draft: NodeDraft = { ...name, incoming: [], outgoing: [] };
    nodes.set(name.id, draft);
    return draft;
  };
  for (const edge of edges) {
    node(edge.source).outgoing.push(edge);
    node(edge.target).incoming.push(edge);
  }
  for (const id of meshServices(store)) {
    const [namespace = "", name = ""] = id.split("/");
    node({ id, namespace, name, hint: "mesh" });
  }
  return nodes;
}

/** Services that could take part: behind a Service and with a sidecar or a gateway, as far as the pods tell. */
function meshServices(store: ObjectStore): Set<string> {
  const injected = new Set<string>();
  for (const deployment of store.objects("Deployment")) {
    const labels = templateLabels(deployment);
    const annotations = mapAt(deployment, "spec", "template", "metadata", "annotations");
    const namespace = deployment.metadata.namespace;
    const space = store.objects("Namespace").find((item) => item.metadata.name === namespace);
    const byNamespace =
      space?.metadata.labels?.["istio-injection"] === "enabled" ||
      space?.metadata.labels?.["istio.io/rev"] !== undefined;
    const wish = labels["sidecar.istio.io/inject"] ?? annotations["sidecar.istio.io/inject"] ?? "";
    if (wish !== "false" && (byNamespace || wish === "true" || isGateway("", labels)))
      injected.add(serviceIdOfDeployment(deployment));
  }
  const behind = store.objects("Service").map((service) => serviceIdOfService(store, service));
  return new Set(behind.filter((id) => injected.has(id)));
}

function sumTraffic(
  edges: readonly EdgeDraft[],
  quantile: (i: number) => number | null,
  floor: number,
): { traffic: Traffic; failures: Map<string, number> } {
  let perSecond = 0;
  let failed = 0;
  let sent: number | null = null;
  let received: number | null = null;
  const failures = new Map<string, number>();
  for (const edge of edges) {
    const tally = tallyOf(edge);
    perSecond += tally.perSecond;
    failed += tally.failedPerSecond;
    for (const [key, value] of tally.failures) failures.set(key, (failures.get(key) ?? 0) + value);
    const traffic = trafficOf(edge, floor);
    if (traffic.sentBytesPerSecond !== null) sent = (sent ?? 0) + traffic.sentBytesPerSecond;
    if (traffic.receivedBytesPerSecond !== null)
      received = (received ?? 0) + traffic.receivedBytesPerSecond;
  }
  return {
    traffic: {
      requestsPerSecond: perSecond > 0 ? perSecond : null,
      errorRatio: perSecond >= floor && perSecond > 0 ? failed / perSecond : null,
      p50Ms: quantile(0),
      p95Ms: quantile(1),
      p99Ms: quantile(2),
      sentBytesPerSecond: sent,
      receivedBytesPerSecond: received,
    },
    failures,
  };
}

function nodeKind(draft: NodeDraft, gateway: boolean): GraphNode["kind"] {
  if (draft.hint !== "mesh") return draft.hint;
  if (gateway) return "gateway";
  const all = [...draft.incoming, ...draft.outgoing];
  const isTcp = draft.incoming.length > 0 && draft.incoming.every((e) => e.protocol === "tcp");
  return isTcp && all.length === draft.incoming.length ? "tcp" : "service";
}

function sumReplicas(list: readonly Replicas[]): Replicas | null {
  if (list.length === 0) return null;
  return list.reduce((a, b) => ({ ready: a.ready + b.ready, desired: a.desired + b.desired }));
}

export function buildGraph(input: GraphInput): Graph {
  const { found, store, timeMs, windowMs } = input;
  const floor = input.requestsMin / (windowMs / 1000);
  const table = new EdgeTable(serviceNodes(store));
  table.take(found);
  const own = found.nodeQuantiles.map((samples) => byNode(samples, "destination"));
  const outgoing = found.sourceQuantiles.map((samples) => byNode(samples, "source"));
  const usual = byNode(found.usualP95, "destination");
  const nodes = [...draftNodes(table.edges, store).values()].map((draft) =>
    finishNode(draft, { store, floor, own, outgoing, usual }),
  );
  const warnings = [...found.warnings];
  if (table.edges.length === 0 && warnings.length === 0)
    warnings.push("No proxy reported a request in this window: nothing to draw but what exists.");
  return {
    at: timeMs,
    windowMs,
    nodes: nodes.sort((a, b) => (a.id < b.id ? -1 : 1)),
    edges: table.edges
      .map((edge) => finishEdge(edge, floor))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    warnings,
  };
}

function finishNode(
  draft: NodeDraft,
  context: {
    store: ObjectStore;
    floor: number;
    own: readonly ReadonlyMap<string, number>[];
    outgoing: readonly ReadonlyMap<string, number>[];
    usual: ReadonlyMap<string, number>;
  },
): GraphNode {
  const { store, floor } = context;
  const deployments = draft.hint === "mesh" ? deploymentsOf(store, draft.id) : [];
  const gateway =
    draft.hint === "mesh" &&
    (deployments.some((item) => isGateway(item.metadata.name, templateLabels(item))) ||
      (deployments.length === 0 && isGateway(draft.name, undefined)));
  const edges = gateway ? draft.outgoing : draft.incoming;
  const latency = gateway ? context.outgoing : context.own;
  const { traffic, failures } =
    draft.hint === "unknown"
      ? { traffic: noTraffic, failures: new Map<string, number>() }
      : sumTraffic(edges, (i) => latency[i]?.get(draft.id) ?? null, floor);
  const replicas = sumReplicas(deployments.map(replicasOf));
  const versions = new Set<string>();
  for (const edge of draft.incoming) for (const revision of edge.revisions) versions.add(revision);
  const workloads: EntityRef[] = deployments.map(entityOf);
  return {
    id: draft.id,
    name: draft.name,
    namespace: draft.namespace,
    kind: nodeKind(draft, gateway),
    traffic,
    health:
      draft.hint === "unknown"
        ? { state: "unknown", reasons: ["callers without a proxy of the mesh"] }
        : judge({
            traffic,
            failures,
            usualP95Ms: gateway ? null : (context.usual.get(draft.id) ?? null),
            replicas,
            known: deployments.length > 0,
          }),
    replicas,
    versions: [...versions].sort(),
    workloads,
    alerts: 0,
    incidentId: null,
  };
}

const rounded = (map: ReadonlyMap<string, number>) => Object.fromEntries(map);

function finishEdge(edge: EdgeDraft, floor: number): GraphEdge {
  const tally = tallyOf(edge);
  const traffic = trafficOf(edge, floor);
  return {
    id: edge.id,
    source: edge.source.id,
    target: edge.target.id,
    protocol: edge.protocol,
    traffic,
    destinationP95Ms: edge.destinationLatency.p95,
    flags: rounded(tally.flags),
    codes: rounded(tally.codes),
    mtlsRatio: edge.mtls.known > 0 ? edge.mtls.secured / edge.mtls.known : null,
    health: judge({
      traffic,
      failures: tally.failures,
      usualP95Ms: null,
      replicas: null,
      known: false,
    }),
  };
}
