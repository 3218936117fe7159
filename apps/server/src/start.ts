/**
 * The composition root: starts every part in order, joins them, and stops them in reverse. Nothing else knows all the parts.
 */
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { AlertInstance, LiveEvent } from "@skopos/api";
import { decodeDeskEvent, type DeskOptions, IncidentDesk, loadRunbooks } from "@skopos/incident";
import {
  ClusterWatch,
  createKubeApi,
  credentialsOf,
  type KubeTarget,
  Topology,
} from "@skopos/mesh";
import { checkMasking, parseRemoteWriteConfig, parseScrapeConfig } from "@skopos/ingest";
import { type LabelMap, messageOf, SkoposError, systemClock } from "@skopos/model";
import {
  type ClickHouseState,
  EventLog,
  lockDataDirectory,
  superviseClickHouse,
} from "@skopos/store";
import { type Logger, pino } from "pino";
import { hostOf, isLoopback, portOf, type ServerConfig } from "./config.ts";
import { bindJaeger } from "./faces/jaeger/bind.ts";
import { bindLoki } from "./faces/loki/bind.ts";
import { createPractice } from "./faces/practice.ts";
import { startIngestListeners } from "./faces/ingest-listeners.ts";
import { bindPrometheus } from "./faces/prometheus/bind.ts";
import { PushDoor } from "./faces/push-door.ts";
import { bindRemoteRead } from "./faces/prometheus/remote-read.ts";
import { bindPush } from "./faces/push.ts";
import { bindSelf, SelfMetrics } from "./faces/self.ts";
import { createHandlers } from "./faces/skopos.ts";
import { bindTempo } from "./faces/tempo/bind.ts";
import { createApp } from "./http/app.ts";
import { bindApi } from "./http/bind.ts";
import { EventStream } from "./http/events.ts";
import { Guard } from "./http/guard.ts";
import { servePage } from "./http/page.ts";
import { Sessions } from "./http/sessions.ts";
import { loadSessionKey, writeCliToken } from "./http/sign-in.ts";
import { defaultScrapeConfig } from "./scrape-config.ts";
import { StatusBoard } from "./status.ts";
import { Carrier } from "./threads/carrier.ts";
import { createEngines } from "./threads/engines.ts";
import { entryOf, resourceDir } from "./threads/entries.ts";
import type { IntakeSettings } from "./threads/intake-calls.ts";
import { Intake } from "./threads/intake.ts";
import { RemoteWrite } from "./threads/remote-write.ts";
import { remoteEngines } from "./remote-engines.ts";
import { QueryPool } from "./threads/query-pool.ts";
import type { HistoryFiles } from "./threads/telemetry-calls.ts";
import { startTelemetryThread, type TelemetryThread } from "./threads/telemetry.ts";

export const version = "0.1.0";

export interface RunningServer {
  readonly url: string;
  /** Opens the page signed in, once. The code stands in the fragment, which no server or log ever sees. */
  readonly signInUrl: string;
  stop(): Promise<void>;
}

/** Undoes what was started, last first; what fails to stop does not keep the rest from stopping. */
class Teardown {
  readonly #steps: { name: string; stop: () => Promise<void> | void }[] = [];
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  add(name: string, stop: () => Promise<void> | void): void {
    this.#steps.push({ name, stop });
  }

  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step.stop();
      } catch (error) {
        this.#log.error(
          { part: step.name, error: messageOf(error) },
          "a part did not stop in order",
        );
      }
    }
  }
}

function readFileOrExplain(file: string, what: string): { text: string; file: string } {
  try {
    return { text: readFileSync(file, "utf8"), file };
  } catch (cause) {
    throw new SkoposError("bad-config", `cannot read ${what} ${file}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function scrapeConfigOf(config: ServerConfig): { text: string; file: string } {
  return config.scrapeConfig
    ? readFileOrExplain(config.scrapeConfig, "the scrape configuration")
    : { text: defaultScrapeConfig(config.scrapeInterval), file: "built-in" };
}

/** Whether samples are sent on. Throws "bad-config". */
function remoteWritesOf(config: ServerConfig): boolean {
  const { text, file } = scrapeConfigOf(config);
  return parseRemoteWriteConfig(text, file).remotes.length > 0;
}

/** Sends samples on to other servers; undefined when the configuration names none. */
function startRemoteWrite(
  { config, dataDir, log, status, teardown }: Ground,
  telemetry: TelemetryThread,
): RemoteWrite | undefined {
  if (!remoteWritesOf(config)) return undefined;
  const scrapeConfig = scrapeConfigOf(config);
  const { ignored } = parseRemoteWriteConfig(scrapeConfig.text, scrapeConfig.file);
  for (const setting of ignored) log.warn({ setting }, "this setting has no effect");
  const thread = new RemoteWrite(
    {
      journalDir: path.join(dataDir, "telemetry/journal"),
      checkpointDir: path.join(dataDir, "telemetry"),
      config: scrapeConfig,
      externalLabels: externalLabelsOf(config),
    },
    { telemetry: telemetry.caller, status, log },
  );
  teardown.add("remote write", () => thread.stop());
  return thread;
}

/** What tells this server's series from those of others where they meet. */
function externalLabelsOf(config: ServerConfig): LabelMap {
  const { text, file } = scrapeConfigOf(config);
  return parseScrapeConfig(text, file).externalLabels;
}

function kubeTargetOf({ server, kubeconfig, token }: ServerConfig["kubernetes"]): KubeTarget {
  if (server !== undefined) return { server, ...(token === undefined ? {} : { token }) };
  if (kubeconfig !== undefined) return { kubeconfig };
  if (process.env["KUBERNETES_SERVICE_HOST"]) return { inCluster: true };
  const home = process.env["KUBECONFIG"] ?? path.join(process.env["HOME"] ?? ".", ".kube/config");
  return { kubeconfig: home };
}

/** Throws "bad-config", "data-directory-in-use", "port-in-use" and what the parts throw; then nothing is left running. */
export async function startServer(config: ServerConfig): Promise<RunningServer> {
  const dataDir = path.resolve(config.dataDir);
  mkdirSync(dataDir, { recursive: true });
  const lock = await lockDataDirectory(dataDir);
  const log = pino(
    { base: null },
    pino.destination({ dest: path.join(dataDir, "skopos.log"), mkdir: true, sync: false }),
  );
  const teardown = new Teardown(log);
  teardown.add("data directory lock", () => lock.release());
  try {
    return await startParts(config, dataDir, log, teardown);
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

/** What every part may use. */
interface Ground {
  readonly config: ServerConfig;
  readonly dataDir: string;
  readonly url: string;
  readonly log: Logger;
  readonly status: StatusBoard;
  readonly teardown: Teardown;
  readonly announce: (topic: LiveEvent["topic"], id?: string) => void;
}

async function startParts(
  config: ServerConfig,
  dataDir: string,
  log: Logger,
  teardown: Teardown,
): Promise<RunningServer> {
  const url = `http://${config.listen}`;
  const events = new EventStream();
  teardown.add("event stream", () => events.close());
  const ground: Ground = {
    config,
    dataDir,
    url,
    log,
    status: new StatusBoard(version, systemClock),
    teardown,
    announce: (topic, id) =>
      events.send({ topic, at: systemClock.nowMs(), ...(id === undefined ? {} : { id }) }),
  };
  const target = kubeTargetOf(config.kubernetes);
  const telemetry = await startTelemetry(ground, target);
  const intake = new Intake(await intakeSettings(ground, target), telemetry.caller, log);
  teardown.add("intake thread", () => intake.stop());
  const { carrier, pool } = await startStores(ground, telemetry);
  const remoteWrite = startRemoteWrite(ground, telemetry);
  const engines = createEngines(pool, config.query.timeout, remoteEngines(config, systemClock));
  const api = createKubeApi(target);
  const cluster = new ClusterWatch({ api, clock: systemClock });
  teardown.add("cluster watch", () => cluster.stop());
  const watching = cluster.start();
  cluster.onChange(() => ground.announce("changes"));
  const topology = new Topology({
    engine: engines.metrics,
    cluster,
    scrapeIntervalMs: config.scrapeInterval,
  });
  const desk = await openDesk(ground, { engines, cluster, topology, kube: api });
  await watching;
  await startDesk(ground, desk, telemetry);
  const { app, guard, sessions } = createFace(ground);
  const nowMs = () => systemClock.nowMs();
  const handlers = createHandlers({
    sessions,
    desk,
    topology,
    cluster,
    ...engines,
    telemetry: telemetry.caller,
    practice: createPractice(config.practice?.url),
    pool,
    queryTimeoutMs: config.query.timeout,
    status: () => ground.status.read(telemetry.caller, intake, carrier, cluster.status()),
    clusterName: config.cluster,
    practiceAttached: config.practice !== undefined,
    nowMs,
  });
  bindApi(app, guard, handlers);
  const selfParts = { telemetry: telemetry.caller, intake, remoteWrite, version };
  const self = new SelfMetrics(selfParts);
  bindPrometheus(app, {
    self,
    head: telemetry.head,
    guard,
    pool,
    telemetry: telemetry.caller,
    nowMs,
    version,
    config,
    scrapeConfig: scrapeConfigOf(config),
    externalLabels: externalLabelsOf(config),
  });
  await bindRemoteRead(app, { guard, pool, externalLabels: externalLabelsOf(config) });
  const { traces, logs } = engines;
  bindJaeger(app, { guard, traces, nowMs });
  bindTempo(app, { guard, traces, nowMs, version });
  await bindLoki(app, { guard, logs, nowMs, version });
  bindSelf(app, selfParts, self);
  const door = new PushDoor(telemetry.caller, intake);
  await bindPush(app, (request) => guard.requireIngest(request), door);
  events.bind(app, guard);
  await servePage(app, resourceDir("web"));
  teardown.add("HTTP", () => app.close());
  await listen(app, config);
  await startIngestListeners({
    config,
    guard,
    door,
    status: ground.status,
    log,
    onStarted: (name, stop) => teardown.add(name, stop),
  });
  const pulse = setInterval(() => ground.announce("graph"), config.scrapeInterval);
  teardown.add("pulse", () => clearInterval(pulse));
  log.info({ url, dataDir }, "watching");
  return {
    url,
    signInUrl: `${url}/#signin=${sessions.issueCode("you", "admin")}`,
    stop: () => teardown.run(),
  };
}

/** Throws "bad-config" and "bad-regex" for masking rules that cannot be, before a thread fails by them again and again. */
async function intakeSettings(
  { config, dataDir }: Ground,
  target: KubeTarget,
): Promise<IntakeSettings> {
  const { ingest, masking, logs } = config;
  checkMasking(masking);
  const logFiles = logs.files && {
    dir: logs.files.dir,
    node: logs.files.node,
    positionsFile: path.join(dataDir, "telemetry/log-positions.json"),
    kubernetes: await credentialsOf(target),
  };
  return { ...ingest.limits, masking, logFiles };
}

/** Comes first: rules are evaluated and pages sent while everything else is still starting. */
async function startTelemetry(ground: Ground, target: KubeTarget): Promise<TelemetryThread> {
  const { config, dataDir, log } = ground;
  const ruleFiles = (config.rules ?? [path.join(resourceDir("rules"), "mesh.yaml")]).map((file) =>
    readFileOrExplain(file, "the rule file"),
  );
  const fatal = (error: Error) => {
    log.fatal(
      { error: error.message, stack: error.stack },
      "the telemetry thread ended: without it nobody is paged, so the program ends",
    );
    process.stderr.write(`skopos: the telemetry thread ended: ${error.message}\n`);
    process.exit(70);
  };
  const data = {
    dir: path.join(dataDir, "telemetry"),
    headRetentionMs: config.head.retention,
    history: { ...historyFiles(dataDir), carryAfterMs: config.history.carryAfter },
    seriesMax: config.head.seriesMax,
    scrapeConfig: scrapeConfigOf(config),
    remoteWrites: remoteWritesOf(config),
    ruleFiles,
    kubernetes: await credentialsOf(target),
    discover: config.kubernetes.discover,
    webhooks: config.webhooks,
    externalUrl: ground.url,
  };
  const telemetry = await startTelemetryThread(data, log, fatal);
  ground.teardown.add("telemetry thread", () => telemetry.stop());
  return telemetry;
}

function historyFiles(dataDir: string): HistoryFiles {
  return {
    watermarkFile: path.join(dataDir, "telemetry/history.json"),
    tombstonesFile: path.join(dataDir, "telemetry/tombstones.json"),
  };
}

/** ClickHouse, what is carried into it, and the threads that read from it and from the head. */
async function startStores(
  { config, dataDir, log, status, teardown }: Ground,
  telemetry: TelemetryThread,
): Promise<{ carrier: Carrier; pool: QueryPool }> {
  const clickhouse = await startClickHouse(config, dataDir, log, status, teardown);
  const told = (what: string) => (error: unknown) =>
    log.warn({ error: messageOf(error) }, `the telemetry thread could not be told ${what}`);
  const days = (ms: number) => Math.ceil(ms / 86_400_000);
  const { rawRetention, rollupRetention } = config.history;
  const carrier = new Carrier(
    {
      journalDir: path.join(dataDir, "telemetry/journal"),
      checkpointFile: path.join(dataDir, "telemetry/carried.json"),
      clickhouse,
      head: telemetry.head,
      history: {
        ...historyFiles(dataDir),
        rawDays: days(rawRetention),
        rollupDays: days(rollupRetention),
      },
      retention: {
        tracesMs: config.retention.traces,
        logsMs: config.retention.logs,
        sampledOutMs: config.retention.sampledOut,
        share: config.retention.share,
        spansPerHourMax: config.retention.spansPerHourMax,
      },
      bytesMax: config.storage.bytesMax,
    },
    log,
    {
      progress: ({ position }) => {
        telemetry.caller.call("carried", { position }).catch(told("what it may let go of"));
      },
      history: ({ carriedThroughMs: throughMs }) => {
        telemetry.caller.call("historyCarried", { throughMs }).catch(told("what was carried"));
      },
      cleaned: (ids) => {
        telemetry.caller.call("historyCleaned", { ids }).catch(told("what was cleaned"));
      },
    },
  );
  teardown.add("carrier", () => carrier.stop());
  const pool = new QueryPool(
    config.query.workers,
    {
      head: telemetry.head,
      tombstonesFile: historyFiles(dataDir).tombstonesFile,
      clickhouse,
      timeoutMs: config.query.timeout,
    },
    log,
  );
  teardown.add("query threads", () => pool.close());
  return { carrier, pool };
}

async function openDesk(
  { config, dataDir, log, teardown, announce }: Ground,
  parts: Pick<DeskOptions, "engines" | "cluster" | "topology" | "kube">,
): Promise<IncidentDesk> {
  const eventLog = await EventLog.open({
    dir: path.join(dataDir, "state"),
    clock: systemClock,
    decode: decodeDeskEvent,
  });
  teardown.add("event log", () => eventLog.close());
  const desk = new IncidentDesk({
    ...parts,
    clock: systemClock,
    log: eventLog,
    runbooks: await loadRunbooks(resourceDir("runbooks")),
    settings: {
      scrapeIntervalMs: config.scrapeInterval,
      holdMs: config.incidents.holdTime,
      quietMs: config.incidents.quietTime,
      verifyDeadlineMs: config.incidents.verifyTimeout,
    },
    onUpdate: ({ topic, id }) => announce(topic, id),
    onError: (error, doing) =>
      log.error({ error: messageOf(error), doing }, "the incident desk met a failure"),
  });
  teardown.add("incident desk", () => desk.stop());
  return desk;
}

async function startDesk(
  { log, announce }: Ground,
  desk: IncidentDesk,
  telemetry: TelemetryThread,
): Promise<void> {
  await desk.start();
  const tell = (alerts: readonly AlertInstance[]) => {
    desk
      .alertsChanged(alerts)
      .catch((error: unknown) =>
        log.error({ error: messageOf(error) }, "alerts could not be taken in"),
      );
    announce("alerts");
  };
  telemetry.onAlerts(tell);
  tell(await telemetry.caller.call("alerts", null));
}

/** The HTTP server with its gate; nothing is bound to it yet. */
function createFace({ config, dataDir, log }: Ground) {
  const cli = writeCliToken(dataDir);
  const sessions = new Sessions(loadSessionKey(dataDir), [...config.auth.tokens, cli], () =>
    systemClock.nowMs(),
  );
  const loopback = isLoopback(hostOf(config.listen));
  const guard = new Guard(sessions, {
    hosts: loopback && config.hosts.length === 0 ? [] : [config.listen, ...config.hosts],
    anonymousRead: loopback,
    anonymousIngest: loopback && !config.auth.requireIngestToken,
  });
  return { app: createApp(guard, log), guard, sessions };
}

async function startClickHouse(
  config: ServerConfig,
  dataDir: string,
  log: Logger,
  status: StatusBoard,
  teardown: Teardown,
) {
  if (config.clickhouse.url !== undefined) {
    const { origin, username, password, pathname } = new URL(config.clickhouse.url);
    status.set("ClickHouse", "ok", origin);
    return {
      url: origin,
      username: decodeURIComponent(username) || "default",
      password: decodeURIComponent(password),
      database: pathname.slice(1) || "skopos",
    };
  }
  const entry = entryOf("clickhouse-process");
  const states: Record<ClickHouseState, "starting" | "ok" | "down"> = {
    starting: "starting",
    ready: "ok",
    down: "down",
  };
  const child = await superviseClickHouse({
    entry: entry.file,
    execArgv: entry.execArgv,
    dir: path.join(dataDir, "clickhouse"),
    clock: systemClock,
    log,
    memoryBytesMax: config.clickhouse.memoryMaxMB * 2 ** 20,
    onState: (state, detail) => status.set("ClickHouse", states[state], detail),
  });
  teardown.add("ClickHouse", () => child.stop());
  return child.connection;
}

async function listen(app: ReturnType<typeof createApp>, config: ServerConfig): Promise<void> {
  const port = portOf(config.listen);
  try {
    await app.listen({ host: hostOf(config.listen).replaceAll(/[[\]]/g, ""), port });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EADDRINUSE")
      throw new SkoposError(
        "port-in-use",
        `port ${port} is in use: stop what listens there, or choose another with --port or --listen`,
        { cause },
      );
    if (code === "EACCES")
      throw new SkoposError(
        "bad-config",
        `no right to listen on ${config.listen}: ports below 1024 need privileges`,
        { cause },
      );
    throw new SkoposError("bad-config", `cannot listen on ${config.listen}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
