import * as fc from "fast-check";
import { SkoposError } from "@skopos/model";
import { compress } from "snappyjs";
import { describe, expect, it } from "vitest";
import { batchLimits } from "../metric-batch/batch.ts";
import { lossOf } from "../metric-batch/write.ts";
import { fuzzRuns } from "../testing/fuzz-runs.ts";
import { ProtobufWriter } from "../testing/protobuf-writer.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { RemoteWriteReceiver } from "./receive.ts";

const v1 = { contentType: "application/x-protobuf", contentEncoding: "snappy" };
const v2 = { ...v1, contentType: "application/x-protobuf;proto=io.prometheus.write.v2.Request" };
const stale = 0x7ff0000000000002n;
const nowMs = 10_000;

function written(body: Uint8Array, headers = v1, sink = new RecordingSink(), at = nowMs) {
  const receiver = new RemoteWriteReceiver(sink, "remote-write eu", 1);
  const { batch, version, outcome } = receiver.receive(compress(body), headers, at);
  return { sink, outcome, version, batch, loss: lossOf(batch, outcome) };
}

function series(labels: Record<string, string>, samples: [number, number | bigint][]) {
  return (message: ProtobufWriter) => {
    for (const [name, value] of Object.entries(labels))
      message.message(1, (label) => label.text(1, name).text(2, value));
    for (const [timeMs, value] of samples)
      message.message(2, (sample) =>
        typeof value === "bigint"
          ? sample.fixed64(1, value).varint(2, timeMs)
          : sample.double(1, value).varint(2, timeMs),
      );
  };
}

const zigzag = (value: number) => BigInt(value < 0 ? -2 * value - 1 : 2 * value);
const packed = (write: (inner: ProtobufWriter) => unknown) => {
  const inner = new ProtobufWriter();
  write(inner);
  return inner.finish();
};
/** Packed varints: fields of a message without their tags. */
const varints = (values: readonly bigint[]) =>
  Buffer.concat(values.map((value) => packed((one) => one.varint(1, value)).subarray(1)));
const doubles = (values: readonly number[]) =>
  Buffer.concat(values.map((value) => packed((one) => one.double(1, value)).subarray(1)));

/** 7 observations: 2 zeros, (0.5, 1] 3, (1, 2] 1, negative [-2, -1) 1. */
function histogram(message: ProtobufWriter): void {
  message
    .varint(1, 7)
    .double(3, 12.5)
    .varint(4, zigzag(0))
    .double(5, 0.001)
    .varint(6, 2)
    .message(8, (span) => span.varint(1, zigzag(1)).varint(2, 1))
    .bytes(9, varints([zigzag(1)]))
    .message(11, (span) => span.varint(1, zigzag(0)).varint(2, 2))
    .bytes(12, varints([zigzag(3), zigzag(-2)]))
    .varint(14, 2)
    .varint(15, 3000);
}

const readBack = {
  schema: 0,
  count: 7,
  sum: 12.5,
  zeroThreshold: 0.001,
  zeroCount: 2,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveBuckets: [3, 1],
  negativeSpans: [{ offset: 1, length: 1 }],
  negativeBuckets: [1],
  customValues: [],
  counterReset: "not-reset",
};

const requestV1 = new ProtobufWriter()
  .message(
    1,
    series({ __name__: "a", x: "1" }, [
      [2000, 2],
      [1000, 1],
    ]),
  )
  .message(1, series({ __name__: "b" }, [[2000, stale]]))
  .message(1, (message) => {
    series({ __name__: "h" }, [])(message);
    message.message(4, histogram).message(3, (exemplar) =>
      exemplar
        .message(1, (label) => label.text(1, "trace_id").text(2, "abc"))
        .double(2, 0.7)
        .varint(3, 2999),
    );
  })
  .message(3, (metadata) => metadata.varint(1, 1).text(2, "a").text(4, "What a is.").text(5, "s"))
  .finish();

const symbols = ["", "__name__", "h", "trace_id", "abc", "job", "x", "Latency.", "seconds"];

function requestV2(write: (request: ProtobufWriter) => unknown): Uint8Array {
  const request = new ProtobufWriter();
  for (const symbol of symbols) request.text(4, symbol);
  write(request);
  return request.finish();
}

const goodV2 = requestV2((request) =>
  request.message(5, (message) =>
    message
      .bytes(1, varints([1n, 2n, 5n, 6n]))
      .message(2, (sample) => sample.double(1, 1.5).varint(2, 2000))
      .message(3, histogram)
      .message(4, (exemplar) =>
        exemplar
          .bytes(1, varints([3n, 4n]))
          .double(2, 0.7)
          .varint(3, 2999),
      )
      .message(5, (metadata) => metadata.varint(1, 3).varint(3, 7).varint(4, 8))
      .varint(6, 500),
  ),
);

describe("remote write 1.0", () => {
  it("becomes one page per time, oldest first, staleness markers intact", () => {
    const { sink, outcome, version } = written(requestV1);
    expect(version).toBe(1);
    expect(outcome).toMatchObject({ appended: 4, samples: 3, histograms: 1, refused: 0 });
    expect(sink.pages).toEqual([
      { group: "remote-write eu", timeMs: 1000, samples: { 'a{x="1"}': 1 } },
      { group: "remote-write eu", timeMs: 2000, samples: { 'a{x="1"}': 2, b: "stale" } },
    ]);
  });

  it("brings exemplars apart from the samples of their series, as Prometheus sends them", () => {
    const request = new ProtobufWriter()
      .message(1, series({ __name__: "a" }, [[1000, 1]]))
      .message(1, (message) => {
        series({ __name__: "a" }, [])(message);
        message.message(3, (exemplar) => exemplar.double(2, 0.7).varint(3, 999));
      })
      .finish();
    const { sink, outcome } = written(request);
    expect(outcome).toMatchObject({ samples: 1, exemplars: 1 });
    expect(sink.exemplars).toEqual([
      { series: "a", exemplar: { labels: {}, value: 0.7, timeMs: 999 } },
    ]);
  });

  it("brings native histograms, exemplars and metadata", () => {
    const { sink, batch } = written(requestV1);
    expect(sink.histograms).toEqual([{ series: "h", timeMs: 3000, histogram: readBack }]);
    expect(sink.exemplars).toEqual([
      { series: "h", exemplar: { labels: { trace_id: "abc" }, value: 0.7, timeMs: 2999 } },
    ]);
    expect([...batch.metadata]).toEqual([
      ["a", { type: "counter", help: "What a is.", unit: "s" }],
    ]);
  });

  it("counts what the store's series limit refused", () => {
    const { outcome, loss } = written(requestV1, v1, new RecordingSink(1));
    expect(outcome).toMatchObject({ appended: 2, refused: 2 });
    expect(loss).toMatch(/2 samples belong to series above the series limit/);
  });

  it.each([
    ["no metric name", { x: "y" }, /has no metric name/],
    ["a label without a name", { __name__: "a", "": "y" }, /a label has no name/],
  ])("leaves out a series with %s and stores the others", (_, labels, message) => {
    const body = new ProtobufWriter()
      .message(1, series(labels, [[1, 1]]))
      .message(1, series({ __name__: "good" }, [[1, 1]]))
      .finish();
    const { sink, loss } = written(body);
    expect(sink.samples).toEqual({ good: 1 });
    expect(loss).toMatch(message);
  });

  it("leaves out samples of a clock that is far ahead", () => {
    const body = new ProtobufWriter()
      .message(1, series({ __name__: "a" }, [[1000, 1]]))
      .message(1, series({ __name__: "b" }, [[nowMs + 600_001, 1]]))
      .finish();
    const { sink, loss } = written(body);
    expect(sink.samples).toEqual({ a: 1 });
    expect(loss).toMatch(/1 samples are more than 10m in the future/);
  });

  it("with too many samples is refused", () => {
    const limits = { ...batchLimits, samples: 2 };
    const receiver = new RemoteWriteReceiver(new RecordingSink(), "eu", 1, limits);
    const receive = () => receiver.receive(compress(requestV1), v1, nowMs);
    expect(receive).toThrow(/more than 2 samples/);
  });
});

describe("remote write 2.0", () => {
  it("reads labels, exemplars and metadata through the table of symbols", () => {
    const { sink, version, batch, loss } = written(goodV2, v2);
    expect({ version, loss }).toEqual({ version: 2, loss: "" });
    expect(sink.samples).toEqual({ 'h{job="x"}': 1.5 });
    expect(sink.histograms).toEqual([{ series: 'h{job="x"}', timeMs: 3000, histogram: readBack }]);
    expect(sink.exemplars[0]?.exemplar).toEqual({
      labels: { trace_id: "abc" },
      value: 0.7,
      timeMs: 2999,
    });
    expect([...batch.metadata]).toEqual([
      ["h", { type: "histogram", help: "Latency.", unit: "seconds" }],
    ]);
  });

  it("reads histograms with custom buckets and with float counts", () => {
    const body = requestV2((request) =>
      request.message(5, (message) =>
        message.bytes(1, varints([1n, 2n])).message(3, (custom) =>
          custom
            .double(2, 3.5)
            .double(3, 2)
            .varint(4, zigzag(-53))
            .message(11, (span) => span.varint(2, 3))
            .bytes(13, doubles([1, 2, 0.5]))
            .varint(15, 1000)
            .bytes(16, doubles([0.5, 1])),
        ),
      ),
    );
    const { sink, loss } = written(body, v2);
    expect(loss).toBe("");
    expect(sink.histograms[0]?.histogram).toMatchObject({
      schema: -53,
      count: 3.5,
      positiveBuckets: [1, 2, 0.5],
      customValues: [0.5, 1],
    });
  });

  it.each<[string, (message: ProtobufWriter) => unknown, RegExp]>([
    ["a reference past the table", (m) => m.bytes(1, varints([1n, 99n])), /symbol 99 of a table/],
    ["half a label", (m) => m.bytes(1, varints([1n])), /1 label references/],
    ["no metric name", (m) => m.bytes(1, varints([5n, 6n])), /no metric name/],
  ])("leaves out a series with %s and stores the others", (_, labels, reason) => {
    const body = requestV2((request) =>
      request
        .message(5, (message) => {
          labels(message);
          message.message(2, (sample) => sample.double(1, 9).varint(2, 1000));
        })
        .message(5, (message) =>
          message
            .bytes(1, varints([1n, 2n]))
            .message(2, (sample) => sample.double(1, 1).varint(2, 1000)),
        ),
    );
    const { sink, loss } = written(body, v2);
    expect(sink.samples).toEqual({ h: 1 });
    expect(loss).toMatch(reason);
  });

  it.each<[string, (h: ProtobufWriter) => unknown, RegExp]>([
    ["spans without buckets", (h) => h.message(11, (span) => span.varint(2, 2)), /0 bucket counts/],
    ["counts that do not add up", (h) => h.varint(1, 5), /0 observations in buckets, but a count/],
    ["an unknown schema", (h) => h.varint(4, zigzag(99)), /unknown schema 99/],
    [
      "custom bounds that fall",
      (h) => h.varint(4, zigzag(-53)).bytes(16, doubles([2, 1])),
      /must ascend/,
    ],
  ])("leaves out a histogram with %s", (_, write, reason) => {
    const body = requestV2((request) =>
      request.message(5, (message) =>
        message.bytes(1, varints([1n, 2n])).message(3, (each) => {
          write(each);
        }),
      ),
    );
    const { sink, loss } = written(body, v2);
    expect(sink.histograms).toEqual([]);
    expect(loss).toMatch(reason);
  });
});

it.each([
  ["application/x-protobuf;proto=io.prometheus.write.v3.Request", "snappy"],
  ["application/json", "snappy"],
  ["application/x-protobuf", "gzip"],
])("what is sent as %s with %s is an unsupported media type", (contentType, contentEncoding) => {
  const receiver = new RemoteWriteReceiver(new RecordingSink(), "eu", 1);
  const headers = { contentType, contentEncoding };
  expect(() => receiver.receive(compress(requestV1), headers, nowMs)).toThrow(
    expect.objectContaining({ code: "unsupported-media-type" }),
  );
});

it.each([
  ["1.0", requestV1, v1],
  ["2.0", goodV2, v2],
])("remote write %s of damaged bytes gets an error, never a crash", (_, request, headers) => {
  const damage = fc.array(fc.record({ at: fc.nat(request.length - 1), byte: fc.nat(255) }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(damage, fc.nat(request.length), (changes, size) => {
      const bytes = request.slice(0, size);
      for (const { at, byte } of changes) if (at < size) bytes[at] = byte;
      try {
        written(bytes, headers);
      } catch (error) {
        if (!(error instanceof SkoposError)) throw error;
      }
    }),
    { numRuns: fuzzRuns(2000) },
  );
});
