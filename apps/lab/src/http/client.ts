/**
 * A small keep-alive HTTP/1.1 client for one address: what apps use towards their sidecar, exporters towards a
 * collector and the load towards the gateway. Idle connections are kept up to `idleMax`.
 */
import { connect } from "node:net";
import { ConnectionLostError, Http1Connection } from "./connection.ts";
import type { HttpRequest, HttpResponse } from "./message.ts";

export interface HttpClientOptions {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly idleMax?: number;
}

export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #idle: Http1Connection[] = [];
  readonly #open = new Set<Http1Connection>();

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /** Rejects when no connection can be made, when it breaks off, and after `timeoutMs`. */
  async request(request: HttpRequest): Promise<HttpResponse> {
    const reused = this.#takeIdle();
    const connection = reused ?? this.#connect();
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      timer = setTimeout(() => connection.destroy(), this.#options.timeoutMs);
      const response = await connection.exchange(request);
      if (connection.usable && this.#idle.length < (this.#options.idleMax ?? 64)) {
        this.#idle.push(connection);
      } else connection.destroy();
      return response;
    } catch (error) {
      connection.destroy();
      // The peer closed an idle connection just as it was taken: nothing was processed, so once more on a new one.
      if (reused !== undefined && error instanceof ConnectionLostError && !error.responseStarted) {
        if (error.message === "connection closed by the peer") return await this.request(request);
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    for (const connection of this.#open) connection.destroy();
    this.#open.clear();
    this.#idle.length = 0;
  }

  #takeIdle(): Http1Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.usable) return connection;
      connection.destroy();
    }
  }

  #connect(): Http1Connection {
    const socket = connect({ host: this.#options.host, port: this.#options.port });
    const connection = new Http1Connection(socket, () => this.#open.delete(connection));
    this.#open.add(connection);
    return connection;
  }
}
