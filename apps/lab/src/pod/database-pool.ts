/**
 * A client's bounded pool of connections to a database behind the sidecar (opened with CONNECT). A caller waits for a
 * free connection up to the pool's timeout; how long is what the metrics and the span `db.pool.acquire` show.
 */
import { connect, type Socket } from "node:net";
import { Histogram } from "../telemetry/exposition.ts";

export class PoolTimeoutError extends Error {}

interface PooledConnection {
  readonly socket: Socket;
  pending: string;
  settle: ((line: string) => void) | undefined;
  fail: ((error: Error) => void) | undefined;
}

export interface DatabasePoolOptions {
  /** The sidecar's outbound listener. */
  readonly proxy: { readonly host: string; readonly port: number };
  /** "user-db:5432". */
  readonly database: string;
  readonly size: number;
  readonly timeoutMs: number;
}

export class DatabasePool {
  readonly size: number;
  used = 0;
  timeouts = 0;
  readonly waits = new Histogram([1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000]);
  readonly #options: DatabasePoolOptions;
  readonly #idle: PooledConnection[] = [];
  readonly #waiting: ((connection: "free" | "timeout") => void)[] = [];

  constructor(options: DatabasePoolOptions) {
    this.#options = options;
    this.size = options.size;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /** Takes a place of the pool; `release` must follow. Rejects with `PoolTimeoutError`. */
  async acquire(): Promise<void> {
    const startMs = performance.now();
    try {
      if (this.used < this.size) this.used++;
      else await this.#wait();
    } finally {
      this.waits.observe(performance.now() - startMs);
    }
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.used--;
    else next("free");
  }

  /** Runs one statement on a connection of the pool; the caller holds a place. Resolves with the row as text. */
  async query(id: number, workMs: number): Promise<string> {
    const connection = this.#takeIdle() ?? (await this.#open());
    try {
      const line = await this.#exchange(connection, `Q ${id} ${workMs.toFixed(2)}\n`);
      if (!line.startsWith("R ")) throw new Error(`the database answered: ${line.slice(0, 200)}`);
      this.#idle.push(connection);
      return line.slice(line.indexOf(" ", 2) + 1);
    } catch (error) {
      connection.socket.destroy();
      throw error;
    }
  }

  close(): void {
    for (const connection of this.#idle.splice(0)) connection.socket.destroy();
  }

  #wait(): Promise<void> {
    const { timeoutMs, size } = this.#options;
    return new Promise((resolve, reject) => {
      const take = (outcome: "free" | "timeout") => {
        clearTimeout(timer);
        if (outcome === "free") return resolve();
        this.timeouts++;
        const held = `all ${size} connections are in use`;
        return reject(new PoolTimeoutError(`no connection within ${timeoutMs} ms: ${held}`));
      };
      const timer = setTimeout(() => {
        const at = this.#waiting.indexOf(take);
        if (at >= 0) this.#waiting.splice(at, 1);
        take("timeout");
      }, timeoutMs);
      this.#waiting.push(take);
    });
  }

  #takeIdle(): PooledConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.socket.writable) return connection;
    }
  }

  async #open(): Promise<PooledConnection> {
    const socket = connect(this.#options.proxy);
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    const connection: PooledConnection = {
      socket,
      pending: "",
      settle: undefined,
      fail: undefined,
    };
    socket.on("data", (text: string) => receive(connection, text));
    const lost = (why: string) => {
      connection.fail?.(new Error(why));
      connection.fail = undefined;
      socket.destroy();
    };
    socket.on("error", (error) => lost(`database connection failed: ${error.message}`));
    socket.on("close", () => lost("database connection lost"));
    const { database } = this.#options;
    const greeting = await this.#exchange(
      connection,
      `CONNECT ${database} HTTP/1.1\r\nhost: ${database}\r\n\r\n`,
      "\r\n\r\n",
    );
    if (!greeting.startsWith("HTTP/1.1 200")) {
      socket.destroy();
      throw new Error(`no connection to ${database}: ${greeting.split("\r\n", 1)[0]}`);
    }
    return connection;
  }

  #exchange(connection: PooledConnection, text: string, terminator = "\n"): Promise<string> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const end = connection.pending.indexOf(terminator);
        if (end < 0) return;
        const line = connection.pending.slice(0, end);
        connection.pending = connection.pending.slice(end + terminator.length);
        connection.settle = undefined;
        connection.fail = undefined;
        resolve(line);
      };
      connection.settle = check;
      connection.fail = reject;
      connection.socket.write(text);
    });
  }
}

function receive(connection: PooledConnection, text: string): void {
  connection.pending += text;
  connection.settle?.("");
}
