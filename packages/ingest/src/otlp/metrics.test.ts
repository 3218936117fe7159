import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { SkoposError } from "@skopos/model";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { describe, expect, it } from "vitest";
import { lossOf, writeBatch } from "../metric-batch/write.ts";
import { fuzzRuns } from "../testing/fuzz-runs.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { decodeOtlpMetrics } from "./metrics.ts";

interface Received {
  readonly body: Buffer;
  readonly headers: IncomingHttpHeaders;
}

/** What OpenTelemetry's SDK sends when `record` has measured. */
async function exported(record: (provider: MeterProvider) => void): Promise<Received> {
  let received: Received | undefined;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received ??= { body: Buffer.concat(chunks), headers: request.headers };
      response.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`;
  const provider = new MeterProvider({
    resource: resourceFromAttributes({
      "service.name": "cart",
      "service.namespace": "shop",
      "service.instance.id": "cart-1",
      "host.name": "n1",
    }),
    views: [
      {
        instrumentName: "queue.wait",
        aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
      },
    ],
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ url }),
        exportIntervalMillis: 3_600_000,
      }),
    ],
  });
  record(provider);
  await provider.forceFlush();
  await provider.shutdown();
  await new Promise((resolve) => server.close(resolve));
  if (!received) throw new Error("nothing was exported");
  return received;
}

function stored(body: Uint8Array, contentType = "application/json", contentEncoding?: string) {
  const sink = new RecordingSink();
  const losses: string[] = [];
  let rejected = 0;
  const batches = decodeOtlpMetrics(body, contentType, { contentEncoding });
  for (const { group, batch } of batches) {
    const outcome = writeBatch(batch, sink, group, 4e12);
    rejected += batch.rejected;
    if (lossOf(batch, outcome) !== "") losses.push(lossOf(batch, outcome));
  }
  const metadata = Object.fromEntries(batches.flatMap(({ batch }) => [...batch.metadata]));
  return { sink, rejected, losses, metadata, groups: batches.map(({ group }) => group) };
}

const at = { timeUnixNano: "1700000000000000000" };

function json(
  metric: object,
  resource: object[] = [{ key: "service.name", value: { stringValue: "cart" } }],
) {
  const resourceMetrics = [
    { resource: { attributes: resource }, scopeMetrics: [{ metrics: [metric] }] },
  ];
  return Buffer.from(JSON.stringify({ resourceMetrics }));
}

describe("what OpenTelemetry's SDK exports", () => {
  it("becomes series named and labelled as Prometheus names them", async () => {
    const { body, headers } = await exported((provider) => {
      const meter = provider.getMeter("test");
      meter
        .createCounter("http.server.requests", { unit: "{request}", description: "Served." })
        .add(3, {
          "http.route": "/cart",
        });
      meter.createUpDownCounter("pool.size").add(5);
      meter.createHistogram("http.server.duration", { unit: "ms" }).record(7);
      meter.createHistogram("queue.wait", { unit: "s" }).record(0.3);
    });
    const { sink, losses, metadata, groups } = stored(body, headers["content-type"]);
    expect(losses).toEqual([]);
    expect(groups).toEqual(['otlp ["shop/cart","cart-1"]']);
    const own = 'instance="cart-1", job="shop/cart"';
    expect(sink.samples).toMatchObject({
      [`http_server_requests_total{http_route="/cart", ${own}}`]: 3,
      [`pool_size{${own}}`]: 5,
      [`http_server_duration_milliseconds_sum{${own}}`]: 7,
      [`http_server_duration_milliseconds_count{${own}}`]: 1,
      [`http_server_duration_milliseconds_bucket{${own}, le="5"}`]: 0,
      [`http_server_duration_milliseconds_bucket{${own}, le="10"}`]: 1,
      [`http_server_duration_milliseconds_bucket{${own}, le="+Inf"}`]: 1,
    });
    expect(Object.keys(sink.samples)).toContain(`target_info{host_name="n1", ${own}}`);
    expect(sink.histograms).toHaveLength(1);
    expect(sink.histograms[0]).toMatchObject({
      series: `queue_wait_seconds{${own}}`,
      histogram: { schema: 8, count: 1, sum: 0.3, positiveBuckets: [1] },
    });
    expect(metadata["http_server_requests_total"]).toEqual({
      type: "counter",
      help: "Served.",
      unit: "",
    });
    expect(metadata["http_server_duration_milliseconds"]).toMatchObject({
      type: "histogram",
      unit: "milliseconds",
    });
  });
});

describe("OTLP/JSON", () => {
  it("is read like protobuf, gzip and all", () => {
    const gauge = { name: "temp", unit: "1", gauge: { dataPoints: [{ ...at, asInt: "-4" }] } };
    const { sink } = stored(gzipSync(json(gauge)), "application/json", "gzip");
    expect(sink.samples).toEqual({ 'temp_ratio{job="cart"}': -4 });
    expect(sink.pages[0]?.timeMs).toBe(1_700_000_000_000);
  });

  it("keeps the trace of an exemplar with the bucket it fell into", () => {
    const exemplars = [
      {
        ...at,
        asDouble: 3,
        traceId: "0AF7651916CD43DD8448EB211C80319C",
        spanId: "b7ad6b7169203331",
      },
    ];
    const dataPoints = [
      {
        ...at,
        count: "2",
        sum: 4,
        bucketCounts: ["1", "1", "0"],
        explicitBounds: [1, 5],
        exemplars,
      },
    ];
    const metric = { name: "wait", histogram: { aggregationTemporality: 2, dataPoints } };
    const { sink } = stored(json(metric));
    expect(sink.exemplars).toEqual([
      {
        series: 'wait_bucket{job="cart", le="5"}',
        exemplar: {
          labels: { trace_id: "0af7651916cd43dd8448eb211c80319c", span_id: "b7ad6b7169203331" },
          value: 3,
          timeMs: 1_700_000_000_000,
        },
      },
    ]);
  });

  it("writes a summary's quantiles, sum and count", () => {
    const quantileValues = [
      { quantile: 0.5, value: 2 },
      { quantile: 0.99, value: 9 },
    ];
    const dataPoints = [{ ...at, count: "3", sum: 12, quantileValues }];
    expect(stored(json({ name: "s", summary: { dataPoints } })).sink.samples).toEqual({
      's_sum{job="cart"}': 12,
      's_count{job="cart"}': 3,
      's{job="cart", quantile="0.5"}': 2,
      's{job="cart", quantile="0.99"}': 9,
    });
  });

  it("ends a series whose point has no recorded value", () => {
    const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ ...at, flags: 1 }] };
    expect(stored(json({ name: "c", sum })).sink.samples).toEqual({
      'c_total{job="cart"}': "stale",
    });
  });

  it.each([
    [
      "delta sums",
      { name: "d", sum: { aggregationTemporality: 1, dataPoints: [{ ...at, asInt: 1 }] } },
      /temporality is delta/,
    ],
    ["points without a time", { name: "g", gauge: { dataPoints: [{ asInt: 1 }] } }, /no time/],
    ["points without a value", { name: "g", gauge: { dataPoints: [{ ...at }] } }, /no value/],
    [
      "buckets that do not fit their bounds",
      {
        name: "h",
        histogram: {
          aggregationTemporality: "AGGREGATION_TEMPORALITY_CUMULATIVE",
          dataPoints: [{ ...at, count: 1, bucketCounts: [1], explicitBounds: [1] }],
        },
      },
      /1 buckets do not fit 1 bounds/,
    ],
    [
      "metrics without a name",
      { name: "…", gauge: { dataPoints: [{ ...at, asInt: 1 }] } },
      /a metric called/,
    ],
  ])("rejects %s and says why", (_, metric, reason) => {
    const { sink, rejected, losses } = stored(json(metric));
    expect(Object.keys(sink.samples)).toEqual([]);
    expect(rejected).toBe(1);
    expect(losses[0]).toMatch(reason);
  });

  it("joins the values of keys that become one label", () => {
    const attributes = [
      { key: "a.b", value: { stringValue: "1" } },
      { key: "a-b", value: { intValue: "2" } },
      { key: "_x", value: { boolValue: true } },
      { key: "9", value: { stringValue: "n" } },
    ];
    const gauge = { dataPoints: [{ ...at, asDouble: 1, attributes }] };
    expect(Object.keys(stored(json({ name: "g", gauge }, [])).sink.samples)).toEqual([
      'g{a_b="2;1", key_9="n", key_x="true"}',
    ]);
  });

  it("makes a fine exponential histogram coarser without losing a count", () => {
    const positive = {
      offset: -3,
      bucketCounts: ["1", "1", "1", "1", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "2"],
    };
    const point = { ...at, count: "7", sum: 1, scale: 10, zeroCount: "1", positive };
    const exponentialHistogram = { aggregationTemporality: 2, dataPoints: [point] };
    const { sink } = stored(json({ name: "e", exponentialHistogram }));
    // Indexes -3…0 become floor(i / 4): -1 three times, 0 once; 11 becomes 2. One more in Prometheus's count.
    expect(sink.histograms[0]?.histogram).toMatchObject({
      schema: 8,
      positiveSpans: [{ offset: 0, length: 4 }],
      positiveBuckets: [3, 1, 0, 2],
    });
  });
});

it("damaged protobuf gets an error, never a crash", async () => {
  const { body, headers } = await exported((provider) => {
    const meter = provider.getMeter("test");
    meter.createCounter("c").add(1, { a: "b" });
    meter.createHistogram("h").record(7);
    meter.createHistogram("queue.wait").record(7);
  });
  const damage = fc.array(fc.record({ at: fc.nat(body.length - 1), byte: fc.nat(255) }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(damage, (changes) => {
      const bytes = Uint8Array.from(body);
      for (const { at: where, byte } of changes) bytes[where] = byte;
      try {
        stored(bytes, headers["content-type"]);
      } catch (error) {
        if (!(error instanceof SkoposError)) throw error;
      }
    }),
    { numRuns: fuzzRuns(1000) },
  );
});

it("damaged JSON gets an error, never a crash", () => {
  const dataPoints = [
    { ...at, count: "2", sum: 4, bucketCounts: ["1", "1"], explicitBounds: [1], attributes: [] },
  ];
  const histogram = { aggregationTemporality: 2, dataPoints };
  const text = json({ name: "wait", histogram }).toString();
  const piece = fc.constantFrom("{}", "[]", "null", "-1", '"x"', "1e400", "[[", "true", "");
  const spot = fc.tuple(fc.nat(text.length), fc.nat(12), piece);
  fc.assert(
    fc.property(spot, ([from, size, put]) => {
      const damaged = text.slice(0, from) + put + text.slice(from + size);
      try {
        stored(Buffer.from(damaged));
      } catch (error) {
        if (!(error instanceof SkoposError)) throw error;
      }
    }),
    { numRuns: fuzzRuns(1000) },
  );
});

it("a body of countless empty points is refused before it fills the memory", () => {
  const points = Buffer.alloc(1_200_000);
  for (let i = 0; i < points.length; i += 2) points[i] = 0x0a;
  const wrap = (field: number, inner: Uint8Array) => {
    const head = [(field << 3) | 2];
    let size = inner.length;
    for (; size >= 128; size = Math.floor(size / 128)) head.push((size % 128) | 128);
    return Buffer.concat([Buffer.from([...head, size]), inner]);
  };
  const body = wrap(1, wrap(2, wrap(2, wrap(5, points))));
  expect(() => decodeOtlpMetrics(body, "application/x-protobuf")).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
});
