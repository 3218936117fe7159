import { LabelSet, SkoposError, staleNaN, writeNaN } from "@skopos/model";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { wordsOf } from "./cells.ts";
import { MetricFrameDecoder, MetricFrameEncoder } from "./metrics-frame.ts";

const encoder = new MetricFrameEncoder();
const decoder = new MetricFrameDecoder();

test("a page comes back as it was, NaN payloads included", () => {
  const sample = fc.tuple(
    fc.nat(1000),
    fc.oneof(fc.double(), fc.nat(), fc.constantFrom(-0, 2 ** 51, 2 ** 51 + 1, "stale" as const)),
  );
  fc.assert(
    fc.property(
      fc.nat(),
      fc.double({ noNaN: true }),
      fc.array(sample),
      (group, timeMs, samples) => {
        const refs = Uint32Array.from(samples.map(([ref]) => ref));
        const values = new Float64Array(samples.length);
        for (const [i, [, value]] of samples.entries())
          if (value === "stale") writeNaN(values, i, staleNaN);
          else values[i] = value;
        encoder.page(group, timeMs, refs, values, samples.length);
        const page = decoder.decode(encoder.frame());
        if (page.type !== "page") throw new Error(page.type);
        expect([page.group, page.timeMs, page.count]).toEqual([group, timeMs, samples.length]);
        expect(page.refs.subarray(0, page.count)).toEqual(refs);
        expect(wordsOf(page.values).subarray(0, 2 * page.count)).toEqual(wordsOf(values));
      },
    ),
  );
});

test("a declaration comes back as it was", () => {
  const labels = fc.dictionary(
    fc.string({ minLength: 1, unit: "grapheme" }),
    fc.constantFrom("a", "é", "\ufeffx"),
  );
  fc.assert(
    fc.property(
      fc.nat(),
      fc.string({ unit: "grapheme" }),
      fc.array(fc.tuple(fc.nat(), labels)),
      (group, key, series) => {
        const sets = series.map(([, map]) => LabelSet.fromMap(map));
        const refs = series.map(([ref]) => ref);
        encoder.declare(group, key, refs, sets);
        const declared = decoder.decode(encoder.frame());
        if (declared.type !== "declare") throw new Error(declared.type);
        expect([declared.group, declared.key, declared.refs]).toEqual([group, key, refs]);
        expect(declared.labels.map((set) => set.flat)).toEqual(sets.map((set) => set.flat));
      },
    ),
  );
});

test("series that differ in one label cost a few bytes each", () => {
  const labels = Array.from({ length: 1000 }, (_, i) =>
    LabelSet.fromMap({ __name__: "requests", le: String(i % 20), pod: `pod-${i / 20}`, zone: "z" }),
  );
  const refs = labels.map((_, i) => i);
  encoder.declare(1, "target", refs, labels);
  const strings = new Set(labels.flatMap((set) => set.flat));
  const stringBytes = [...strings].reduce((sum, text) => sum + text.length + 1, 0);
  expect(encoder.frame().length - stringBytes).toBeLessThan(10 * labels.length);
});

test("nonsense is refused with a code", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
      try {
        decoder.decode(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(SkoposError);
      }
    }),
    { numRuns: 2000 },
  );
});
