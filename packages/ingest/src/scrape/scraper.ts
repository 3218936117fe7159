/** A scrape configuration at work: its jobs' static targets and discoveries feed one pool. */
import { readFileSync } from "node:fs";
import type { Clock, MetricSink } from "@skopos/model";
import { Agent } from "undici";
import type { KubernetesConfig } from "../discovery/config.ts";
import type { Discovery } from "../discovery/discovery.ts";
import { FileDiscovery } from "../discovery/files.ts";
import { HttpDiscovery } from "../discovery/http.ts";
import { KubernetesDiscovery } from "../discovery/kubernetes.ts";
import type { KubeApi } from "../discovery/reflector.ts";
import { IngestError } from "../errors.ts";
import { HttpAgent } from "./agent.ts";
import type { ScrapeConfig, ScrapeJob } from "./config.ts";
import { ScrapePool } from "./pool.ts";
import type { TargetGroup } from "./target.ts";

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
  return new RunningScraper(options);
}

interface RunningJob {
  readonly job: ScrapeJob;
  readonly discoveries: readonly Discovery[];
}

class RunningScraper implements Scraper {
  readonly pool: ScrapePool;
  readonly #options: ScraperOptions;
  readonly #jobs = new Map<string, RunningJob>();
  readonly #agents: HttpAgent[] = [];
  #cluster: KubeApi | undefined;

  constructor(options: ScraperOptions) {
    this.#options = options;
    const { config, sink, clock } = options;
    this.pool = new ScrapePool({ sink, clock, jobs: config.jobs });
    for (const job of config.jobs) this.#jobs.set(job.name, this.#discover(job));
    for (const { discoveries } of this.#jobs.values())
      for (const discovery of discoveries) discovery.start();
  }

  #discover(job: ScrapeJob): RunningJob {
    const { clock } = this.#options;
    const handOn = (source: string) => (groups: readonly TargetGroup[]) =>
      this.pool.setGroups(job.name, source, groups);
    handOn("static")(
      job.staticConfigs.map((each, i) => ({
        source: String(i),
        labels: each.labels,
        targets: each.targets.map((address) => ({ __address__: address })),
      })),
    );
    const discoveries = [
      ...job.files.map(
        (config, i) => new FileDiscovery({ config, clock, onGroups: handOn(`file-${i}`) }),
      ),
      ...job.httpSd.map(
        (config, i) => new HttpDiscovery({ config, clock, onGroups: handOn(`http-${i}`) }),
      ),
      ...job.kubernetes.map((config, i) => {
        const api = this.#apiFor(config);
        const onGroups = handOn(`kubernetes-${i}`);
        return new KubernetesDiscovery({ ...config, api, clock, onGroups });
      }),
    ];
    return { job, discoveries };
  }

  discoveryErrors(): Record<string, string> {
    const errors: Record<string, string> = {};
    for (const { job, discoveries } of this.#jobs.values()) {
      const failing = discoveries.find(({ lastError }) => lastError !== "");
      if (failing) errors[job.name] = failing.lastError;
    }
    return errors;
  }

  async stop(): Promise<void> {
    const discoveries = [...this.#jobs.values()].flatMap((running) => running.discoveries);
    await Promise.all(discoveries.map((discovery) => discovery.stop()));
    await this.pool.stop();
    await this.#cluster?.dispatcher?.destroy();
    await Promise.all(this.#agents.map((agent) => agent.close()));
  }

  #apiFor({ apiServer, http }: KubernetesConfig): KubeApi {
    if (apiServer === "") {
      const { kubernetes } = this.#options;
      this.#cluster ??= kubernetes ? givenApi(kubernetes) : inClusterApi();
      return this.#cluster;
    }
    const agent = new HttpAgent(http, this.#options.clock);
    this.#agents.push(agent);
    return {
      server: apiServer,
      authorization: () => String(agent.headers()["authorization"] ?? "") || undefined,
      dispatcher: agent.dispatcher(),
    };
  }
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
