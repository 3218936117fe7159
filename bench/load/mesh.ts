/**
 * The reference load, scaled: a mesh of services with two replicas each, every proxy a target of its own that shows Istio's
 * standard metrics of the edges it is an end of. Both ends of an edge report it, with Istio's whole label set; latencies fill
 * the buckets as log-normal distributions do. Deterministic: a series' value at a step follows from its number.
 *
 * What is modelled: label sets, bucket shapes, both reporters, a share of errors with response flags, resource metrics of the
 * containers, churn (`generation` renames a target's pod). What is not: correlation between services, traffic that changes.
 */
export interface MeshTarget {
  /** host:port as a label; not where it is served. */
  readonly instance: string;
  /** Label sets with `__name__`, in page order: a family's members stand together. */
  readonly series: readonly Readonly<Record<string, string>>[];
  /** By series: what a counter gains per step, or a gauge's level. */
  readonly rates: Float64Array;
  readonly isGauge: Uint8Array;
}

export interface MeshLoadOptions {
  /** At least so many active series. */
  readonly series: number;
  readonly namespace?: string;
  readonly seed?: number;
}

const durationBounds = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
];
const sizeBounds = durationBounds;
const histograms = [
  { name: "istio_request_duration_milliseconds", bounds: durationBounds, medianOf: 1 },
  { name: "istio_request_bytes", bounds: sizeBounds, medianOf: 40 },
  { name: "istio_response_bytes", bounds: sizeBounds, medianOf: 90 },
];
/** Of one label set of HTTP traffic. */
const seriesOfTraffic = 67;
const replicas = 2;
const edgesPerService = 3;

/** mulberry32 */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Share of a log-normal distribution (sigma 1) below `bound`; logistic approximation of the normal's. */
function shareBelow(bound: number, median: number): number {
  const z = Math.log(bound / median);
  return 1 / (1 + Math.exp(-1.702 * z));
}

interface Edge {
  readonly source: number;
  readonly target: number;
  readonly requestsPerStep: number;
  readonly medianMs: number;
}

class Page {
  readonly series: Record<string, string>[] = [];
  readonly rates: number[] = [];
  readonly gauges: number[] = [];

  add(labels: Record<string, string>, rate: number, gauge = false): void {
    this.series.push(labels);
    this.rates.push(rate);
    this.gauges.push(gauge ? 1 : 0);
  }

  /** The 67 series that one label set of HTTP traffic is. */
  traffic(labels: Record<string, string>, requestsPerStep: number, medianMs: number): void {
    this.add({ ...labels, __name__: "istio_requests_total" }, requestsPerStep);
    for (const { name, bounds, medianOf } of histograms) {
      const median = medianMs * medianOf;
      for (const bound of bounds) {
        const rate = requestsPerStep * shareBelow(bound, median);
        this.add({ ...labels, __name__: `${name}_bucket`, le: `${bound}` }, rate);
      }
      this.add({ ...labels, __name__: `${name}_bucket`, le: "+Inf" }, requestsPerStep);
      this.add({ ...labels, __name__: `${name}_sum` }, requestsPerStep * median * 1.65);
      this.add({ ...labels, __name__: `${name}_count` }, requestsPerStep);
    }
  }
}

export class MeshLoad {
  readonly targets: readonly MeshTarget[];
  readonly services: readonly string[];
  readonly namespace: string;
  readonly seriesCount: number;
  readonly edgeCount: number;
  readonly #edges: readonly Edge[];

  constructor({ series, namespace = "shop", seed = 7 }: MeshLoadOptions) {
    this.namespace = namespace;
    const random = seeded(seed);
    // A replica reports three edges in and three out, one of each with errors too.
    const perReplica = (2 * edgesPerService + 2) * 67 + 12;
    const services = Math.max(4, Math.ceil(series / (perReplica * replicas)));
    this.services = Array.from({ length: services }, (_, i) => `service-${i}`);
    const edges: Edge[] = [];
    for (let source = 0; source < services; source++) {
      const called = new Set<number>();
      for (let i = 1; i <= edgesPerService; i++) {
        let target = (source * 2 + i * 3 + Math.floor(random() * 5)) % services;
        while (called.has(target)) target = (target + 1) % services;
        called.add(target);
        edges.push({
          source,
          target,
          requestsPerStep: Math.round(Math.exp(random() * 5) * 15),
          medianMs: Math.exp(random() * 4 + 0.5),
        });
      }
    }
    this.#edges = edges;
    this.edgeCount = edges.length;
    const incoming = this.services.map((_, i) => edges.filter(({ target }) => target === i));
    const outgoing = this.services.map((_, i) => edges.filter(({ source }) => source === i));
    this.targets = this.services.flatMap((_, i) =>
      Array.from({ length: replicas }, (__, replica) =>
        this.#target(i, replica, 0, incoming[i] ?? [], outgoing[i] ?? []),
      ),
    );
    this.seriesCount = this.targets.reduce((sum, target) => sum + target.series.length, 0);
  }

  /** The same target after its pod was replaced `generation` times: all its series are new. */
  replaced(index: number, generation: number): MeshTarget {
    const service = Math.floor(index / replicas);
    return this.#target(
      service,
      index % replicas,
      generation,
      this.#edges.filter(({ target }) => target === service),
      this.#edges.filter(({ source }) => source === service),
    );
  }

  #target(
    service: number,
    replica: number,
    generation: number,
    incoming: readonly Edge[],
    outgoing: readonly Edge[],
  ): MeshTarget {
    const name = this.services[service] ?? "";
    const { namespace } = this;
    const number = service * replicas + replica;
    const instance = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}:15020`;
    const pod = `${name}-v1-${(number * 7919).toString(36)}-${generation.toString(36)}`;
    const own = { instance, job: "kubernetes-pods", namespace, pod };
    const page = new Page();
    const report = (edge: Edge, reporter: "source" | "destination", index: number) => {
      const labels = { ...own, ...this.#edgeLabels(edge), reporter };
      const requests = edge.requestsPerStep / replicas;
      page.traffic(
        { ...labels, response_code: "200", response_flags: "-" },
        requests,
        edge.medianMs,
      );
      if (index > 0) return;
      const flag = reporter === "source" ? "UO" : "-";
      page.traffic(
        { ...labels, response_code: "503", response_flags: flag },
        requests / 100,
        edge.medianMs / 4,
      );
    };
    incoming.forEach((edge, i) => report(edge, "destination", i));
    outgoing.forEach((edge, i) => report(edge, "source", i));
    for (const container of ["app", "istio-proxy"]) {
      const of = { ...own, container, image: `example.org/${container}:1` };
      page.add({ ...of, __name__: "container_cpu_usage_seconds_total" }, 0.4 + number * 1e-4);
      page.add({ ...of, __name__: "container_memory_working_set_bytes" }, 6e7 + number * 1e3, true);
    }
    page.add({ ...own, __name__: "istio_build", component: "proxy", tag: "1.28.0" }, 1, true);
    page.add({ ...own, __name__: "envoy_server_live" }, 1, true);
    return {
      instance,
      series: page.series,
      rates: Float64Array.from(page.rates),
      isGauge: Uint8Array.from(page.gauges),
    };
  }

  #edgeLabels({ source, target }: Edge): Record<string, string> {
    const { namespace } = this;
    const from = this.services[source] ?? "";
    const to = this.services[target] ?? "";
    const principal = (name: string) => `spiffe://cluster.local/ns/${namespace}/sa/${name}`;
    return {
      connection_security_policy: "mutual_tls",
      destination_app: to,
      destination_canonical_revision: "v1",
      destination_canonical_service: to,
      destination_cluster: "Kubernetes",
      destination_principal: principal(to),
      destination_service: `${to}.${namespace}.svc.cluster.local`,
      destination_service_name: to,
      destination_service_namespace: namespace,
      destination_version: "v1",
      destination_workload: to,
      destination_workload_namespace: namespace,
      request_protocol: "http",
      source_app: from,
      source_canonical_revision: "v1",
      source_canonical_service: from,
      source_cluster: "Kubernetes",
      source_principal: principal(from),
      source_version: "v1",
      source_workload: from,
      source_workload_namespace: namespace,
    };
  }
}

/** A counter's or gauge's value at a step; counters grow by their rate with a wobble that never turns them back. */
export function valueAt(target: MeshTarget, index: number, step: number): number {
  const rate = target.rates[index] ?? 0;
  if (target.isGauge[index] === 1) return rate * (1 + 0.05 * Math.sin(step / 7 + index));
  return Math.floor(rate * (step + 0.4 * unevenness(Math.floor(index / seriesOfTraffic), step)));
}

/** From -1 to 1, other for every edge and step: a counter does not grow by the same at each scrape. */
function unevenness(edge: number, step: number): number {
  const mixed = Math.imul(edge * 0x9e37 + step + 1, 0x85eb_ca6b);
  return Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35) / 2 ** 31;
}
