import * as fc from "fast-check";
import { absentNaN, LabelSet, SkoposError, staleNaN, writeNaN } from "@skopos/model";
import { compress, uncompress } from "snappyjs";
import { describe, expect, it } from "vitest";
import { ProtobufWriter } from "../testing/protobuf-writer.ts";
import { ProtobufReader } from "../wire/protobuf.ts";
import { decodeReadRequest, encodeReadResponse, withoutExternal } from "./read.ts";

const query = (message: ProtobufWriter) =>
  message
    .varint(1, -5)
    .varint(2, 90)
    .message(3, (matcher) => matcher.varint(1, 0).text(2, "job").text(3, "a"))
    .message(3, (matcher) => matcher.varint(1, 3).text(2, "x").text(3, "y.*"))
    .message(4, (hints) => hints.varint(1, 1));
const request = new ProtobufWriter().message(1, query).varint(2, 0).finish();

describe("a remote read", () => {
  it("asks with matchers and an inclusive range", () => {
    expect(decodeReadRequest(compress(request)).queries).toEqual([
      {
        startMs: -5,
        endMs: 90,
        matchers: [
          { op: "=", name: "job", value: "a" },
          { op: "!~", name: "x", value: "y.*" },
        ],
      },
    ]);
  });

  it("is answered with the first type it names that is known, with samples when it names none", () => {
    const typeFor = (...types: number[]) => {
      const asked = new ProtobufWriter().message(1, query).bytes(2, Uint8Array.from(types));
      return decodeReadRequest(compress(asked.finish())).responseType;
    };
    expect(typeFor()).toBe("samples");
    expect(typeFor(1, 0)).toBe("chunks");
    expect(typeFor(0, 1)).toBe("samples");
    expect(typeFor(9, 1)).toBe("chunks");
    expect(() => typeFor(9)).toThrow(/STREAMED_XOR_CHUNKS/);
  });

  it("of any bytes gets an error, never a crash", () => {
    fc.assert(
      fc.property(fc.nat(request.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        try {
          decodeReadRequest(compress(request.with(at, byte)));
        } catch (error) {
          if (!(error instanceof SkoposError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("external labels", () => {
  it("answer the matchers that name them", () => {
    const job = { op: "=", name: "job", value: "a" } as const;
    const site = { op: "=", name: "site", value: "here" } as const;
    expect(withoutExternal([job, site], { site: "here" })).toEqual([job]);
    expect(withoutExternal([job, site], { site: "there" })).toBeUndefined();
  });
});

it("an answer has series in order of labels, holes left out, staleness markers kept", () => {
  const values = Float64Array.of(1, 0, 3, 4);
  writeNaN(values, 1, absentNaN);
  writeNaN(values, 3, staleNaN);
  const block = {
    labels: [LabelSet.fromMap({ __name__: "b" }), LabelSet.fromMap({ __name__: "a" })],
    times: [Float64Array.of(10, 20)],
    timesOf: Uint32Array.of(0, 0),
    values,
    offsets: Uint32Array.of(0, 2, 4),
    warnings: [],
  };
  const bytes = uncompress(encodeReadResponse([block, undefined], { site: "x" }));
  const reader = new ProtobufReader(bytes, "ReadResponse");
  const found: string[][] = [];
  while (reader.next() !== 0) {
    const result = reader.message("QueryResult");
    const own: string[] = [];
    while (result.next() !== 0) own.push(seriesText(result.message("TimeSeries")));
    found.push(own);
  }
  expect(found).toEqual([["__name__=a site=x 10:3 20:stale", "__name__=b site=x 10:1"], []]);
});

function seriesText(series: ProtobufReader): string {
  const parts: string[] = [];
  for (let field = series.next(); field !== 0; field = series.next()) {
    const inner = series.message("label or sample");
    inner.next();
    if (field === 1) {
      const name = inner.text();
      inner.next();
      parts.push(`${name}=${inner.text()}`);
    } else {
      const { high, low } = inner.doubleBits();
      inner.next();
      const time = inner.int64();
      const stale = high === staleNaN.high && low === staleNaN.low;
      const value = new Float64Array(Uint32Array.of(low, high).buffer)[0];
      parts.push(`${time}:${stale ? "stale" : value}`);
    }
  }
  return parts.join(" ");
}
