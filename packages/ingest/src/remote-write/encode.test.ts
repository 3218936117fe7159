import * as fc from "fast-check";
import {
  highWord,
  LabelSet,
  lowWord,
  type NativeHistogram,
  type SeriesRef,
  staleNaN,
  writeNaN,
} from "@skopos/model";
import { describe, expect, it } from "vitest";
import { decodeRemoteWrite } from "./decode.ts";
import { SnappyInflater } from "../wire/snappy.ts";
import { encodeMetadata, encodeRemoteWrite, remoteWriteHeaders } from "./encode.ts";
import { encodeRemoteWriteV2, remoteWriteHeadersV2 } from "./encode-v2.ts";
import type { OutgoingItem, SamplePage } from "./outgoing.ts";
import { SeriesShortcut } from "./series-shortcut.ts";

const none = new Map();
const versions = [
  ["1.0", encodeRemoteWrite, remoteWriteHeaders],
  [
    "2.0",
    (items: readonly OutgoingItem[]) => encodeRemoteWriteV2(items, none),
    remoteWriteHeadersV2,
  ],
] as const;

function decoded(body: Uint8Array, headers: Readonly<Record<string, string>>) {
  const state = { inflater: new SnappyInflater(), shortcut: new SeriesShortcut(1) };
  const own = {
    contentType: headers["content-type"],
    contentEncoding: headers["content-encoding"],
  };
  return decodeRemoteWrite(body, own, state).batch;
}

const sample = fc.record({
  name: fc.constantFrom("a", "b"),
  label: fc.string({ unit: "grapheme", maxLength: 200 }),
  value: fc.oneof(fc.double(), fc.constant("stale" as const)),
});

function pageOf(
  timeMs: number,
  samples: readonly { name: string; label: string; value: number | "stale" }[],
): SamplePage {
  const unique = [...new Map(samples.map((each) => [`${each.name} ${each.label}`, each])).values()];
  const values = new Float64Array(unique.length);
  for (const [i, { value }] of unique.entries())
    if (value === "stale") writeNaN(values, i, staleNaN);
    else values[i] = value;
  const labels = unique.map(({ name, label }) => LabelSet.fromMap({ __name__: name, label }));
  return { type: "page", timeMs, labels, values };
}

const textsOf = (
  labels: LabelSet | SeriesRef | undefined,
  timeMs: number,
  values: Float64Array,
  i: number,
) => {
  if (!(labels instanceof LabelSet)) throw new Error("a new series is told by its labels");
  const words = new Uint32Array(values.buffer, values.byteOffset + i * 8, 2);
  return `${labels.key} ${timeMs} ${words[highWord]}:${words[lowWord]}`;
};

const whole: NativeHistogram = {
  schema: 1,
  count: 7,
  sum: -3.5,
  zeroThreshold: 1e-128,
  zeroCount: 1,
  positiveSpans: [
    { offset: -3, length: 2 },
    { offset: 4, length: 1 },
  ],
  positiveBuckets: [3, 0, 1],
  negativeSpans: [{ offset: 0, length: 1 }],
  negativeBuckets: [2],
  customValues: [],
  counterReset: "not-reset",
};
const histograms: Readonly<Record<string, NativeHistogram>> = {
  "of whole counts": whole,
  "of fractions": { ...whole, count: 6.5, zeroCount: 0.5, positiveBuckets: [3, 0.25, 0.75] },
  "of custom buckets": {
    ...whole,
    schema: -53,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 4,
    positiveSpans: [{ offset: 0, length: 3 }],
    negativeSpans: [],
    negativeBuckets: [],
    customValues: [0.1, 2.5],
    counterReset: "gauge",
  },
};
const h = LabelSet.fromMap({ __name__: "h", pod: "x" });

describe.each(versions)("remote write %s", (_version, encode, headers) => {
  it("decodes to the samples that were encoded, bit for bit", () => {
    const times = fc.uniqueArray(fc.maxSafeInteger(), { maxLength: 4 });
    const pages = times.chain((list) =>
      fc.tuple(...list.map((timeMs) => fc.array(sample).map((samples) => pageOf(timeMs, samples)))),
    );
    fc.assert(
      fc.property(pages, (sent) => {
        const got = decoded(encode(sent), headers);
        const found = Array.from(got.values, (_, k) =>
          textsOf(got.series[got.seriesOf[k] ?? -1], got.timesMs[k] ?? NaN, got.values, k),
        );
        const expected = sent.flatMap(({ timeMs, labels, values }) =>
          labels.map((set, i) => textsOf(set, timeMs, values, i)),
        );
        expect(found.toSorted()).toEqual(expected.toSorted());
      }),
    );
  });

  it.each(Object.entries(histograms))("carries histograms %s", (_name, histogram) => {
    const got = decoded(encode([{ type: "histogram", timeMs: -5, labels: h, histogram }]), headers);
    expect(got.reasons).toEqual([]);
    expect(got.histograms).toEqual([{ series: 0, timeMs: -5, histogram }]);
    expect(got.series).toEqual([h]);
  });

  it("carries exemplars with their series", () => {
    const exemplar = { labels: { trace_id: "7" }, value: 0.3, timeMs: 9 };
    const items: OutgoingItem[] = [
      { type: "page", timeMs: 10, labels: [h], values: Float64Array.of(1) },
      { type: "exemplar", labels: h, exemplar },
    ];
    expect(decoded(encode(items), headers).exemplars).toEqual([{ series: 0, exemplar }]);
  });

  it("keeps the order of a series that changes between histograms and samples", () => {
    const marker = new Float64Array(1);
    writeNaN(marker, 0, staleNaN);
    const items: OutgoingItem[] = [
      { type: "histogram", timeMs: 1, labels: h, histogram: whole },
      { type: "page", timeMs: 2, labels: [h], values: marker },
      { type: "histogram", timeMs: 3, labels: h, histogram: whole },
    ];
    const got = decoded(encode(items), headers);
    expect(got.histograms.map(({ series, timeMs }) => [series, timeMs])).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect([...got.seriesOf]).toEqual([1]);
  });
});

const about = { type: "histogram", help: "How long it took.", unit: "seconds" };

it("version 1.0 sends metadata of families by themselves", () => {
  const got = decoded(encodeMetadata([["took_seconds", about]]), remoteWriteHeaders);
  expect([...got.metadata]).toEqual([["took_seconds", about]]);
  expect(got.series).toEqual([]);
});

it("version 2.0 sends metadata with the series of a family", () => {
  const labels = LabelSet.fromMap({ __name__: "took_seconds_bucket", le: "1" });
  const page: SamplePage = {
    type: "page",
    timeMs: 1,
    labels: [labels],
    values: Float64Array.of(1),
  };
  const body = encodeRemoteWriteV2([page], new Map([["took_seconds", about]]));
  expect([...decoded(body, remoteWriteHeadersV2).metadata]).toEqual([["took_seconds", about]]);
});
