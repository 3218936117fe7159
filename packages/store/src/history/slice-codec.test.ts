import { absentNaN, staleNaN, writeNaN } from "@skopos/model";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { wordsOf } from "../head/cells.ts";
import { decodeTimes, decodeValues, SliceEncoder } from "./slice-codec.ts";

const value = fc.oneof(
  fc.constant("absent" as const),
  fc.constant("stale" as const),
  fc.integer({ min: 0, max: 1000 }),
  fc.double(),
);

function columnOf(given: readonly (number | "absent" | "stale")[]): Float64Array {
  const out = new Float64Array(given.length);
  for (const [i, one] of given.entries())
    if (one === "absent") writeNaN(out, i, absentNaN);
    else if (one === "stale") writeNaN(out, i, staleNaN);
    else out[i] = one;
  return out;
}

describe("the bytes of a slice", () => {
  test("give back any part of any column, bit for bit", () => {
    const encoder = new SliceEncoder();
    const column = fc.array(value, { maxLength: 300 });
    fc.assert(
      fc.property(column, fc.nat(300), fc.nat(300), (given, a, b) => {
        const values = columnOf(given);
        const bytes = Uint8Array.from(encoder.values(wordsOf(values), 0, values.length));
        const skip = Math.min(a, values.length);
        const take = Math.min(b, values.length - skip);
        const out = new Float64Array(take + 1);
        const doubles = { values: out, words: wordsOf(out) };
        decodeValues(bytes, values.length, skip, take, doubles, 1);
        expect(wordsOf(out.subarray(1))).toEqual(wordsOf(values.slice(skip, skip + take)));
      }),
    );
  });

  test("give back times, whole milliseconds or not", () => {
    const encoder = new SliceEncoder();
    const deltas = fc.array(fc.oneof(fc.constant(15_000), fc.double({ min: 0.5, max: 1e6 })));
    fc.assert(
      fc.property(deltas, fc.boolean(), (given, whole) => {
        let at = 7_200_000;
        const times = Float64Array.from(given, (delta) => (at += whole ? Math.ceil(delta) : delta));
        expect(decodeTimes(Uint8Array.from(encoder.times(times, 7_200_000)), 7_200_000)).toEqual(
          times,
        );
      }),
    );
  });

  test("of a regular scrape are few", () => {
    const times = Float64Array.from({ length: 240 }, (_, i) => i * 15_000 + 12);
    expect(new SliceEncoder().times(times, 0).length).toBeLessThan(12);
  });

  test("that are cut short are refused", () => {
    const times = Float64Array.from({ length: 10 }, (_, i) => i * i * 1000);
    const bytes = Uint8Array.from(new SliceEncoder().times(times, 0));
    expect(() => decodeTimes(bytes.subarray(0, bytes.length - 3), 0)).toThrow(/cannot be read/);
  });
});
