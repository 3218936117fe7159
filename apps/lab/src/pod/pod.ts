/**
 * One pod: an application and its sidecar in one process, told what to be by the node agent over IPC. Ends with it:
 * when the channel closes, so does the pod.
 */
import { generateKeyPairSync } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { Server as NetServer } from "node:net";
import { createDial } from "../proxy/dialer.ts";
import { clusterStatsText, serverStatsText } from "../proxy/envoy-stats.ts";
import { ProxyIdentity } from "../proxy/identity.ts";
import { createInbound, type InboundListener, tuneServer } from "../proxy/inbound.ts";
import { handleOutbound } from "../proxy/outbound.ts";
import { ProxyState } from "../proxy/proxy-state.ts";
import { handleConnect } from "../proxy/tcp.ts";
import { preciseNowMs } from "../telemetry/clock.ts";
import { LogOutput } from "../telemetry/log-output.ts";
import { SpanExporter } from "../telemetry/span-exporter.ts";
import { AppLog } from "./app-log.ts";
import { type Application, createApplication } from "./application.ts";
import { listen } from "./listen.ts";
import type { FromPod, PodStart, ToPod } from "./messages.ts";
import { readSettings } from "./settings.ts";
import { createStatsServer } from "./stats-server.ts";
import { Worker, seededRandom } from "./work.ts";

const outboundPort = 15_001;
const mergedStatsPort = 15_020;
const readinessPort = 15_021;
const envoyStatsPort = 15_090;
const spentEveryMs = 1000;

/** What the pod's entry script calls. Returns at once; the process lives as long as its IPC channel. */
export function runPod(): void {
  const appOutput = new LogOutput(1);
  const proxyOutput = new LogOutput(2);
  let pod: Pod | undefined;
  process.on("SIGINT", () => undefined);
  process.once("disconnect", () => process.exit(0));
  process.on("message", (message: ToPod) => {
    if (message.type === "start") {
      pod = new Pod(message, appOutput, proxyOutput);
      pod.start().catch((error: unknown) => fail(appOutput, error));
    } else pod?.receive(message);
  });
  process.once("uncaughtException", (error) => fail(appOutput, error));
}

/** The container's last words, then exit code 1, as an application that cannot start. */
function fail(output: LogOutput, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  output.line(JSON.stringify({ ts: new Date().toISOString(), level: "fatal", msg: text }));
  output.flush();
  setTimeout(() => process.exit(1), 50);
}

/** Errors go nowhere: the other side is gone, and "disconnect" follows. */
function send(message: FromPod): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

class Pod {
  readonly #start: PodStart;
  readonly #identity: ProxyIdentity;
  readonly #publicKey: string;
  readonly #state: ProxyState;
  readonly #spans: SpanExporter | undefined;
  readonly #worker: Worker;
  readonly #log: AppLog;
  readonly #appOutput: LogOutput;
  readonly #proxyOutput: LogOutput;
  readonly #servers: NetServer[] = [];
  readonly #inbound: InboundListener[] = [];
  readonly #ballast: Buffer[] = [];
  #app: Application | undefined;
  #appPort: number | undefined;
  #identified: () => void = () => undefined;
  #configured = false;

  constructor(start: PodStart, appOutput: LogOutput, proxyOutput: LogOutput) {
    this.#start = start;
    this.#appOutput = appOutput;
    this.#proxyOutput = proxyOutput;
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const privateKey = pair.privateKey.export({ type: "pkcs8", format: "pem" });
    this.#publicKey = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
    this.#identity = new ProxyIdentity(privateKey.toString());
    const random = seededRandom(start.seed);
    this.#worker = new Worker(random);
    this.#log = new AppLog(appOutput, start.self.app);
    if (start.otlpUrl !== undefined) {
      this.#spans = new SpanExporter(start.otlpUrl, {
        "service.name": start.serviceName,
        "service.version": start.self.version,
        "k8s.namespace.name": start.self.namespace,
        "k8s.pod.name": start.self.pod,
      });
    }
    this.#state = new ProxyState({
      self: start.self,
      role: start.role,
      podAddress: start.address,
      identity: this.#identity,
      dial: createDial(this.#identity, start.freePorts ? undefined : start.address),
      accessLog: proxyOutput,
      spans: this.#spans,
      random,
      nowMs: () => performance.now(),
    });
  }

  async start(): Promise<void> {
    const settings = readSettings(this.#start.environment);
    const identified = new Promise<void>((resolve) => (this.#identified = resolve));
    send({ type: "csr", publicKey: this.#publicKey });
    await identified;
    const outbound = await this.#serveOutbound();
    this.#app = await this.#startApp(settings, outbound);
    const ports = await this.#serveInbound();
    const statsPort = await this.#serveStats();
    send({ type: "listening", ports, statsPort, outboundPort: outbound });
    this.#log.write("info", "started", { version: this.#start.self.version });
    setInterval(() => this.#reportSpent(), spentEveryMs);
    if (settings.crashAfterS > 0) {
      const crash = () => fail(this.#appOutput, new Error("fatal: out of luck, exiting"));
      setTimeout(crash, settings.crashAfterS * 1000);
    }
    this.#growMemory(settings.memoryBallastMb, settings.memoryLeakMbPerS);
  }

  receive(message: Exclude<ToPod, PodStart>): void {
    switch (message.type) {
      case "identity":
        this.#identity.update(message.issued);
        for (const inbound of this.#inbound) inbound.renew(this.#identity);
        this.#identified();
        break;
      case "config":
        this.#apply(message);
        break;
      case "drain":
        void this.#drain(message.graceMs);
        break;
    }
  }

  #apply(message: Extract<ToPod, { type: "config" }>): void {
    const { version } = message.config;
    try {
      this.#state.apply(message.config);
      this.#configured = true;
      send({ type: "applied", version });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      send({ type: "rejected", version, reason });
    }
  }

  async #serveOutbound(): Promise<number> {
    const { address, freePorts, role, ports } = this.#start;
    const state = this.#state;
    const server = createServer((request, response) => {
      void handleOutbound(state, request, response);
    });
    tuneServer(server);
    server.on("connect", (request, socket) => {
      if ("setNoDelay" in socket) handleConnect(state, request, request.socket);
    });
    this.#servers.push(server);
    const wanted = role === "gateway" ? (ports[0]?.port ?? 8080) : outboundPort;
    return await listen(server, address, freePorts ? 0 : wanted);
  }

  async #startApp(
    settings: ReturnType<typeof readSettings>,
    proxyPort: number,
  ): Promise<Application | undefined> {
    const { app: definition, address, appAddress, self, ports, freePorts } = this.#start;
    if (definition === undefined) return undefined;
    const app = createApplication(definition, {
      settings,
      version: self.version,
      proxy: { host: address, port: proxyPort },
      worker: this.#worker,
      random: seededRandom(this.#start.seed + 1),
      log: this.#log,
      spans: this.#spans,
    });
    this.#appPort = await listen(app.server, appAddress, freePorts ? 0 : (ports[0]?.port ?? 8080));
    return app;
  }

  async #serveInbound(): Promise<Record<string, number>> {
    const { address, appAddress, ports, freePorts, role } = this.#start;
    const reached: Record<string, number> = {};
    if (role === "gateway" || this.#appPort === undefined) {
      for (const { port } of ports) reached[port] = port;
      if (freePorts && this.#servers[0] !== undefined && ports[0] !== undefined) {
        reached[ports[0].port] = portOf(this.#servers[0]);
      }
      return reached;
    }
    const app = { address: appAddress, port: this.#appPort };
    for (const { port } of ports) {
      const inbound = createInbound(this.#state, port, app);
      this.#inbound.push(inbound);
      reached[port] = await listen(inbound.server, address, freePorts ? 0 : port);
    }
    return reached;
  }

  async #serveStats(): Promise<number> {
    const { address, appAddress, freePorts } = this.#start;
    const app =
      this.#appPort === undefined || this.#start.app?.kind !== "http"
        ? undefined
        : { address: appAddress, port: this.#appPort };
    const sources = {
      envoyText: () => this.#envoyText(),
      appText: () => this.#app?.metricsText() ?? "",
      ready: () => this.#configured && !this.#state.draining,
      app,
    };
    const merged = createStatsServer(sources, true);
    this.#servers.push(merged);
    const statsPort = await listen(merged, address, freePorts ? 0 : mergedStatsPort);
    if (!freePorts) {
      for (const port of [envoyStatsPort, readinessPort]) {
        const server = createStatsServer(sources, false);
        this.#servers.push(server);
        await listen(server, address, port);
      }
    }
    return statsPort;
  }

  #envoyText(): string {
    const state = this.#state;
    return (
      state.metrics.text() +
      clusterStatsText(state.clusters.values()) +
      serverStatsText({
        uptimeSeconds: process.uptime(),
        heapBytes: process.memoryUsage().heapUsed,
        connections: state.activeRequests,
        certificateNotAfterMs: this.#identity.issued?.notAfterMs,
        live: !state.draining,
        nowMs: preciseNowMs(),
        proxyTag: this.#start.proxyTag,
      })
    );
  }

  #reportSpent(): void {
    const { user, system } = process.cpuUsage();
    send({
      type: "spent",
      appCpuSeconds: this.#worker.cpuSeconds,
      processCpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      ballastBytes: this.#ballast.reduce((sum, block) => sum + block.length, 0),
    });
  }

  #growMemory(ballastMb: number, leakMbPerS: number): void {
    // Filled, since untouched pages are not resident.
    if (ballastMb > 0) this.#ballast.push(Buffer.alloc(ballastMb * 1_048_576, 1));
    if (leakMbPerS > 0) {
      setInterval(() => this.#ballast.push(Buffer.alloc(leakMbPerS * 1_048_576, 1)), 1000);
    }
  }

  /** Takes no new connections, lets running requests end (they are told to close), then exits with 0. */
  async #drain(graceMs: number): Promise<void> {
    this.#state.draining = true;
    const endMs = performance.now() + graceMs;
    // Callers hear of the removal a moment later; until then new requests still come and are served.
    await pause(Math.min(300, graceMs));
    while (this.#state.activeRequests > 0 && performance.now() < endMs) await pause(20);
    for (const server of this.#servers) server.close();
    for (const inbound of this.#inbound) inbound.close();
    this.#app?.close();
    this.#state.destroy();
    this.#log.write("info", "stopped");
    this.#appOutput.flush();
    this.#proxyOutput.flush();
    await this.#spans?.close();
    process.exit(0);
  }
}

function portOf(server: Server | NetServer): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
