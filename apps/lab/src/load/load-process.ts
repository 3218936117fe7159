/** The load generator in a process of its own, and the side of it that the lab holds. */
import { type ChildProcess, fork } from "node:child_process";
import { LoadGenerator, type LoadOptions } from "./generator.ts";
import type { LoadReport } from "./report.ts";
import type { LoadShape } from "./shape.ts";

type ToLoad =
  | { readonly type: "start"; readonly options: LoadOptions }
  | { readonly type: "set"; readonly rps: number; readonly shape: LoadShape }
  | { readonly type: "redirect"; readonly host: string; readonly port: number }
  | { readonly type: "report" };

const reportEveryMs = 1000;

/** What the load's entry script calls. The process lives as long as its IPC channel. */
export function runLoad(): void {
  let generator: LoadGenerator | undefined;
  // Errors of sending go nowhere: the other side is gone, and "disconnect" follows.
  const report = () => {
    if (generator !== undefined && process.connected)
      process.send?.(generator.report(), undefined, undefined, () => undefined);
  };
  process.on("SIGINT", () => undefined);
  process.once("disconnect", () => process.exit(0));
  process.on("message", (message: ToLoad) => {
    switch (message.type) {
      case "start":
        generator = new LoadGenerator(message.options);
        generator.start();
        setInterval(report, reportEveryMs);
        break;
      case "set":
        generator?.set(message.rps, message.shape);
        break;
      case "redirect":
        generator?.redirect(message.host, message.port);
        break;
      case "report":
        report();
        break;
    }
  });
}

export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #waiting: ((report: LoadReport) => void)[] = [];
  #latest: LoadReport | undefined;

  constructor(
    entry: { readonly path: string; readonly execArgv: readonly string[] },
    options: LoadOptions,
  ) {
    const { PATH = "", HOME = "" } = process.env;
    this.#child = fork(entry.path, [], {
      execArgv: [...entry.execArgv],
      env: { PATH, HOME, NODE_OPTIONS: "" },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", () => resolve());
      this.#child.once("error", () => resolve());
    });
    this.#child.on("message", (report: LoadReport) => {
      this.#latest = report;
      for (const waiting of this.#waiting.splice(0)) waiting(report);
    });
    this.#send({ type: "start", options });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The last report; at most a second old. */
  get latest(): LoadReport | undefined {
    return this.#latest;
  }

  set(rps: number, shape: LoadShape): void {
    this.#send({ type: "set", rps, shape });
  }

  redirect(host: string, port: number): void {
    this.#send({ type: "redirect", host, port });
  }

  /** A fresh report, or the last one when the process does not answer within a second. */
  async report(): Promise<LoadReport | undefined> {
    this.#send({ type: "report" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const fresh = new Promise<LoadReport>((resolve) => this.#waiting.push(resolve));
    const late = new Promise<LoadReport | undefined>((resolve) => {
      timer = setTimeout(() => resolve(this.#latest), 1000);
    });
    const report = await Promise.race([fresh, late]);
    clearTimeout(timer);
    return report;
  }

  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const killing = setTimeout(() => this.#child.kill("SIGKILL"), 1000);
    await this.#exited;
    clearTimeout(killing);
  }

  #send(message: ToLoad): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}
