import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { SkoposError } from "@skopos/model";
import { compress } from "snappyjs";
import { describe, expect, it } from "vitest";
import { ProtobufWriter } from "../testing/protobuf-writer.ts";
import { parseStreamLabels } from "./labels.ts";
import { decodeLokiPush } from "./push.ts";

const push = new ProtobufWriter()
  .message(1, (stream) =>
    stream
      .text(1, '{app="cart", level="info"}')
      .message(2, (entry) =>
        entry
          .message(1, (time) => time.varint(1, 1_767_225_600).varint(2, 5))
          .text(2, "hello")
          .message(3, (pair) => pair.text(1, "trace_id").text(2, "abc")),
      )
      .varint(3, 12345),
  )
  .finish();
const expected = [
  {
    timeNs: 1_767_225_600_000_000_005n,
    labels: { app: "cart", level: "info" },
    metadata: { trace_id: "abc" },
    line: "hello",
  },
];
const json = (values: unknown, stream: unknown = { app: "cart", level: "info" }) =>
  Buffer.from(JSON.stringify({ streams: [{ stream, values }] }));

describe("a push", () => {
  it.each([undefined, "snappy", "Snappy"])("in protobuf, Content-Encoding %s", (encoding) => {
    expect(decodeLokiPush(compress(push), "application/x-protobuf", encoding).records).toEqual(
      expected,
    );
  });

  it("in JSON, plain or gzipped", () => {
    const body = json([["1767225600000000005", "hello", { trace_id: "abc" }]]);
    expect(decodeLokiPush(body, "application/json", undefined).records).toEqual(expected);
    expect(decodeLokiPush(gzipSync(body), "application/json", "gzip").records).toEqual(expected);
  });

  it("has lines that are too long rejected, as Loki words it, and keeps the others", () => {
    const body = json([
      ["1767225600000000005", "x".repeat(300_000)],
      ["1767225600000000006", "short"],
    ]);
    const { records, rejected, error } = decodeLokiPush(body, "application/json", undefined);
    expect(records.map(({ line }) => line)).toEqual(["short"]);
    expect(rejected).toBe(1);
    expect(error).toBe(
      `Max entry size '262144' bytes exceeded for stream '{app="cart", level="info"}' while adding an entry with length '300000' bytes`,
    );
  });
});

const failure = (body: Uint8Array, type: string) => {
  try {
    decodeLokiPush(body, type, undefined);
  } catch (error) {
    if (error instanceof SkoposError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "read";
};

describe("a push that cannot be read", () => {
  it.each([
    [
      json([["now", "x"]]),
      "bad-json: streams[0].values[0][0] must be a text of nanoseconds since 1970",
    ],
    [json([["1", 2]]), "bad-json: streams[0].values[0][1] must be a text"],
    [json([], {}), "bad-labels: streams[0].stream: a stream needs at least one label"],
    [Buffer.from("[]"), "bad-json: the body must be an object"],
  ])("says where", (body, message) => {
    expect(failure(body, "application/json")).toBe(message);
  });

  it("says so when it is not snappy or not a known type", () => {
    expect(failure(push, "application/x-protobuf")).toMatch(/^bad-snappy: /);
    expect(failure(push, "text/plain")).toMatch(/^unsupported-media-type: /);
  });

  it("of any bytes gets an error, never a crash", () => {
    fc.assert(
      fc.property(fc.nat(push.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        failure(compress(push.with(at, byte)), "application/x-protobuf");
      }),
      { numRuns: 2000 },
    );
  });
});

describe("stream labels", () => {
  it.each([
    ["{}", {}],
    ['{a="b"}', { a: "b" }],
    ['{ a = "b\\"\\n\\\\" , c=`d\\e` }', { a: 'b"\n\\', c: "d\\e" }],
  ])("reads %s", (text, labels) => {
    expect(parseStreamLabels(text)).toEqual(labels);
  });

  it.each(["", "{", '{a="b"', "{a=b}", '{a="b",a="c"}', '{a="b"} x', '{1="b"}'])(
    "refuses %j",
    (text) => {
      expect(() => parseStreamLabels(text)).toThrow(/stream labels .*, character \d+: /);
    },
  );
});
