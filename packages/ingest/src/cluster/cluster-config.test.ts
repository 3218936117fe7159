import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@skopos/model";
import { KubeServer } from "@skopos/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseScrapeConfig } from "../scrape/config.ts";
import { type Scraper, startScraper } from "../scrape/scraper.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import type { ConfigText } from "./cluster-config.ts";

let kube: KubeServer;
const authorizations: (string | undefined)[] = [];
const app = createServer((request, response) => {
  authorizations.push(request.headers.authorization);
  response.setHeader("content-type", "text/plain; version=0.0.4");
  response.end(request.url === "/custom?team=a" ? "cart_orders 1\n" : "wrong_path 1\n");
});
let port: number;
let scraper: Scraper;
let sink: RecordingSink;
let rules: ConfigText[];
let heard: () => void;

async function start(missing: string[] = []): Promise<void> {
  kube = new KubeServer({ missing });
  const server = await kube.listen();
  sink = new RecordingSink();
  rules = [];
  heard = () => {};
  scraper = startScraper({
    config: parseScrapeConfig("global: {scrape_interval: 100ms}\n"),
    sink,
    clock: systemClock,
    kubernetes: { server },
    discover: { monitors: true, rules: true, configMaps: true },
    onRules: (files) => {
      rules = files;
      heard();
    },
  });
}

beforeEach(async () => {
  await new Promise<void>((resolve) => {
    app.listen(0, "127.0.0.1", resolve);
  });
  ({ port } = app.address() as AddressInfo);
});

afterEach(async () => {
  await scraper.stop();
  await kube.close();
  await new Promise((resolve) => {
    app.close(resolve);
    app.closeAllConnections();
  });
});

/** Resolves when rules were handed on for which `test` holds. */
async function rulesWhere(test: () => boolean): Promise<void> {
  while (!test())
    await new Promise<void>((resolve) => {
      heard = resolve;
    });
}

function putService(): void {
  kube.put("v1/pods", {
    metadata: { name: "cart-1", namespace: "shop", labels: { version: "v1" } },
    spec: { containers: [{ name: "app", ports: [{ name: "web", containerPort: port }] }] },
    status: { podIP: "127.0.0.1", phase: "Running" },
  });
  kube.put("v1/services", {
    metadata: { name: "cart", namespace: "shop", labels: { app: "cart", team: "a" } },
  });
  kube.put("v1/endpoints", {
    metadata: { name: "cart", namespace: "shop" },
    subsets: [
      {
        addresses: [{ ip: "127.0.0.1", targetRef: { kind: "Pod", name: "cart-1" } }],
        ports: [{ name: "web", port }],
      },
    ],
  });
  kube.put("v1/secrets", {
    metadata: { name: "scrape", namespace: "shop" },
    data: { token: Buffer.from("hunter2").toString("base64") },
  });
}

const serviceMonitor = {
  metadata: { name: "cart", namespace: "shop" },
  spec: {
    selector: { matchLabels: { app: "cart" } },
    jobLabel: "app",
    targetLabels: ["team"],
    podTargetLabels: ["version"],
    endpoints: [
      {
        port: "web",
        path: "/custom",
        params: { team: ["a"] },
        interval: "100ms",
        authorization: { credentials: { name: "scrape", key: "token" } },
        relabelings: [{ sourceLabels: ["pod"], targetLabel: "instance" }],
      },
    ],
  },
};

it("a ServiceMonitor becomes a scrape pool with the operator's labels, and ends with its object", async () => {
  await start();
  putService();
  kube.put("monitoring.coreos.com/v1/servicemonitors", serviceMonitor);
  const page = await sink.waitFor(1);
  const labels =
    'container="app", endpoint="web", instance="cart-1", job="cart", namespace="shop", pod="cart-1", service="cart", team="a", version="v1"';
  expect(page.samples).toMatchObject({ [`cart_orders{${labels}}`]: 1, [`up{${labels}}`]: 1 });
  expect(authorizations.at(-1)).toBe("Bearer hunter2");
  expect(scraper.pool.targets()[0]?.job).toBe("serviceMonitor/shop/cart/0");
  expect(scraper.discoveryErrors()).toEqual({});
  kube.remove("monitoring.coreos.com/v1/servicemonitors", "shop", "cart");
  while (sink.closed.length === 0) await sink.waitFor(sink.pages.length + 1);
  expect(scraper.pool.targets()).toEqual([]);
});

it("a PodMonitor becomes a scrape pool, by its selector and port", async () => {
  await start();
  putService();
  kube.put("monitoring.coreos.com/v1/podmonitors", {
    metadata: { name: "proxies", namespace: "istio-system" },
    spec: {
      namespaceSelector: { any: true },
      selector: { matchExpressions: [{ key: "version", operator: "In", values: ["v1", "v2"] }] },
      podMetricsEndpoints: [{ port: "web", path: "/custom", params: { team: ["a"] } }],
    },
  });
  const page = await sink.waitFor(1);
  const labels = `container="app", endpoint="web", instance="127.0.0.1:${port}", job="istio-system/proxies", namespace="shop", pod="cart-1"`;
  expect(page.samples).toMatchObject({ [`cart_orders{${labels}}`]: 1 });
});

const scrapeConfig = (name: string, spec: object) => ({
  metadata: { name, namespace: "shop" },
  spec: { scrapeInterval: "100ms", ...spec },
});

it("a ScrapeConfig becomes a scrape pool, with its credentials and relabelling", async () => {
  await start();
  putService();
  kube.put(
    "monitoring.coreos.com/v1alpha1/scrapeconfigs",
    scrapeConfig("outside", {
      jobName: "carts",
      metricsPath: "/custom",
      params: { team: ["a"] },
      scheme: "HTTP",
      staticConfigs: [{ targets: [`127.0.0.1:${port}`], labels: { name: "x", key: "y" } }],
      authorization: { credentials: { name: "scrape", key: "token" } },
      relabelings: [{ targetLabel: "zone", replacement: "b", action: "Replace" }],
      metricRelabelings: [{ regex: "key", action: "LabelDrop" }],
    }),
  );
  const page = await sink.waitFor(1);
  const labels = `instance="127.0.0.1:${port}", job="carts", name="x", zone="b"`;
  expect(page.samples).toMatchObject({ [`cart_orders{${labels}}`]: 1 });
  expect(authorizations.at(-1)).toBe("Bearer hunter2");
  expect(scraper.pool.targets()[0]?.job).toBe("scrapeConfig/shop/outside");
  const [text] = scraper.cluster?.scrapeTexts() ?? [];
  expect(text?.file).toBe("scrapeConfig/shop/outside");
  expect(parseScrapeConfig(text?.text ?? "").jobs[0]?.metricsPath).toBe("/custom");
});

it("a ScrapeConfig finds its targets in the cluster, and cannot have files read", async () => {
  await start();
  putService();
  kube.put(
    "monitoring.coreos.com/v1alpha1/scrapeconfigs",
    scrapeConfig("endpoints", {
      metricsPath: "/custom",
      params: { team: ["a"] },
      kubernetesSDConfigs: [{ role: "Endpoints", namespaces: { names: ["shop"] } }],
    }),
  );
  kube.put(
    "monitoring.coreos.com/v1alpha1/scrapeconfigs",
    scrapeConfig("files", { fileSDConfigs: [{ files: ["/etc/targets.json"] }] }),
  );
  const page = await sink.waitFor(1);
  const labels = `instance="127.0.0.1:${port}", job="scrapeConfig/shop/endpoints"`;
  expect(page.samples).toMatchObject({ [`cart_orders{${labels}}`]: 1 });
  expect(scraper.discoveryErrors()).toEqual({
    "scrapeConfig/shop/files": expect.stringMatching(/^fileSDConfigs is not read/) as string,
  });
});

it("a monitor that cannot be used is named, and does not keep others from being used", async () => {
  await start();
  putService();
  kube.put("monitoring.coreos.com/v1/servicemonitors", {
    ...serviceMonitor,
    metadata: { name: "bad", namespace: "shop" },
    spec: {
      ...serviceMonitor.spec,
      endpoints: [{ port: "web", bearerTokenFile: "/etc/shadow" }],
    },
  });
  kube.put("monitoring.coreos.com/v1/servicemonitors", serviceMonitor);
  await sink.waitFor(1);
  expect(scraper.discoveryErrors()).toEqual({
    "serviceMonitor/shop/bad": expect.stringMatching(/files are not read for monitors/) as string,
  });
});

it("PrometheusRules and labelled ConfigMaps are handed on as rule files, and taken back", async () => {
  await start();
  const groups = [{ name: "g", rules: [{ record: "a", expr: "1" }] }];
  kube.put("monitoring.coreos.com/v1/prometheusrules", {
    metadata: { name: "slo", namespace: "shop" },
    spec: { groups },
  });
  kube.put("v1/configmaps", {
    metadata: { name: "more", namespace: "shop", labels: { "skopos.io/rules": "true" } },
    data: { "a.yaml": "groups: []\n", readme: "not rules" },
  });
  kube.put("v1/configmaps", {
    metadata: { name: "other", namespace: "shop" },
    data: { "b.yaml": "" },
  });
  await rulesWhere(() => rules.length === 2);
  expect(rules).toEqual([
    { file: "prometheusRule/shop/slo", text: JSON.stringify({ groups }) },
    { file: "configMap/shop/more/a.yaml", text: "groups: []\n" },
  ]);
  kube.remove("monitoring.coreos.com/v1/prometheusrules", "shop", "slo");
  await rulesWhere(() => rules.length === 1);
});

it("a labelled ConfigMap's scrape configs are scraped, unless they want files of this machine", async () => {
  // A cluster that knows none of the operator's kinds.
  const kinds = ["servicemonitors", "podmonitors", "probes", "prometheusrules"];
  await start([
    ...kinds.map((kind) => `monitoring.coreos.com/v1/${kind}`),
    "monitoring.coreos.com/v1alpha1/scrapeconfigs",
  ]);
  const labels = { "skopos.io/scrape-config": "true" };
  const config = (name: string, more = "") =>
    `scrape_configs: [{job_name: ${name}, scrape_interval: 100ms, static_configs: [{targets: ["127.0.0.1:${port}"]}]${more}}]`;
  kube.put("v1/configmaps", {
    metadata: { name: "prometheus", namespace: "istio-system", labels },
    data: { "prometheus.yml": config("mine") },
  });
  kube.put("v1/configmaps", {
    metadata: { name: "thief", namespace: "istio-system", labels },
    data: { "prometheus.yml": config("theirs", ", bearer_token_file: /etc/passwd") },
  });
  const page = await sink.waitFor(1);
  expect(page.samples).toMatchObject({
    [`wrong_path{instance="127.0.0.1:${port}", job="mine"}`]: 1,
  });
  expect(scraper.discoveryErrors()).toEqual({
    "configMap/istio-system/thief/prometheus.yml": expect.stringMatching(
      /job theirs names files/,
    ) as string,
  });
});
