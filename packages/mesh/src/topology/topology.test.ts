import type { Change } from "@skopos/api";
import type { InstantQuery, LabelMap, MetricEngine, VectorSample } from "@skopos/model";
import { describe, expect, it } from "vitest";
import type { KubeObject } from "../kube/object.ts";
import { type ClusterView, Topology } from "./topology.ts";

type Row = readonly [labels: LabelMap, value: number];

/** Answers each query with the rows of the first pattern that it contains. */
function tableEngine(table: Readonly<Record<string, readonly Row[]>>) {
  const asked: string[] = [];
  const engine: MetricEngine = {
    async instant({ query, timeMs }: InstantQuery) {
      asked.push(query);
      await Promise.resolve();
      const found = Object.entries(table).find(([pattern]) => query.includes(pattern));
      const samples = (found?.[1] ?? []).map(([labels, value]): VectorSample => ({
        labels,
        timeMs,
        value,
      }));
      return { value: { type: "vector", samples }, warnings: [], infos: [] };
    },
    range: () =>
      Promise.resolve({ value: { type: "matrix", series: [] }, warnings: [], infos: [] }),
  };
  return { engine, asked };
}

function clusterOf(objects: readonly KubeObject[]): ClusterView {
  return {
    objects: (kind) => objects.filter((object) => object.kind === kind),
    changes: (): Change[] => [],
    lastChangeAt: null,
  };
}

const service = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec: { selector: { app: name } },
});
const deployment = (name: string, ready: number): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: `${name}-v1`, namespace: "shop" },
  spec: {
    replicas: 2,
    template: {
      metadata: { labels: { app: name }, annotations: { "sidecar.istio.io/inject": "true" } },
    },
  },
  status: { readyReplicas: ready },
});

function edge(source: string, target: string, more: LabelMap = {}): LabelMap {
  return {
    source_workload_namespace: "shop",
    source_workload: `${source}-v1`,
    source_canonical_service: source,
    destination_service_namespace: "shop",
    destination_service_name: target,
    destination_workload_namespace: "shop",
    destination_workload: `${target}-v1`,
    destination_canonical_service: target,
    response_code: "200",
    response_flags: "-",
    ...more,
  };
}
const lost = {
  destination_workload: "unknown",
  destination_workload_namespace: "unknown",
  destination_canonical_service: "unknown",
  response_code: "503",
  response_flags: "UO",
};

const table = {
  'connection_security_policy) (rate(istio_requests_total{reporter="destination"': [
    [edge("web", "users", { connection_security_policy: "mutual_tls" }), 6],
    [edge("web", "users", { connection_security_policy: "none" }), 2],
  ],
  'rate(istio_requests_total{reporter="source"': [
    [edge("web", "users", { connection_security_policy: "unknown" }), 8],
    [edge("web", "users", lost), 2],
    [edge("istio-ingressgateway", "web"), 10],
  ],
  'histogram_quantile(0.95, sum by (source_workload_namespace, source_canonical_service, destination_service_namespace, destination_service_name, le) (rate(istio_request_duration_milliseconds_bucket{reporter="destination"':
    [[edge("web", "users"), 12]],
  "histogram_quantile(0.95, sum by (source_workload_namespace, source_canonical_service, destination_service_namespace":
    [[edge("web", "users"), 30]],
  istio_tcp_sent_bytes: [[edge("users", "users-db"), 5000]],
} as const;

function topologyOf(
  objects: readonly KubeObject[],
  rows: Readonly<Record<string, readonly Row[]>> = table,
) {
  const { engine, asked } = tableEngine(rows);
  const topology = new Topology({ engine, cluster: clusterOf(objects), scrapeIntervalMs: 5000 });
  return { topology, asked };
}

const at = { timeMs: 1_700_000_003_000, windowMs: 60_000 };

describe("the graph", () => {
  it("gives a request that never arrived to the service it was for", async () => {
    const { topology } = topologyOf([service("users"), deployment("users", 2)]);
    const graph = await topology.graph(at);
    const found = graph.edges.find(({ id }) => id === "shop/web->shop/users");
    expect(found?.traffic).toMatchObject({ requestsPerSecond: 10, errorRatio: 0.2, p95Ms: 30 });
    expect(found?.flags).toEqual({ UO: 2 });
    expect(found?.codes).toEqual({ "200": 8, "503": 2 });
    expect(found?.destinationP95Ms).toBe(12);
    expect(found?.health).toEqual({
      state: "failing",
      reasons: ["20 % of requests fail (503 UO)"],
    });
    expect(graph.nodes.map(({ id }) => id)).not.toContain("unknown/unknown");
  });

  it("takes mutual TLS from destinations only", async () => {
    const { topology } = topologyOf([]);
    const graph = await topology.graph(at);
    const ratios = Object.fromEntries(graph.edges.map((item) => [item.id, item.mtlsRatio]));
    expect(ratios["shop/web->shop/users"]).toBe(0.75);
    expect(ratios["shop/istio-ingressgateway->shop/web"]).toBeNull();
  });

  it("gives a gateway the traffic that it passes on, and a database its bytes", async () => {
    const { topology } = topologyOf([]);
    const graph = await topology.graph(at);
    const kinds = Object.fromEntries(graph.nodes.map(({ id, kind }) => [id, kind]));
    expect(kinds).toMatchObject({
      "shop/istio-ingressgateway": "gateway",
      "shop/users-db": "tcp",
      "shop/web": "service",
    });
    const gateway = graph.nodes.find(({ kind }) => kind === "gateway");
    expect(gateway?.traffic.requestsPerSecond).toBe(10);
    const tcp = graph.edges.find(({ protocol }) => protocol === "tcp");
    expect(tcp?.traffic).toMatchObject({ requestsPerSecond: null, sentBytesPerSecond: 5000 });
  });

  it("knows services without traffic, and does not call them healthy", async () => {
    const objects = [
      service("quiet"),
      deployment("quiet", 2),
      service("down"),
      deployment("down", 0),
    ];
    const graph = await topologyOf(objects, {}).topology.graph(at);
    const states = Object.fromEntries(graph.nodes.map(({ id, health }) => [id, health.state]));
    expect(states).toEqual({ "shop/quiet": "idle", "shop/down": "failing" });
    expect(graph.warnings).toHaveLength(1);
  });

  it("judges nothing on a handful of requests", async () => {
    const rows = {
      'rate(istio_requests_total{reporter="source"': [
        [edge("web", "users", { response_code: "500" }), 0.02] as const,
      ],
    };
    const graph = await topologyOf([], rows).topology.graph(at);
    expect(graph.edges[0]?.traffic).toMatchObject({ requestsPerSecond: 0.02, errorRatio: null });
    expect(graph.edges[0]?.health.state).toBe("healthy");
  });

  it("measures once for everybody who asks within one scrape interval", async () => {
    const { topology, asked } = topologyOf([]);
    await Promise.all([topology.graph(at), topology.graph({ ...at, namespace: "shop" })]);
    const count = asked.length;
    await topology.graph({ ...at, timeMs: at.timeMs + 1000 });
    expect(asked.length).toBe(count);
    await topology.graph({ ...at, timeMs: at.timeMs + 5000 });
    expect(asked.length).toBe(2 * count);
  });

  it("says which part could not be measured, and draws the rest", async () => {
    const { engine } = tableEngine(table);
    const failing: MetricEngine = {
      ...engine,
      instant: (query) =>
        query.query.includes("istio_tcp")
          ? Promise.reject(new Error("out of memory"))
          : engine.instant(query),
    };
    const topology = new Topology({
      engine: failing,
      cluster: clusterOf([]),
      scrapeIntervalMs: 5000,
    });
    const graph = await topology.graph(at);
    expect(graph.warnings).toEqual(["TCP traffic could not be measured: out of memory"]);
    expect(graph.edges.length).toBe(2);
  });

  it("widens a window that is too narrow for the scrape interval", async () => {
    const { topology, asked } = topologyOf([]);
    expect((await topology.graph({ timeMs: at.timeMs, windowMs: 5000 })).windowMs).toBe(20_000);
    expect(asked.every((query) => !query.includes("[5s]"))).toBe(true);
  });
});
