import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { SkoposError } from "@skopos/model";
import { compress } from "snappyjs";
import { describe, expect, it } from "vitest";
import { ProtobufWriter } from "../testing/protobuf-writer.ts";
import { inflateBody } from "./body.ts";
import { ProtobufReader } from "./protobuf.ts";
import { inflateSnappy } from "./snappy.ts";
import { fuzzRuns } from "../testing/fuzz-runs.ts";

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof SkoposError) return error.code;
    throw error;
  }
  return "no error";
}

describe("snappy", () => {
  it("inflates what another implementation deflated", () => {
    const texts = fc.oneof(
      fc.uint8Array({ maxLength: 500 }),
      fc.string({ minLength: 1, maxLength: 9 }).map((part) => Buffer.from(part.repeat(9000))),
    );
    fc.assert(
      fc.property(texts, (plain) => {
        const block = compress(Uint8Array.from(plain));
        expect(Buffer.from(inflateSnappy(block, 1e6)).equals(Buffer.from(plain))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("refuses a stated length over the limit before making room for it", () => {
    const stated = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
    expect(codeOf(() => inflateSnappy(stated, 1e6))).toBe("too-large");
  });

  it.each([
    ["nothing", []],
    ["a length without an end", [0x80]],
    ["a literal past the end", [5, 0x10, 1]],
    ["a copy before the start", [5, 0x01, 9]],
    ["a literal length of four bytes of ones", [5, 0xfc, 0xff, 0xff, 0xff, 0xff]],
    ["less than stated", [5, 0x04, 1, 2]],
    ["more than stated", [1, 0x04, 1, 2]],
  ])("refuses %s", (_, bytes) => {
    expect(codeOf(() => inflateSnappy(Uint8Array.from(bytes), 1e6))).toBe("bad-snappy");
  });

  it("answers damaged blocks with bytes or an error", () => {
    const plain = Buffer.from("istio_requests_total{reporter=source} 1\n".repeat(200));
    const block = compress(plain);
    const damage = fc.tuple(fc.nat(block.length - 1), fc.nat(255), fc.nat(block.length));
    fc.assert(
      fc.property(damage, ([at, byte, size]) => {
        const bytes = block.slice(0, size);
        if (at < size) bytes[at] = byte;
        expect(["no error", "bad-snappy", "too-large"]).toContain(
          codeOf(() => inflateSnappy(bytes, 20_000)),
        );
      }),
      { numRuns: fuzzRuns(1000) },
    );
  });

  it("answers random bytes with bytes or an error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(["no error", "bad-snappy", "too-large"]).toContain(
          codeOf(() => inflateSnappy(bytes, 10_000)),
        );
      }),
      { numRuns: fuzzRuns(3000) },
    );
  });
});

describe("protobuf", () => {
  it("reads back 64-bit numbers", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const reader = new ProtobufReader(new ProtobufWriter().varint(3, value).finish(), "Test");
        expect(reader.next()).toBe(3);
        expect(reader.int64()).toBe(value);
        expect(reader.next()).toBe(0);
      }),
    );
  });

  it("says at which byte a message breaks off", () => {
    const bytes = new ProtobufWriter().text(1, "hello").finish().subarray(0, 4);
    const reader = new ProtobufReader(bytes, "Span");
    reader.next();
    expect(() => reader.text()).toThrow("byte 2, in Span: field 1 goes past the end");
  });

  it("refuses a field of another wire type", () => {
    const reader = new ProtobufReader(new ProtobufWriter().varint(1, 1).finish(), "Span");
    reader.next();
    expect(() => reader.text()).toThrow(/wire type 0, expected 2/);
  });
});

describe("a body", () => {
  it("is inflated no further than its limit", () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    expect(codeOf(() => inflateBody(bomb, "gzip", 1_000_000))).toBe("too-large");
    expect(inflateBody(gzipSync("abc"), "GZIP", 3)).toHaveLength(3);
  });

  it.each([
    ["gzip", "bad-gzip"],
    ["snappy", "bad-snappy"],
    ["br", "unsupported-media-type"],
  ])("that is not %s gets %s", (encoding, code) => {
    expect(codeOf(() => inflateBody(Buffer.from("\u0005plain"), encoding, 100))).toBe(code);
  });
});
