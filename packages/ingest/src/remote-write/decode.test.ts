import * as fc from "fast-check";
import { SkoposError } from "@skopos/model";
import { compress } from "snappyjs";
import { describe, expect, it } from "vitest";
import { ProtobufWriter } from "../testing/protobuf-writer.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { decodeRemoteWrite, remoteWriteLimits, writeRemoteSamples } from "./decode.ts";

const headers = { contentType: "application/x-protobuf", contentEncoding: "snappy" };
const stale = 0x7ff0000000000002n;

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

const request = new ProtobufWriter()
  .message(
    1,
    series({ __name__: "a", x: "1" }, [
      [2000, 2],
      [1000, 1],
    ]),
  )
  .message(1, series({ __name__: "b" }, [[2000, stale]]))
  .message(3, (metadata) => metadata.varint(1, 1).text(2, "a"))
  .finish();

describe("remote write", () => {
  it("becomes one page per time, oldest first, staleness markers intact", () => {
    const sink = new RecordingSink();
    const outcome = writeRemoteSamples(decodeRemoteWrite(compress(request), headers), sink, "eu");
    expect(outcome).toMatchObject({ appended: 3, refused: 0 });
    expect(sink.pages).toEqual([
      { group: "remote-write eu", timeMs: 1000, samples: { 'a{x="1"}': 1 } },
      { group: "remote-write eu", timeMs: 2000, samples: { 'a{x="1"}': 2, b: "stale" } },
    ]);
  });

  it("counts what the store's series limit refused", () => {
    const decoded = decodeRemoteWrite(compress(request), headers);
    const outcome = writeRemoteSamples(decoded, new RecordingSink(1), "eu");
    expect(outcome).toMatchObject({ appended: 2, refused: 1 });
  });

  it.each([
    ["no metric name", { x: "y" }, /has no metric name/],
    ["a label without a name", { __name__: "a", "": "y" }, /a label has no name/],
  ])("with %s is refused whole", (_, labels, message) => {
    const body = new ProtobufWriter().message(1, series(labels, [[1, 1]])).finish();
    expect(() => decodeRemoteWrite(compress(body), headers)).toThrow(message);
  });

  it("with too many samples is refused", () => {
    const limits = { ...remoteWriteLimits, samples: 2 };
    expect(() => decodeRemoteWrite(compress(request), headers, limits)).toThrow(
      /more than 2 samples/,
    );
  });

  it("of version 2 is refused by its content type", () => {
    const contentType = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    expect(() => decodeRemoteWrite(compress(request), { ...headers, contentType })).toThrow(
      /remote write 1.0/,
    );
  });

  it("of any bytes gets an error, never a crash", () => {
    fc.assert(
      fc.property(fc.nat(request.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        try {
          decodeRemoteWrite(compress(request.with(at, byte)), headers);
        } catch (error) {
          if (!(error instanceof SkoposError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
