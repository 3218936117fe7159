/**
 * Istio's standard metrics of one proxy: `istio_requests_total` with the three histograms per label set, and the TCP
 * counters. Label sets and buckets as Istio 1.2x writes them (histograms in milliseconds and bytes, same bounds).
 * At most `labelSetsMax` label sets; requests beyond are counted in `overflowed` and not in any series.
 */
import { labelsText } from "../telemetry/exposition.ts";
import type { ServiceIdentity, WorkloadIdentity } from "./config.ts";
import type { RequestReport } from "./request-report.ts";

const istioBuckets = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
] as const;

const labelSetsMax = 2000;
const histogramNames = [
  "istio_request_duration_milliseconds",
  "istio_request_bytes",
  "istio_response_bytes",
] as const;

interface RequestSeries {
  readonly labels: string;
  total: number;
  /** Three histograms side by side: bucket counts (not cumulative), and their sums. */
  readonly counts: Float64Array;
  readonly sums: Float64Array;
}

export interface TcpSeries {
  readonly labels: string;
  sentBytes: number;
  receivedBytes: number;
  opened: number;
  closed: number;
}

export interface TcpReport {
  readonly reporter: "source" | "destination";
  readonly flags: string;
  readonly service: ServiceIdentity;
  readonly peer: Partial<WorkloadIdentity>;
  readonly mutualTls: boolean;
}

const slots = istioBuckets.length + 1;

export class IstioMetrics {
  overflowed = 0;
  readonly #self: WorkloadIdentity;
  readonly #requests = new Map<string, RequestSeries>();
  readonly #byPeer = new WeakMap<Partial<WorkloadIdentity>, Map<string, RequestSeries>>();
  readonly #tcp = new Map<string, TcpSeries>();

  constructor(self: WorkloadIdentity) {
    this.#self = self;
  }

  record(report: RequestReport): void {
    const series = this.#seriesOf(report);
    if (series === undefined) return;
    series.total++;
    observe(series, 0, report.durationMs);
    observe(series, 1, report.requestBytes);
    observe(series, 2, report.responseBytes);
  }

  /** The counters of one kind of TCP connection; the caller adds to them as bytes flow. */
  tcp(report: TcpReport): TcpSeries {
    const labels = this.#labels(report, "tcp", {});
    let series = this.#tcp.get(labels);
    if (series === undefined) {
      series = { labels, sentBytes: 0, receivedBytes: 0, opened: 0, closed: 0 };
      if (this.#tcp.size < labelSetsMax) this.#tcp.set(labels, series);
      else this.overflowed++;
    }
    return series;
  }

  text(): string {
    const lines: string[] = [];
    this.#writeRequests(lines);
    this.#writeTcp(lines);
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  }

  /** Label text is long and peers few: what was written once for a peer is found again by a short key. */
  #seriesOf(report: RequestReport): RequestSeries | undefined {
    let known = this.#byPeer.get(report.peer);
    if (known === undefined) this.#byPeer.set(report.peer, (known = new Map()));
    const { service, status, flags, mutualTls, reporter } = report;
    const key = `${status} ${flags} ${mutualTls} ${reporter} ${service.host} ${service.name}`;
    let series = known.get(key);
    if (series === undefined) {
      series = this.#findSeries(report);
      if (series !== undefined) known.set(key, series);
    }
    return series;
  }

  #findSeries(report: RequestReport): RequestSeries | undefined {
    const labels = this.#labels(report, "http", {
      response_code: String(report.status),
      grpc_response_status: "",
    });
    let series = this.#requests.get(labels);
    if (series === undefined) {
      if (this.#requests.size >= labelSetsMax) {
        this.overflowed++;
        return undefined;
      }
      const counts = new Float64Array(3 * slots);
      series = { labels, total: 0, counts, sums: new Float64Array(3) };
      this.#requests.set(labels, series);
    }
    return series;
  }

  #labels(report: TcpReport, protocol: string, response: Readonly<Record<string, string>>): string {
    const source = report.reporter === "source" ? this.#self : report.peer;
    const destination = report.reporter === "source" ? report.peer : this.#self;
    const proven = report.mutualTls;
    // Source proxies cannot know what policy the other side enforces.
    const policy = report.reporter === "source" ? "unknown" : proven ? "mutual_tls" : "none";
    return labelsText({
      reporter: report.reporter,
      ...sideLabels("source", source, proven),
      ...sideLabels("destination", destination, proven),
      destination_service: report.service.host,
      destination_service_name: report.service.name,
      destination_service_namespace: report.service.namespace,
      request_protocol: protocol,
      ...response,
      response_flags: report.flags,
      connection_security_policy: policy,
    });
  }

  #writeRequests(lines: string[]): void {
    if (this.#requests.size === 0) return;
    lines.push("# TYPE istio_requests_total counter");
    for (const series of this.#requests.values()) {
      lines.push(`istio_requests_total{${series.labels}} ${series.total}`);
    }
    for (let h = 0; h < histogramNames.length; h++) {
      const name = histogramNames[h] ?? "";
      lines.push(`# TYPE ${name} histogram`);
      for (const series of this.#requests.values()) writeHistogram(lines, name, series, h);
    }
  }

  #writeTcp(lines: string[]): void {
    if (this.#tcp.size === 0) return;
    const families: [string, keyof TcpSeries][] = [
      ["istio_tcp_connections_opened_total", "opened"],
      ["istio_tcp_connections_closed_total", "closed"],
      ["istio_tcp_sent_bytes_total", "sentBytes"],
      ["istio_tcp_received_bytes_total", "receivedBytes"],
    ];
    for (const [name, field] of families) {
      lines.push(`# TYPE ${name} counter`);
      for (const series of this.#tcp.values()) {
        lines.push(`${name}{${series.labels}} ${series[field]}`);
      }
    }
  }
}

function sideLabels(
  side: "source" | "destination",
  identity: Partial<WorkloadIdentity>,
  proven: boolean,
): Record<string, string> {
  return {
    [`${side}_workload`]: identity.workload ?? "unknown",
    [`${side}_canonical_service`]: identity.canonicalService ?? "unknown",
    [`${side}_canonical_revision`]: identity.canonicalRevision ?? "latest",
    [`${side}_workload_namespace`]: identity.namespace ?? "unknown",
    [`${side}_principal`]: proven ? (identity.principal ?? "unknown") : "unknown",
    [`${side}_app`]: identity.app ?? "unknown",
    [`${side}_version`]: identity.version ?? "unknown",
    [`${side}_cluster`]: identity.cluster ?? "unknown",
  };
}

function observe(series: RequestSeries, histogram: number, value: number): void {
  let slot = 0;
  while (slot < istioBuckets.length && value > (istioBuckets[slot] ?? Infinity)) slot++;
  const at = histogram * slots + slot;
  series.counts[at] = (series.counts[at] ?? 0) + 1;
  series.sums[histogram] = (series.sums[histogram] ?? 0) + value;
}

function writeHistogram(lines: string[], name: string, series: RequestSeries, h: number): void {
  let cumulative = 0;
  for (let slot = 0; slot < slots; slot++) {
    cumulative += series.counts[h * slots + slot] ?? 0;
    const bound = istioBuckets[slot] ?? "+Inf";
    lines.push(`${name}_bucket{${series.labels},le="${bound}"} ${cumulative}`);
  }
  lines.push(`${name}_sum{${series.labels}} ${series.sums[h]}`);
  lines.push(`${name}_count{${series.labels}} ${cumulative}`);
}
