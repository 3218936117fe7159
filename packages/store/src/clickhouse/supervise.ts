/**
 * Keeps the embedded ClickHouse running in a child process: starts it, asks it for a sign of life, restarts it with
 * back-off when it dies or no longer answers. Address and password stay the same across restarts, so that clients in
 * other threads only ever see a server that is away for a moment.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { type Clock, invariant, messageOf, SkoposError, sleep } from "@skopos/model";
import { readChildMessage, type StartMessage } from "./child-protocol.ts";
import { type ClickHouseConnection, openClickHouse } from "./client.ts";

/** What a log must offer; pino's does. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type ClickHouseState = "starting" | "ready" | "down";

export interface SuperviseOptions {
  /** The script that calls `runClickHouseChild`. */
  readonly entry: string | URL;
  readonly execArgv?: readonly string[];
  /** ClickHouse's own directory inside the data directory. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The engine's own cap; the process needs some 150 MB beside it. */
  readonly memoryBytesMax: number;
  readonly onState?: (state: ClickHouseState, detail: string) => void;
}

export interface SupervisedClickHouse {
  /** Plain data, to be handed to other threads. */
  readonly connection: ClickHouseConnection;
  readonly state: ClickHouseState;
  /** The child's process id while it runs. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

const readers = 4;
/** Every session may block a thread of libuv's pool for as long as its query runs. */
const threadPoolSize = readers + 6;
const backOffMs = { first: 250, max: 10_000 };
const startMsMax = 60_000;
const pingEveryMs = 3000;
const pingMsMax = 10_000;
const stopMsMax = 5000;
/** A child that lived so long is restarted at once. */
const healthyMs = 60_000;

class Supervisor implements SupervisedClickHouse {
  state: ClickHouseState = "starting";
  readonly connection: ClickHouseConnection;
  readonly #port: number;
  readonly #options: SuperviseOptions;
  readonly #stop = new AbortController();
  #child: ChildProcess | undefined;
  #running: Promise<void> | undefined;

  constructor(options: SuperviseOptions, port: number) {
    this.#options = options;
    this.#port = port;
    this.connection = {
      url: `http://127.0.0.1:${port}`,
      username: "skopos",
      password: randomBytes(24).toString("base64url"),
      database: "skopos",
    };
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the first start has come to its end, good or bad. */
  begin(): Promise<void> {
    return new Promise((resolve) => {
      this.#running = this.#keep(resolve);
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    const child = this.#child;
    child?.kill("SIGTERM");
    const cancel = this.#options.clock.after(stopMsMax, () => child?.kill("SIGKILL"));
    await this.#running;
    cancel();
  }

  #enter(state: ClickHouseState, detail: string): void {
    this.state = state;
    this.#options.onState?.(state, detail);
  }

  /** Starts a child and resolves when it is ready. `exited` says how it ended. */
  async #startChild(): Promise<{ exited: Promise<string> }> {
    const { clock, dir, entry, execArgv, memoryBytesMax } = this.#options;
    this.#enter("starting", "");
    await mkdir(dir, { recursive: true });
    const child = fork(entry, [], {
      execArgv: [...(execArgv ?? process.execArgv)],
      env: { ...process.env, UV_THREADPOOL_SIZE: String(threadPoolSize) },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child = child;
    let lastWords = "";
    child.stderr?.on("data", (text: Buffer) => {
      lastWords = (lastWords + text.toString()).slice(-2000);
    });
    const exited = new Promise<string>((resolve) => {
      child.once("exit", (code, signal) => {
        this.#child = undefined;
        resolve(`exited with ${signal ?? code}${lastWords === "" ? "" : `: ${lastWords.trim()}`}`);
      });
    });
    const { username: user, password } = this.connection;
    const start: StartMessage = {
      type: "start",
      path: dir,
      user,
      password,
      port: this.#port,
      memoryBytesMax,
      readers,
    };
    child.send(start);
    const giveUp = clock.after(startMsMax, () => child.kill("SIGKILL"));
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) =>
        reject(new SkoposError("unavailable", `the embedded ClickHouse did not start: ${why}`));
      child.on("message", (received) => {
        const message = readChildMessage(received);
        if (message?.type === "ready") resolve();
        if (message?.type === "failed") fail(message.message);
      });
      void exited.then(fail);
    }).finally(giveUp);
    this.#enter("ready", "");
    void this.#watch(child);
    return { exited };
  }

  async #keep(firstDone: () => void): Promise<void> {
    const { clock, log } = this.#options;
    let delayMs = backOffMs.first;
    while (!this.#stop.signal.aborted) {
      const sinceMs = clock.monotonicMs();
      let why = "";
      try {
        const { exited } = await this.#startChild();
        firstDone();
        why = await exited;
      } catch (error) {
        why = messageOf(error);
        await this.#endChild();
      }
      if (this.#stop.signal.aborted) break;
      if (clock.monotonicMs() - sinceMs > healthyMs) delayMs = backOffMs.first;
      this.#enter("down", why);
      firstDone();
      log.error({ why, delayMs }, "the embedded ClickHouse is down and will be restarted");
      await sleep(clock, delayMs, this.#stop.signal);
      delayMs = Math.min(delayMs * 2, backOffMs.max);
    }
    await this.#endChild();
    this.#enter("down", "stopped");
    firstDone();
  }

  /** Waits for the end of a child that is still there. */
  async #endChild(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    if (!this.#stop.signal.aborted) child.kill("SIGKILL");
    await gone;
  }

  /** Kills a child that no longer answers. */
  async #watch(child: ChildProcess): Promise<void> {
    const { clock, log } = this.#options;
    const client = openClickHouse({ ...this.connection, requestMsMax: pingMsMax });
    while (this.#child === child) {
      await sleep(clock, pingEveryMs, this.#stop.signal);
      if (this.#child !== child || this.#stop.signal.aborted) break;
      const answer = await client.ping();
      if (answer.success || this.#child !== child) continue;
      log.warn({ error: messageOf(answer.error) }, "the embedded ClickHouse does not answer");
      child.kill("SIGKILL");
    }
    await client.close();
  }
}

/** A free port, so that the address is known and stays the same however often the child is restarted. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  invariant(address !== null && typeof address === "object", "listens on a port");
  const closed = once(server, "close");
  server.close();
  await closed;
  return address.port;
}

/**
 * Starts the embedded ClickHouse. Resolves when it answers, or when its first start failed, for instance because another
 * process holds the directory: then `state` is "down", `onState` said why, and further starts are tried for ever.
 */
export async function superviseClickHouse(
  options: SuperviseOptions,
): Promise<SupervisedClickHouse> {
  const supervisor = new Supervisor(options, await freePort());
  await supervisor.begin();
  return supervisor;
}
