/** Metrics from those who send them in the field: a real Prometheus, written from and federated from, and npm's clients. */
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { pushTimeseries } from "prometheus-remote-write";
import { afterAll, beforeAll, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { remoteWriteType, snappy } from "../robust/pushes.ts";
import { freePort, query, serve, type Served } from "../robust/served.ts";
import { listenAsTarget } from "../robust/targets.ts";
import { type Peer, startPrometheus } from "./peers.ts";

const scratch = scratchDir();
let served: Served;
let peer: Peer;
let target: Awaited<ReturnType<typeof listenAsTarget>>;

beforeAll(async () => {
  target = await listenAsTarget(() => 'orders_total{path="/"} 3\nother 1\n# TYPE help gauge\n');
  const [port, peerPort] = [await freePort(), await freePort()];
  const scrapeConfig = JSON.stringify({
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: [
      {
        job_name: "federation",
        honor_labels: true,
        metrics_path: "/federate",
        params: { "match[]": ['{__name__="orders_total"}', '{__name__="up",job="app"}'] },
        static_configs: [{ targets: [`127.0.0.1:${peerPort}`] }],
        metric_relabel_configs: [{ target_label: "via", replacement: "federation" }],
      },
      { job_name: "nobody", static_configs: [{ targets: ["127.0.0.1:1"] }] },
    ],
  });
  served = await serve({ dir: scratch.dir, port, scrapeConfig });
  peer = await startPrometheus(
    `${scratch.dir}/peer`,
    {
      global: { scrape_interval: "1s", scrape_timeout: "1s", external_labels: { site: "there" } },
      scrape_configs: [{ job_name: "app", static_configs: [{ targets: [target.address] }] }],
      remote_write: [
        {
          url: `${served.url}/api/v1/write`,
          write_relabel_configs: [{ target_label: "via", replacement: "write" }],
          queue_config: { batch_send_deadline: "1s" },
        },
      ],
    },
    peerPort,
  );
}, 120_000);

afterAll(async () => {
  await peer?.kill();
  await served?.running.stop();
  await target?.close();
  scratch.remove();
}, 60_000);

const arrived = (expression: string) =>
  until(expression, async () => (await query(served, expression))[0], 60_000);

it("a Prometheus writes remotely what it scrapes", async () => {
  const sample = await arrived('orders_total{via="write"}');
  expect(sample.metric).toMatchObject({
    job: "app",
    instance: target.address,
    path: "/",
    site: "there",
  });
  expect(sample.value?.[1]).toBe("3");
});

it("a Prometheus is federated from, each match[] of its own, with its labels and times", async () => {
  const sample = await arrived('orders_total{via="federation"}');
  expect(sample.metric).toMatchObject({ job: "app", instance: target.address, site: "there" });
  await arrived('up{via="federation",job="app"} == 1');
  expect(await query(served, 'other{via="federation"}')).toEqual([]);
  const [own] = (await peer
    .get("/api/v1/query?query=orders_total%5B2m%5D")
    .then(
      (answer) => (answer as { data: { result: { values: [number, string][] }[] } }).data.result,
    )) as [{ values: [number, string][] }];
  const [here] = await query(served, 'orders_total{via="federation"}[2m]');
  const times = own.values.map(([time]) => time);
  expect(times).toEqual(
    expect.arrayContaining(here?.values?.map(([time]) => time).slice(0, 1) ?? [NaN]),
  );
});

it("npm's prometheus-remote-write pushes without Content-Encoding", async () => {
  const timestamp = Date.now();
  const sent = await pushTimeseries(
    { labels: { __name__: "npm_pushed", a: "b" }, samples: [{ value: 7, timestamp }] },
    { url: `${served.url}/api/v1/write` },
  );
  expect(sent.status).toBe(204);
  expect((await arrived("npm_pushed")).value?.[1]).toBe("7");
});

it("OpenTelemetry's SDK pushes counters, histograms and exponential histograms", async () => {
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": "otel", "service.version": "2" }),
    views: [
      {
        instrumentName: "wait",
        aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
      },
    ],
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ url: `${served.url}/v1/metrics` }),
        exportIntervalMillis: 3_600_000,
      }),
    ],
  });
  const meter = provider.getMeter("test");
  meter.createCounter("jobs.done", { unit: "{job}" }).add(2, { kind: "x" });
  meter.createHistogram("took", { unit: "ms" }).record(30);
  const wait = meter.createHistogram("wait", { unit: "s" });
  for (let i = 1; i <= 100; i++) wait.record(i / 100);
  await provider.forceFlush();
  await provider.shutdown();
  expect((await arrived('jobs_done_total{job="otel", kind="x"}')).value?.[1]).toBe("2");
  expect((await arrived('took_milliseconds_bucket{le="50"}')).value?.[1]).toBe("1");
  expect((await arrived('target_info{job="otel"}')).metric).toMatchObject({ service_version: "2" });
  expect(Number((await arrived("histogram_count(wait_seconds)")).value?.[1])).toBe(100);
  const median = Number((await arrived("histogram_quantile(0.5, wait_seconds)")).value?.[1]);
  expect(median).toBeCloseTo(0.5, 1);
});

const v2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
const post = (body: Buffer, contentType: string) =>
  fetch(`${served.url}/api/v1/write`, {
    method: "POST",
    headers: { ...remoteWriteType, "content-type": contentType },
    body: snappy(body),
  });

/** Symbols 4, timeseries 5 {labels_refs 1, samples 2 {value 1, timestamp 2}}; every length below 128. */
function requestV2(series: readonly (readonly [refs: readonly number[], value: number])[]): Buffer {
  const part = (number: number, payload: Uint8Array) =>
    Buffer.concat([Buffer.from([(number << 3) | 2, payload.length]), payload]);
  const symbols = ["", "__name__", "second"].map((text) => part(4, Buffer.from(text)));
  const all = series.map(([refs, value]) => {
    const double = Buffer.alloc(9);
    double.writeUInt8((1 << 3) | 1, 0);
    double.writeDoubleLE(value, 1);
    const time: number[] = [2 << 3];
    let rest = Date.now();
    for (; rest >= 128; rest = Math.floor(rest / 128)) time.push((rest % 128) | 128);
    const sample = Buffer.concat([double, Buffer.from([...time, rest])]);
    return part(5, Buffer.concat([part(1, Uint8Array.from(refs)), part(2, sample)]));
  });
  return Buffer.concat([...symbols, ...all]);
}

it("remote write 2.0 is told what was written, also when a part of it was bad", async () => {
  const good = await post(requestV2([[[1, 2], 5]]), v2);
  expect(good.status).toBe(204);
  expect(good.headers.get("x-prometheus-remote-write-samples-written")).toBe("1");
  expect(good.headers.get("x-prometheus-remote-write-histograms-written")).toBe("0");
  expect(good.headers.get("x-prometheus-remote-write-exemplars-written")).toBe("0");
  const partly = await post(
    requestV2([
      [[1, 9], 1],
      [[1, 2], 6],
    ]),
    v2,
  );
  expect(partly.status).toBe(400);
  expect(partly.headers.get("x-prometheus-remote-write-samples-written")).toBe("1");
  expect(await partly.text()).toMatch(
    /symbol 9 of a table of 3; .*the other 1 are stored|symbol 9/,
  );
  expect((await arrived("second == 6")).value?.[1]).toBe("6");
  const unknown = await post(
    requestV2([]),
    "application/x-protobuf;proto=io.prometheus.write.v9.X",
  );
  expect(unknown.status).toBe(415);
});

it("a target that is down says why", async () => {
  const down = await until(
    "the dead target",
    async () => {
      const { data } = (await served.get("/api/v1/targets")) as {
        data: { activeTargets: { scrapePool: string; health: string; lastError: string }[] };
      };
      return data.activeTargets.find(
        (each) => each.scrapePool === "nobody" && each.health === "down",
      );
    },
    30_000,
  );
  expect(down.lastError).toBe("connection refused: nothing listens on 127.0.0.1:1");
});
