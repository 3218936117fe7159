/** Where a job's targets come from, as Prometheus's `*_sd_configs` say it. */
import { readFileSync } from "node:fs";
import { messageOf } from "@skopos/model";
import { type HttpConfig, readHttp } from "../scrape/http-config.ts";
import type { Fields } from "../scrape/yaml-fields.ts";
import { kubernetesRoles, type KubernetesRole } from "./roles.ts";

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
  /** Labels of the node that a pod runs on are added to the pod's. */
  readonly attachNode: boolean;
  readonly http: HttpConfig;
}

export interface FileConfig {
  /** The last part of a path may hold `*`. */
  readonly files: readonly string[];
  readonly refreshMs: number;
}

export interface HttpSdConfig {
  readonly url: string;
  readonly refreshMs: number;
  readonly http: HttpConfig;
}

export interface DiscoveryConfigs {
  readonly staticConfigs: readonly StaticConfig[];
  readonly files: readonly FileConfig[];
  readonly httpSd: readonly HttpSdConfig[];
  readonly kubernetes: readonly KubernetesConfig[];
}

export function readDiscoveries(map: Fields): DiscoveryConfigs {
  return {
    staticConfigs: map.list("static_configs").map(readStatic),
    files: map.list("file_sd_configs").map(readFiles),
    httpSd: map.list("http_sd_configs").map(readHttpSd),
    kubernetes: map.list("kubernetes_sd_configs").map(readKubernetes),
  };
}

function readStatic(map: Fields): StaticConfig {
  const config = { targets: map.texts("targets"), labels: map.strings("labels") };
  for (const target of config.targets)
    if (target.includes("/"))
      map.fail(
        `${JSON.stringify(target)} is not a target: write host:port, without a path`,
        "targets",
      );
  map.finish();
  return config;
}

const filePattern = /^[^*]*(?:\*[^/]*)?\.(?:json|ya?ml)$/i;

function readFiles(map: Fields): FileConfig {
  const files = map.files("files");
  if (files.length === 0) map.fail("a file_sd_config needs files");
  for (const file of files)
    if (!filePattern.test(file))
      map.fail(
        `${file}: a file ends in .json, .yml or .yaml, and only its last part may hold *`,
        "files",
      );
  const refreshMs = readRefresh(map, 300_000);
  map.finish();
  return { files, refreshMs };
}

function readRefresh(map: Fields, fallbackMs: number): number {
  const refreshMs = map.duration("refresh_interval", fallbackMs);
  if (refreshMs === 0) map.fail("refresh_interval must not be 0", "refresh_interval");
  return refreshMs;
}

function readHttpSd(map: Fields): HttpSdConfig {
  const url = map.text("url", "");
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    map.fail(`url must be an http or https address, not ${JSON.stringify(url)}`, "url");
  const config = { url, refreshMs: readRefresh(map, 60_000), http: readHttp(map) };
  map.finish();
  return config;
}

const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

function readKubernetes(map: Fields): KubernetesConfig {
  const namespaces = map.child("namespaces");
  const attach = map.child("attach_metadata");
  const names = namespaces.texts("names");
  if (namespaces.flag("own_namespace", false)) {
    try {
      names.push(readFileSync(namespaceFile, "utf8").trim());
    } catch (error) {
      namespaces.fail(`own_namespace: this is no pod of a cluster: ${messageOf(error)}`);
    }
  }
  const config: KubernetesConfig = {
    role: map.oneOf("role", kubernetesRoles, undefined),
    apiServer: map.text("api_server", ""),
    namespaces: names,
    selectors: map.list("selectors").map(readSelector),
    attachNode: attach.flag("node", false),
    http: readHttp(map),
  };
  if (config.http.oauth2)
    map.fail("kubernetes_sd_configs take no oauth2: use authorization", "oauth2");
  attach.finish();
  namespaces.finish();
  map.finish();
  return config;
}

function readSelector(map: Fields): KubernetesSelector {
  const selector = {
    role: map.oneOf("role", kubernetesRoles, undefined),
    label: map.text("label", ""),
    field: map.text("field", ""),
  };
  map.finish();
  return selector;
}
