/**
 * What a cluster says should be scraped and alerted on: ServiceMonitor, PodMonitor, Probe, ScrapeConfig and PrometheusRule
 * objects, and ConfigMaps with a label: `skopos.io/rules: "true"` or `prometheus_rule` on rule files, `skopos.io/scrape-config: "true"` on a
 * Prometheus configuration, whose `scrape_configs` are taken. All of it comes and goes with the objects.
 *
 * A kind that the cluster does not know is no error. An object that cannot be used is named in `errors` and left out; its
 * neighbours are taken. Nothing is handed on before every collection was listed once.
 */
import { type Clock, messageOf } from "@skopos/model";
import { IngestError } from "../errors.ts";
import type { KubeApi, KubeObject } from "../discovery/reflector.ts";
import { keyOf } from "../discovery/reflector.ts";
import { recordOf } from "../discovery/meta-labels.ts";
import type { SharedReflectors, WatchedCollection } from "../discovery/shared-reflectors.ts";
import { parseScrapeConfig, type ScrapeJob } from "../scrape/config.ts";
import { namesFiles } from "../scrape/http-config.ts";
import { podMonitorJobs, probeJobs, serviceMonitorJobs } from "./monitors.ts";
import { fetchReferences, type Lookup } from "./references.ts";
import { scrapeConfigJobs } from "./scrape-configs.ts";

export interface ConfigText {
  readonly file: string;
  readonly text: string;
}

export interface ClusterDiscover {
  readonly monitors: boolean;
  readonly rules: boolean;
  readonly configMaps: boolean;
}

export interface ClusterConfigOptions {
  readonly api: KubeApi;
  readonly collections: SharedReflectors;
  readonly clock: Clock;
  readonly discover: ClusterDiscover;
  /** For monitors that name no interval. */
  readonly defaults: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly onJobs: (jobs: ScrapeJob[]) => void;
  readonly onRules: (files: ConfigText[]) => void;
}

const gatherMs = 200;
const jobsMax = 5000;
const ruleFilesMax = 5000;
const group = "/apis/monitoring.coreos.com/v1";
const alphaGroup = "/apis/monitoring.coreos.com/v1alpha1";
const rulesLabel = "skopos.io/rules";
const otherRulesLabel = "prometheus_rule";
const scrapeLabel = "skopos.io/scrape-config";

type Kind =
  | "services"
  | "pods"
  | "probes"
  | "scrape-configs"
  | "rules"
  | "rule-maps"
  | "other-rule-maps"
  | "scrape-maps";

/** Kinds that become scrape configs, and what their pools' names begin with. */
const translations = {
  services: { prefix: "serviceMonitor", translate: serviceMonitorJobs },
  pods: { prefix: "podMonitor", translate: podMonitorJobs },
  probes: { prefix: "probe", translate: probeJobs },
  "scrape-configs": { prefix: "scrapeConfig", translate: scrapeConfigJobs },
} as const;

/** A Prometheus configuration that was made of an object or found in one, and its jobs. */
interface ScrapeSource {
  readonly text: string;
  readonly jobs: readonly ScrapeJob[];
}

export class ClusterConfig {
  readonly #options: ClusterConfigOptions;
  readonly #watched = new Map<Kind, WatchedCollection>();
  #cancelGather: (() => void) | undefined;
  #working: Promise<void> = Promise.resolve();
  #stopped = false;
  #errors: Record<string, string> = {};
  /** By file: an object whose new text is bad keeps the jobs it had. */
  #sources = new Map<string, ScrapeSource>();

  constructor(options: ClusterConfigOptions) {
    this.#options = options;
  }

  start(): void {
    const { monitors, rules, configMaps } = this.#options.discover;
    if (monitors) {
      this.#watch("services", { path: `${group}/servicemonitors` });
      this.#watch("pods", { path: `${group}/podmonitors` });
      this.#watch("probes", { path: `${group}/probes` });
      this.#watch("scrape-configs", { path: `${alphaGroup}/scrapeconfigs` });
    }
    if (rules) this.#watch("rules", { path: `${group}/prometheusrules` });
    if (!configMaps) return;
    const path = "/api/v1/configmaps";
    this.#watch("rule-maps", { path, labelSelector: `${rulesLabel}=true` });
    this.#watch("other-rule-maps", { path, labelSelector: otherRulesLabel });
    this.#watch("scrape-maps", { path, labelSelector: `${scrapeLabel}=true` });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelGather?.();
    await Promise.all([...this.#watched.values()].map((collection) => collection.stop()));
    await this.#working;
  }

  /** By object, or by collection: why it is not used. */
  errors(): Record<string, string> {
    const all = { ...this.#errors };
    for (const [kind, { lastError }] of this.#watched) if (lastError !== "") all[kind] = lastError;
    return all;
  }

  /** The configurations that are used, with the secrets that were put into them. */
  scrapeTexts(): ConfigText[] {
    return [...this.#sources].map(([file, { text }]) => ({ file, text }));
  }

  #watch(kind: Kind, collection: { readonly path: string; readonly labelSelector?: string }): void {
    const watched = this.#options.collections.watch({ ...collection, optional: true }, () =>
      this.#changed(),
    );
    this.#watched.set(kind, watched);
  }

  #changed(): void {
    if (this.#cancelGather || this.#stopped) return;
    this.#cancelGather = this.#options.clock.after(gatherMs, () => {
      this.#cancelGather = undefined;
      this.#working = this.#working.then(() => this.#handOn());
    });
  }

  async #handOn(): Promise<void> {
    const all = [...this.#watched.values()];
    if (this.#stopped || !all.every(({ synced }) => synced)) return;
    const errors: Record<string, string> = {};
    const sources = new Map<string, ScrapeSource>();
    for (const [file, make] of this.#scrapeSources()) {
      try {
        sources.set(file, await make());
      } catch (error) {
        errors[file] = messageOf(error);
        const before = this.#sources.get(file);
        if (before) sources.set(file, before);
      }
    }
    // Stopped while a Secret was fetched: whoever listened is on the way out.
    if (this.#stopped) return;
    this.#sources = sources;
    this.#errors = errors;
    const { discover, onJobs, onRules } = this.#options;
    if (discover.monitors || discover.configMaps)
      onJobs([...sources.values()].flatMap(({ jobs }) => jobs).slice(0, jobsMax));
    if (discover.rules || discover.configMaps) onRules(this.#ruleFiles());
  }

  #objects(kind: Kind): KubeObject[] {
    const objects = [...(this.#watched.get(kind)?.objects.values() ?? [])];
    return objects.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  *#scrapeSources(): Generator<[file: string, make: () => Promise<ScrapeSource>]> {
    for (const kind of ["services", "pods", "probes", "scrape-configs"] as const)
      for (const object of this.#objects(kind)) {
        const { prefix, translate } = translations[kind];
        const file = `${prefix}/${keyOf(object)}`;
        yield [file, () => this.#translated(file, object, translate)];
      }
    for (const map of this.#labelled("scrape-maps", scrapeLabel))
      for (const [key, text] of textsOf(map)) {
        const file = `configMap/${keyOf(map)}/${key}`;
        yield [file, () => Promise.resolve({ text, jobs: jobsOf(text, file) })];
      }
  }

  async #translated(
    file: string,
    object: KubeObject,
    translate: (object: KubeObject, lookup: Lookup) => object[],
  ): Promise<ScrapeSource> {
    const { api, defaults } = this.#options;
    const lookup = await fetchReferences(api, object.metadata.namespace ?? "", object["spec"]);
    const global = {
      scrape_interval: `${defaults.intervalMs}ms`,
      scrape_timeout: `${defaults.timeoutMs}ms`,
    };
    // JSON is YAML: what the operator would write into a file is read as if it stood in one.
    const text = JSON.stringify({ global, scrape_configs: translate(object, lookup) });
    return { text, jobs: parseScrapeConfig(text, file).jobs };
  }

  #ruleFiles(): ConfigText[] {
    const files = new Map<string, string>();
    for (const rule of this.#objects("rules"))
      files.set(`prometheusRule/${keyOf(rule)}`, JSON.stringify({ groups: groupsOf(rule) }));
    for (const kind of ["rule-maps", "other-rule-maps"] as const) {
      const label = kind === "rule-maps" ? rulesLabel : otherRulesLabel;
      for (const map of this.#labelled(kind, label))
        for (const [key, text] of textsOf(map)) files.set(`configMap/${keyOf(map)}/${key}`, text);
    }
    return [...files].slice(0, ruleFilesMax).map(([file, text]) => ({ file, text }));
  }

  /** The selector was the server's to apply; this holds also where it did not. */
  #labelled(kind: Kind, label: string): KubeObject[] {
    return this.#objects(kind).filter(({ metadata }) => {
      const value = metadata.labels?.[label];
      return value !== undefined && value !== "false" && value !== "0";
    });
  }
}

function groupsOf(rule: KubeObject): unknown {
  return recordOf(rule["spec"])["groups"] ?? [];
}

/** The ConfigMap's files that are YAML by their name. */
function textsOf(map: KubeObject): [string, string][] {
  return Object.entries(recordOf(map["data"])).filter((entry): entry is [string, string] => {
    const [key, text] = entry;
    return typeof text === "string" && /\.(ya?ml|rules)$/.test(key);
  });
}

/** Jobs of a whole Prometheus configuration. Throws "bad-config" when one wants files of this machine. */
function jobsOf(text: string, file: string): readonly ScrapeJob[] {
  const { jobs } = parseScrapeConfig(text, file);
  const [reader] = jobs.filter(readsFiles);
  if (reader)
    throw new IngestError(
      "bad-config",
      `${file}: job ${reader.name} names files, which are not read for ConfigMaps: put it into the server's own scrape configuration`,
    );
  return jobs;
}

/** Whoever may write a ConfigMap must not have the server's secrets sent to an address of their choice. */
function readsFiles(job: ScrapeJob): boolean {
  const clients = [
    job.http,
    ...job.httpSd.map(({ http }) => http),
    ...job.kubernetes.map(({ http }) => http),
  ];
  return job.files.length > 0 || clients.some(namesFiles);
}
