import { LabelSet, type NativeHistogram, staleNaN, writeNaN } from "@skopos/model";
import { expect, test } from "vitest";
import { HeadView } from "./head-view.ts";
import { Head } from "./head.ts";
import { histogramOf } from "./testing/histogram-of.ts";

const everything = { matchers: [], startMs: 0, endMs: 1e15, seriesMax: 1e5, samplesMax: 1e7 };
const labels = (member: string) => LabelSet.fromMap({ __name__: "h", member });

/** By time: what a series has, as a histogram or a number. */
async function content(head: Head, member: string): Promise<Map<number, NativeHistogram | number>> {
  const block = await new HeadView(head.share()).select(everything);
  const i = block.labels.findIndex((set) => set.get("member") === member);
  const out = new Map<number, NativeHistogram | number>();
  const from = block.offsets[i] ?? 0;
  for (const [row, time] of (block.times[block.timesOf[i] ?? 0] ?? []).entries()) {
    const found = block.histograms?.get(from + row) ?? block.values[from + row]!;
    if (typeof found === "object" || !Number.isNaN(found)) out.set(time, found);
  }
  return out;
}

test("a series changes between floats and histograms, and both are read from windows and chunks", async () => {
  const head = new Head();
  const group = head.openGroup("g");
  const ref = head.series(group, labels("a"))!;
  const expected = new Map<number, NativeHistogram | number>();
  for (let i = 1; i <= 100; i++) {
    const timeMs = i * 1000;
    if (i % 3 === 0) {
      head.appendPage(group, timeMs, Uint32Array.of(ref), Float64Array.of(i), 1);
      expected.set(timeMs, i);
    } else {
      expect(head.appendHistogram(group, ref, timeMs, histogramOf(i)).appended).toBe(1);
      expected.set(timeMs, histogramOf(i));
    }
  }
  expect(head.stats().chunks).toBeGreaterThan(2);
  expect(await content(head, "a")).toEqual(expected);
});

test("a histogram twice is a duplicate, another at its time conflicts, and a late one finds its place", async () => {
  const head = new Head();
  const group = head.openGroup("g");
  const ref = head.series(group, labels("a"))!;
  for (let i = 10; i < 60; i++) head.appendHistogram(group, ref, i * 1000, histogramOf(i));
  const bytes = head.parts().beside;
  expect(head.appendHistogram(group, ref, 20_000, histogramOf(20))).toMatchObject({
    appended: 0,
    duplicates: 1,
    conflicting: 0,
  });
  expect(head.appendHistogram(group, ref, 59_000, histogramOf(1))).toMatchObject({
    appended: 0,
    duplicates: 1,
    conflicting: 1,
  });
  expect(head.parts().beside).toBe(bytes);
  expect(head.appendHistogram(group, ref, 20_500, histogramOf(7)).appended).toBe(1);
  const found = await content(head, "a");
  expect(found.get(20_500)).toEqual(histogramOf(7));
  expect(found.get(59_000)).toEqual(histogramOf(59));
  expect([...found.keys()]).toEqual([...found.keys()].toSorted((a, b) => a - b));
});

test("a series of histograms goes stale as any other", async () => {
  const head = new Head();
  const group = head.openGroup("g");
  const ref = head.series(group, labels("a"))!;
  head.appendHistogram(group, ref, 1000, histogramOf(1));
  const marker = new Float64Array(1);
  writeNaN(marker, 0, staleNaN);
  head.appendPage(group, 2000, Uint32Array.of(ref), marker, 1);
  const block = await head.reader().select(everything);
  expect(block.histograms?.size).toBe(1);
  expect([...block.times[0]!]).toEqual([1000, 2000]);
});

test("at the limit of their memory the oldest histograms go, and the others are still right", async () => {
  const head = new Head({ histogramBytesMax: 3 * 4 * 1024 * 1024 });
  const group = head.openGroup("g");
  const ref = head.series(group, labels("a"))!;
  const buckets = Array.from({ length: 2000 }, (_, i) => i / 3);
  const wide = (i: number) => ({ ...histogramOf(i), positiveBuckets: buckets });
  for (let i = 1; i <= 1200; i++) head.appendHistogram(group, ref, i * 100, wide(i));
  expect(head.parts().beside).toBeLessThanOrEqual(3 * 4 * 1024 * 1024);
  const found = await content(head, "a");
  expect(found.has(100)).toBe(false);
  expect(found.size).toBeGreaterThan(400);
  for (const [timeMs, histogram] of found) expect(histogram).toEqual(wide(timeMs / 100));
});

test("a NaN that looks like a histogram and is none is no sample", async () => {
  const head = new Head();
  const group = head.openGroup("g");
  const refs = Uint32Array.of(head.series(group, labels("a"))!, head.series(group, labels("b"))!);
  head.appendHistogram(group, refs[0]!, 1000, histogramOf(1));
  for (const low of [0, 1, 2, 3, 0xffff_ffff]) {
    const forged = new Float64Array(1);
    writeNaN(forged, 0, { high: 0x7ff8_4849, low });
    head.appendPage(group, 2000 + (low % 1000), refs.subarray(1), forged, 1);
  }
  expect(await content(head, "b")).toEqual(new Map());
  expect(await content(head, "a")).toEqual(new Map([[1000, histogramOf(1)]]));
});
