/**
 * The process of one pod: started, told what to be, fed configuration and certificates, stopped. Its standard output is
 * the application's log, its standard error the proxy's.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { FromPod, PodStart, ToPod } from "../pod/messages.ts";
import type { ProxyConfig } from "../proxy/config.ts";
import type { IssuedIdentity } from "../proxy/identity.ts";

export interface PodEntry {
  /** The script that calls `runPod`. */
  readonly path: string;
  readonly execArgv: readonly string[];
}

export interface PodProcessEvents {
  csr(publicKey: string): void;
  listening(message: Extract<FromPod, { type: "listening" }>): void;
  applied(): void;
  rejected(reason: string): void;
  spent(message: Extract<FromPod, { type: "spent" }>): void;
  output(container: "app" | "istio-proxy", chunk: string): void;
  exited(code: number | null, signal: NodeJS.Signals | null): void;
}

/** Small heaps: twenty pods share a laptop. Memory that an application holds on purpose lies outside of them. */
const leanArguments = ["--max-semi-space-size=4", "--max-old-space-size=160"];

export class PodProcess {
  readonly #child: ChildProcess;
  #exited = false;

  constructor(entry: PodEntry, start: PodStart, events: PodProcessEvents) {
    // The pod's environment is its container's, not that of whoever started the lab; PATH and HOME are kept for Node.
    const { PATH = "", HOME = "" } = process.env;
    this.#child = fork(entry.path, [], {
      execArgv: [...leanArguments, ...entry.execArgv],
      env: { PATH, HOME, NODE_OPTIONS: "" },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#child.stdout?.setEncoding("utf8");
    this.#child.stderr?.setEncoding("utf8");
    this.#child.stdout?.on("data", (chunk: string) => events.output("app", chunk));
    this.#child.stderr?.on("data", (chunk: string) => events.output("istio-proxy", chunk));
    this.#child.on("message", (message: FromPod) => dispatch(message, events));
    const exited = (code: number | null, signal: NodeJS.Signals | null) => {
      if (this.#exited) return;
      this.#exited = true;
      events.exited(code, signal);
    };
    this.#child.on("error", () => exited(1, null));
    this.#child.on("exit", exited);
    this.#send(start);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  configure(config: ProxyConfig): void {
    this.#send({ type: "config", config });
  }

  identify(issued: IssuedIdentity): void {
    this.#send({ type: "identity", issued });
  }

  drain(graceMs: number): void {
    this.#send({ type: "drain", graceMs });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #send(message: ToPod): void {
    if (!this.#exited && this.#child.connected) this.#child.send(message, () => undefined);
  }
}

function dispatch(message: FromPod, events: PodProcessEvents): void {
  switch (message.type) {
    case "csr":
      return events.csr(message.publicKey);
    case "listening":
      return events.listening(message);
    case "applied":
      return events.applied();
    case "rejected":
      return events.rejected(message.reason);
    case "spent":
      return events.spent(message);
  }
}
