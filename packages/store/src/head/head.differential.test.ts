/**
 * The head against the plainest store there is: whatever members of a group do (drop out, come late, alone, twice, go
 * stale, move to another group), a reader must not see that they are kept in families.
 */
import {
  absentNaN,
  LabelSet,
  type Matcher,
  type SeriesBlock,
  staleNaN,
  writeNaN,
} from "@skopos/model";
import { bitsOf, PlainMetricStore, samplesOf } from "@skopos/testkit";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { HeadView } from "./head-view.ts";
import { Head } from "./head.ts";
import { histogramHigh } from "./histograms.ts";
import { histogramOf } from "./testing/histogram-of.ts";

const outOfOrderMs = 600_000;
const stepMs = 15_000;

interface Sample {
  readonly member: number;
  /** A histogram stands for itself by its count. */
  readonly value: number | "stale" | { readonly histogram: number };
}

interface Page {
  readonly group: number;
  /** Steps forward since the group's page before, or back. */
  readonly move: number;
  readonly samples: readonly Sample[];
}

const value = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 9 }) },
  { weight: 2, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.constant("stale" as const) },
  { weight: 1, arbitrary: fc.record({ histogram: fc.integer({ min: 1, max: 3 }) }) },
);
const page: fc.Arbitrary<Page> = fc.record({
  group: fc.nat(2),
  move: fc.oneof(
    { weight: 12, arbitrary: fc.constant(1) },
    { weight: 2, arbitrary: fc.integer({ min: -30, max: 0 }) },
    { weight: 1, arbitrary: fc.integer({ min: -80, max: -31 }) },
    { weight: 1, arbitrary: fc.double({ min: 0.001, max: 3, noNaN: true }) },
  ),
  samples: fc.array(fc.record({ member: fc.nat(9), value }), { maxLength: 12 }),
});

function labelsOf(member: number): LabelSet {
  const bucket = member % 3 === 0 ? {} : { le: String(member % 3) };
  return LabelSet.fromMap({ __name__: `m${member % 2}`, pod: `p${member >> 2}`, ...bucket });
}

const isFloat = ({ value }: Sample) => typeof value !== "object";

function markHistogram(values: Float64Array, index: number, count: number): void {
  writeNaN(values, index, { high: histogramHigh, low: count });
}

/** The block's samples with histograms as `markHistogram` writes them. */
function marked(block: SeriesBlock): Map<string, string> {
  for (const [index, histogram] of block.histograms ?? []) {
    expect(histogram).toEqual(histogramOf(histogram.count));
    markHistogram(block.values, index, histogram.count);
  }
  return samplesOf(block);
}

/** Feeds both, by the rules of `SampleSink`; returns the newest time. */
function feed(head: Head, plain: PlainMetricStore, pages: readonly Page[]): number {
  const newest = new Map<number, number>();
  const perGroup = new Map<number, PlainMetricStore>();
  for (const { group, move, samples: mixed } of pages) {
    const samples = [...mixed.filter(isFloat), ...mixed.filter((sample) => !isFloat(sample))];
    const floats = mixed.filter(isFloat).length;
    const before = newest.get(group) ?? 1_000_000;
    const timeMs = Math.max(1, Math.round(before + move * stepMs));
    const own = perGroup.get(group) ?? new PlainMetricStore();
    perGroup.set(group, own);
    const ref = head.openGroup(`group ${group}`);
    const refs = new Uint32Array(samples.length);
    const values = new Float64Array(samples.length);
    const expected = { appended: 0, tooOld: 0, duplicates: 0, conflicting: 0 };
    for (const [i, sample] of samples.entries()) {
      const labels = labelsOf(sample.member);
      refs[i] = head.series(ref, labels)!;
      if (sample.value === "stale") writeNaN(values, i, staleNaN);
      else if (typeof sample.value === "number") values[i] = sample.value;
      else markHistogram(values, i, sample.value.histogram);
      const bits = bitsOf(values, i);
      const known = own.get(labels, timeMs);
      if (newest.has(group) && timeMs <= before - outOfOrderMs) expected.tooOld++;
      else if (known !== undefined) {
        expected.duplicates++;
        if (known !== bits) expected.conflicting++;
      } else {
        own.add(labels, timeMs, bits);
        expected.appended++;
        addMerged(plain, labels, timeMs, bits, sample.value === "stale");
      }
    }
    const outcome = { ...head.appendPage(ref, timeMs, refs, values, floats) };
    for (const [i, { value }] of samples.entries()) {
      if (typeof value !== "object") continue;
      const one = head.appendHistogram(ref, refs[i]!, timeMs, histogramOf(value.histogram));
      outcome.appended += one.appended;
      outcome.tooOld += one.tooOld;
      outcome.duplicates += one.duplicates;
      outcome.conflicting += one.conflicting;
    }
    expect(outcome).toEqual(expected);
    if (expected.appended > 0) newest.set(group, Math.max(newest.get(group) ?? timeMs, timeMs));
  }
  return Math.max(...newest.values(), 1_000_000);
}

function addMerged(
  plain: PlainMetricStore,
  labels: LabelSet,
  timeMs: number,
  bits: bigint,
  stale: boolean,
): void {
  // Of two groups' samples at one time either may stand; make the comparison below blind to which.
  if (!plain.add(labels, timeMs, bits) && !stale) ambiguous.add(`${labels.toString()} ${timeMs}`);
}

const ambiguous = new Set<string>();

function comparable(samples: Map<string, string>): Map<string, string> {
  const out = new Map<string, string>();
  for (const [labels, text] of samples) {
    const parts = text.split(" ").map((part) => {
      const [time] = part.split(":");
      return ambiguous.has(`${labels} ${time}`) ? `${time}:either` : part;
    });
    out.set(labels, parts.join(" "));
  }
  return out;
}

const selectors: readonly (readonly Matcher[])[] = [
  [],
  [{ op: "=", name: "__name__", value: "m1" }],
  [
    { op: "=~", name: "pod", value: "p[01]" },
    { op: "!=", name: "le", value: "" },
  ],
];

test("families do not show, whatever their members do", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(page, { maxLength: 150 }),
      fc.nat(),
      fc.nat(),
      async (pages, a, b) => {
        ambiguous.clear();
        const head = new Head();
        const plain = new PlainMetricStore();
        const newestMs = feed(head, plain, pages);
        const view = new HeadView(head.share());
        const from = (a % (newestMs + stepMs)) - 1;
        const to = from + (b % newestMs);
        for (const matchers of selectors)
          for (const [startMs, endMs] of [
            [0, 1e15],
            [from, to],
          ] as const) {
            const request = { matchers, startMs, endMs, seriesMax: 100, samplesMax: 10_000 };
            const expected = comparable(samplesOf(await plain.select(request)));
            expect(comparable(marked(await head.reader().select(request)))).toEqual(expected);
            expect(comparable(marked(await view.select(request)))).toEqual(expected);
          }
      },
    ),
    { numRuns: 200 },
  );
});

test("the column that fills holes never counts as a sample", async () => {
  const head = new Head();
  const group = head.openGroup("g");
  const ref = head.series(group, labelsOf(1))!;
  const values = new Float64Array(1);
  writeNaN(values, 0, absentNaN);
  head.appendPage(group, 1000, Uint32Array.of(ref), values, 1);
  const request = { matchers: [], startMs: 0, endMs: 2000, seriesMax: 10, samplesMax: 10 };
  expect((await head.reader().select(request)).labels).toEqual([]);
});
