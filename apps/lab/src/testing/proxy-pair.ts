/** Two real sidecars over loopback sockets: a client's outbound side and, per server, an inbound side with its application. */
import { createServer, type Server, type ServerResponse } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { type AddressInfo, connect } from "node:net";
import { HttpClient } from "../http/client.ts";
import { type HttpResponse, noBody } from "../http/message.ts";
import { createCertificateAuthority } from "../istio/certificate-authority.ts";
import {
  type ClusterConfig,
  defaultLimits,
  emptyConfig,
  type EndpointConfig,
  type RouteConfig,
  type ServerTlsMode,
  type WorkloadIdentity,
} from "../proxy/config.ts";
import { createDial } from "../proxy/dialer.ts";
import { ProxyIdentity } from "../proxy/identity.ts";
import { createInbound } from "../proxy/inbound.ts";
import { handleOutbound } from "../proxy/outbound.ts";
import { ProxyState } from "../proxy/proxy-state.ts";
import { istioRetryDefaults } from "../proxy/retry.ts";
import { listen } from "../pod/listen.ts";
import { seededRandom } from "../pod/work.ts";
import { parsePage, type ScrapedSample } from "./scrape.ts";

export const serviceHost = "server.test.svc.cluster.local";
export const outboundCluster = `outbound|8080||${serviceHost}`;

export interface TestServer {
  readonly endpoint: EndpointConfig;
  readonly state: ProxyState;
  /** What the application does with a request. */
  answer: (response: ServerResponse) => void;
  requests: number;
  samples(): ScrapedSample[];
  setMode(mode: ServerTlsMode): void;
}

export interface ProxyPair {
  readonly state: ProxyState;
  readonly logs: Record<string, unknown>[];
  readonly spans: { name: string; kind: string; context: { traceId: string } }[];
  addServer(name: string): Promise<TestServer>;
  configure(cluster: Partial<ClusterConfig>, route?: Partial<RouteConfig>): void;
  /** Through the client's sidecar, as its application would. */
  get(path?: string, headers?: string[]): Promise<HttpResponse>;
  /** As `get`, to any host. */
  getHost(host: string): Promise<HttpResponse>;
  /** Asks, and hangs up once `arrived` resolves. */
  getAndLeave(arrived: Promise<void>): Promise<void>;
  samples(): ScrapedSample[];
  close(): void;
}

const authority = createCertificateAuthority(() => Date.now(), "cluster.local");

export async function createProxyPair(): Promise<ProxyPair> {
  const closers: (() => void)[] = [];
  const logs: Record<string, unknown>[] = [];
  const spans: ProxyPair["spans"] = [];
  const client = await proxyState("client", logs, spans);
  const outbound = createServer((request, response) => {
    void handleOutbound(client, request, response);
  });
  closers.push(() => closeServer(outbound));
  const port = await listen(outbound, "127.0.0.1", 0);
  const http = new HttpClient({ host: "127.0.0.1", port, timeoutMs: 5000 });
  const servers: TestServer[] = [];
  const ask = (path: string, headers: string[]) =>
    http.request({ method: "GET", path, headers, body: noBody });
  return {
    state: client,
    logs,
    spans,
    async addServer(name) {
      const server = await startServer(name, closers);
      servers.push(server);
      return server;
    },
    configure(cluster, route) {
      client.apply(clientConfig(servers, cluster, route));
    },
    get: (path = "/", headers = []) => ask(path, ["host", "server:8080", ...headers]),
    getHost: (host) => ask("/", ["host", host]),
    async getAndLeave(arrived) {
      const socket = connect({ host: "127.0.0.1", port });
      socket.on("error", () => undefined);
      socket.write("GET / HTTP/1.1\r\nhost: server:8080\r\n\r\n");
      await arrived;
      socket.destroy();
    },
    samples: () => parsePage(client.metrics.text(), "client"),
    close() {
      http.close();
      client.destroy();
      for (const close of closers) close();
    },
  };
}

function clientConfig(
  servers: readonly TestServer[],
  cluster: Partial<ClusterConfig>,
  route: Partial<RouteConfig> = {},
) {
  const nothing = { set: {}, add: {}, remove: [] };
  return {
    ...emptyConfig,
    traceSampling: 1,
    clusters: [
      {
        name: outboundCluster,
        service: { host: serviceHost, name: "server", namespace: "test" },
        protocol: "http" as const,
        endpoints: servers.map(({ endpoint }) => endpoint),
        tls: "auto" as const,
        limits: defaultLimits,
        loadBalancing: "round-robin" as const,
        ...cluster,
      },
    ],
    virtualHosts: [
      {
        name: "server",
        domains: ["server:8080"],
        routes: [
          {
            name: "default",
            matches: [],
            clusters: [{ name: outboundCluster, weight: 1 }],
            timeoutMs: 0,
            retries: istioRetryDefaults,
            requestHeaders: nothing,
            responseHeaders: nothing,
            ...route,
          },
        ],
      },
    ],
  };
}

async function startServer(name: string, closers: (() => void)[]): Promise<TestServer> {
  const state = await proxyState(name, [], []);
  const app = createServer((_request, response) => {
    server.requests++;
    server.answer(response);
  });
  const appPort = await listen(app, "127.0.0.1", 0);
  const containerPort = 8080;
  const inbound = createInbound(state, containerPort, { address: "127.0.0.1", port: appPort });
  const port = await listen(inbound.server, "127.0.0.1", 0);
  closers.push(() => {
    inbound.close();
    state.destroy();
    closeServer(app);
  });
  const service = { host: serviceHost, name: "server", namespace: "test", port: 8080 };
  const setMode = (mutualTls: ServerTlsMode) => {
    const inboundPort = { port: containerPort, protocol: "http" as const, mutualTls, service };
    state.apply({ ...emptyConfig, inbound: [inboundPort] });
  };
  setMode("STRICT");
  const server: TestServer = {
    state,
    endpoint: { address: "127.0.0.1", port, identity: state.options.self, mutualTls: true },
    answer: (response) => response.end(name),
    requests: 0,
    samples: () => parsePage(state.metrics.text(), name),
    setMode,
  };
  return server;
}

async function proxyState(
  name: string,
  logs: Record<string, unknown>[],
  spans: ProxyPair["spans"],
): Promise<ProxyState> {
  const self = identityOf(name);
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const identity = new ProxyIdentity(
    pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  );
  const publicKey = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
  identity.update(await (await authority).issue(self.principal, publicKey, 600_000));
  return new ProxyState({
    self,
    role: "sidecar",
    podAddress: "127.0.0.1",
    identity,
    dial: createDial(identity, undefined),
    accessLog: { line: (text) => void logs.push(JSON.parse(text)) },
    spans: { record: (span) => void spans.push(span) },
    random: seededRandom(7),
    nowMs: () => performance.now(),
  });
}

function identityOf(name: string): WorkloadIdentity {
  return {
    workload: name,
    namespace: "test",
    app: name,
    version: "v1",
    canonicalService: name,
    canonicalRevision: "v1",
    principal: `spiffe://cluster.local/ns/test/sa/${name}`,
    cluster: "Kubernetes",
    pod: `${name}-0`,
  };
}

function closeServer(server: Server): void {
  server.close();
  server.closeAllConnections();
}

/** A port nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await listen(server, "127.0.0.1", 0);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
