import { constants, crc32, deflateRawSync, gunzipSync, gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IngestError } from "../errors.ts";
import { gunzip } from "./gunzip.ts";

/** Memory that starts small and holds `max` at most. */
function room(max = 2 ** 24) {
  let bytes = Buffer.alloc(64);
  return {
    reserve(size: number): Buffer {
      if (size > max) throw new IngestError("too-large", "too large");
      if (size > bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(size)]);
      return bytes.subarray(0, max);
    },
  };
}

function inflated(gzip: Buffer, max?: number): Buffer {
  const target = room(max);
  const size = gunzip(gzip, target);
  return target.reserve(size).subarray(0, size);
}

function member(deflated: Buffer, text: Buffer, flags = 0, extra = Buffer.alloc(0)): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(text), 0);
  trailer.writeUInt32LE(text.length, 4);
  const header = Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3]);
  return Buffer.concat([header, extra, deflated, trailer]);
}

const line = fc
  .tuple(fc.constantFrom("up", "requests_total", "duration_bucket"), fc.nat(), fc.float())
  .map(([name, label, value]) => `${name}{pod="web-${label % 7}",le="${label}"} ${value}\n`);
const page = fc.array(line, { maxLength: 400 }).map((lines) => Buffer.from(lines.join("")));
const body = fc.oneof(
  page,
  fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
);
const compression = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  memLevel: fc.integer({ min: 1, max: 9 }),
  windowBits: fc.integer({ min: 9, max: 15 }),
  strategy: fc.constantFrom(
    constants.Z_DEFAULT_STRATEGY,
    constants.Z_FILTERED,
    constants.Z_HUFFMAN_ONLY,
    constants.Z_RLE,
    constants.Z_FIXED,
  ),
});

describe("gunzip", () => {
  it("finds what was compressed, however it was", () => {
    fc.assert(
      fc.property(fc.array(body, { minLength: 1, maxLength: 3 }), compression, (parts, how) => {
        const gzip = Buffer.concat(parts.map((part) => gzipSync(part, how)));
        expect(inflated(gzip).equals(Buffer.concat(parts))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("says of damaged bytes what Node says, or no", () => {
    fc.assert(
      fc.property(
        page,
        compression,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (text, how, at, x) => {
          const gzip = gzipSync(text, how);
          const place = at % gzip.length;
          gzip[place] = (gzip[place] ?? 0) ^ x;
          let expected: Buffer | undefined;
          try {
            expected = gunzipSync(gzip);
          } catch {
            expected = undefined;
          }
          if (expected) expect(inflated(gzip).equals(expected)).toBe(true);
          else expect(() => inflated(gzip)).toThrow(IngestError);
        },
      ),
      { numRuns: 400 },
    );
  });

  it("inflates text of many blocks and long codes", () => {
    let seed = 1;
    const text = Buffer.from(
      Array.from({ length: 200_000 }, (_, i) => {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
        // Few of many bytes, most of few: their codes are as long as codes get.
        return 255 >>> Math.min(8, Math.clz32(seed >>> 1) - 1 + (i % 3));
      }),
    );
    for (const level of [1, 6, 9])
      expect(inflated(gzipSync(text, { level, memLevel: 9 })).equals(text)).toBe(true);
  });

  it("copies matches that overlap what they make", () => {
    for (const period of [1, 2, 3, 23, 24, 25, 257, 258, 259, 700]) {
      const text = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i % period) & 255));
      expect(inflated(gzipSync(text)).equals(text)).toBe(true);
    }
  });

  it("refuses a body that ends early, wherever", () => {
    const text = Buffer.from("up 1\nrequests_total 2\n".repeat(40));
    for (const level of [0, 1, 9]) {
      const gzip = gzipSync(text, { level });
      for (let size = 0; size < gzip.length; size++)
        expect(() => inflated(gzip.subarray(0, size))).toThrow("not the gzip");
    }
  });

  it("refuses what follows the last member, but zeros", () => {
    const gzip = gzipSync("up 1\n");
    expect(String(inflated(Buffer.concat([gzip, Buffer.alloc(5)])))).toBe("up 1\n");
    expect(() => inflated(Buffer.concat([gzip, Buffer.from("more")]))).toThrow("no header");
    expect(() => inflated(Buffer.concat([gzip, gzip.subarray(0, 9)]))).toThrow("ends early");
  });

  it("refuses a wrong checksum, a wrong length and a match into the member before", () => {
    const gzip = gzipSync("up 1\n");
    const wrongSum = Buffer.from(gzip);
    wrongSum.writeUInt32LE(1, gzip.length - 8);
    expect(() => inflated(wrongSum)).toThrow("checksum");
    const wrongLength = Buffer.from(gzip);
    wrongLength.writeUInt32LE(6, gzip.length - 4);
    expect(() => inflated(wrongLength)).toThrow("length");
    const text = Buffer.from("some text that is long enough for a match");
    const second = member(deflateRawSync(text, { dictionary: text }), text);
    expect(() => inflated(Buffer.concat([gzipSync(text), second]))).toThrow("before the begin");
  });

  it("passes over whatever a header may carry, and checks its sum", () => {
    const text = Buffer.from("up 1\n");
    const fields = Buffer.concat([Buffer.from([3, 0, 1, 2, 3]), Buffer.from("a.txt\0for you\0")]);
    const head = Buffer.from([0x1f, 0x8b, 8, 30, 0, 0, 0, 0, 0, 3]);
    const sum = Buffer.alloc(2);
    sum.writeUInt16LE(crc32(Buffer.concat([head, fields])) & 0xffff);
    const deflated = deflateRawSync(text);
    expect(inflated(member(deflated, text, 30, Buffer.concat([fields, sum])))).toEqual(text);
    sum[0] = (sum[0] ?? 0) ^ 1;
    expect(() => inflated(member(deflated, text, 30, Buffer.concat([fields, sum])))).toThrow("sum");
    expect(() => inflated(member(deflated, text, 32))).toThrow("no header");
  });

  it("stops at the room there is, to the byte, and asks for no more of a bomb", () => {
    const text = Buffer.alloc(100_000, "a");
    const gzip = gzipSync(text);
    expect(inflated(gzip, 100_000).equals(text)).toBe(true);
    expect(() => inflated(gzip, 99_999)).toThrow("too large");
    const noise = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * i) & 255));
    expect(inflated(gzipSync(noise, { level: 0 }), 3000).equals(noise)).toBe(true);
    expect(() => inflated(gzipSync(noise, { level: 0 }), 2999)).toThrow("too large");
    expect(() => inflated(gzipSync(Buffer.alloc(2 ** 24, "b")), 1000)).toThrow("too large");
  });
});
