/** TCP through a proxy: two sockets joined, their bytes counted as they flow into Istio's TCP series. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Dialed } from "./dialer.ts";
import type { TcpReport, TcpSeries } from "./istio-metrics.ts";
import type { ProxyState } from "./proxy-state.ts";
import { withPort } from "./route-table.ts";
import type { UpstreamCluster } from "./upstream-cluster.ts";
import { chooseWeighted } from "./weighted.ts";

/** Joins both ends; "received" is what came from downstream, as Istio counts from the proxy's point of view. */
export function pipeTcp(
  state: ProxyState,
  downstream: Socket,
  upstream: Dialed,
  report: TcpReport,
  onEnd: () => void = () => undefined,
): void {
  let series: TcpSeries | undefined;
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    downstream.destroy();
    upstream.socket.destroy();
    if (series !== undefined) series.closed++;
    onEnd();
  };
  downstream.setNoDelay(true);
  upstream.socket.setNoDelay(true);
  downstream.on("error", end).on("close", end);
  upstream.socket.on("error", end).on("close", end);
  const join = async () => {
    try {
      await upstream.ready;
    } catch {
      countRefusal(state, { ...report, flags: "UF", mutualTls: false });
      return end();
    }
    const opened = state.metrics.tcp(report);
    series = opened;
    opened.opened++;
    downstream.on("data", (bytes: Buffer) => (opened.receivedBytes += bytes.length));
    upstream.socket.on("data", (bytes: Buffer) => (opened.sentBytes += bytes.length));
    downstream.pipe(upstream.socket);
    upstream.socket.pipe(downstream);
    return undefined;
  };
  void join();
}

/** A CONNECT from the application: where iptables would have caught the connection, it names its destination instead. */
export function handleConnect(state: ProxyState, request: IncomingMessage, socket: Socket): void {
  const authority = withPort((request.url ?? "").toLowerCase());
  socket.on("error", () => socket.destroy());
  const choice = chooseWeighted(state.config.tcpRoutes[authority] ?? [], state.options.random);
  const cluster = choice === undefined ? undefined : state.clusters.get(choice);
  if (cluster === undefined) return refuse(socket, "404 Not Found");
  const { service } = cluster.config;
  const base = { reporter: "source", service, peer: {}, mutualTls: false } as const;
  const host = cluster.pick();
  if (host === undefined) {
    countRefusal(state, { ...base, flags: "UH" });
    return refuse(socket, "503 no healthy upstream");
  }
  const { resources, stats } = cluster;
  if (resources.connections >= resources.limits.maxConnections) {
    stats.cxOverflow++;
    countRefusal(state, { ...base, flags: "UO", peer: host.endpoint.identity });
    return refuse(socket, "503 overflow");
  }
  resources.connections++;
  stats.cxTotal++;
  const { address, port, identity } = host.endpoint;
  const upstream = state.options.dial({
    address,
    port,
    mutualTls: host.mutualTls,
    principal: identity.principal,
    timeoutMs: resources.limits.connectTimeoutMs,
  });
  void greet(cluster, host.key, upstream, socket);
  const report = { ...base, flags: "-", peer: identity, mutualTls: host.mutualTls };
  pipeTcp(state, socket, upstream, report, () => resources.connections--);
}

async function greet(
  cluster: UpstreamCluster,
  host: string,
  upstream: Dialed,
  socket: Socket,
): Promise<void> {
  try {
    await upstream.ready;
    cluster.outlier.report(host, 200);
    if (!socket.destroyed) socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
  } catch {
    cluster.stats.cxConnectFail++;
    cluster.outlier.report(host, 503);
  }
}

function countRefusal(state: ProxyState, report: TcpReport): void {
  const series = state.metrics.tcp(report);
  series.opened++;
  series.closed++;
}

function refuse(socket: Socket, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`);
}
