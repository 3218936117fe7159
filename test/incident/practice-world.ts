/**
 * A whole small world for the incident desk: a simulated mesh whose conditions follow from the objects in a Kubernetes API,
 * a real query engine over its telemetry, the real cluster watch and topology, alert rules in a few lines, a log in memory.
 * Nothing in here knows how the desk works; the desk knows nothing of the faults.
 */
import type { AlertInstance, Incident } from "@skopos/api";
import { decodeDeskEvent, type DeskEvent, IncidentDesk, loadRunbooks } from "@skopos/incident";
import { ClusterWatch, createKubeApi, type KubeApi, Topology } from "@skopos/mesh";
import type { LogEngine, MetricEngine, TraceEngine } from "@skopos/model";
import { createMetricEngine } from "@skopos/promql";
import { type Condition, FakeClock, KubeServer, MeshSimulation } from "@skopos/testkit";
import path from "node:path";

const namespace = "shop";
const stepMs = 5000;
const startMs = 1_700_000_000_000;
const deployments = "apps/v1/deployments";

export const services = [
  {
    name: "istio-ingressgateway",
    ownMs: 1,
    gateway: true,
    calls: [{ to: "frontend", perRequest: 1 }],
  },
  {
    name: "frontend",
    ownMs: 4,
    calls: [
      { to: "users", perRequest: 0.6 },
      { to: "posts", perRequest: 0.8 },
      { to: "recommend", perRequest: 0.5 },
      { to: "analytics", perRequest: 1, async: true },
    ],
  },
  { name: "users", ownMs: 8, calls: [{ to: "users-db", perRequest: 1 }] },
  { name: "users-db", ownMs: 1, tcp: true, calls: [] },
  { name: "posts", ownMs: 12, calls: [] },
  {
    name: "recommend",
    ownMs: 6,
    calls: [
      { to: "users", perRequest: 0.5 },
      { to: "posts", perRequest: 0.5 },
    ],
  },
  { name: "analytics", ownMs: 3, calls: [] },
];

type Json = Record<string, unknown>;

export function deployment(name: string, env: Record<string, string>, more: Json = {}): Json {
  const labels = { app: name, "sidecar.istio.io/inject": "true" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: "app",
              image: `registry.example/${name}:${env["VERSION"] ?? "v1"}`,
              env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
            },
          ],
        },
      },
      ...more,
    },
  };
}

export function mesh(kind: string, name: string, spec: Json, group = "networking"): Json {
  return { apiVersion: `${group}.istio.io/v1`, kind, metadata: { name, namespace }, spec };
}

export const collections = {
  DestinationRule: "networking.istio.io/v1/destinationrules",
  VirtualService: "networking.istio.io/v1/virtualservices",
  PeerAuthentication: "security.istio.io/v1/peerauthentications",
  AuthorizationPolicy: "security.istio.io/v1/authorizationpolicies",
  Deployment: deployments,
} as const;

const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null;
function at(value: unknown, ...keys: (string | number)[]): unknown {
  return keys.reduce<unknown>(
    (current, key) => (isRecord(current) ? current[key as keyof typeof current] : undefined),
    value,
  );
}

function environment(object: unknown): Map<string, string> {
  const list = at(object, "spec", "template", "spec", "containers", 0, "env");
  return new Map(
    (Array.isArray(list) ? list : []).map((entry): [string, string] => [
      String(at(entry, "name")),
      String(at(entry, "value")),
    ]),
  );
}

/** What the objects of the API do to the mesh: the same physics for every fault, cures included. */
function conditionOf(server: KubeServer, name: string): Condition {
  const object = server.get(deployments, namespace, name);
  const env = environment(object);
  const rule = server.get(collections.DestinationRule, namespace, name);
  const route = server.get(collections.VirtualService, namespace, name);
  const peer = server.get(collections.PeerAuthentication, namespace, name);
  const policy = server.get(collections.AuthorizationPolicy, namespace, name);
  const replicas = Number(at(object, "spec", "replicas") ?? 2);
  const pool = Number(env.get("DB_POOL_SIZE") ?? 16);
  const condition: { -readonly [Key in keyof Condition]: Condition[Key] } = {
    replicas,
    revision: env.get("VERSION") ?? "v1",
    extraMs: (pool < 2 ? 400 : pool < 4 ? 180 : 0) + Number(env.get("EXTRA_MS") ?? 0),
    // So few connections that waiting for one times out.
    failRatio: Number(env.get("FAIL") ?? 0) + (pool < 2 ? 0.3 : 0),
    cpuFactor: env.get("EXTRA_MS") ? 4 : 1,
    restarts: env.get("CRASH") ? 1 : 0,
  };
  if (env.get("CRASH")) condition.lost = { ratio: 0.6, flag: "UF", code: "503" };
  if (replicas === 0) condition.lost = { ratio: 1, flag: "UH", code: "503" };
  else if (replicas === 1) condition.extraMs = (condition.extraMs ?? 0) + 120;
  if (
    Number(at(rule, "spec", "trafficPolicy", "connectionPool", "tcp", "maxConnections") ?? 100) < 3
  )
    condition.lost = { ratio: 0.4, flag: "UO", code: "503" };
  if (
    at(rule, "spec", "trafficPolicy", "tls", "mode") === "DISABLE" &&
    at(peer, "spec", "mtls", "mode") === "STRICT"
  )
    condition.lost = { ratio: 1, flag: "UC", code: "503" };
  const abort = Number(at(route, "spec", "http", 0, "fault", "abort", "percentage", "value") ?? 0);
  if (abort > 0) condition.lost = { ratio: abort / 100, flag: "FI", code: "503" };
  if (at(route, "spec", "http", 0, "fault", "delay") !== undefined) condition.gapMs = 200;
  if (at(route, "spec", "http", 0, "timeout") === "0.005s")
    condition.lost = { ratio: 0.7, flag: "UT", code: "504" };
  if (at(route, "spec", "http", 0, "route", 0, "destination", "subset") === "none")
    condition.lost = { ratio: 1, flag: "NC", code: "503" };
  if (at(policy, "spec", "action") === "DENY")
    condition.lost = { ratio: 1, flag: "-", code: "403" };
  return condition;
}

/** Two rules: too many failures, or far slower than a minute and more ago; per service as callers see it. */
const rules = [
  {
    name: "ServiceErrors",
    query: `sum by (destination_service_namespace, destination_service_name) (rate(istio_requests_total{reporter="source", response_code=~"5..|0|403"}[20s])) / sum by (destination_service_namespace, destination_service_name) (rate(istio_requests_total{reporter="source"}[20s])) > 0.05`,
  },
  {
    name: "ServiceSlow",
    query: `histogram_quantile(0.95, sum by (destination_service_namespace, destination_service_name, le) (rate(istio_request_duration_milliseconds_bucket{reporter="source"}[20s]))) > 110`,
  },
];
const forMs = 10_000;

export class MemoryLog {
  readonly events: unknown[] = [];
  /** Called before an event is kept; may throw, as a full disk or a killed process would. */
  before: (event: DeskEvent) => void = () => undefined;

  async append(event: DeskEvent): Promise<number> {
    await Promise.resolve();
    this.before(event);
    return this.events.push(structuredClone(event));
  }

  async *replay() {
    await Promise.resolve();
    for (const [i, event] of this.events.entries())
      yield { sequence: i + 1, event: decodeDeskEvent(JSON.parse(JSON.stringify(event))) };
  }
}

const noTraces: Pick<TraceEngine, "trace" | "search"> = {
  trace: () => Promise.resolve([]),
  search: () => Promise.resolve({ traces: [], warnings: [], spansRead: 0 }),
};
const noLogs: Pick<LogEngine, "query" | "labelNames"> = {
  query: () => Promise.resolve({ type: "lines", records: [], plan: { selections: [] } }),
  labelNames: () => Promise.resolve([]),
};

export class PracticeWorld {
  readonly clock = new FakeClock(startMs);
  readonly server = new KubeServer({ nowMs: () => this.clock.nowMs() });
  readonly simulation: MeshSimulation;
  readonly log = new MemoryLog();
  readonly errors: string[] = [];
  readonly engine: MetricEngine;
  api!: KubeApi;
  cluster!: ClusterWatch;
  topology!: Topology;
  desk!: IncidentDesk;
  readonly #pending = new Map<
    string,
    { since: number; firing: boolean; instance: AlertInstance }
  >();

  constructor(seed = 1) {
    this.simulation = new MeshSimulation({
      services,
      namespace,
      requestsPerSecond: 40,
      stepMs,
      startMs,
      seed,
    });
    this.engine = createMetricEngine({ reader: this.simulation, clock: this.clock });
  }

  async open(): Promise<void> {
    this.api = createKubeApi({ server: await this.server.listen() });
    for (const { name } of services) {
      this.server.put(
        deployments,
        deployment(name, name === "users" ? { DB_POOL_SIZE: "16" } : {}),
      );
      this.server.put("v1/services", {
        kind: "Service",
        metadata: { name, namespace },
        spec: { selector: { app: name } },
      });
    }
    this.cluster = new ClusterWatch({ api: this.api, clock: this.clock });
    await this.cluster.start();
    this.topology = new Topology({
      engine: this.engine,
      cluster: this.cluster,
      scrapeIntervalMs: stepMs,
    });
    await this.openDesk();
  }

  async openDesk(): Promise<void> {
    const runbooks = await loadRunbooks(
      path.resolve(import.meta.dirname, "../../packages/incident/runbooks"),
    );
    this.desk = new IncidentDesk({
      clock: this.clock,
      engines: { metrics: this.engine, traces: noTraces, logs: noLogs },
      cluster: this.cluster,
      topology: this.topology,
      log: this.log,
      kube: this.api,
      runbooks,
      settings: {
        scrapeIntervalMs: stepMs,
        holdMs: 20_000,
        quietMs: 30_000,
        verifyDeadlineMs: 90_000,
        planExpiryMs: 120_000,
      },
      onError: (error, doing) => this.errors.push(`${doing}: ${String(error)}`),
    });
    await this.desk.start();
  }

  async close(): Promise<void> {
    const stopped = Promise.all([this.desk.stop(), this.cluster.stop()]);
    await this.clock.advance(1000);
    await stopped;
    await this.server.close();
  }

  async #alerts(): Promise<void> {
    const nowMs = this.clock.nowMs();
    const seen = new Set<string>();
    for (const rule of rules) {
      const { value } = await this.engine.instant({ query: rule.query, timeMs: nowMs });
      for (const { labels, value: sample } of value.type === "vector" ? value.samples : []) {
        const fingerprint = `${rule.name}/${labels["destination_service_name"]}`;
        seen.add(fingerprint);
        const known = this.#pending.get(fingerprint);
        const since = known?.since ?? nowMs;
        const firing = nowMs - since >= forMs;
        this.#pending.set(fingerprint, {
          since,
          firing,
          instance: {
            fingerprint,
            name: rule.name,
            state: "firing",
            severity: "critical",
            labels: { ...labels },
            annotations: { summary: rule.name },
            activeAt: since,
            firedAt: nowMs,
            resolvedAt: null,
            value: sample,
          },
        });
      }
    }
    const news: AlertInstance[] = [];
    for (const [fingerprint, { firing, instance }] of this.#pending) {
      if (seen.has(fingerprint)) {
        if (firing) news.push(instance);
      } else {
        this.#pending.delete(fingerprint);
        if (firing) news.push({ ...instance, state: "resolved", resolvedAt: nowMs });
      }
    }
    await this.desk.alertsChanged(news);
  }

  /** Lets time go by, scrape by scrape, with the world following the objects. */
  async live(durationMs: number): Promise<void> {
    const endMs = this.clock.nowMs() + durationMs;
    while (this.clock.nowMs() < endMs) {
      for (const { name } of services)
        this.simulation.conditions.set(name, {
          ...conditionOf(this.server, name),
          ...this.overrides.get(name),
        });
      await this.clock.advance(stepMs);
      this.simulation.advanceTo(this.clock.nowMs());
      await this.#alerts();
      await this.settle();
    }
  }

  /** Trouble that no object explains. */
  readonly overrides = new Map<string, Condition>();

  /** Watches and writes go over real sockets: gives them turns of the event loop. */
  async settle(): Promise<void> {
    for (let i = 0; i < 12; i++)
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
  }

  async until(what: string, test: () => boolean | Promise<boolean>, limitMs = 240_000) {
    const endMs = this.clock.nowMs() + limitMs;
    while (!(await test())) {
      if (this.clock.nowMs() >= endMs)
        throw new Error(
          `${what} did not come; ${JSON.stringify(this.desk.list("all"), null, 1)} ${this.errors.join("\n")}`,
        );
      await this.live(stepMs);
    }
  }

  async only(): Promise<Incident> {
    const [summary, ...others] = this.desk.list("all");
    if (!summary || others.length > 0)
      throw new Error(
        `not exactly one incident: ${this.desk
          .list("all")
          .map(({ title }) => title)
          .join(", ")}`,
      );
    return await this.desk.incident(summary.id);
  }
}
