import * as fc from "fast-check";
import {
  absentNaN,
  LabelSet,
  type NativeHistogram,
  type SeriesBlock,
  writeNaN,
} from "@skopos/model";
import { describe, expect, it } from "vitest";
import {
  doubleOf,
  readChunkedFrames,
  readFloatChunk,
  readHistogramChunk,
} from "../testing/chunk-reader.ts";
import { chunkedFrames } from "./chunk-response.ts";

/** The bits of a double; those of `absentNaN` mean none. */
type Sample = readonly [timeMs: number, bits: bigint];

function blockOf(series: ReadonlyMap<string, readonly Sample[]>): SeriesBlock {
  const all = [...series];
  const offsets = Uint32Array.from({ length: all.length + 1 }, (_, i) =>
    all.slice(0, i).reduce((sum, [, samples]) => sum + samples.length, 0),
  );
  const values = new Float64Array(offsets.at(-1) ?? 0);
  new BigUint64Array(values.buffer).set(
    all.flatMap(([, samples]) => samples.map(([, bits]) => bits)),
  );
  return {
    labels: all.map(([name]) => LabelSet.fromMap({ __name__: name })),
    times: all.map(([, samples]) => Float64Array.from(samples, ([timeMs]) => timeMs)),
    timesOf: Uint32Array.from(all.keys()),
    values,
    offsets,
    warnings: [],
  };
}

function framesOf(block: SeriesBlock, queryIndex = 0, external = {}) {
  return readChunkedFrames(Buffer.concat([...chunkedFrames(block, queryIndex, external)]));
}

const anyBits = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.double().map((value) => new BigUint64Array(Float64Array.of(value).buffer)[0] ?? 0n),
  fc.nat(3).map((value) => new BigUint64Array(Float64Array.of(value).buffer)[0] ?? 0n),
);
const step = fc.oneof(
  fc.constant(15_000),
  fc.integer({ min: 14_000, max: 16_000 }),
  fc.integer({ min: 1, max: 2 ** 40 }),
);
const samples = fc
  .tuple(
    fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
    fc.array(fc.tuple(step, anyBits), { minLength: 1, maxLength: 300 }),
  )
  .map(([startMs, steps]) => {
    let timeMs = startMs;
    return steps.map(([ms, bits]): Sample => [(timeMs += ms), bits]);
  });
const absentBits = (BigInt(absentNaN.high) << 32n) | BigInt(absentNaN.low);

describe("streamed chunks", () => {
  it("hold every sample bit for bit, holes left out, series in order", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), samples), (given) => {
        const block = blockOf(new Map(Object.entries(given)));
        const { series } = framesOf(block, 3);
        const found = series.map(({ labels, chunks, queryIndex }) => {
          expect(queryIndex).toBe(3);
          const read = chunks.map(({ bytes, encoding, minMs, maxMs }) => {
            const own = readFloatChunk(bytes);
            expect([encoding, minMs, maxMs]).toEqual([1, own[0]?.[0], own.at(-1)?.[0]]);
            expect(own.length).toBeLessThanOrEqual(120);
            return own;
          });
          return [labels["__name__"], read.flat()];
        });
        const held = Object.entries(given)
          .map(([name, all]) => [name, all.filter(([, bits]) => bits !== absentBits)] as const)
          .filter(([, all]) => all.length > 0)
          .toSorted(([a], [b]) => (a < b ? -1 : 1));
        expect(found).toEqual(held);
      }),
    );
  });

  it("carry external labels that the series has not", () => {
    const block = blockOf(new Map([["a", [[1, 0n]]]]));
    const { series } = framesOf(block, 0, { site: "x", __name__: "other" });
    expect(series[0]?.labels).toEqual({ __name__: "a", site: "x" });
  });

  it("of a long series come in several frames, none longer than a mebibyte", () => {
    const long = Array.from({ length: 200_000 }, (_, i): Sample => [
      i * 977 + (i % 7),
      BigInt.asUintN(64, BigInt(i) * 0x9e3779b97f4a7c15n),
    ]);
    const { series, sizes } = framesOf(blockOf(new Map([["long", long]])));
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 ** 20);
    const times = series.flatMap(({ chunks }) =>
      chunks.flatMap(({ bytes }) => readFloatChunk(bytes).map(([timeMs]) => timeMs)),
    );
    expect(times).toEqual(long.map(([timeMs]) => timeMs));
  });
});

describe("chunks of histograms", () => {
  const base: NativeHistogram = {
    schema: 2,
    count: 7,
    sum: -3.5,
    zeroThreshold: 2 ** -128,
    zeroCount: 1,
    positiveSpans: [
      { offset: -3, length: 2 },
      { offset: 40, length: 1 },
    ],
    positiveBuckets: [1, 2, 1],
    negativeSpans: [{ offset: 0, length: 1 }],
    negativeBuckets: [2],
    customValues: [],
    counterReset: "unknown",
  };
  const at = (histograms: readonly (NativeHistogram | undefined)[]) => {
    const values = new Float64Array(histograms.length);
    const held = new Map<number, NativeHistogram>();
    for (const [i, histogram] of histograms.entries())
      if (histogram) held.set(i, histogram);
      else values[i] = 9;
    const block = {
      labels: [LabelSet.fromMap({ __name__: "h" })],
      times: [Float64Array.from(histograms.keys(), (i) => 1_700_000_000_000 + i * 15_000)],
      timesOf: Uint32Array.of(0),
      values,
      offsets: Uint32Array.of(0, histograms.length),
      histograms: held,
      warnings: [],
    };
    return framesOf(block).series.flatMap(({ chunks }) => chunks);
  };

  it("are read as they were, a new chunk where the layout changes, a counter falls or floats come", () => {
    const more = { ...base, count: 9, sum: 1e9, positiveBuckets: [1, 4, 1] };
    const wider = { ...base, positiveSpans: [{ offset: -3, length: 3 }] };
    const chunks = at([base, more, base, wider, undefined, base]);
    expect(chunks.map(({ encoding }) => encoding)).toEqual([3, 3, 3, 1, 3]);
    const [first, fallen] = chunks.slice(0, 2).map(({ bytes }) => readHistogramChunk(bytes));
    expect(first).toEqual({
      resetHeader: 0,
      zeroThreshold: 2 ** -128,
      schema: 2,
      spans: [
        [
          [2, -3],
          [1, 40],
        ],
        [[1, 0]],
      ],
      customValues: [],
      histograms: [
        { timeMs: 1_700_000_000_000, numbers: [7, 1, -3.5, 1, 2, 1, 2] },
        { timeMs: 1_700_000_015_000, numbers: [9, 1, 1e9, 1, 4, 1, 2] },
      ],
    });
    expect(fallen?.histograms).toHaveLength(1);
  });

  it("say when they begin with a reset or hold gauges, which may fall", () => {
    const gauge = { ...base, counterReset: "gauge" } as const;
    const lower = { ...gauge, count: 1, positiveBuckets: [0, 0, 0] };
    const chunks = at([gauge, lower, { ...base, counterReset: "reset" }]);
    const read = chunks.map(({ bytes }) => readHistogramChunk(bytes));
    expect(read.map(({ resetHeader }) => resetHeader)).toEqual([3, 2]);
    expect(read[0]?.histograms.map(({ numbers }) => numbers[0])).toEqual([7, 1]);
  });

  it("keep custom bounds and any zero threshold", () => {
    const custom = {
      ...base,
      schema: -53,
      zeroThreshold: 0,
      customValues: [-1.5, 0.005, 10, 1 / 3, 1e12],
      positiveSpans: [{ offset: 0, length: 3 }],
    };
    expect(readHistogramChunk(at([custom])[0]?.bytes ?? new Uint8Array())).toMatchObject({
      schema: -53,
      customValues: custom.customValues,
    });
    const odd = readHistogramChunk(
      at([{ ...base, zeroThreshold: 0.3 }])[0]?.bytes ?? new Uint8Array(),
    );
    expect(odd.zeroThreshold).toBe(0.3);
  });
});

it("a NaN that marks a hole is no sample of a chunk", () => {
  const block = blockOf(
    new Map([
      [
        "a",
        [
          [1, 0n],
          [2, 0n],
          [3, 0n],
        ],
      ],
    ]),
  );
  writeNaN(block.values, 1, absentNaN);
  const read = framesOf(block).series.flatMap(({ chunks }) =>
    chunks.flatMap(({ bytes }) => readFloatChunk(bytes)),
  );
  expect(read.map(([timeMs, bits]) => [timeMs, doubleOf(bits)])).toEqual([
    [1, 0],
    [3, 0],
  ]);
});
