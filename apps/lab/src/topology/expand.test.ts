import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runnableImage } from "./app-definitions.ts";
import { expandTopology } from "./expand.ts";
import { parseTopology, readTopology } from "./topology-file.ts";

const socialstream = readTopology(
  fileURLToPath(new URL("../../topologies/socialstream.yaml", import.meta.url)),
);

const small = `
name: small
namespaces: [{ name: shop }]
apps:
  - { name: gate, namespace: shop, kind: gateway, image: "proxy:1", replicas: 1, port: 8080 }
  - name: cart
    namespace: shop
    image: shop/cart:v1
    replicas: 2
    port: 9000
    routes:
      - { route: GET /cart/:id, steps: [{ work: { waitMs: 1 } }] }
load: { requests: [{ request: GET /cart/1 }] }
`;

describe("a topology", () => {
  it("expands into namespace, account, service and deployment of each app, rules before workloads", () => {
    const objects = expandTopology(socialstream);
    const named = (kind: string) =>
      objects.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name);
    const apps = socialstream.apps.map(({ name }) => name);
    expect(named("Deployment")).toEqual(apps);
    expect(named("Service")).toEqual(apps);
    expect(named("ServiceAccount")).toEqual(apps);
    const kinds = objects.map(({ kind }) => kind);
    expect(kinds.lastIndexOf("DestinationRule")).toBeLessThan(kinds.indexOf("Deployment"));
  });

  it("gives every replica a sidecar, scrape annotations and its settings as environment", () => {
    const deployment = expandTopology(socialstream).find(
      ({ kind, metadata }) => kind === "Deployment" && metadata.name === "user-service",
    );
    expect(deployment).toMatchObject({
      spec: {
        replicas: 4,
        template: {
          metadata: {
            labels: { app: "user-service", version: "v1" },
            annotations: { "prometheus.io/scrape": "true", "prometheus.io/port": "15020" },
          },
          spec: { containers: [{ name: "app" }, { name: "istio-proxy" }] },
        },
      },
    });
    expect(JSON.stringify(deployment)).toContain('{"name":"DB_POOL_SIZE","value":"16"}');
  });

  it("knows what an image's tag brings, and images that it does not have", () => {
    const { environment } = runnableImage(socialstream, "socialstream/post-service:v2") ?? {};
    expect(environment).toMatchObject({ ERROR_RATE: "0.6" });
    expect(runnableImage(socialstream, "socialstream/post-service:v1")?.environment).toEqual({});
    expect(runnableImage(socialstream, "socialstream/post-service:v3")).toBeUndefined();
    expect(runnableImage(socialstream, "nginx:1")).toBeUndefined();
  });

  it("may be another mesh altogether", () => {
    const topology = parseTopology(small, "small.yaml");
    expect(expandTopology(topology).map(({ kind }) => kind)).toEqual([
      "Namespace",
      "ServiceAccount",
      "Service",
      "ServiceAccount",
      "Service",
      "Deployment",
      "Deployment",
    ]);
    expect(runnableImage(topology, "shop/cart:v1")?.definition).toMatchObject({
      kind: "http",
      routes: [{ method: "GET", path: "/cart/:id" }],
    });
  });

  it.each([
    [
      "an unknown namespace",
      ["namespace: shop\n    image", "namespace: shopp\n    image"],
      /:7:16: .*not listed/,
    ],
    ["a bad route", ["GET /cart/:id", "FETCH cart"], /:12:18: .*method and a path/],
    ["too many replicas", ["replicas: 2", "replicas: 2000"], /:9:15: /],
    ["no gateway", ["kind: gateway, ", ""], /:5:3: .*gateway/],
    ["a misspelt field", ["replicas: 2", "replica: 2"], /:\d+:\d+: .*replica/],
  ])("says where and what is wrong: %s", (_what, [from = "", to = ""], message) => {
    expect(small).toContain(from);
    expect(() => parseTopology(small.replace(from, to), "small.yaml")).toThrow(message);
  });
});
