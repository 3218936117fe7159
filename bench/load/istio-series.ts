/** Label sets and counters of proxies, straight into a sink: for benchmarks of the store alone. */
import { type GroupRef, LabelSet, type SampleSink } from "@skopos/model";

export const seriesPerTarget = 7 * 67;
const bounds = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
].map(String);

export interface SinkTarget {
  readonly group: GroupRef;
  readonly refs: Uint32Array;
  readonly values: Float64Array;
}

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

/** One label set of proxied traffic: requests_total and three histograms of 20 buckets, sum and count: 67 series. */
function trafficSeries(base: Record<string, string>): LabelSet[] {
  const out = [LabelSet.fromMap({ ...base, __name__: "istio_requests_total" })];
  for (const name of [
    "istio_request_duration_milliseconds",
    "istio_request_bytes",
    "istio_response_bytes",
  ]) {
    for (const le of [...bounds, "+Inf"])
      out.push(LabelSet.fromMap({ ...base, __name__: `${name}_bucket`, le }));
    out.push(LabelSet.fromMap({ ...base, __name__: `${name}_sum` }));
    out.push(LabelSet.fromMap({ ...base, __name__: `${name}_count` }));
  }
  return out;
}

export function openTarget(
  head: Pick<SampleSink, "openGroup" | "series">,
  number: number,
): SinkTarget {
  const group = head.openGroup(`proxy ${number}`);
  const refs: number[] = [];
  for (let edge = 0; edge < 7; edge++) {
    const app = `service-${number % 500}`;
    const peer = `service-${(number * 7 + edge * 13) % 500}`;
    const labels = trafficSeries({
      app,
      connection_security_policy: edge % 2 === 0 ? "mutual_tls" : "unknown",
      destination_app: peer,
      destination_service: `${peer}.shop.svc.cluster.local`,
      destination_service_name: peer,
      destination_service_namespace: "shop",
      destination_workload: `${peer}-v1`,
      destination_workload_namespace: "shop",
      instance: `10.0.${number >> 8}.${number & 255}:15020`,
      job: "istio-proxies",
      namespace: "shop",
      pod: `${app}-${number.toString(36)}`,
      reporter: edge < 3 ? "destination" : "source",
      request_protocol: "http",
      response_code: edge === 6 ? "503" : "200",
      response_flags: edge === 6 ? "UO" : "-",
      source_app: app,
      source_workload: `${app}-v1`,
      source_workload_namespace: "shop",
    });
    for (const set of labels) refs.push(head.series(group, set) ?? 0);
  }
  return { group, refs: Uint32Array.from(refs), values: new Float64Array(refs.length) };
}

/** One scrape's worth of traffic: requests fall into buckets; an idle edge stands still. */
export function tick(target: SinkTarget, random: () => number): void {
  const { values } = target;
  for (let edge = 0; edge < 7; edge++) {
    const requests =
      edge === 6 ? (random() < 0.1 ? 1 : 0) : Math.floor(random() * 300 * (edge % 3));
    const at = edge * 67;
    values[at] = (values[at] ?? 0) + requests;
    for (let histogram = 0; histogram < 3; histogram++) {
      const from = at + 1 + histogram * 22;
      const centre = 4 + histogram * 3;
      for (let bucket = 0; bucket < 20; bucket++) {
        const share = 1 / (1 + Math.exp(centre - bucket + random() * 0.1));
        const below = share < 0.001 ? 0 : Math.round(requests * Math.min(1, share * 1.05));
        values[from + bucket] = (values[from + bucket] ?? 0) + below;
      }
      values[from + 20] = (values[from + 20] ?? 0) + Math.round(requests * 370 * random()) / 10;
      values[from + 21] = (values[from + 21] ?? 0) + requests;
    }
  }
}
