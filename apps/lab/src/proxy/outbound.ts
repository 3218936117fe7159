/**
 * The outbound side of a proxy, and a gateway's listener: routes what the application (or the outside) sends to
 * clusters of the mesh. Hosts that the mesh does not know pass through to where they say, as Istio's ALLOW_ANY.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  headerOf,
  type Headers,
  hopHeaders,
  type HttpRequest,
  readBody,
  withoutHeaders,
} from "../http/message.ts";
import { injectTrace } from "../telemetry/trace-context.ts";
import {
  type ClusterConfig,
  defaultLimits,
  type FaultPolicy,
  type HeaderChanges,
  type RouteConfig,
  type WorkloadIdentity,
} from "./config.ts";
import type { Departure } from "./departure.ts";
import { Exchange } from "./exchange.ts";
import { clusterNotFound, faultAborted, replyFor, routeNotFound } from "./flags.ts";
import { forward, type Forwarded } from "./forward.ts";
import { peerHeaders, peerMetadataHeaders } from "./peer-metadata.ts";
import type { ProxyState } from "./proxy-state.ts";
import { withPort } from "./route-table.ts";
import type { UpstreamCluster } from "./upstream-cluster.ts";
import { chooseWeighted } from "./weighted.ts";

const requestIdHeader: ReadonlySet<string> = new Set(["x-request-id"]);

export async function handleOutbound(
  state: ProxyState,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const exchange = new Exchange(state, "source", request, response);
  try {
    exchange.body = await readBody(request);
  } catch {
    return exchange.replyLocally(replyFor("left", ""));
  }
  const found = state.routes.find(exchange.authority, exchange);
  if (found === undefined) return await passThrough(state, exchange);
  if (found.route === undefined) return replyNoRoute(state, exchange);
  await routeTo(state, exchange, found.route);
}

function replyNoRoute(state: ProxyState, exchange: Exchange): void {
  // A sidecar names the service by the Host header where no cluster was reached; a gateway does not trust it.
  if (state.options.role === "sidecar") {
    const host = exchange.authority;
    exchange.passage.service = { host, name: host, namespace: "unknown" };
  }
  exchange.replyLocally(routeNotFound);
}

async function passThrough(state: ProxyState, exchange: Exchange): Promise<void> {
  if (state.options.role === "gateway") return exchange.replyLocally(routeNotFound);
  const blackHole = state.config.outboundPolicy === "REGISTRY_ONLY";
  const name = blackHole ? "BlackHoleCluster" : "PassthroughCluster";
  exchange.passage.service = { host: exchange.authority, name, namespace: "unknown" };
  exchange.passage.upstreamCluster = name;
  if (blackHole) {
    return exchange.end({
      status: 502,
      flags: [],
      details: "direct_response",
      headers: [],
      body: Buffer.alloc(0),
    });
  }
  const cluster = state.ensureCluster(passthroughCluster(exchange.authority));
  const forwarded = await forward(cluster, () => outgoing(state, exchange, undefined, 1), {
    timeoutMs: 0,
    retries: { attempts: 0, perTryTimeoutMs: 0, retryOn: [] },
    random: state.options.random,
    left: exchange.left,
  });
  finish(exchange, forwarded, undefined, []);
}

/** One cluster for all foreign hosts, as in Envoy; its only endpoint is whatever was asked for last. */
function passthroughCluster(authority: string): ClusterConfig {
  const [address = "", port = "80"] = withPort(authority).split(":");
  const stranger: WorkloadIdentity = {
    workload: "unknown",
    namespace: "unknown",
    app: "unknown",
    version: "unknown",
    canonicalService: "unknown",
    canonicalRevision: "latest",
    principal: "unknown",
    cluster: "unknown",
    pod: authority,
  };
  return {
    name: "PassthroughCluster",
    service: { host: authority, name: "PassthroughCluster", namespace: "unknown" },
    protocol: "http",
    endpoints: [{ address, port: Number(port), identity: stranger, mutualTls: false }],
    tls: "disable",
    limits: defaultLimits,
    loadBalancing: "least-request",
  };
}

async function routeTo(state: ProxyState, exchange: Exchange, route: RouteConfig): Promise<void> {
  exchange.passage.routeName = route.name;
  const direct = route.redirect ?? route.directResponse;
  if (direct !== undefined) return replyDirectly(exchange, route);
  const choice = chooseWeighted(route.clusters, state.options.random);
  exchange.passage.upstreamCluster = choice ?? "";
  const cluster = choice === undefined ? undefined : state.clusters.get(choice);
  if (cluster === undefined) {
    replyNoRouteService(exchange, choice);
    return exchange.replyLocally(clusterNotFound);
  }
  nameService(exchange, cluster);
  const injected = await injectFault(route.fault, exchange, state.options.random);
  if (injected.aborted) return;
  const prepare = (host: { mutualTls: boolean }, attempt: number) => {
    exchange.passage.mutualTls = host.mutualTls;
    return outgoing(state, exchange, route, attempt);
  };
  const forwarded = await forward(cluster, prepare, {
    timeoutMs: route.timeoutMs,
    retries: route.retries,
    random: state.options.random,
    left: exchange.left,
  });
  finish(exchange, forwarded, route, injected.flags);
}

function replyNoRouteService(exchange: Exchange, cluster: string | undefined): void {
  const host = cluster?.split("|")[3];
  if (host === undefined) return;
  const [name = host, namespace = "unknown"] = host.split(".");
  exchange.passage.service = { host, name, namespace };
}

function nameService(exchange: Exchange, cluster: UpstreamCluster): void {
  const { service, name } = cluster.config;
  exchange.passage.service = service;
  exchange.passage.operation = `${service.host}:${name.split("|")[1] ?? ""}/*`;
}

function replyDirectly(exchange: Exchange, route: RouteConfig): void {
  const { redirect, directResponse } = route;
  const location =
    redirect &&
    `http://${redirect.authority ?? exchange.authority}${redirect.path ?? exchange.path}`;
  exchange.end({
    status: redirect?.code ?? directResponse?.status ?? 200,
    flags: [],
    details: "direct_response",
    headers: location === undefined ? [] : ["location", location],
    body: Buffer.from(directResponse?.body ?? ""),
  });
}

async function injectFault(
  fault: FaultPolicy | undefined,
  exchange: Exchange,
  random: () => number,
): Promise<{ flags: string[]; aborted: boolean }> {
  const flags: string[] = [];
  if (fault?.delay !== undefined && random() * 100 < fault.delay.percent) {
    flags.push("DI");
    await delay(fault.delay.ms, exchange.left);
  }
  if (fault?.abort !== undefined && random() * 100 < fault.abort.percent) {
    exchange.replyLocally(faultAborted(fault.abort.status), flags);
    return { flags, aborted: true };
  }
  return { flags, aborted: false };
}

function delay(ms: number, left: Departure): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      left.listen(undefined);
      resolve();
    };
    const timer = setTimeout(end, ms);
    left.listen(end);
  });
}

/** The request as it goes upstream: trace, peer metadata, rewrites. */
function outgoing(
  state: ProxyState,
  exchange: Exchange,
  route: RouteConfig | undefined,
  attempt: number,
): HttpRequest {
  const { self, podAddress, role } = state.options;
  let headers: Headers = withoutHeaders(exchange.headers, hopHeaders);
  headers = withoutHeaders(withoutHeaders(headers, requestIdHeader), peerHeaders);
  headers = injectTrace(headers, exchange.trace, exchange.parent?.spanId);
  headers.push("x-request-id", exchange.requestId, "x-envoy-attempt-count", String(attempt));
  if (route !== undefined) headers.push(...peerMetadataHeaders(self, podAddress));
  if (role === "gateway" && headerOf(headers, "x-forwarded-for") === undefined) {
    headers.push("x-forwarded-for", podAddress, "x-forwarded-proto", "http");
  }
  if (route !== undefined) headers = changeHeaders(headers, route.requestHeaders);
  if (route?.rewriteAuthority !== undefined) {
    headers = changeHeaders(headers, {
      set: { host: route.rewriteAuthority },
      add: {},
      remove: [],
    });
  }
  return {
    method: exchange.method,
    path: rewrite(exchange.path, route),
    headers,
    body: exchange.body,
  };
}

function rewrite(path: string, route: RouteConfig | undefined): string {
  if (route?.rewritePath === undefined) return path;
  const prefix = route.matches.find((match) => match.path?.kind === "prefix")?.path;
  const matched = prefix !== undefined && "value" in prefix ? prefix.value : undefined;
  return matched === undefined ? route.rewritePath : route.rewritePath + path.slice(matched.length);
}

function changeHeaders(headers: Headers, changes: HeaderChanges): Headers {
  const dropped = new Set(
    [...changes.remove, ...Object.keys(changes.set)].map((h) => h.toLowerCase()),
  );
  const changed = dropped.size === 0 ? headers : withoutHeaders(headers, dropped);
  for (const [name, value] of Object.entries(changes.set)) changed.push(name, value);
  for (const [name, value] of Object.entries(changes.add)) changed.push(name, value);
  return changed;
}

function finish(
  exchange: Exchange,
  forwarded: Forwarded,
  route: RouteConfig | undefined,
  faultFlags: readonly string[],
): void {
  const { outcome, host } = forwarded;
  notePeer(exchange, forwarded);
  exchange.passage.upstreamHost = host?.key;
  exchange.passage.upstreamLocalAddress = forwarded.localAddress;
  exchange.passage.upstreamServiceTimeMs = forwarded.serviceTimeMs;
  const flags = [...faultFlags];
  if (outcome.kind === "failure") {
    if (forwarded.retriesExhausted) flags.push("URX");
    return exchange.replyLocally(replyFor(outcome.failure, outcome.message), flags);
  }
  if (forwarded.retriesExhausted) flags.push("URX");
  let { headers } = outcome.response;
  if (route !== undefined) headers = changeHeaders([...headers], route.responseHeaders);
  exchange.end({
    status: outcome.response.status,
    flags,
    details: "via_upstream",
    headers: [
      ...headers,
      "x-envoy-upstream-service-time",
      String(Math.round(forwarded.serviceTimeMs ?? 0)),
    ],
    body: outcome.response.body,
  });
}

/** A peer that answered is known in full; one that was only chosen is known by what its endpoint says of the workload. */
function notePeer(exchange: Exchange, { outcome, host }: Forwarded): void {
  if (host === undefined || exchange.passage.service.name === "PassthroughCluster") return;
  const { identity } = host.endpoint;
  if (outcome.kind === "response") {
    exchange.passage.peer = identity;
    return;
  }
  exchange.passage.mutualTls = false;
  exchange.passage.peer = {
    workload: identity.workload,
    namespace: identity.namespace,
    canonicalService: identity.canonicalService,
    canonicalRevision: identity.canonicalRevision,
    cluster: identity.cluster,
  };
}
