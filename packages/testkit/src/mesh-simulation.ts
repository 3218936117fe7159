/**
 * A mesh that exists only as its telemetry: flows through a call graph, in steps of one scrape, as Istio's standard metrics
 * would show them. Latency and failures of every service follow from what it calls and from conditions that a test sets.
 * Implements `MetricReader`, so that a real engine answers over it. Seeded: the same seed gives the same samples.
 */
import {
  compileMatcher,
  type LabelSelect,
  LabelSet,
  matchesAll,
  type MetricReader,
  type MetricSelect,
  type SeriesBlock,
} from "@skopos/model";

export interface SimulatedService {
  readonly name: string;
  /** Time of its own per request, ms. */
  readonly ownMs: number;
  readonly calls: readonly {
    readonly to: string;
    readonly perRequest: number;
    readonly async?: boolean;
  }[];
  /** Speaks TCP: reports bytes, no requests. */
  readonly tcp?: boolean;
  readonly gateway?: boolean;
}

/** How a service fares right now; all fields optional in the sense of "as usual". */
export interface Condition {
  readonly extraMs?: number;
  /** Share of its requests that it fails itself. */
  readonly failRatio?: number;
  /** Share of requests to it that are lost before they arrive, with this flag and code. */
  readonly lost?: { readonly ratio: number; readonly flag: string; readonly code: string };
  /** Time lost between its callers and itself, ms per request. */
  readonly gapMs?: number;
  readonly cpuFactor?: number;
  readonly replicas?: number;
  /** Containers that end per step. */
  readonly restarts?: number;
  readonly revision?: string;
}

export interface MeshSimulationOptions {
  readonly services: readonly SimulatedService[];
  readonly namespace: string;
  readonly requestsPerSecond: number;
  readonly stepMs: number;
  readonly startMs: number;
  readonly seed: number;
}

const buckets = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000];

interface Column {
  readonly labels: LabelSet;
  readonly times: number[];
  readonly values: number[];
  total: number;
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Flow {
  readonly latencyMs: number;
  readonly failRatio: number;
}

export class MeshSimulation implements MetricReader {
  readonly #options: MeshSimulationOptions;
  readonly #services: ReadonlyMap<string, SimulatedService>;
  readonly #columns = new Map<string, Column>();
  readonly #random: () => number;
  readonly conditions = new Map<string, Condition>();
  /** Factor on the load. */
  load = 1;
  /** No scrape succeeds while false. */
  scraped = true;
  nowMs: number;

  constructor(options: MeshSimulationOptions) {
    this.#options = options;
    this.#services = new Map(options.services.map((service) => [service.name, service]));
    this.#random = randomOf(options.seed);
    this.nowMs = options.startMs;
  }

  /** Lives through whole steps up to `timeMs`. */
  advanceTo(timeMs: number): void {
    while (this.nowMs + this.#options.stepMs <= timeMs) {
      this.nowMs += this.#options.stepMs;
      this.#step();
    }
  }

  #noise(width: number): number {
    return 1 + (this.#random() - 0.5) * 2 * width;
  }

  #add(name: string, labels: Readonly<Record<string, string>>, value: number): void {
    const set = LabelSet.fromMap({ __name__: name, ...labels });
    const column = this.#columns.get(set.key) ?? { labels: set, times: [], values: [], total: 0 };
    this.#columns.set(set.key, column);
    column.total += value;
    if (!this.scraped) return;
    column.times.push(this.nowMs);
    column.values.push(column.total);
  }

  #set(name: string, labels: Readonly<Record<string, string>>, value: number): void {
    const set = LabelSet.fromMap({ __name__: name, ...labels });
    const column = this.#columns.get(set.key) ?? { labels: set, times: [], values: [], total: 0 };
    this.#columns.set(set.key, column);
    if (!this.scraped) return;
    column.times.push(this.nowMs);
    column.values.push(value);
  }

  /** A counter whose series was seen goes on being scraped when nothing happens. */
  #holdStill(): void {
    if (!this.scraped) return;
    for (const column of this.#columns.values()) {
      const isCounter = /_(total|sum|count|bucket)$/.test(column.labels.get("__name__"));
      if (isCounter && column.times.at(-1) !== this.nowMs) {
        column.times.push(this.nowMs);
        column.values.push(column.total);
      }
    }
  }

  #step(): void {
    const rates = new Map<string, number>();
    const flows = new Map<string, Flow>();
    const own = new Map<string, number>();
    for (const service of this.#services.values())
      own.set(
        service.name,
        (service.ownMs + (this.conditions.get(service.name)?.extraMs ?? 0)) * this.#noise(0.08),
      );
    for (const service of this.#services.values())
      if (service.gateway) {
        const rate = this.#options.requestsPerSecond * this.load * this.#noise(0.05);
        this.#spread(service, rate, rates);
      }
    for (const service of this.#services.values()) this.#flowOf(service.name, flows, own);
    for (const service of this.#services.values()) {
      const rate = rates.get(service.name) ?? 0;
      this.#emitResources(service, rate);
      for (const call of service.calls)
        this.#emitEdge(service, call.to, rate * call.perRequest, flows, own);
    }
    this.#holdStill();
  }

  /** Requests per second into each service; what is lost on the way calls nothing further. */
  #spread(service: SimulatedService, rate: number, rates: Map<string, number>): void {
    rates.set(service.name, (rates.get(service.name) ?? 0) + rate);
    for (const call of service.calls) {
      const target = this.#services.get(call.to);
      const lost = this.conditions.get(call.to)?.lost?.ratio ?? 0;
      if (target) this.#spread(target, rate * call.perRequest * (1 - lost), rates);
    }
  }

  #flowOf(name: string, flows: Map<string, Flow>, own: ReadonlyMap<string, number>): Flow {
    const known = flows.get(name);
    if (known) return known;
    const service = this.#services.get(name);
    const condition = this.conditions.get(name) ?? {};
    let latencyMs = own.get(name) ?? 0;
    let passed = 1 - (condition.failRatio ?? 0);
    for (const call of service?.calls ?? []) {
      const below = this.#flowOf(call.to, flows, own);
      const target = this.conditions.get(call.to);
      if (call.async || this.#services.get(call.to)?.tcp) continue;
      latencyMs += Math.min(1, call.perRequest) * (below.latencyMs + 0.5 + (target?.gapMs ?? 0));
      const lost = target?.lost?.ratio ?? 0;
      passed *= 1 - Math.min(1, call.perRequest) * (lost + (1 - lost) * below.failRatio);
    }
    const flow = { latencyMs, failRatio: 1 - passed };
    flows.set(name, flow);
    return flow;
  }

  #edgeLabels(source: string, target: string, arrived: boolean): Record<string, string> {
    const { namespace } = this.#options;
    return {
      source_workload_namespace: namespace,
      source_workload: source,
      source_canonical_service: source,
      destination_service_namespace: namespace,
      destination_service_name: target,
      destination_workload_namespace: arrived ? namespace : "unknown",
      destination_workload: arrived ? target : "unknown",
      destination_canonical_service: arrived ? target : "unknown",
      destination_canonical_revision: arrived
        ? (this.conditions.get(target)?.revision ?? "v1")
        : "unknown",
      request_protocol: "http",
    };
  }

  #emitEdge(
    service: SimulatedService,
    target: string,
    perSecond: number,
    flows: ReadonlyMap<string, Flow>,
    own: ReadonlyMap<string, number>,
  ): void {
    const seconds = this.#options.stepMs / 1000;
    const source = service.name;
    if (this.#services.get(target)?.tcp) {
      const labels = { ...this.#edgeLabels(source, target, true), reporter: "source" };
      this.#add("istio_tcp_sent_bytes_total", labels, perSecond * seconds * 200);
      this.#add("istio_tcp_received_bytes_total", labels, perSecond * seconds * 900);
      return;
    }
    const flow = flows.get(target) ?? { latencyMs: own.get(target) ?? 0, failRatio: 0 };
    const condition = this.conditions.get(target) ?? {};
    const count = perSecond * seconds;
    const lost = condition.lost ? count * condition.lost.ratio : 0;
    const arrived = count - lost;
    const gapMs = 0.5 + (condition.gapMs ?? 0);
    for (const reporter of ["source", "destination"] as const) {
      const base = { ...this.#edgeLabels(source, target, true), reporter };
      const policy = reporter === "destination" ? "mutual_tls" : "unknown";
      const latency = flow.latencyMs + (reporter === "source" ? gapMs : 0);
      this.#emitRequests(
        { ...base, response_code: "200", response_flags: "-", connection_security_policy: policy },
        arrived * (1 - flow.failRatio),
        latency,
      );
      if (flow.failRatio > 0)
        this.#emitRequests(
          {
            ...base,
            response_code: "500",
            response_flags: "-",
            connection_security_policy: policy,
          },
          arrived * flow.failRatio,
          latency,
        );
    }
    if (lost > 0 && condition.lost)
      this.#emitRequests(
        {
          ...this.#edgeLabels(source, target, false),
          reporter: "source",
          response_code: condition.lost.code,
          response_flags: condition.lost.flag,
          connection_security_policy: "unknown",
        },
        lost,
        1,
      );
  }

  #emitRequests(labels: Readonly<Record<string, string>>, count: number, latencyMs: number): void {
    this.#add("istio_requests_total", labels, count);
    const name = "istio_request_duration_milliseconds";
    this.#add(`${name}_sum`, labels, count * latencyMs);
    this.#add(`${name}_count`, labels, count);
    for (const le of buckets) {
      // Gamma-like around the mean: narrow enough that quantiles follow the mean.
      const share = 1 / (1 + (latencyMs / le) ** 4);
      this.#add(`${name}_bucket`, { ...labels, le: `${le}` }, count * share);
    }
    this.#add(`${name}_bucket`, { ...labels, le: "+Inf" }, count);
  }

  #emitResources(service: SimulatedService, rate: number): void {
    const { namespace } = this.#options;
    const condition = this.conditions.get(service.name) ?? {};
    const replicas = condition.replicas ?? 2;
    const seconds = this.#options.stepMs / 1000;
    for (let i = 0; i < replicas; i++) {
      const labels = { namespace, pod: `${service.name}-7d9f8-${i}aaaa`, container: "app" };
      const cores = ((rate / replicas) * service.ownMs * (condition.cpuFactor ?? 1)) / 4000;
      this.#add("container_cpu_usage_seconds_total", labels, cores * seconds * this.#noise(0.05));
      this.#set("container_memory_working_set_bytes", labels, 60e6 * this.#noise(0.02));
      this.#add(
        "kube_pod_container_status_restarts_total",
        labels,
        i === 0 ? (condition.restarts ?? 0) : 0,
      );
    }
  }

  #matching(matcherSets: readonly MetricSelect["matchers"][]): Column[] {
    const sets = matcherSets.map((matchers) => matchers.map(compileMatcher));
    return [...this.#columns.values()].filter(
      ({ labels }) => sets.length === 0 || sets.some((matchers) => matchesAll(matchers, labels)),
    );
  }

  async select(request: MetricSelect): Promise<SeriesBlock> {
    await Promise.resolve();
    const chosen = this.#matching([request.matchers]).map(({ labels, times, values }) => {
      let from = times.findIndex((time) => time > request.startMs);
      if (from < 0) from = times.length;
      let to = times.length;
      while (to > from && (times[to - 1] ?? 0) > request.endMs) to--;
      return { labels, times: times.slice(from, to), values: values.slice(from, to) };
    });
    const found = chosen.filter(({ times }) => times.length > 0);
    const offsets = new Uint32Array(found.length + 1);
    found.forEach(({ times }, i) => {
      offsets[i + 1] = (offsets[i] ?? 0) + times.length;
    });
    return {
      labels: found.map(({ labels }) => labels),
      times: found.map(({ times }) => Float64Array.from(times)),
      timesOf: Uint32Array.from(found, (_, i) => i),
      values: Float64Array.from(found.flatMap(({ values }) => values)),
      offsets,
      warnings: [],
    };
  }

  async series({ matcherSets, limit }: LabelSelect): Promise<LabelSet[]> {
    await Promise.resolve();
    return this.#matching(matcherSets)
      .slice(0, limit)
      .map(({ labels }) => labels);
  }

  async labelNames(request: LabelSelect): Promise<string[]> {
    const names = (await this.series(request)).flatMap((labels) =>
      [...labels.entries()].map(([name]) => name),
    );
    return [...new Set(names)].sort();
  }

  async labelValues(name: string, request: LabelSelect): Promise<string[]> {
    const values = (await this.series(request)).map((labels) => labels.get(name));
    return [...new Set(values.filter((value) => value !== ""))].sort();
  }
}
