/** Reads a VirtualService's HTTP routes into a proxy's. */
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
import type {
  FaultPolicy,
  HeaderChanges,
  RetryPolicy,
  RouteConfig,
  RouteMatch,
  StringMatch,
} from "../proxy/config.ts";
import { istioRetryDefaults } from "../proxy/retry.ts";
import { parseGoDuration } from "./go-duration.ts";
import { type RegistryService, resolveHost } from "./registry.ts";
import { stringsOf } from "./traffic-policy.ts";

export interface RouteContext {
  readonly services: ReadonlyMap<string, RegistryService>;
  /** The port that the request was sent to; a destination without a port gets it, or the service's only one. */
  readonly port: number;
}

export function clusterName(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`;
}

const noHeaderChanges: HeaderChanges = { set: {}, add: {}, remove: [] };

export function defaultRoute(cluster: string): RouteConfig {
  return {
    name: "default",
    matches: [],
    clusters: [{ name: cluster, weight: 1 }],
    timeoutMs: 0,
    retries: istioRetryDefaults,
    requestHeaders: noHeaderChanges,
    responseHeaders: noHeaderChanges,
  };
}

export function httpRoutes(object: KubeObject, context: RouteContext): RouteConfig[] {
  return listAt(object, "spec", "http").map((route, i) => routeOf(object, route, i, context));
}

function routeOf(
  object: KubeObject,
  route: Json,
  index: number,
  context: RouteContext,
): RouteConfig {
  const namespace = object.metadata.namespace ?? "default";
  const fault = faultOf(mapAt(route, "fault"));
  const redirect = redirectOf(mapAt(route, "redirect"));
  const direct = mapAt(route, "directResponse");
  const status = numberAt(direct, "status");
  const rewritePath = stringAt(route, "rewrite", "uri");
  const rewriteAuthority = stringAt(route, "rewrite", "authority");
  return {
    name: stringAt(route, "name") ?? `${object.metadata.name}.${namespace}.${index}`,
    matches: listAt(route, "match").map(matchOf),
    clusters: destinations(listAt(route, "route"), namespace, context),
    timeoutMs: parseGoDuration(stringAt(route, "timeout") ?? "") ?? 0,
    retries: retriesOf(mapAt(route, "retries")),
    ...(fault === undefined ? {} : { fault }),
    ...(redirect === undefined ? {} : { redirect }),
    ...(status === undefined
      ? {}
      : { directResponse: { status, body: stringAt(direct, "body", "string") ?? "" } }),
    ...(rewritePath === undefined ? {} : { rewritePath }),
    ...(rewriteAuthority === undefined ? {} : { rewriteAuthority }),
    requestHeaders: headerChanges(mapAt(route, "headers", "request")),
    responseHeaders: headerChanges(mapAt(route, "headers", "response")),
  };
}

/** Weighted cluster names of `route:` lists; a lone destination has all the weight. */
export function destinations(
  routes: readonly Json[],
  namespace: string,
  context: RouteContext,
): { name: string; weight: number }[] {
  return routes.map((entry) => {
    const host = resolveHost(stringAt(entry, "destination", "host") ?? "", namespace);
    const subset = stringAt(entry, "destination", "subset") ?? "";
    const only = context.services.get(host)?.ports;
    const port =
      numberAt(entry, "destination", "port", "number") ??
      (only?.length === 1 ? only[0]?.port : undefined) ??
      context.port;
    const weight = numberAt(entry, "weight") ?? (routes.length === 1 ? 100 : 0);
    return { name: clusterName(port, subset, host), weight };
  });
}

function matchOf(match: Json): RouteMatch {
  const path = stringMatch(mapAt(match, "uri"));
  const method = stringMatch(mapAt(match, "method"));
  return {
    ...(path === undefined ? {} : { path }),
    ...(method === undefined ? {} : { method }),
    headers: headerMatches(mapAt(match, "headers")),
    withoutHeaders: headerMatches(mapAt(match, "withoutHeaders")),
  };
}

function headerMatches(headers: JsonObject): RouteMatch["headers"] {
  return Object.entries(headers).map(([name, match]) => ({
    name: name.toLowerCase(),
    match: (isObject(match) ? stringMatch(match) : undefined) ?? { kind: "present" },
  }));
}

function stringMatch(match: JsonObject): StringMatch | undefined {
  for (const kind of ["exact", "prefix", "regex"] as const) {
    const value = stringAt(match, kind);
    if (value !== undefined) return { kind, value };
  }
  return undefined;
}

function retriesOf(retries: JsonObject): RetryPolicy {
  const attempts = numberAt(retries, "attempts");
  if (attempts === undefined) return istioRetryDefaults;
  const retryOn = stringAt(retries, "retryOn");
  return {
    attempts,
    perTryTimeoutMs: parseGoDuration(stringAt(retries, "perTryTimeout") ?? "") ?? 0,
    retryOn:
      retryOn === undefined
        ? istioRetryDefaults.retryOn
        : retryOn.split(",").map((condition) => condition.trim()),
  };
}

function faultOf(fault: JsonObject): FaultPolicy | undefined {
  const delayMs = parseGoDuration(stringAt(fault, "delay", "fixedDelay") ?? "");
  const status = numberAt(fault, "abort", "httpStatus");
  if (delayMs === undefined && status === undefined) return undefined;
  return {
    ...(delayMs === undefined
      ? {}
      : { delay: { percent: percentOf(mapAt(fault, "delay")), ms: delayMs } }),
    ...(status === undefined
      ? {}
      : { abort: { percent: percentOf(mapAt(fault, "abort")), status } }),
  };
}

/** `percentage.value`, or the old whole-number `percent`; all requests when neither is given. */
function percentOf(fault: JsonObject): number {
  return numberAt(fault, "percentage", "value") ?? numberAt(fault, "percent") ?? 100;
}

function redirectOf(redirect: JsonObject): RouteConfig["redirect"] {
  if (Object.keys(redirect).length === 0) return undefined;
  const path = stringAt(redirect, "uri");
  const authority = stringAt(redirect, "authority");
  return {
    ...(path === undefined ? {} : { path }),
    ...(authority === undefined ? {} : { authority }),
    code: numberAt(redirect, "redirectCode") ?? 301,
  };
}

function headerChanges(changes: JsonObject): HeaderChanges {
  return {
    set: stringsOf(mapAt(changes, "set")),
    add: stringsOf(mapAt(changes, "add")),
    remove: listAt(changes, "remove").filter((name) => typeof name === "string"),
  };
}
