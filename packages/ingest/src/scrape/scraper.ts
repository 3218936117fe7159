/** A scrape configuration at work: its jobs' static targets and discoveries feed one pool. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Clock, messageOf, type MetricSink } from "@skopos/model";
import { Agent } from "undici";
import { ClusterConfig, type ClusterDiscover, type ConfigText } from "../cluster/cluster-config.ts";
import type { KubernetesConfig } from "../discovery/config.ts";
import type { Discovery } from "../discovery/discovery.ts";
import { FileDiscovery } from "../discovery/files.ts";
import { HttpDiscovery } from "../discovery/http.ts";
import { KubernetesDiscovery } from "../discovery/kubernetes.ts";
import type { KubeApi } from "../discovery/reflector.ts";
import { SharedReflectors } from "../discovery/shared-reflectors.ts";
import { IngestError } from "../errors.ts";
import { HttpAgent } from "./agent.ts";
import type { ScrapeConfig, ScrapeJob } from "./config.ts";
import { ScrapePool } from "./pool.ts";
import { Secret } from "./secret.ts";
import type { TargetGroup } from "./target.ts";

export interface ScraperOptions {
  readonly config: ScrapeConfig;
  readonly sink: MetricSink;
  readonly clock: Clock;
  /** Asks the cluster for monitors, rules and labelled ConfigMaps, through the API server of `kubernetes`. */
  readonly discover?: ClusterDiscover | undefined;
  readonly onRules?: ((files: ConfigText[]) => void) | undefined;
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
  /** What the cluster itself says should be scraped; undefined when it is not asked. */
  readonly cluster: ClusterConfig | undefined;
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
  readonly cluster: ClusterConfig | undefined;
  readonly #apis = new Map<string, Cluster>();
  /** Fingerprints of the jobs that the cluster asked for, by name. */
  readonly #asked = new Map<string, string>();
  #refused: Record<string, string> = {};
  #changing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: ScraperOptions) {
    this.#options = options;
    const { config, sink, clock } = options;
    this.pool = new ScrapePool({ sink, clock, jobs: config.jobs });
    for (const job of config.jobs) this.#jobs.set(job.name, this.#discover(job));
    for (const { discoveries } of this.#jobs.values())
      for (const discovery of discoveries) discovery.start();
    this.cluster = this.#askCluster();
  }

  #askCluster(): ClusterConfig | undefined {
    const { discover, onRules, clock, kubernetes, config } = this.#options;
    if (!discover || !kubernetes || !Object.values(discover).some(Boolean)) return undefined;
    const asked = new ClusterConfig({
      ...this.#defaultCluster(),
      clock,
      discover,
      defaults: config.defaults,
      onJobs: (jobs) => this.#setJobs(jobs),
      onRules: (files) => onRules?.(files),
    });
    asked.start();
    return asked;
  }

  /** Jobs of the cluster: new ones begin, changed ones begin anew, those that are gone end. */
  #setJobs(jobs: readonly ScrapeJob[]): void {
    this.#changing = this.#changing.then(() => this.#changeJobs(jobs));
  }

  async #changeJobs(jobs: readonly ScrapeJob[]): Promise<void> {
    if (this.#stopped) return;
    const wanted = new Map(jobs.map((job) => [job.name, { job, print: fingerprint(job) }]));
    const refused: Record<string, string> = {};
    for (const [name, print] of this.#asked)
      if (wanted.get(name)?.print !== print) await this.#removeJob(name);
    for (const [name, { job, print }] of wanted) {
      if (this.#asked.has(name)) continue;
      if (this.#jobs.has(name)) {
        refused[name] = "the scrape configuration has a job of this name already";
        continue;
      }
      try {
        this.#addJob(job);
        this.#asked.set(name, print);
      } catch (error) {
        refused[name] = messageOf(error);
      }
    }
    this.#refused = refused;
  }

  #addJob(job: ScrapeJob): void {
    this.pool.addJob(job);
    const running = this.#discover(job);
    this.#jobs.set(job.name, running);
    for (const discovery of running.discoveries) discovery.start();
  }

  async #removeJob(name: string): Promise<void> {
    const running = this.#jobs.get(name);
    this.#jobs.delete(name);
    this.#asked.delete(name);
    await Promise.all(running?.discoveries.map((discovery) => discovery.stop()) ?? []);
    await this.pool.removeJob(name);
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
        const { collections } = this.#clusterOf(config);
        const onGroups = handOn(`kubernetes-${i}`);
        return new KubernetesDiscovery({ ...config, collections, clock, onGroups });
      }),
    ];
    return { job, discoveries };
  }

  discoveryErrors(): Record<string, string> {
    const errors: Record<string, string> = { ...this.#refused, ...this.cluster?.errors() };
    for (const { job, discoveries } of this.#jobs.values()) {
      const failing = discoveries.find(({ lastError }) => lastError !== "");
      if (failing) errors[job.name] = failing.lastError;
    }
    return errors;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.cluster?.stop();
    await this.#changing;
    const discoveries = [...this.#jobs.values()].flatMap((running) => running.discoveries);
    await Promise.all(discoveries.map((discovery) => discovery.stop()));
    await this.pool.stop();
    await Promise.all([...this.#apis.values()].map(({ close }) => close()));
  }

  #clusterOf({ apiServer, http }: KubernetesConfig): Cluster {
    if (apiServer === "") return this.#defaultCluster();
    const agent = new HttpAgent(http, this.#options.clock);
    const api = {
      server: apiServer,
      authorization: () => agent.authorization(),
      dispatcher: agent.dispatcher(),
    };
    // Credentials may differ between jobs: such an API is shared with nobody.
    return this.#open(`${apiServer} ${this.#apis.size}`, api, () => agent.close());
  }

  #defaultCluster(): Cluster {
    const known = this.#apis.get("");
    if (known) return known;
    const { kubernetes } = this.#options;
    const api = kubernetes ? givenApi(kubernetes) : inClusterApi();
    return this.#open("", api, async () => api.dispatcher?.destroy());
  }

  #open(key: string, api: KubeApi, close: () => Promise<void>): Cluster {
    const collections = new SharedReflectors(api, this.#options.clock);
    const opened = { api, collections, close };
    this.#apis.set(key, opened);
    return opened;
  }
}

/** An API server and what is watched there. */
interface Cluster {
  readonly api: KubeApi;
  readonly collections: SharedReflectors;
  readonly close: () => Promise<void>;
}

/** Equal for equal jobs, their secrets included. */
function fingerprint(job: ScrapeJob): string {
  const text = JSON.stringify(job, function (key, value: unknown) {
    const raw: unknown = (this as Record<string, unknown>)[key];
    if (raw instanceof Secret) return raw.reveal();
    return typeof value === "bigint" ? String(value) : value;
  });
  return createHash("sha256").update(text).digest("hex");
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
