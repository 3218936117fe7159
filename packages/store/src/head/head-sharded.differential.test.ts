/**
 * The head against the plainest store there is, under what remote-write senders and exporters do to histograms: a scrape comes
 * in several requests in any order, some of them late or twice, bucket layouts change, members are dropped or relabelled,
 * some go stale alone. Families must not show.
 */
import { LabelSet, staleNaN, writeNaN } from "@skopos/model";
import { bitsOf, PlainMetricStore, samplesOf } from "@skopos/testkit";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { HeadView } from "./head-view.ts";
import { Head } from "./head.ts";

const stepMs = 15_000;
const layouts = [
  ["1", "5", "10", "+Inf"],
  ["1", "2", "5", "10", "25", "+Inf"],
  ["0.5", "+Inf"],
] as const;

const scrape = fc.record({
  layout: fc.nat(layouts.length - 1),
  /** Renames the pod, as relabelling or a restart does. */
  pod: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.nat(3)),
  /** By member: which request brings it; 4 drops it. */
  shardOf: fc.array(fc.nat(4), { minLength: 8, maxLength: 8 }),
  /** In which order requests come, and how many scrapes late each is. */
  late: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant(0) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 3 }) },
      { weight: 1, arbitrary: fc.integer({ min: 33, max: 38 }) },
    ),
    { minLength: 4, maxLength: 4 },
  ),
  twice: fc.boolean(),
  stale: fc.oneof({ weight: 6, arbitrary: fc.constant(-1) }, fc.nat(7)),
});

type Scrape = typeof scrape extends fc.Arbitrary<infer T> ? T : never;

interface Request {
  readonly timeMs: number;
  readonly dueStep: number;
  readonly samples: readonly (readonly [LabelSet, number | "stale"])[];
}

function requestsOf(scrapes: readonly Scrape[]): Request[] {
  const requests: Request[] = [];
  for (const [step, { layout, pod, shardOf, late, twice, stale }] of scrapes.entries()) {
    const base = { pod: `p${pod}`, service: "cart" };
    const members = [
      ...(layouts[layout] ?? []).map((le) => ({ ...base, __name__: "h_bucket", le })),
      { ...base, __name__: "h_sum" },
      { ...base, __name__: "h_count" },
    ].map((labels) => LabelSet.fromMap(labels));
    for (let shard = 0; shard < 4; shard++) {
      const samples = members.flatMap((labels, i) => {
        const value = i === stale ? ("stale" as const) : step * 10 + i;
        return shardOf[i] === shard ? [[labels, value] as const] : [];
      });
      const dueStep = step + (late[shard] ?? 0);
      const request = { timeMs: 1_000_000 + step * stepMs, dueStep, samples };
      requests.push(request);
      if (twice) requests.push({ ...request, dueStep: dueStep + 1 });
    }
  }
  return requests.sort((a, b) => a.dueStep - b.dueStep);
}

function feed(head: Head, plain: PlainMetricStore, requests: readonly Request[]): void {
  const group = head.openGroup("sender");
  for (const { timeMs, samples } of requests) {
    const refs = Uint32Array.from(samples, ([labels]) => head.series(group, labels)!);
    const values = new Float64Array(samples.length);
    let fresh = 0;
    for (const [i, [labels, value]] of samples.entries()) {
      if (value === "stale") writeNaN(values, i, staleNaN);
      else values[i] = value;
      if (plain.add(labels, timeMs, bitsOf(values, i))) fresh++;
    }
    const outcome = head.appendPage(group, timeMs, refs, values, samples.length);
    expect(outcome).toEqual({
      appended: fresh,
      tooOld: 0,
      duplicates: samples.length - fresh,
      conflicting: 0,
    });
  }
}

test("a histogram that comes in pieces, late, twice and in changing layouts is what a plain store has", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(scrape, { maxLength: 120 }), fc.nat(), async (scrapes, at) => {
      const head = new Head();
      const plain = new PlainMetricStore();
      const view = new HeadView(head.share());
      feed(head, plain, requestsOf(scrapes));
      const endMs = 1_000_000 + scrapes.length * stepMs;
      const startMs = 1_000_000 + (at % (endMs - 999_999)) - 1;
      for (const range of [
        { startMs: 0, endMs },
        { startMs, endMs: startMs + 20 * stepMs },
      ]) {
        const request = { matchers: [], ...range, seriesMax: 1000, samplesMax: 100_000 };
        const expected = samplesOf(await plain.select(request));
        expect(samplesOf(await view.select(request))).toEqual(expected);
      }
    }),
    { numRuns: 150 },
  );
}, 60_000);
