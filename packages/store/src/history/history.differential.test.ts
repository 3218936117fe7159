/** The same samples in the head alone, and parted between head and history at random borders, answer the same. */
import { LabelSet, type Matcher, staleNaN, systemClock, writeNaN } from "@skopos/model";
import { samplesOf } from "@skopos/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Head } from "../head/head.ts";
import { createHistoryReader } from "./history-reader.ts";
import { createMetricReader } from "./metric-reader.ts";
import { sliceMs } from "./schema.ts";
import { ClickHouseHistory } from "./testing/clickhouse-history.ts";

let history: ClickHouseHistory;
beforeAll(async () => {
  history = await ClickHouseHistory.open();
});
afterAll(() => history.close());

/** Mulberry32. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

const hours = 4;
const stepMs = 60_000;
const targets = 4;
const les = ["0.5", "1", "+Inf"];

interface Target {
  readonly group: number;
  pod: number;
  totals: number[];
}

function labelsOf(target: number, pod: number, series: number): LabelSet {
  const own = { job: `job-${target % 2}`, pod: `pod-${target}-${pod}` };
  if (series < les.length)
    return LabelSet.fromMap({ ...own, __name__: "h_bucket", le: les[series] ?? "" });
  // The same label set in several groups.
  if (series === les.length) return LabelSet.fromMap({ __name__: "shared", job: "all" });
  return LabelSet.fromMap({ ...own, __name__: `gauge_${series}`, zone: series % 2 ? "é" : "" });
}

const seriesOfTarget = 6;

/** Pods come and go, counters are reset, members are absent, markers set, samples late. */
function fill(head: Head, random: (below: number) => number): void {
  const pages: Target[] = Array.from({ length: targets }, (_, i) => ({
    group: head.openGroup(`target-${i}`),
    pod: 0,
    totals: Array.from({ length: seriesOfTarget }, () => 0),
  }));
  const values = new Float64Array(seriesOfTarget);
  const refs = new Uint32Array(seriesOfTarget);
  for (let timeMs = stepMs; timeMs <= hours * sliceMs + 20 * stepMs; timeMs += stepMs)
    for (const [i, target] of pages.entries()) {
      if (random(60) === 0) target.pod++;
      // Times of different targets never meet: which of two samples is kept then depends on the range asked for.
      const late = random(15) === 0 ? 10 * random(50_000) : 0;
      let count = 0;
      for (let series = 0; series < seriesOfTarget; series++) {
        if (random(12) === 0) continue;
        const ref = head.series(target.group, labelsOf(i, target.pod, series));
        if (ref === undefined) continue;
        refs[count] = ref;
        const before = target.totals[series] ?? 0;
        const total = random(50) === 0 ? 0 : before + random(100) / (series > 3 ? 7 : 1);
        target.totals[series] = total;
        if (random(25) === 0) writeNaN(values, count, staleNaN);
        else values[count] = total;
        count++;
      }
      if (count > 0) head.appendPage(target.group, timeMs + i - late, refs, values, count);
    }
}

const matcherSets: readonly (readonly Matcher[])[] = [
  [],
  [{ op: "=", name: "__name__", value: "h_bucket" }],
  [{ op: "=~", name: "pod", value: "pod-1.*|" }],
  [
    { op: "!=", name: "zone", value: "" },
    { op: "!~", name: "__name__", value: "gauge_4|shared" },
  ],
  [
    { op: "=", name: "le", value: "" },
    { op: "=~", name: "__name__", value: "sh.*" },
  ],
];

describe("head and history", () => {
  test.each([1, 2])("answer as the head alone does (seed %i)", async (seed) => {
    const random = randomOf(seed);
    const head = new Head();
    fill(head, random);
    head.dropBefore(1);
    head.sealThrough(hours * sliceMs);
    await history.clear();
    await history.carry(head);
    const alone = head.reader();
    for (let round = 0; round < 12; round++) {
      const heldSinceMs = 1 + random(hours * sliceMs);
      const marks = { heldSinceMs, droppedBeforeMs: heldSinceMs };
      const reader = createMetricReader({
        head: alone,
        marks,
        history: createHistoryReader(history.client, { clock: systemClock }),
      });
      const startMs = random(2) === 0 ? 0 : random(hours * sliceMs);
      const endMs = random(2) === 0 ? 1e15 : startMs + random(hours * sliceMs);
      const matchers = matcherSets[round % matcherSets.length] ?? [];
      const select = { matchers, startMs, endMs, seriesMax: 10_000, samplesMax: 1e6 };
      const expected = samplesOf(await alone.select(select));
      expect(samplesOf(await reader.select(select))).toEqual(expected);
      const labels = { matcherSets: [matchers], startMs: 0, endMs: 1e15, limit: 10_000 };
      expect(await reader.labelValues("pod", labels)).toEqual(
        await alone.labelValues("pod", labels),
      );
      expect(new Set((await reader.series(labels)).map(({ key }) => key))).toEqual(
        new Set((await alone.series(labels)).map(({ key }) => key)),
      );
    }
  });
});
