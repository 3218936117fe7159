/**
 * Reads a Prometheus configuration's `global` and `scrape_configs` as they are. Settings that have no effect here are named in
 * `ignored` rather than refused, so that a real prometheus.yml can be used; misunderstood ones are errors that say where.
 *
 * Secrets stay in `Secret` objects, which print as `<secret>`.
 */
import { messageOf } from "@skopos/model";
import { IngestError } from "../errors.ts";
import { type DiscoveryConfigs, readDiscoveries } from "../discovery/config.ts";
import { type HttpConfig, readHttp } from "./http-config.ts";
import { protocolDefaults, type ScrapeProtocol, scrapeProtocols } from "./protocols.ts";
import { compileRelabeling, relabelActions, relabelDefaults, type RelabelRule } from "./relabel.ts";
import { type Fields, openYaml } from "./yaml-fields.ts";

/** 0 means no limit, as in Prometheus. */
interface ScrapeLimits {
  readonly bodySizeBytes: number;
  readonly samples: number;
  readonly labels: number;
  readonly labelNameChars: number;
  readonly labelValueChars: number;
  readonly targets: number;
  /** Dropped targets that are shown. */
  readonly keepDropped: number;
}

export interface ScrapeJob extends DiscoveryConfigs {
  readonly name: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly metricsPath: string;
  readonly scheme: "http" | "https";
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  /** Series with times of their own get a staleness marker too when they vanish. */
  readonly trackTimestampsStaleness: boolean;
  /** What to ask for, best first. */
  readonly protocols: readonly ScrapeProtocol[];
  /** What a page is read as when its media type is missing or unknown. */
  readonly fallbackProtocol: ScrapeProtocol | undefined;
  readonly http: HttpConfig;
  readonly limits: ScrapeLimits;
  readonly relabel: readonly RelabelRule[];
  readonly metricRelabel: readonly RelabelRule[];
}

export interface ScrapeConfig {
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly jobs: readonly ScrapeJob[];
  /** What `global` says for jobs that say nothing. */
  readonly defaults: { readonly intervalMs: number; readonly timeoutMs: number };
  /** Settings that were read and have no effect here, with their line. */
  readonly ignored: readonly string[];
}

/** Parses the text of `fileName` (named in errors; relative files in it are resolved against its folder). Throws "bad-config". */
export function parseScrapeConfig(text: string, fileName = "prometheus.yml"): ScrapeConfig {
  const { root, ignored } = openYaml(text, fileName);
  const global = root.child("global");
  const intervalMs = global.duration("scrape_interval", 60_000);
  const defaults: Defaults = {
    intervalMs,
    timeoutMs: global.duration("scrape_timeout", Math.min(10_000, intervalMs)),
    limits: readLimits(global, noLimits),
    protocols: readProtocols(global, protocolDefaults),
  };
  const externalLabels = global.strings("external_labels");
  const jobs = root.list("scrape_configs").map((job) => readJob(job, defaults));
  const names = new Set<string>();
  for (const job of jobs) {
    if (names.has(job.name))
      throw new IngestError(
        "bad-config",
        `${fileName}: two scrape_configs have the job_name ${JSON.stringify(job.name)}: rename one`,
      );
    names.add(job.name);
  }
  // Read by those who send samples on.
  root.skip("remote_write");
  root.finish();
  global.finish();
  const { timeoutMs } = defaults;
  return { externalLabels, jobs, defaults: { intervalMs, timeoutMs }, ignored };
}

interface Defaults {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly limits: ScrapeLimits;
  readonly protocols: readonly ScrapeProtocol[];
}

const noLimits: ScrapeLimits = {
  bodySizeBytes: 0,
  samples: 0,
  labels: 0,
  labelNameChars: 0,
  labelValueChars: 0,
  targets: 0,
  keepDropped: 0,
};

function readLimits(map: Fields, defaults: ScrapeLimits): ScrapeLimits {
  return {
    bodySizeBytes: map.bytes("body_size_limit", defaults.bodySizeBytes),
    samples: map.count("sample_limit", defaults.samples),
    labels: map.count("label_limit", defaults.labels),
    labelNameChars: map.count("label_name_length_limit", defaults.labelNameChars),
    labelValueChars: map.count("label_value_length_limit", defaults.labelValueChars),
    targets: map.count("target_limit", defaults.targets),
    keepDropped: map.count("keep_dropped_targets", defaults.keepDropped),
  };
}

function readJob(map: Fields, defaults: Defaults): ScrapeJob {
  const name = map.text("job_name", "");
  if (name === "") map.fail("a scrape config needs a job_name");
  const intervalMs = map.duration("scrape_interval", defaults.intervalMs);
  const timeoutMs = map.duration("scrape_timeout", Math.min(defaults.timeoutMs, intervalMs));
  if (timeoutMs > intervalMs)
    map.fail(`scrape_timeout of job ${name} is longer than its scrape_interval`, "scrape_timeout");
  if (intervalMs === 0) map.fail(`scrape_interval of job ${name} is 0`, "scrape_interval");
  const job: ScrapeJob = {
    name,
    intervalMs,
    timeoutMs,
    metricsPath: map.text("metrics_path", "/metrics"),
    scheme: map.oneOf("scheme", ["http", "https"], "http"),
    params: map.stringLists("params"),
    honorLabels: map.flag("honor_labels", false),
    honorTimestamps: map.flag("honor_timestamps", true),
    trackTimestampsStaleness: map.flag("track_timestamps_staleness", false),
    protocols: readProtocols(map, defaults.protocols),
    fallbackProtocol: map.has("fallback_scrape_protocol")
      ? map.oneOf("fallback_scrape_protocol", scrapeProtocols, undefined)
      : undefined,
    http: readHttp(map),
    limits: readLimits(map, defaults.limits),
    relabel: map.list("relabel_configs").map(readRelabel),
    metricRelabel: map.list("metric_relabel_configs").map(readRelabel),
    ...readDiscoveries(map),
  };
  map.finish();
  return job;
}

function readProtocols(
  map: Fields,
  fallback: readonly ScrapeProtocol[],
): readonly ScrapeProtocol[] {
  const name = "scrape_protocols";
  if (!map.has(name)) return fallback;
  const found = map.texts(name).map((text) => {
    const known = scrapeProtocols.find((protocol) => protocol === text);
    return known ?? map.fail(`${name}: ${text} is none of ${scrapeProtocols.join(", ")}`, name);
  });
  if (found.length === 0) map.fail(`${name} must not be empty`, name);
  if (new Set(found).size !== found.length) map.fail(`${name} names one twice`, name);
  return found;
}

export function readRelabel(map: Fields): RelabelRule {
  const rule: RelabelRule = {
    action: map.oneOf("action", relabelActions, relabelDefaults.action, true),
    sourceLabels: map.texts("source_labels"),
    separator: map.text("separator", relabelDefaults.separator),
    regex: map.text("regex", relabelDefaults.regex),
    modulus: BigInt(map.count("modulus", 0)),
    targetLabel: map.text("target_label", ""),
    replacement: map.text("replacement", relabelDefaults.replacement),
  };
  const needsTarget = ["replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal"];
  if (needsTarget.includes(rule.action) && rule.targetLabel === "")
    map.fail(`a relabel rule with action ${rule.action} needs a target_label`);
  if (rule.action === "hashmod" && rule.modulus === 0n)
    map.fail("a relabel rule with action hashmod needs a modulus");
  try {
    compileRelabeling([rule]);
  } catch (error) {
    map.fail(messageOf(error), "regex");
  }
  map.finish();
  return rule;
}
