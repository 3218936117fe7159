import { FakeClock, KubeServer } from "@skopos/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TargetGroup } from "../scrape/target.ts";
import { KubernetesDiscovery } from "./kubernetes.ts";
import { SharedReflectors } from "./shared-reflectors.ts";
import type { KubernetesRole } from "./roles.ts";

let kube: KubeServer;
let server: string;
let clock: FakeClock;
let discovery: KubernetesDiscovery;
let seen: TargetGroup[][];

const pod = {
  metadata: {
    name: "cart-1",
    namespace: "shop",
    uid: "u1",
    labels: { app: "cart", "app.kubernetes.io/name": "cart" },
    annotations: { "prometheus.io/port": "15020" },
    ownerReferences: [{ kind: "ReplicaSet", name: "cart-abc", controller: true }],
  },
  spec: {
    nodeName: "n1",
    containers: [
      {
        name: "app",
        image: "cart:1",
        ports: [{ name: "http", containerPort: 8080, protocol: "TCP" }, { containerPort: 9090 }],
      },
      { name: "plain", image: "plain:1" },
    ],
  },
  status: {
    podIP: "10.0.0.1",
    hostIP: "192.168.0.1",
    phase: "Running",
    conditions: [{ type: "Ready", status: "True" }],
    containerStatuses: [{ name: "app", containerID: "containerd://1" }],
  },
};

function discover(role: KubernetesRole, namespaces: string[] = [], attachNode = false) {
  seen = [];
  discovery = new KubernetesDiscovery({
    collections: new SharedReflectors({ server }, clock),
    role,
    namespaces,
    selectors: [],
    attachNode,
    clock,
    onGroups: (groups) => seen.push(groups),
  });
  discovery.start();
}

/** The groups handed on once `test` holds for them; time goes on meanwhile, as back-off needs it. */
async function groupsWhere(test: (groups: TargetGroup[]) => boolean): Promise<TargetGroup[]> {
  for (let i = 0; i < 500; i++) {
    const last = seen.at(-1);
    if (last && test(last)) return last;
    await clock.advance(100);
  }
  throw new Error(`not discovered: ${JSON.stringify(seen.at(-1))} ${discovery.lastError}`);
}

beforeEach(async () => {
  clock = new FakeClock();
  kube = new KubeServer();
  server = await kube.listen();
});

afterEach(async () => {
  await discovery.stop();
  await kube.close();
});

describe("roles", () => {
  it("pod: one target per port, with the labels Prometheus gives", async () => {
    kube.put("v1/pods", pod);
    discover("pod");
    const [group] = await groupsWhere((groups) => groups.length === 1);
    expect(group?.labels).toEqual({
      __meta_kubernetes_namespace: "shop",
      __meta_kubernetes_pod_name: "cart-1",
      __meta_kubernetes_pod_ip: "10.0.0.1",
      __meta_kubernetes_pod_ready: "true",
      __meta_kubernetes_pod_phase: "Running",
      __meta_kubernetes_pod_node_name: "n1",
      __meta_kubernetes_pod_host_ip: "192.168.0.1",
      __meta_kubernetes_pod_uid: "u1",
      __meta_kubernetes_pod_controller_kind: "ReplicaSet",
      __meta_kubernetes_pod_controller_name: "cart-abc",
      __meta_kubernetes_pod_label_app: "cart",
      __meta_kubernetes_pod_labelpresent_app: "true",
      __meta_kubernetes_pod_label_app_kubernetes_io_name: "cart",
      __meta_kubernetes_pod_labelpresent_app_kubernetes_io_name: "true",
      __meta_kubernetes_pod_annotation_prometheus_io_port: "15020",
      __meta_kubernetes_pod_annotationpresent_prometheus_io_port: "true",
    });
    expect(group?.targets.map((target) => target["__address__"])).toEqual([
      "10.0.0.1:8080",
      "10.0.0.1:9090",
      "10.0.0.1",
    ]);
    expect(group?.targets[0]).toEqual({
      __address__: "10.0.0.1:8080",
      __meta_kubernetes_pod_container_name: "app",
      __meta_kubernetes_pod_container_id: "containerd://1",
      __meta_kubernetes_pod_container_image: "cart:1",
      __meta_kubernetes_pod_container_init: "false",
      __meta_kubernetes_pod_container_port_name: "http",
      __meta_kubernetes_pod_container_port_number: "8080",
      __meta_kubernetes_pod_container_port_protocol: "TCP",
    });
  });

  it("service: one target per port", async () => {
    kube.put("v1/services", {
      metadata: { name: "cart", namespace: "shop" },
      spec: { clusterIP: "10.1.0.1", ports: [{ name: "http", port: 80 }] },
    });
    discover("service", ["shop"]);
    const [group] = await groupsWhere((groups) => groups.length === 1);
    expect(group?.targets).toEqual([
      {
        __address__: "cart.shop.svc:80",
        __meta_kubernetes_service_cluster_ip: "10.1.0.1",
        __meta_kubernetes_service_port_name: "http",
        __meta_kubernetes_service_port_number: "80",
        __meta_kubernetes_service_port_protocol: "TCP",
        __meta_kubernetes_service_type: "ClusterIP",
      },
    ]);
  });

  it("node: the kubelet's address, named as the node", async () => {
    kube.put("v1/nodes", {
      metadata: { name: "n1" },
      status: {
        addresses: [
          { type: "Hostname", address: "n1.local" },
          { type: "InternalIP", address: "192.168.0.1" },
        ],
        daemonEndpoints: { kubeletEndpoint: { Port: 10_250 } },
      },
    });
    discover("node");
    const [group] = await groupsWhere((groups) => groups.length === 1);
    expect(group?.targets[0]).toMatchObject({
      __address__: "192.168.0.1:10250",
      instance: "n1",
      __meta_kubernetes_node_address_Hostname: "n1.local",
    });
  });

  it("ingress: one target per path, https where a certificate covers the host", async () => {
    kube.put("networking.k8s.io/v1/ingresses", {
      metadata: { name: "shop", namespace: "edge", labels: { team: "a" } },
      spec: {
        ingressClassName: "istio",
        tls: [{ hosts: ["*.example.org"] }],
        rules: [
          { host: "shop.example.org", http: { paths: [{ path: "/cart" }, {}] } },
          { host: "plain.test" },
        ],
      },
    });
    discover("ingress");
    const [group] = await groupsWhere((groups) => groups.length === 1);
    expect(group?.labels).toMatchObject({
      __meta_kubernetes_namespace: "edge",
      __meta_kubernetes_ingress_name: "shop",
      __meta_kubernetes_ingress_label_team: "a",
      __meta_kubernetes_ingress_class_name: "istio",
    });
    const of = (host: string, scheme: string, where: string) => ({
      __address__: host,
      __meta_kubernetes_ingress_host: host,
      __meta_kubernetes_ingress_scheme: scheme,
      __meta_kubernetes_ingress_path: where,
    });
    expect(group?.targets).toEqual([
      of("shop.example.org", "https", "/cart"),
      of("shop.example.org", "https", "/"),
      of("plain.test", "http", "/"),
    ]);
  });

  it("pod: with the labels of its node where asked for", async () => {
    kube.put("v1/pods", pod);
    kube.put("v1/nodes", { metadata: { name: "n1", labels: { zone: "z1" } } });
    discover("pod", [], true);
    const [group] = await groupsWhere((groups) => groups.length === 1);
    expect(group?.labels).toMatchObject({
      __meta_kubernetes_node_name: "n1",
      __meta_kubernetes_node_label_zone: "z1",
    });
  });

  it("endpointslice: joined with service and pod, other ports of the pod added", async () => {
    kube.put("v1/pods", pod);
    kube.put("v1/services", {
      metadata: { name: "cart", namespace: "shop", labels: { team: "a" } },
    });
    kube.put("discovery.k8s.io/v1/endpointslices", {
      metadata: {
        name: "cart-x",
        namespace: "shop",
        labels: { "kubernetes.io/service-name": "cart" },
      },
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      endpoints: [
        {
          addresses: ["10.0.0.1"],
          conditions: { ready: true },
          targetRef: { kind: "Pod", name: "cart-1", namespace: "shop" },
        },
      ],
    });
    discover("endpointslice");
    const [group] = await groupsWhere((groups) => groups.length === 1);
    expect(group?.labels).toMatchObject({ __meta_kubernetes_service_label_team: "a" });
    expect(group?.targets.map((target) => target["__address__"])).toEqual([
      "10.0.0.1:8080",
      "10.0.0.1:9090",
    ]);
    expect(group?.targets[0]).toMatchObject({
      __meta_kubernetes_endpointslice_endpoint_conditions_ready: "true",
      __meta_kubernetes_endpointslice_address_target_name: "cart-1",
      __meta_kubernetes_pod_container_port_name: "http",
    });
  });
});

const named = (name: string) => ({ ...pod, metadata: { ...pod.metadata, name } });
const count = (wanted: number) => (groups: TargetGroup[]) => groups.length === wanted;

describe("a watch", () => {
  it("hands on what is added and removed", async () => {
    kube.put("v1/pods", pod);
    discover("pod");
    await groupsWhere(count(1));
    kube.put("v1/pods", named("cart-2"));
    await groupsWhere(count(2));
    kube.remove("v1/pods", "shop", "cart-1");
    const groups = await groupsWhere(count(1));
    expect(groups[0]?.source).toBe("pod/shop/cart-2");
  });

  it("that ends is taken up again, also after 410 Gone", async () => {
    kube.put("v1/pods", pod);
    discover("pod");
    await groupsWhere(count(1));
    kube.endWatches();
    kube.put("v1/pods", named("cart-2"));
    await groupsWhere(count(2));
    kube.expireWatches();
    kube.put("v1/pods", named("cart-3"));
    await groupsWhere(count(3));
    const lists = kube.requests.filter((request) => !request.includes("watch=true"));
    expect(lists.length).toBeGreaterThanOrEqual(2);
  });

  it("keeps the targets while the API cannot be reached", async () => {
    kube.put("v1/pods", pod);
    discover("pod");
    await groupsWhere(count(1));
    await kube.close();
    for (let i = 0; i < 50 && discovery.lastError === ""; i++) await clock.advance(1000);
    expect(discovery.lastError).not.toBe("");
    expect(seen.at(-1)).toHaveLength(1);
  });
});
