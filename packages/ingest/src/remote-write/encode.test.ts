import * as fc from "fast-check";
import { highWord, LabelSet, lowWord, type SeriesRef, staleNaN, writeNaN } from "@skopos/model";
import { expect, it } from "vitest";
import { decodeRemoteWrite } from "./decode.ts";
import { SnappyInflater } from "../wire/snappy.ts";
import { encodeRemoteWrite, type SamplePage } from "./encode.ts";
import { SeriesShortcut } from "./series-shortcut.ts";

const headers = { contentType: "application/x-protobuf", contentEncoding: "snappy" };

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
  return { timeMs, labels, values };
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

it("what is encoded is decoded to the same samples, bit for bit", () => {
  const times = fc.uniqueArray(fc.maxSafeInteger(), { maxLength: 4 });
  const pages = times.chain((list) =>
    fc.tuple(...list.map((timeMs) => fc.array(sample).map((samples) => pageOf(timeMs, samples)))),
  );
  fc.assert(
    fc.property(pages, (sent) => {
      const state = { inflater: new SnappyInflater(), shortcut: new SeriesShortcut(1) };
      const { batch: got } = decodeRemoteWrite(encodeRemoteWrite(sent), headers, state);
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
