/**
 * What the operator's kinds say alike of how a page is asked for, as Prometheus's configuration says it: plain settings,
 * limits, credentials from Secrets, relabelling. Source: prometheus-operator, API reference and pkg/prometheus/promcfg.go.
 */
import { listOf, recordOf, textOf } from "../discovery/meta-labels.ts";
import { isRecord } from "../discovery/reflector.ts";
import { IngestError } from "../errors.ts";
import type { Lookup } from "./references.ts";

export type Json = Record<string, unknown>;

const plainSettings: Readonly<Record<string, string>> = {
  interval: "scrape_interval",
  scrapeTimeout: "scrape_timeout",
  path: "metrics_path",
  params: "params",
  scheme: "scheme",
  honorLabels: "honor_labels",
  honorTimestamps: "honor_timestamps",
  trackTimestampsStaleness: "track_timestamps_staleness",
  followRedirects: "follow_redirects",
};

const limitSettings: Readonly<Record<string, string>> = {
  sampleLimit: "sample_limit",
  targetLimit: "target_limit",
  labelLimit: "label_limit",
  labelNameLengthLimit: "label_name_length_limit",
  labelValueLengthLimit: "label_value_length_limit",
  keepDroppedTargets: "keep_dropped_targets",
  bodySizeLimit: "body_size_limit",
  scrapeProtocols: "scrape_protocols",
  fallbackScrapeProtocol: "fallback_scrape_protocol",
};

/** `spec` has the limits, `endpoint` the rest. Throws "bad-config". */
export function settingsOf(spec: Json, endpoint: Json, lookup: Lookup): Json {
  const settings: Json = {};
  for (const [field, name] of Object.entries(plainSettings))
    if (isGiven(endpoint[field])) settings[name] = endpoint[field];
  for (const [field, name] of Object.entries(limitSettings))
    if (isGiven(spec[field])) settings[name] = spec[field];
  const scheme = endpoint["scheme"];
  if (typeof scheme === "string") settings["scheme"] = scheme.toLowerCase();
  const metricRules = relabelings(endpoint["metricRelabelings"]);
  if (metricRules.length > 0) settings["metric_relabel_configs"] = metricRules;
  return { ...settings, ...credentialsOf(endpoint, lookup) };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

/** Who asks, and through what: TLS, and a proxy. Throws "bad-config". */
export function credentialsOf(endpoint: Json, lookup: Lookup): Json {
  const secret = (value: unknown) => lookup("secrets", recordOf(value));
  refuseFile(endpoint, "bearerTokenFile");
  const settings: Json = {};
  const { basicAuth, authorization, bearerTokenSecret, tlsConfig, oauth2, proxyUrl } = endpoint;
  if (isRecord(basicAuth))
    settings["basic_auth"] = {
      username: secret(basicAuth["username"]),
      password: secret(basicAuth["password"]),
    };
  else if (isRecord(authorization))
    settings["authorization"] = {
      type: textOf(authorization["type"]) || "Bearer",
      credentials: secret(authorization["credentials"]),
    };
  else if (textOf(recordOf(bearerTokenSecret)["name"]) !== "")
    settings["authorization"] = { type: "Bearer", credentials: secret(bearerTokenSecret) };
  else if (isRecord(oauth2)) settings["oauth2"] = oauth2Of(oauth2, lookup);
  if (isRecord(tlsConfig)) settings["tls_config"] = tlsOf(tlsConfig, lookup);
  if (isGiven(proxyUrl)) settings["proxy_url"] = proxyUrl;
  return settings;
}

/** `{secret: …}` or `{configMap: …}`. */
function textIn(value: unknown, lookup: Lookup): string | undefined {
  const { secret, configMap } = recordOf(value);
  if (isRecord(secret)) return lookup("secrets", secret);
  return isRecord(configMap) ? lookup("configmaps", configMap) : undefined;
}

function oauth2Of(oauth2: Json, lookup: Lookup): Json {
  const { tokenUrl, scopes, endpointParams, tlsConfig, proxyUrl } = oauth2;
  const settings: Json = {
    client_id: textIn(oauth2["clientId"], lookup),
    client_secret: lookup("secrets", recordOf(oauth2["clientSecret"])),
    token_url: tokenUrl,
    scopes,
    endpoint_params: endpointParams,
    tls_config: isRecord(tlsConfig) ? tlsOf(tlsConfig, lookup) : undefined,
    proxy_url: proxyUrl,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => isGiven(value)));
}

function tlsOf(tls: Json, lookup: Lookup): Json {
  for (const file of ["caFile", "certFile", "keyFile"]) refuseFile(tls, file);
  const pem = (value: unknown) => textIn(value, lookup);
  const settings: Json = {
    ca: pem(tls["ca"]),
    cert: pem(tls["cert"]),
    key: isRecord(tls["keySecret"]) ? lookup("secrets", tls["keySecret"]) : undefined,
    server_name: tls["serverName"],
    insecure_skip_verify: tls["insecureSkipVerify"],
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => isGiven(value)));
}

function refuseFile(settings: Json, name: string): void {
  if (isGiven(settings[name]))
    throw new IngestError(
      "bad-config",
      `${name}: files are not read for monitors, put it into a Secret and name that`,
    );
}

const relabelFields: Readonly<Record<string, string>> = {
  sourceLabels: "source_labels",
  separator: "separator",
  targetLabel: "target_label",
  regex: "regex",
  modulus: "modulus",
  replacement: "replacement",
  action: "action",
};

export function relabelings(list: unknown): Json[] {
  return listOf(list).map((rule) =>
    Object.fromEntries(
      Object.entries(relabelFields).flatMap(([field, name]) =>
        rule[field] === undefined || rule[field] === null ? [] : [[name, rule[field]]],
      ),
    ),
  );
}
