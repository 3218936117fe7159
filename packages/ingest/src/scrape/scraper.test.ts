import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@skopos/model";
import { KubeServer } from "@skopos/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RecordingSink } from "../testing/recording-sink.ts";
import { parseScrapeConfig } from "./config.ts";
import { type Scraper, startScraper } from "./scraper.ts";

const kube = new KubeServer();
const proxy = createServer((request, response) => {
  response.setHeader("content-type", "text/plain; version=0.0.4");
  response.end(request.url === "/stats/prometheus" ? "istio_build 1\n" : "wrong_path 1\n");
});
let server: string;
let port: number;
let scraper: Scraper;

beforeEach(async () => {
  server = await kube.listen();
  await new Promise<void>((resolve) => {
    proxy.listen(0, "127.0.0.1", resolve);
  });
  ({ port } = proxy.address() as AddressInfo);
});

afterEach(async () => {
  await scraper.stop();
  await kube.close();
  await new Promise((resolve) => {
    proxy.close(resolve);
    proxy.closeAllConnections();
  });
});

/** As Istio's add-ons scrape proxies: the annotated port and path of each pod. */
const config = `
scrape_configs:
- job_name: pods
  scrape_interval: 100ms
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: keep, regex: "true"}
  - source_labels: [__meta_kubernetes_pod_container_port_name]
    action: drop
    regex: app
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path], action: replace, target_label: __metrics_path__, regex: (.+)}
  - source_labels: [__address__, __meta_kubernetes_pod_annotation_prometheus_io_port]
    action: replace
    regex: ([^:]+)(?::\\d+)?;(\\d+)
    replacement: $1:$2
    target_label: __address__
  - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
  - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
`;

it("scrapes pods found through the Kubernetes API until they are deleted", async () => {
  kube.put("v1/pods", {
    metadata: {
      name: "cart-1",
      namespace: "shop",
      labels: { app: "cart" },
      annotations: {
        "prometheus.io/scrape": "true",
        "prometheus.io/path": "/stats/prometheus",
        "prometheus.io/port": String(port),
      },
    },
    spec: { containers: [{ name: "proxy", ports: [{ name: "stats", containerPort: 1 }] }] },
    status: { podIP: "127.0.0.1", phase: "Running" },
  });
  kube.put("v1/pods", {
    metadata: { name: "plain", namespace: "shop" },
    spec: { containers: [{ name: "app" }] },
    status: { podIP: "127.0.0.1" },
  });
  const sink = new RecordingSink();
  scraper = startScraper({
    config: parseScrapeConfig(config),
    sink,
    clock: systemClock,
    kubernetes: { server },
  });
  const page = await sink.waitFor(1);
  const labels = `app="cart", instance="127.0.0.1:${port}", job="pods", namespace="shop", pod="cart-1"`;
  expect(page.samples).toMatchObject({ [`istio_build{${labels}}`]: 1, [`up{${labels}}`]: 1 });
  expect(scraper.pool.targets()).toMatchObject([
    { job: "pods", url: `http://127.0.0.1:${port}/stats/prometheus`, health: "up" },
  ]);
  expect(scraper.pool.droppedTargets()).toHaveLength(1);
  expect(scraper.discoveryErrors()).toEqual({});
  kube.remove("v1/pods", "shop", "cart-1");
  while (sink.closed.length === 0) await sink.waitFor(sink.pages.length + 1);
  expect(sink.pages.at(-1)?.samples[`istio_build{${labels}}`]).toBe("stale");
  expect(scraper.pool.targets()).toEqual([]);
});
