/**
 * Reads a Prometheus configuration's `global` and `scrape_configs` as they are. Unknown settings are named in `ignored`
 * rather than refused, so that a real prometheus.yml can be used; misunderstood ones are errors that say where.
 *
 * Secrets stay in `Secret` objects, which print as `<secret>`.
 */
import { messageOf } from "@skopos/model";
import { IngestError } from "../errors.ts";
import { compileRelabeling, relabelActions, relabelDefaults, type RelabelRule } from "./relabel.ts";
import { kubernetesRoles, type KubernetesRole } from "../discovery/roles.ts";
import { Secret } from "./secret.ts";
import { type Fields, openYaml } from "./yaml-fields.ts";

export interface TlsConfig {
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

/** Read anew before each request, as files may be rotated. */
type Credentials =
  | {
      readonly scheme: "basic";
      readonly username: string;
      readonly secret: Secret | { readonly file: string };
    }
  | { readonly scheme: string; readonly secret: Secret | { readonly file: string } };

export interface HttpConfig {
  readonly credentials: Credentials | undefined;
  readonly tls: TlsConfig | undefined;
}

interface StaticConfig {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

interface KubernetesSelector {
  readonly role: KubernetesRole;
  readonly label: string;
  readonly field: string;
}

export interface KubernetesConfig {
  readonly role: KubernetesRole;
  /** "" means in-cluster, or what the caller decides. */
  readonly apiServer: string;
  readonly namespaces: readonly string[];
  readonly selectors: readonly KubernetesSelector[];
  readonly http: HttpConfig;
}

/** 0 means no limit, as in Prometheus. */
interface ScrapeLimits {
  readonly bodySizeBytes: number;
  readonly samples: number;
  readonly labels: number;
  readonly labelNameChars: number;
  readonly labelValueChars: number;
  readonly targets: number;
}

export interface ScrapeJob {
  readonly name: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly metricsPath: string;
  readonly scheme: "http" | "https";
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  readonly http: HttpConfig;
  readonly limits: ScrapeLimits;
  readonly relabel: readonly RelabelRule[];
  readonly metricRelabel: readonly RelabelRule[];
  readonly staticConfigs: readonly StaticConfig[];
  readonly kubernetes: readonly KubernetesConfig[];
}

export interface ScrapeConfig {
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly jobs: readonly ScrapeJob[];
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
  for (const name of ["rule_files", "alerting", "remote_write", "remote_read", "storage"])
    root.skip(name);
  global.skip("evaluation_interval");
  root.finish();
  global.finish();
  return { externalLabels, jobs, ignored };
}

interface Defaults {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly limits: ScrapeLimits;
}

const noLimits: ScrapeLimits = {
  bodySizeBytes: 0,
  samples: 0,
  labels: 0,
  labelNameChars: 0,
  labelValueChars: 0,
  targets: 0,
};

function readLimits(map: Fields, defaults: ScrapeLimits): ScrapeLimits {
  return {
    bodySizeBytes: map.bytes("body_size_limit", defaults.bodySizeBytes),
    samples: map.count("sample_limit", defaults.samples),
    labels: map.count("label_limit", defaults.labels),
    labelNameChars: map.count("label_name_length_limit", defaults.labelNameChars),
    labelValueChars: map.count("label_value_length_limit", defaults.labelValueChars),
    targets: map.count("target_limit", defaults.targets),
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
    http: readHttp(map),
    limits: readLimits(map, defaults.limits),
    relabel: map.list("relabel_configs").map(readRelabel),
    metricRelabel: map.list("metric_relabel_configs").map(readRelabel),
    staticConfigs: map.list("static_configs").map((entry) => {
      const config = { targets: entry.texts("targets"), labels: entry.strings("labels") };
      entry.finish();
      return config;
    }),
    kubernetes: map.list("kubernetes_sd_configs").map(readKubernetes),
  };
  map.finish();
  return job;
}

export function readHttp(map: Fields): HttpConfig {
  const basic = map.child("basic_auth");
  const authorization = map.child("authorization");
  const bearer = map.text("bearer_token", "");
  const bearerFile = map.file("bearer_token_file");
  const tls = map.has("tls_config") ? readTls(map.child("tls_config")) : undefined;
  let credentials: Credentials | undefined;
  if (map.has("basic_auth"))
    credentials = {
      scheme: "basic",
      username: basic.text("username", ""),
      secret: readSecret(basic, "password"),
    };
  else if (map.has("authorization"))
    credentials = {
      scheme: authorization.text("type", "Bearer"),
      secret: readSecret(authorization, "credentials"),
    };
  else if (bearer !== "") credentials = { scheme: "Bearer", secret: new Secret(bearer) };
  else if (bearerFile !== undefined)
    credentials = { scheme: "Bearer", secret: { file: bearerFile } };
  if (map.has("basic_auth") && map.has("authorization"))
    map.fail("basic_auth and authorization exclude each other: keep one", "authorization");
  basic.finish();
  authorization.finish();
  return { credentials, tls };
}

function readSecret(map: Fields, name: string): Secret | { file: string } {
  const file = map.file(`${name}_file`);
  if (file !== undefined) return { file };
  return new Secret(map.text(name, ""));
}

function readTls(map: Fields): TlsConfig {
  const tls: TlsConfig = {
    caFile: map.file("ca_file"),
    certFile: map.file("cert_file"),
    keyFile: map.file("key_file"),
    serverName: map.text("server_name", "") || undefined,
    insecureSkipVerify: map.flag("insecure_skip_verify", false),
  };
  map.finish();
  return tls;
}

function readKubernetes(map: Fields): KubernetesConfig {
  const namespaces = map.child("namespaces");
  const config: KubernetesConfig = {
    role: map.oneOf("role", kubernetesRoles, undefined),
    apiServer: map.text("api_server", ""),
    namespaces: namespaces.texts("names"),
    selectors: map.list("selectors").map((entry) => {
      const selector = {
        role: entry.oneOf("role", kubernetesRoles, undefined),
        label: entry.text("label", ""),
        field: entry.text("field", ""),
      };
      entry.finish();
      return selector;
    }),
    http: readHttp(map),
  };
  namespaces.finish();
  map.finish();
  return config;
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
