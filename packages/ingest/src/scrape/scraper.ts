/** A scrape configuration at work: its jobs' static targets and Kubernetes discoveries feed one pool. */
import { readFileSync } from "node:fs";
import type { Clock, MetricSink } from "@skopos/model";
import { Agent } from "undici";
import { KubernetesDiscovery } from "../discovery/kubernetes.ts";
import type { KubeApi } from "../discovery/reflector.ts";
import { IngestError } from "../errors.ts";
import type { KubernetesConfig, ScrapeConfig } from "./config.ts";
import { authorizationHeader, createAgent } from "./fetch.ts";
import { ScrapePool } from "./pool.ts";

export interface ScraperOptions {
  readonly config: ScrapeConfig;
  readonly sink: MetricSink;
  readonly clock: Clock;
  /** The API server for `kubernetes_sd_configs` that name none. */
  readonly kubernetes?: KubeAccess | undefined;
}

/** The way to an API server that was given. */
export interface KubeAccess {
  readonly server: string;
  readonly token?: string | undefined;
  /** PEM, as are the client's certificate and key. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface Scraper {
  readonly pool: ScrapePool;
  /** By job: why its discovery does not work now. */
  discoveryErrors(): Record<string, string>;
  stop(): Promise<void>;
}

const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Starts scraping. Throws "bad-config" when a discovery has no API server to ask. */
export function startScraper(options: ScraperOptions): Scraper {
  const { config, sink, clock } = options;
  const pool = new ScrapePool({ sink, clock, jobs: config.jobs });
  const discoveries: { job: string; discovery: KubernetesDiscovery }[] = [];
  const apis = new Map<string, KubeApi>();
  for (const job of config.jobs) {
    const groups = job.staticConfigs.map((each, i) => ({
      source: String(i),
      labels: each.labels,
      targets: each.targets.map((address) => ({ __address__: address })),
    }));
    pool.setGroups(job.name, "static", groups);
    for (const [i, kubernetes] of job.kubernetes.entries()) {
      const { role, namespaces, selectors } = kubernetes;
      const api = apiFor(kubernetes, options, apis);
      const onGroups = (found: Parameters<ScrapePool["setGroups"]>[2]) =>
        pool.setGroups(job.name, `kubernetes-${i}`, found);
      const settings = { api, role, namespaces, selectors, clock, onGroups };
      discoveries.push({ job: job.name, discovery: new KubernetesDiscovery(settings) });
    }
  }
  for (const { discovery } of discoveries) discovery.start();
  return {
    pool,
    discoveryErrors() {
      const errors: Record<string, string> = {};
      for (const { job, discovery } of discoveries)
        if (discovery.lastError !== "") errors[job] = discovery.lastError;
      return errors;
    },
    async stop() {
      await Promise.all(discoveries.map(({ discovery }) => discovery.stop()));
      await pool.stop();
      for (const { dispatcher } of apis.values()) await dispatcher?.destroy();
    },
  };
}

function apiFor(
  config: KubernetesConfig,
  { kubernetes }: ScraperOptions,
  apis: Map<string, KubeApi>,
): KubeApi {
  if (config.apiServer !== "") {
    const own = {
      server: config.apiServer,
      authorization: () => authorizationHeader(config.http),
      dispatcher: createAgent(config.http.tls),
    };
    apis.set(`${config.apiServer} ${apis.size}`, own);
    return own;
  }
  const known = apis.get("default");
  if (known) return known;
  const api = kubernetes ? givenApi(kubernetes) : inClusterApi();
  apis.set("default", api);
  return api;
}

export function givenApi({ server, token, ca, cert, key }: KubeAccess): KubeApi {
  const connect = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  return {
    server,
    authorization: () => (token === undefined ? undefined : `Bearer ${token}`),
    dispatcher: new Agent({ connect }),
  };
}

/** The pod's own service account; its token is rotated, so it is read for each request. */
function inClusterApi(): KubeApi {
  const host = process.env["KUBERNETES_SERVICE_HOST"];
  if (!host)
    throw new IngestError(
      "bad-config",
      "kubernetes_sd_configs without api_server, and this is no pod of a cluster: name the api_server",
    );
  const port = process.env["KUBERNETES_SERVICE_PORT"] ?? "443";
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    authorization: () => `Bearer ${readFileSync(`${accountFolder}/token`, "utf8").trim()}`,
    dispatcher: new Agent({ connect: { ca: readFileSync(`${accountFolder}/ca.crt`, "utf8") } }),
  };
}
