/** Expands a topology into the Kubernetes objects that are applied when the lab starts, in the order to apply them. */
import type { JsonObject } from "../kube/json.ts";
import type { KubeObject } from "../kube/object.ts";
import type { Topology, TopologyApp } from "./topology-file.ts";

export const proxyTag = "1.24.2";
const proxyImage = `docker.io/istio/proxyv2:${proxyTag}`;

export function expandTopology(topology: Topology): KubeObject[] {
  return [
    ...topology.namespaces.map(namespaceOf),
    ...topology.apps.flatMap((app) => [serviceAccountOf(app), serviceOf(app)]),
    // Traffic rules before workloads: no pod ever runs without them.
    ...topology.objects.map(rawObject),
    ...topology.apps.map(deploymentOf),
  ];
}

/** The pods that the lab's control process stands in for: control plane and cluster metrics. */
export function controlObjects(): KubeObject[] {
  const namespaces = ["istio-system"].map((name) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name },
  }));
  const workloads: [string, string, string, number, string][] = [
    ["istiod", "istio-system", "discovery", 15_014, "/metrics"],
    ["kube-state-metrics", "kube-system", "kube-state-metrics", 8080, "/metrics"],
    ["cadvisor", "kube-system", "cadvisor", 8080, "/metrics"],
  ];
  return [
    ...namespaces,
    ...workloads.flatMap(([name, namespace, container, port, path]) => [
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, namespace, labels: { app: name } },
        spec: { selector: { app: name }, ports: [{ name: "http-monitoring", port }] },
      },
      controlDeployment(name, namespace, container, port, path),
    ]),
  ];
}

export const controlImagePrefix = "skopos.dev/lab/";

function controlDeployment(
  name: string,
  namespace: string,
  container: string,
  port: number,
  path: string,
): KubeObject {
  const spec = {
    serviceAccountName: name,
    containers: [
      {
        name: container,
        image: `${controlImagePrefix}${name}:${proxyTag}`,
        ports: [{ name: "http-monitoring", containerPort: port }],
      },
    ],
  };
  const annotations = scrapeAnnotations(port, path);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name }, annotations }, spec },
    },
  };
}

function namespaceOf({ name, injection }: Topology["namespaces"][number]): KubeObject {
  const labels: Record<string, string> = injection ? { "istio-injection": "enabled" } : {};
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

function rawObject(object: Topology["objects"][number]): KubeObject {
  // Checked against its kind's schema when it is applied.
  return object as KubeObject;
}

function serviceAccountOf({ name, namespace }: TopologyApp): KubeObject {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } };
}

function serviceOf(app: TopologyApp): KubeObject {
  const port = {
    name: app.kind === "database" ? "tcp" : app.kind === "gateway" ? "http2" : "http",
    port: app.servicePort ?? app.port,
    targetPort: app.port,
  };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: app.name, namespace: app.namespace, labels: { app: app.name } },
    spec: {
      type: app.kind === "gateway" ? "LoadBalancer" : "ClusterIP",
      selector: { app: app.name },
      ports: [port],
    },
  };
}

function deploymentOf(app: TopologyApp): KubeObject {
  const version = app.image.slice(app.image.lastIndexOf(":") + 1);
  const labels: Record<string, string> = { app: app.name, ...app.labels };
  if (app.kind !== "gateway") labels["version"] = version;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: app.name, namespace: app.namespace, labels: { app: app.name } },
    spec: {
      replicas: app.replicas,
      selector: { matchLabels: { app: app.name } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels, annotations: scrapeAnnotations(15_020, "/stats/prometheus") },
        spec: {
          serviceAccountName: app.name,
          terminationGracePeriodSeconds: 5,
          containers:
            app.kind === "gateway" ? [gatewayContainer(app)] : [appContainer(app), sidecar()],
        },
      },
    },
  };
}

function appContainer(app: TopologyApp): JsonObject {
  const probe =
    app.kind === "database"
      ? { tcpSocket: { port: app.port } }
      : { httpGet: { path: "/readyz", port: app.port } };
  return {
    name: "app",
    image: app.image,
    ports: [{ containerPort: app.port, name: app.kind === "database" ? "tcp" : "http" }],
    env: Object.entries(app.env).map(([name, value]) => ({ name, value })),
    resources: resourcesOf(app),
    readinessProbe: { ...probe, periodSeconds: 2 },
  };
}

function gatewayContainer(app: TopologyApp): JsonObject {
  return {
    ...sidecar(),
    ports: [{ containerPort: app.port, name: "http2" }],
    env: Object.entries(app.env).map(([name, value]) => ({ name, value })),
    resources: resourcesOf(app),
  };
}

function sidecar(): JsonObject {
  return {
    name: "istio-proxy",
    image: proxyImage,
    args: ["proxy", "sidecar"],
    ports: [{ containerPort: 15_090, name: "http-envoy-prom" }],
    readinessProbe: { httpGet: { path: "/healthz/ready", port: 15_021 }, periodSeconds: 2 },
  };
}

function resourcesOf(app: TopologyApp): JsonObject {
  const { requests, limits } = app.resources;
  return {
    ...(requests === undefined ? {} : { requests }),
    ...(limits === undefined ? {} : { limits }),
  };
}

function scrapeAnnotations(port: number, path: string): Record<string, string> {
  return {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": String(port),
    "prometheus.io/path": path,
  };
}
