/**
 * The metrics head alone, on label sets and counters as Istio's proxies give them: what an appended sample costs, what a
 * series takes in memory after an hour at 15 s, and how long a select of 30,000 series over that hour takes.
 * `--size` is the number of series (default 100,000).
 */
import { LabelSet, type MetricReader } from "@skopos/model";
import { Head, HeadView } from "@skopos/store";

const stepMs = 15_000;
const steps = 240;
const seriesPerTarget = 7 * 67;
const bounds = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
].map(String);

interface Target {
  readonly group: number;
  readonly refs: Uint32Array;
  readonly values: Float64Array;
}

/** mulberry32 */
function seeded(seed: number): () => number {
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

function openTarget(head: Head, number: number): Target {
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
function tick(target: Target, random: () => number): void {
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

async function medianMs(work: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < 7; i++) {
    const started = performance.now();
    await work();
    took.push(performance.now() - started);
  }
  return took.sort((x, y) => x - y)[3] ?? Number.NaN;
}

async function timeSelect(reader: MetricReader, endMs: number) {
  const request = {
    matchers: [
      { op: "=", name: "__name__", value: "istio_request_duration_milliseconds_bucket" },
    ] as const,
    startMs: endMs - steps * stepMs,
    endMs,
    seriesMax: 1e6,
    samplesMax: 1e9,
  };
  const labelled = { ...request, startMs: endMs - 60_000 };
  const block = await reader.select(request);
  const wholeMs = await medianMs(() => reader.select(request));
  const instantMs = await medianMs(() => reader.select(labelled));
  const scale = 30_000 / block.labels.length;
  return { series: block.labels.length, wholeMs: wholeMs * scale, instantMs: instantMs * scale };
}

export async function run({ size = 100_000 }: { size: number | undefined }) {
  const head = new Head();
  const random = seeded(1);
  const defineStarted = performance.now();
  const targets = Array.from({ length: Math.ceil(size / seriesPerTarget) }, (_, i) =>
    openTarget(head, i),
  );
  const series = targets.length * seriesPerTarget;
  const defineUs = ((performance.now() - defineStarted) * 1000) / series;
  let appendMs = 0;
  let slowestMs = 0;
  let timeMs = 1_700_000_000_000;
  for (let step = 0; step < steps; step++) {
    timeMs += stepMs;
    for (const [i, target] of targets.entries()) {
      tick(target, random);
      const started = performance.now();
      head.appendPage(target.group, timeMs + i, target.refs, target.values, target.refs.length);
      const tookMs = performance.now() - started;
      appendMs += tookMs;
      slowestMs = Math.max(slowestMs, tookMs);
    }
  }
  const stats = head.stats();
  const endMs = timeMs + stepMs;
  const foldStarted = performance.now();
  const view = new HeadView(head.share());
  await view.labelNames({
    matcherSets: [[{ op: "=", name: "x", value: "y" }]],
    startMs: 0,
    endMs,
    limit: 1,
  });
  const foldMs = performance.now() - foldStarted;
  const select = await timeSelect(view, endMs);
  const figures = {
    series,
    nsPerSample: round((appendMs * 1e6) / (series * steps)),
    slowestPageMs: round(slowestMs),
    bytesPerSeries: round(stats.bytes / series),
    chunkBytesPerSample: round(head.parts().chunks / (series * (steps - (steps % 32)))),
    openBytesPerSeries: round(head.parts().open / series),
    nameBytesPerSeries: round(head.parts().names / series),
    defineUsPerSeries: round(defineUs),
    foldMs: round(foldMs),
    selectedSeries: select.series,
    selectHourMsPer30k: round(select.wholeMs),
    selectMinuteMsPer30k: round(select.instantMs),
  };
  console.table(figures);
  return figures;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
