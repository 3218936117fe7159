import { systemClock } from "@skopos/model";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKubeApi, type KubeApi } from "../kube/api.ts";
import { type MeshSnapshot, proxyConfig, takeSnapshot } from "./proxy-config.ts";

let kube: KubeApi;
beforeEach(() => {
  kube = createKubeApi({ clock: systemClock });
  apply("v1", "Namespace", "shop", {});
  apply("v1", "Service", "cart", {
    spec: { selector: { app: "cart" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  });
  addPod("cart-1", "v1", "127.0.9.1");
  addPod("cart-2", "v2", "127.0.9.2");
});
afterEach(() => kube.close());

function apply(apiVersion: string, kind: string, name: string, rest: object): void {
  const namespace = kind === "Namespace" ? undefined : "shop";
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  kube.store.patch(kind, namespace, name, "apply", { apiVersion, kind, metadata, ...rest }, {});
}

function addPod(name: string, version: string, podIP: string): void {
  const pod = kube.store.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", labels: { app: "cart", version } },
    spec: {
      nodeName: "n",
      serviceAccountName: "cart",
      containers: [
        { name: "app", image: "cart:1", ports: [{ containerPort: 8080 }] },
        { name: "istio-proxy", image: "proxy:1" },
      ],
    },
  });
  const conditions = [{ type: "Ready", status: "True" }];
  kube.store.updateStatus({
    ...pod,
    status: { phase: "Running", podIP, conditions },
  });
}

function snapshot(): MeshSnapshot {
  return takeSnapshot(kube.store, {
    outboundPolicy: "ALLOW_ANY",
    traceSampling: 1,
    reachedPort: (_pod, port) => port,
  });
}

const cluster = (name: string) => snapshot().clusters.find((each) => each.name === name);
const host = "cart.shop.svc.cluster.local";
const inboundMode = () => config().inbound[0]?.mutualTls;

function config() {
  const pod = kube.store.get("Pod", "shop", "cart-1");
  if (pod === undefined) throw new Error("no pod");
  return proxyConfig(snapshot(), pod, "1");
}

describe("the configuration of a proxy", () => {
  it("has a cluster per service port with the ready pods, and every name a client may use", () => {
    expect(cluster(`outbound|80||${host}`)).toMatchObject({
      protocol: "http",
      endpoints: [
        { address: "127.0.9.1", port: 8080, mutualTls: true },
        { address: "127.0.9.2", port: 8080, mutualTls: true },
      ],
    });
    expect(config().virtualHosts[0]?.domains).toEqual([
      `${host}:80`,
      "cart.shop.svc:80",
      "cart.shop:80",
      "cart:80",
    ]);
  });

  it("takes subsets, limits and outlier detection from DestinationRules, a subset's over the rule's", () => {
    apply("networking.istio.io/v1", "DestinationRule", "cart", {
      spec: {
        host: "cart",
        trafficPolicy: {
          connectionPool: { tcp: { maxConnections: 7 }, http: { http1MaxPendingRequests: 3 } },
          outlierDetection: { consecutive5xxErrors: 4, interval: "2s" },
        },
        subsets: [
          {
            name: "v2",
            labels: { version: "v2" },
            trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } },
          },
        ],
      },
    });
    expect(cluster(`outbound|80||${host}`)).toMatchObject({
      limits: { maxConnections: 7, maxPendingRequests: 3 },
      outlier: { consecutive5xx: 4, intervalMs: 2000, maxEjectionPercent: 10 },
    });
    expect(cluster(`outbound|80|v2|${host}`)).toMatchObject({
      endpoints: [{ address: "127.0.9.2" }],
      limits: { maxConnections: 1 },
      outlier: { consecutive5xx: 4 },
    });
  });

  it("takes routes, weights, timeouts, retries and faults from VirtualServices", () => {
    apply("networking.istio.io/v1", "VirtualService", "cart", {
      spec: {
        hosts: ["cart"],
        http: [
          {
            match: [{ uri: { prefix: "/beta" } }],
            fault: { delay: { percentage: { value: 25 }, fixedDelay: "1.5s" } },
            route: [
              { destination: { host: "cart", subset: "v2" }, weight: 90 },
              { destination: { host: "cart" }, weight: 10 },
            ],
            timeout: "3s",
            retries: { attempts: 1, perTryTimeout: "500ms", retryOn: "5xx, reset" },
          },
        ],
      },
    });
    expect(config().virtualHosts[0]?.routes).toMatchObject([
      {
        matches: [{ path: { kind: "prefix", value: "/beta" } }],
        clusters: [
          { name: `outbound|80|v2|${host}`, weight: 90 },
          { name: `outbound|80||${host}`, weight: 10 },
        ],
        timeoutMs: 3000,
        retries: { attempts: 1, perTryTimeoutMs: 500, retryOn: ["5xx", "reset"] },
        fault: { delay: { percent: 25, ms: 1500 } },
      },
    ]);
  });

  it("lets a workload's PeerAuthentication decide over its namespace's, and callers follow", () => {
    expect(inboundMode()).toBe("PERMISSIVE");
    apply("security.istio.io/v1", "PeerAuthentication", "default", {
      spec: { mtls: { mode: "STRICT" } },
    });
    expect(inboundMode()).toBe("STRICT");
    apply("security.istio.io/v1", "PeerAuthentication", "cart", {
      spec: { selector: { matchLabels: { app: "cart" } }, mtls: { mode: "DISABLE" } },
    });
    expect(inboundMode()).toBe("DISABLE");
    expect(cluster(`outbound|80||${host}`)?.endpoints[0]?.mutualTls).toBe(false);
  });
});
