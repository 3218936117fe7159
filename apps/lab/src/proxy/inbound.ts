/**
 * The inbound side of a sidecar: takes mutual TLS or plain connections as PeerAuthentication says, hands HTTP requests
 * and TCP bytes to the application, and reports as the destination.
 */
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createTcpServer, type Server as TcpServer, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, TLSSocket } from "node:tls";
import { hopHeaders, readBody, withoutHeaders } from "../http/message.ts";
import { injectTrace } from "../telemetry/trace-context.ts";
import {
  type ClusterConfig,
  defaultLimits,
  type InboundPort,
  type WorkloadIdentity,
} from "./config.ts";
import { Exchange } from "./exchange.ts";
import { replyFor } from "./flags.ts";
import { forward } from "./forward.ts";
import { type ProxyIdentity, spiffeOf } from "./identity.ts";
import { peerFrom, peerHeaders } from "./peer-metadata.ts";
import type { ProxyState } from "./proxy-state.ts";
import { pipeTcp } from "./tcp.ts";

export interface InboundListener {
  readonly server: TcpServer;
  /** New certificate for connections to come. */
  renew(identity: ProxyIdentity): void;
  close(): void;
}

const tlsHandshakeByte = 0x16;

/** `app`: where the application listens. The port's protocol and TLS mode are read from the state at each connection. */
export function createInbound(
  state: ProxyState,
  port: number,
  app: { address: string; port: number },
): InboundListener {
  const sockets = new Set<Socket>();
  const http = createHttpServer((request, response) => {
    void handleInbound(state, port, app, request, response);
  });
  tuneServer(http);
  const accept = (socket: Socket) => {
    if (portConfig(state, port)?.protocol === "tcp") acceptTcp(state, port, app, socket);
    else http.emit("connection", socket);
  };
  const tls = createMutualTlsServer(state.options.identity, accept);
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const mode = portConfig(state, port)?.mutualTls ?? "PERMISSIVE";
    if (mode === "DISABLE") return accept(socket);
    socket.once("data", (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      if (first[0] === tlsHandshakeByte) tls.emit("connection", socket);
      else if (mode === "STRICT") socket.resetAndDestroy();
      else accept(socket);
      process.nextTick(() => socket.resume());
    });
  });
  return {
    server,
    renew(identity) {
      const { issued } = identity;
      if (issued === undefined) return;
      tls.setSecureContext(identity.serverOptions());
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Peers keep connections for long, as Envoy does; a proxy that closes idle ones first would race with their requests. */
export function tuneServer(server: HttpServer): void {
  server.keepAliveTimeout = 0;
  server.headersTimeout = 0;
  server.requestTimeout = 0;
  server.timeout = 0;
}

function createMutualTlsServer(
  identity: ProxyIdentity,
  accept: (socket: Socket) => void,
): TlsServer {
  const server = createTlsServer({
    ...identity.serverOptions(),
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: ["istio", "http/1.1"],
  });
  server.on("secureConnection", accept);
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return server;
}

function portConfig(state: ProxyState, port: number): InboundPort | undefined {
  return state.config.inbound.find((inbound) => inbound.port === port);
}

/** The caller's proven SPIFFE id; undefined over plain connections. */
const principals = new WeakMap<Socket, string>();

function principalOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  let principal = principals.get(socket);
  if (principal === undefined) {
    principal = spiffeOf(socket.getPeerCertificate()) ?? "unknown";
    principals.set(socket, principal);
  }
  return principal;
}

async function handleInbound(
  state: ProxyState,
  port: number,
  app: { address: string; port: number },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const exchange = new Exchange(state, "destination", request, response);
  describe(state, port, request.socket, exchange);
  try {
    exchange.body = await readBody(request);
  } catch {
    return exchange.replyLocally(replyFor("left", ""));
  }
  const cluster =
    state.clusters.get(`inbound|${port}||`) ??
    state.ensureCluster(inboundCluster(state, port, app));
  const forwarded = await forward(cluster, () => incoming(exchange), {
    timeoutMs: 0,
    retries: { attempts: 2, perTryTimeoutMs: 0, retryOn: ["connect-failure", "refused-stream"] },
    random: state.options.random,
    left: exchange.left,
  });
  exchange.passage.upstreamHost = `${state.options.podAddress}:${port}`;
  exchange.passage.upstreamLocalAddress = forwarded.localAddress;
  exchange.passage.upstreamServiceTimeMs = forwarded.serviceTimeMs;
  const { outcome } = forwarded;
  if (outcome.kind === "failure") {
    return exchange.replyLocally(replyFor(outcome.failure, outcome.message));
  }
  exchange.end({
    status: outcome.response.status,
    flags: [],
    details: "via_upstream",
    headers: outcome.response.headers,
    body: outcome.response.body,
  });
}

function describe(state: ProxyState, port: number, socket: Socket, exchange: Exchange): void {
  const service = portConfig(state, port)?.service;
  const principal = principalOf(socket);
  const { passage } = exchange;
  passage.routeName = "default";
  passage.upstreamCluster = `inbound|${port}||`;
  passage.mutualTls = principal !== undefined;
  passage.peer = peerFrom(exchange.headers);
  if (principal !== undefined) passage.peer = provenPeer(passage.peer, principal);
  if (service !== undefined) {
    passage.service = service;
    passage.operation = `${service.host}:${service.port}/*`;
    passage.requestedServerName =
      principal === undefined ? undefined : `outbound_.${service.port}_._.${service.host}`;
  } else {
    const host = exchange.authority;
    passage.service = { host, name: "InboundPassthroughCluster", namespace: "unknown" };
  }
}

const provenPeers = new WeakMap<Partial<WorkloadIdentity>, Partial<WorkloadIdentity>>();

/** The peer with its proven principal in place of the claimed one; the same object for the same peer. */
function provenPeer(
  claimed: Partial<WorkloadIdentity>,
  principal: string,
): Partial<WorkloadIdentity> {
  const known = provenPeers.get(claimed);
  if (known?.principal === principal) return known;
  const proven = { ...claimed, principal };
  provenPeers.set(claimed, proven);
  return proven;
}

function incoming(exchange: Exchange) {
  const kept = withoutHeaders(withoutHeaders(exchange.headers, hopHeaders), peerHeaders);
  const headers = injectTrace(kept, exchange.trace, exchange.parent?.spanId);
  return { method: exchange.method, path: exchange.path, headers, body: exchange.body };
}

function inboundCluster(
  state: ProxyState,
  port: number,
  app: { address: string; port: number },
): ClusterConfig {
  const { self } = state.options;
  const service = portConfig(state, port)?.service;
  return {
    name: `inbound|${port}||`,
    service: service ?? { host: "unknown", name: "unknown", namespace: self.namespace },
    protocol: "http",
    endpoints: [{ ...app, identity: self, mutualTls: false }],
    tls: "disable",
    limits: defaultLimits,
    loadBalancing: "round-robin",
  };
}

function acceptTcp(
  state: ProxyState,
  port: number,
  app: { address: string; port: number },
  socket: Socket,
): void {
  const principal = principalOf(socket);
  const known = state.config.peers[socket.remoteAddress ?? ""];
  const service = portConfig(state, port)?.service;
  const unknown = { host: "unknown", name: "InboundPassthroughCluster", namespace: "unknown" };
  pipeTcp(state, socket, state.options.dial({ ...app, mutualTls: false, timeoutMs: 10_000 }), {
    reporter: "destination",
    flags: "-",
    service: service ?? unknown,
    peer: { ...known, ...(principal === undefined ? {} : { principal }) },
    mutualTls: principal !== undefined,
  });
}
