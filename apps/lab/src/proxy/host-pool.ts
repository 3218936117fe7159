/**
 * The connections to one endpoint and the requests that wait for one, within the limits of the whole cluster, as Envoy's
 * HTTP/1.1 pools: a request takes an idle connection, or waits (bounded by `maxPendingRequests`) while one is made
 * (bounded by `maxConnections`, though a host without any connection may always make one). A failed connect fails
 * all that wait for this host.
 */
import { messageOf } from "@skopos/model";
import { Http1Connection } from "../http/connection.ts";
import type { HttpRequest } from "../http/message.ts";
import type { ParsedResponse } from "../http/response-parser.ts";
import type { ClusterStats } from "./cluster-stats.ts";
import type { ConnectionLimits } from "./config.ts";
import { type Dialed, TlsFailure } from "./dialer.ts";

export type UpstreamFailure = "overflow" | "connect" | "reset" | "cancelled";

export class UpstreamError extends Error {
  readonly failure: UpstreamFailure;

  constructor(failure: UpstreamFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/** What a cluster's hosts share. */
export interface ClusterResources {
  limits: ConnectionLimits;
  connections: number;
  pending: number;
  requests: number;
  retries: number;
}

export interface Attempt {
  readonly response: Promise<ParsedResponse>;
  /** "address:port" of this side once a connection was taken. */
  localAddress(): string | undefined;
  cancel(): void;
}

interface Waiter {
  readonly request: HttpRequest;
  resolve: (response: ParsedResponse) => void;
  reject: (error: UpstreamError) => void;
  connection: Http1Connection | undefined;
  cancelled: boolean;
}

export class HostPool {
  readonly #resources: ClusterResources;
  readonly #stats: ClusterStats;
  readonly #dial: () => Dialed;
  readonly #idle: Http1Connection[] = [];
  readonly #open = new Set<Http1Connection>();
  readonly #waiting: Waiter[] = [];
  #connecting = 0;
  #active = 0;
  #closed = false;

  constructor(resources: ClusterResources, stats: ClusterStats, dial: () => Dialed) {
    this.#resources = resources;
    this.#stats = stats;
    this.#dial = dial;
  }

  /** Requests running or waiting here: what least-request balancing compares. */
  get load(): number {
    return this.#active + this.#waiting.length;
  }

  dispatch(request: HttpRequest): Attempt {
    const { limits } = this.#resources;
    const waiter: Waiter = {
      request,
      resolve: () => undefined,
      reject: () => undefined,
      connection: undefined,
      cancelled: false,
    };
    const response = new Promise<ParsedResponse>((resolve, reject) => {
      waiter.resolve = resolve;
      waiter.reject = reject;
    });
    const attempt = this.#attempt(waiter, response);
    const idle = this.#takeIdle();
    if (idle !== undefined && this.#resources.requests < limits.maxRequests) {
      this.#run(waiter, idle);
      return attempt;
    }
    if (idle !== undefined) this.#idle.push(idle);
    const full = this.#resources.pending >= limits.maxPendingRequests;
    if (full || this.#resources.requests >= limits.maxRequests) {
      this.#stats.rqPendingOverflow++;
      waiter.reject(new UpstreamError("overflow", "upstream connect error: overflow"));
      return attempt;
    }
    this.#stats.rqPendingTotal++;
    this.#resources.pending++;
    this.#waiting.push(waiter);
    this.#grow();
    return attempt;
  }

  /** No new requests come; idle connections close now, busy ones after their exchange. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  destroy(): void {
    this.close();
    this.#failWaiting("cluster removed");
    for (const connection of this.#open) connection.destroy();
  }

  #attempt(waiter: Waiter, response: Promise<ParsedResponse>): Attempt {
    return {
      response,
      localAddress() {
        const socket = waiter.connection?.socket;
        return socket?.localAddress && `${socket.localAddress}:${socket.localPort}`;
      },
      cancel: () => {
        waiter.cancelled = true;
        const at = this.#waiting.indexOf(waiter);
        if (at >= 0) {
          this.#waiting.splice(at, 1);
          this.#resources.pending--;
          this.#stats.rqCancelled++;
          waiter.reject(new UpstreamError("cancelled", "cancelled while waiting"));
        } else if (waiter.connection !== undefined) {
          this.#stats.rqTxReset++;
          waiter.connection.destroy();
        }
      },
    };
  }

  #takeIdle(): Http1Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.usable) return connection;
      connection.destroy();
    }
  }

  #grow(): void {
    while (this.#connecting < this.#waiting.length) {
      const { limits, connections } = this.#resources;
      if (connections >= limits.maxConnections && this.#open.size > 0) {
        this.#stats.cxOverflow++;
        return;
      }
      this.#connect();
    }
  }

  #connect(): void {
    const dialed = this.#dial();
    let counted = true;
    const connection = new Http1Connection(dialed.socket, () => {
      if (counted) this.#resources.connections--;
      counted = false;
      this.#open.delete(connection);
      const at = this.#idle.indexOf(connection);
      if (at >= 0) this.#idle.splice(at, 1);
      if (this.#waiting.length > 0) this.#grow();
    });
    this.#open.add(connection);
    this.#resources.connections++;
    this.#connecting++;
    this.#stats.cxTotal++;
    void this.#establish(connection, dialed);
  }

  async #establish(connection: Http1Connection, dialed: Dialed): Promise<void> {
    try {
      await dialed.ready;
      this.#connecting--;
      if ("encrypted" in dialed.socket) this.#stats.sslHandshakes++;
      this.#release(connection);
    } catch (error) {
      const reason = messageOf(error);
      this.#connecting--;
      this.#stats.cxConnectFail++;
      if (reason === "connection timeout") this.#stats.cxConnectTimeout++;
      if (error instanceof TlsFailure) this.#stats.sslFailures++;
      this.#failWaiting(reason);
      connection.destroy();
    }
  }

  #failWaiting(reason: string): void {
    for (const waiter of this.#waiting.splice(0)) {
      this.#resources.pending--;
      this.#stats.rqPendingFailureEject++;
      waiter.reject(new UpstreamError("connect", reason));
    }
  }

  /** A connection has become free: the longest waiter takes it, or it idles. */
  #release(connection: Http1Connection): void {
    const most = this.#resources.limits.maxRequestsPerConnection;
    if (most > 0 && connection.requests >= most) {
      this.#stats.cxMaxRequests++;
      return connection.destroy();
    }
    if (!connection.usable) return connection.destroy();
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      this.#resources.pending--;
      this.#run(waiter, connection);
    } else if (this.#closed) connection.destroy();
    else this.#idle.push(connection);
  }

  #run(waiter: Waiter, connection: Http1Connection): void {
    waiter.connection = connection;
    this.#resources.requests++;
    this.#active++;
    this.#stats.rqTotal++;
    this.#stats.txBytes += waiter.request.body.length;
    void this.#exchange(waiter, connection);
  }

  async #exchange(waiter: Waiter, connection: Http1Connection): Promise<void> {
    try {
      const response = await connection.exchange(waiter.request);
      this.#finished();
      this.#stats.rxBytes += response.body.length;
      countClass(this.#stats, response.status);
      waiter.resolve(response);
      this.#release(connection);
    } catch (error) {
      this.#finished();
      if (!waiter.cancelled) this.#stats.rqRxReset++;
      this.#stats.cxDestroyedWithActiveRq++;
      connection.destroy();
      const failure = waiter.cancelled ? "cancelled" : "reset";
      waiter.reject(new UpstreamError(failure, messageOf(error)));
    }
  }

  #finished(): void {
    this.#resources.requests--;
    this.#active--;
  }
}

function countClass(stats: ClusterStats, status: number): void {
  const hundred = Math.floor(status / 100);
  const before = stats.rqByClass[hundred];
  if (before !== undefined) stats.rqByClass[hundred] = before + 1;
}
