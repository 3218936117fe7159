/**
 * The life of one pod on the node: its process, probes, restarts with back-off, memory limit, and its end. Writes
 * nothing itself; tells its owner when the status has changed.
 */
import { listAt, stringAt } from "../kube/json.ts";
import type { ContainerUsage } from "../kube/node-agent.ts";
import type { Pod } from "../kube/object.ts";
import { HttpClient } from "../http/client.ts";
import { noBody } from "../http/message.ts";
import type { FromPod, PodStart } from "../pod/messages.ts";
import { ContainerLog } from "./container-log.ts";
import { type ContainerTotals, splitUsage } from "./container-usage.ts";
import { type PodEntry, PodProcess } from "./pod-process.ts";
import type { PodRunState, RunPhase } from "./pod-status.ts";
import { type ProcessUsage, readProcessUsage } from "./process-usage.ts";

const firstProbesMs = 100;
const probeEveryMs = 2000;
const failureThreshold = 3;
const restartDelaysMs = [1000, 2000, 4000, 8000, 16_000, 30_000];
const killAfterMs = 1500;

export interface PodRunOptions {
  readonly pod: Pod;
  readonly entry: PodEntry;
  readonly start: PodStart;
  readonly nodeAddress: string;
  readonly memoryLimitBytes: number | undefined;
  onProcess(process: PodProcess): void;
  onCsr(publicKey: string): void;
  onApplied(): void;
  onRejected(reason: string): void;
  onChanged(): void;
  onStopped(): void;
  onEvent(type: "Normal" | "Warning", reason: string, message: string): void;
  onLines(container: string, lines: readonly string[], timeMs: number): void;
}

export class PodRun {
  readonly logs = new Map<string, ContainerLog>();
  statsPort = 0;
  /** Container port → port it is reached at. */
  reached: Readonly<Record<string, number>> = {};
  readonly #options: PodRunOptions;
  readonly #startedMs = Date.now();
  #process: PodProcess | undefined;
  #phase: RunPhase = { kind: "creating" };
  #ready = false;
  #failures = 0;
  #restarts = 0;
  #lastExit: PodRunState["lastExit"];
  #spent: Extract<FromPod, { type: "spent" }> | undefined;
  #totals: ContainerTotals[] = [];
  #rates = new Map<string, number>();
  #measuredMs = 0;
  #outOfMemory = false;
  #stopping = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #probes: HttpClient | undefined;

  constructor(options: PodRunOptions) {
    this.#options = options;
    for (const { name } of options.pod.spec.containers) this.logs.set(name, new ContainerLog());
    this.#spawn();
  }

  get state(): PodRunState {
    return {
      phase: this.#phase,
      ready: this.#ready,
      restarts: this.#restarts,
      address: this.#options.start.address,
      nodeAddress: this.#options.nodeAddress,
      startedMs: this.#startedMs,
      lastExit: this.#lastExit,
    };
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Totals since the container started. */
  get totals(): readonly ContainerTotals[] {
    return this.#totals;
  }

  usage(): ContainerUsage[] {
    const { metadata } = this.#options.pod;
    return this.#totals.map(({ container, memoryBytes }) => ({
      namespace: metadata.namespace ?? "default",
      pod: metadata.name,
      container,
      cpuCores: this.#rates.get(container) ?? 0,
      memoryBytes,
    }));
  }

  /** Reads the process's usage; ends it when its application holds more memory than its limit. */
  measure(): void {
    const pid = this.#process?.pid;
    if (pid === undefined || this.#phase.kind !== "running") return;
    const used = readProcessUsage(pid) ?? reported(this.#spent);
    if (used === undefined) return;
    const names = this.#options.pod.spec.containers.map(({ name }) => name);
    const totals = splitUsage(names, used, {
      appCpuSeconds: this.#spent?.appCpuSeconds ?? 0,
      ballastBytes: this.#spent?.ballastBytes ?? 0,
    });
    const grown = totals.map((total) => this.#notLess(total));
    this.#rate(grown);
    this.#totals = grown;
    const application = totals.find(({ container }) => container !== "istio-proxy");
    const limit = this.#options.memoryLimitBytes;
    if (limit !== undefined && application !== undefined && application.memoryBytes > limit) {
      this.#outOfMemory = true;
      this.#process?.kill();
    }
  }

  /** Drains within `graceMs`, then is gone; `onStopped` tells. */
  stop(graceMs: number): void {
    if (this.#stopping) return;
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#ready = false;
    if (this.#process === undefined) return this.#gone();
    this.#process.drain(graceMs);
    this.#timer = setTimeout(() => this.#process?.kill(), graceMs + killAfterMs);
    return undefined;
  }

  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#process?.kill();
  }

  #spawn(): void {
    const { entry, start } = this.#options;
    const startMs = Date.now();
    const child = new PodProcess(entry, start, {
      csr: (publicKey) => this.#options.onCsr(publicKey),
      listening: (message) => this.#listening(message),
      applied: () => this.#options.onApplied(),
      rejected: (reason) => this.#options.onRejected(reason),
      spent: (message) => (this.#spent = message),
      output: (container, chunk) => this.#output(container, chunk),
      exited: (code, signal) => this.#exited(startMs, code, signal),
    });
    this.#process = child;
    this.#options.onProcess(child);
  }

  #listening(message: Extract<FromPod, { type: "listening" }>): void {
    this.statsPort = message.statsPort;
    this.reached = message.ports;
    this.#phase = { kind: "running", sinceMs: Date.now() };
    this.#probes?.close();
    const { address } = this.#options.start;
    this.#probes = new HttpClient({ host: address, port: message.statsPort, timeoutMs: 1000 });
    this.#options.onEvent("Normal", "Started", "Started containers");
    this.#options.onChanged();
    if (!this.#stopping) void this.#probe();
  }

  async #probe(): Promise<void> {
    const ready = await this.#askReady();
    if (this.#stopping || this.#phase.kind !== "running") return;
    this.#failures = ready ? 0 : this.#failures + 1;
    const before = this.#ready;
    if (ready) this.#ready = true;
    else if (this.#failures >= failureThreshold) this.#ready = false;
    if (before && !this.#ready) {
      this.#options.onEvent("Warning", "Unhealthy", "Readiness probe failed");
    }
    if (before !== this.#ready) this.#options.onChanged();
    const delayMs = this.#ready || this.#failures > 100 ? probeEveryMs : firstProbesMs;
    this.#timer = setTimeout(() => void this.#probe(), delayMs);
  }

  async #askReady(): Promise<boolean> {
    try {
      const response = await this.#probes?.request({
        method: "GET",
        path: "/app-health/app/readyz",
        headers: ["host", "pod", "user-agent", "kube-probe/1.32"],
        body: noBody,
      });
      return response?.status === 200;
    } catch {
      // Any failure to answer is the answer: not ready.
      return false;
    }
  }

  #output(container: string, chunk: string): void {
    // Every pod writes both streams; one that shows a single container has them in that one.
    const name = this.logs.has(container) ? container : [...this.logs.keys()][0];
    const log = name === undefined ? undefined : this.logs.get(name);
    if (log === undefined || name === undefined) return;
    const timeMs = Date.now();
    const lines = log.write(chunk, timeMs);
    if (lines.length > 0) this.#options.onLines(name, lines, timeMs);
  }

  #exited(startMs: number, code: number | null, signal: NodeJS.Signals | null): void {
    this.#process = undefined;
    this.#probes?.close();
    clearTimeout(this.#timer);
    if (this.#stopping) return this.#gone();
    const status = signal === null ? (code ?? 1) : signal === "SIGKILL" ? 137 : 143;
    const reason = this.#outOfMemory ? "OOMKilled" : status === 0 ? "Completed" : "Error";
    this.#outOfMemory = false;
    this.#lastExit = { code: status, reason, startedMs: startMs, finishedMs: Date.now() };
    this.#ready = false;
    this.#totals = [];
    this.#spent = undefined;
    const delayMs = restartDelaysMs[Math.min(this.#restarts, restartDelaysMs.length - 1)] ?? 30_000;
    const name = this.#options.pod.metadata.name;
    const message = `back-off ${delayMs / 1000}s restarting failed container of ${name}`;
    this.#phase = { kind: "waiting", reason: "CrashLoopBackOff", message };
    this.#restarts++;
    this.#options.onEvent("Warning", "BackOff", message);
    this.#options.onChanged();
    this.#timer = setTimeout(() => {
      for (const log of this.logs.values()) log.restart();
      this.#spawn();
    }, delayMs);
    return undefined;
  }

  /** The application's share is known a second late; a counter must not go back for that. */
  #notLess(total: ContainerTotals): ContainerTotals {
    const before = this.#totals.find(({ container }) => container === total.container);
    return { ...total, cpuSeconds: Math.max(total.cpuSeconds, before?.cpuSeconds ?? 0) };
  }

  #gone(): void {
    for (const log of this.logs.values()) log.close();
    this.#options.onStopped();
  }

  #rate(totals: readonly ContainerTotals[]): void {
    const nowMs = performance.now();
    const elapsedS = (nowMs - this.#measuredMs) / 1000;
    for (const { container, cpuSeconds } of totals) {
      const before = this.#totals.find((each) => each.container === container);
      if (before === undefined || this.#measuredMs === 0) continue;
      this.#rates.set(container, Math.max(0, cpuSeconds - before.cpuSeconds) / elapsedS);
    }
    this.#measuredMs = nowMs;
  }
}

/** What the process said of itself, where the system does not tell. */
function reported(
  spent: Extract<FromPod, { type: "spent" }> | undefined,
): ProcessUsage | undefined {
  return spent && { cpuSeconds: spent.processCpuSeconds, residentBytes: spent.residentBytes };
}

/** The containers' environment as far as it is given literally. */
export function environmentOf(pod: Pod): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const container of pod.spec.containers) {
    for (const variable of listAt(container, "env")) {
      const name = stringAt(variable, "name");
      const value = stringAt(variable, "value");
      if (name !== undefined && value !== undefined) environment[name] = value;
    }
  }
  return environment;
}
