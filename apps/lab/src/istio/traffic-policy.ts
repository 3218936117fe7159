/** Reads a DestinationRule's traffic policy (whole, per port, per subset) into what a cluster needs. */
import {
  isObject,
  type Json,
  type JsonObject,
  listAt,
  mapAt,
  numberAt,
  stringAt,
} from "../kube/json.ts";
import type { KubeObject } from "../kube/object.ts";
import {
  type ClientTlsMode,
  type ConnectionLimits,
  defaultLimits,
  type LoadBalancing,
  type OutlierConfig,
} from "../proxy/config.ts";
import { parseGoDuration } from "./go-duration.ts";
import { resolveHost } from "./registry.ts";

export interface TrafficPolicy {
  readonly limits: ConnectionLimits;
  readonly outlier: OutlierConfig | undefined;
  readonly tls: ClientTlsMode;
  readonly loadBalancing: LoadBalancing;
}

export interface Subset {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly policy: JsonObject;
}

/** The oldest rule for a host decides, as in Istio; subsets of all of them count. */
export function rulesFor(rules: readonly KubeObject[], host: string): KubeObject[] {
  return rules.filter(
    (rule) =>
      resolveHost(stringAt(rule, "spec", "host") ?? "", rule.metadata.namespace ?? "default") ===
      host,
  );
}

export function subsetsOf(rules: readonly KubeObject[]): Subset[] {
  return rules.flatMap((rule) =>
    listAt(rule, "spec", "subsets").map((subset) => ({
      name: stringAt(subset, "name") ?? "",
      labels: stringsOf(mapAt(subset, "labels")),
      policy: mapAt(subset, "trafficPolicy"),
    })),
  );
}

/** The subset's settings over the rule's, group by group; a port's own settings over both. */
export function trafficPolicy(
  rule: KubeObject | undefined,
  subset: Subset | undefined,
  port: number,
): TrafficPolicy {
  const base = mapAt(rule, "spec", "trafficPolicy");
  const own = subset?.policy ?? {};
  const merged = { ...base, ...own };
  const portLevel = [
    ...listAt(own, "portLevelSettings"),
    ...listAt(base, "portLevelSettings"),
  ].find((settings) => numberAt(settings, "port", "number") === port);
  // Settings of a port stand alone: what they leave out is at its default, not inherited.
  const policy = isObject(portLevel) ? portLevel : merged;
  return {
    limits: limitsOf(mapAt(policy, "connectionPool")),
    outlier: outlierOf(policy["outlierDetection"]),
    tls: tlsOf(stringAt(policy, "tls", "mode")),
    loadBalancing: balancingOf(stringAt(policy, "loadBalancer", "simple")),
  };
}

function limitsOf(pool: JsonObject): ConnectionLimits {
  const timeout = stringAt(pool, "tcp", "connectTimeout");
  return {
    maxConnections: positive(pool, "tcp", "maxConnections") ?? defaultLimits.maxConnections,
    maxPendingRequests:
      positive(pool, "http", "http1MaxPendingRequests") ?? defaultLimits.maxPendingRequests,
    maxRequests: positive(pool, "http", "http2MaxRequests") ?? defaultLimits.maxRequests,
    maxRequestsPerConnection: positive(pool, "http", "maxRequestsPerConnection") ?? 0,
    maxRetries: positive(pool, "http", "maxRetries") ?? defaultLimits.maxRetries,
    connectTimeoutMs: (timeout && parseGoDuration(timeout)) || defaultLimits.connectTimeoutMs,
  };
}

function outlierOf(detection: Json | undefined): OutlierConfig | undefined {
  if (!isObject(detection)) return undefined;
  const ms = (name: string, fallback: number) =>
    parseGoDuration(stringAt(detection, name) ?? "") ?? fallback;
  return {
    consecutive5xx: numberAt(detection, "consecutive5xxErrors") ?? 5,
    consecutiveGatewayErrors: numberAt(detection, "consecutiveGatewayErrors") ?? 0,
    intervalMs: ms("interval", 10_000),
    baseEjectionMs: ms("baseEjectionTime", 30_000),
    maxEjectionPercent: numberAt(detection, "maxEjectionPercent") ?? 10,
  };
}

function tlsOf(mode: string | undefined): ClientTlsMode {
  if (mode === "ISTIO_MUTUAL" || mode === "MUTUAL") return "istio-mutual";
  return mode === "DISABLE" ? "disable" : "auto";
}

function balancingOf(simple: string | undefined): LoadBalancing {
  if (simple === "ROUND_ROBIN") return "round-robin";
  return simple === "RANDOM" ? "random" : "least-request";
}

/** 0 and absent both mean the default. */
function positive(object: JsonObject, ...path: string[]): number | undefined {
  const value = numberAt(object, ...path);
  return value === undefined || value <= 0 ? undefined : value;
}

export function stringsOf(object: JsonObject): Record<string, string> {
  const strings: Record<string, string> = {};
  for (const [name, value] of Object.entries(object)) {
    if (typeof value === "string") strings[name] = value;
  }
  return strings;
}
