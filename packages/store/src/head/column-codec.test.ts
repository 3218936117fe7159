import { absentNaN, staleNaN, writeNaN } from "@skopos/model";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { wordsOf } from "./cells.ts";
import { columnBytesMax, decodeColumn, encodeColumn } from "./column-codec.ts";
import { windowRows } from "./memory.ts";

const cell = fc.oneof(
  fc.double(),
  fc.integer({ min: -1000, max: 1000 }),
  fc.maxSafeInteger(),
  fc.integer({ min: -5_000_000, max: 5_000_000 }).map((n) => n / 1000),
  fc.constantFrom(0, -0, Infinity, -Infinity, NaN, 5e-324, 2 ** 50, 2 ** 50 + 1),
  fc.constantFrom("absent" as const, "stale" as const),
);
const column = fc.oneof(
  fc.array(cell, { minLength: 1, maxLength: windowRows }),
  fc
    .tuple(fc.nat(), fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: windowRows - 1 }))
    .map(([first, steps]) => steps.reduce((all, step) => [...all, all.at(-1)! + step], [first])),
  fc.array(fc.constantFrom(7, "absent" as const, "stale" as const), {
    minLength: 1,
    maxLength: windowRows,
  }),
);

function cells(values: readonly (number | "absent" | "stale")[], stride: number): Float64Array {
  const out = new Float64Array(values.length * stride);
  for (const [row, value] of values.entries())
    if (typeof value === "number") out[row * stride] = value;
    else writeNaN(out, row * stride, value === "stale" ? staleNaN : absentNaN);
  return out;
}

test("a column comes back bit for bit, whole and in part", () => {
  fc.assert(
    fc.property(
      column,
      fc.nat(31),
      fc.nat(32),
      fc.integer({ min: 1, max: 3 }),
      (values, a, b, stride) => {
        const window = cells(values, stride);
        const bytes = new Uint8Array(columnBytesMax + 5);
        const end = encodeColumn(wordsOf(window), 0, stride, values.length, bytes, 5);
        expect(end - 5).toBeLessThanOrEqual(columnBytesMax);
        const skip = Math.min(a, values.length - 1);
        const take = Math.min(b, values.length - skip);
        const out = new Float64Array(take + 1);
        const into = { values: out, words: wordsOf(out) };
        const samples = decodeColumn(bytes, 5, end, values.length, into, 1, skip, take);
        const expected = cells(values.slice(skip, skip + take), 1);
        expect(wordsOf(out).subarray(2)).toEqual(wordsOf(expected));
        expect(samples).toBe(values.slice(skip, skip + take).filter((v) => v !== "absent").length);
      },
    ),
    { numRuns: 2000 },
  );
});

test("a steady or resting counter takes a few bytes", () => {
  const bytes = new Uint8Array(columnBytesMax);
  const size = (values: number[]) =>
    encodeColumn(wordsOf(cells(values, 1)), 0, 1, values.length, bytes, 0);
  const rows = Array.from({ length: windowRows }, (_, i) => i);
  expect(size(rows.map(() => 12_345))).toBeLessThanOrEqual(6);
  expect(size(rows.map((i) => 1e6 + 700 * i))).toBeLessThanOrEqual(10);
  expect(size(rows.map((i) => 1e6 + 10 * i + (i % 3)))).toBeLessThanOrEqual(4 + windowRows);
  expect(size(rows.map((i) => 0.25 * i))).toBeLessThanOrEqual(12 + windowRows);
});

test("nonsense is decoded within bounds", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(255), (bytes, rows) => {
      const out = new Float64Array(windowRows);
      const into = { values: out, words: wordsOf(out) };
      decodeColumn(bytes, 0, bytes.length, rows, into, 0, 0, windowRows);
    }),
  );
});
