import { LabelSet, type MetricReader } from "@skopos/model";
import { samplesOf } from "@skopos/testkit";
import { expect, test } from "vitest";
import { HeadView } from "./head-view.ts";
import { Head } from "./head.ts";

const labelsOf = (pod: string, member: number) =>
  LabelSet.fromMap({ __name__: "m", pod, member: String(member) });

function append(head: Head, pod: string, members: number, timeMs: number): void {
  const group = head.openGroup(pod);
  const refs = Uint32Array.from({ length: members }, (_, i) =>
    head.series(group, labelsOf(pod, i))!,
  );
  head.appendPage(group, timeMs, refs, new Float64Array(members).fill(timeMs), members);
}

async function content(reader: MetricReader): Promise<Map<string, string>> {
  const request = { matchers: [], startMs: 0, endMs: 1e15, seriesMax: 1e6, samplesMax: 1e7 };
  return samplesOf(await reader.select(request));
}

function dropAll(head: Head, ms: number): number {
  let steps = 1;
  while (!head.dropBefore(ms, 4)) steps++;
  return steps;
}

test("pods that come and go leave nothing behind", async () => {
  const head = new Head();
  const peaks = [0, 0, 0];
  for (let pod = 0; pod < 3000; pod++) {
    for (let i = 0; i < 40; i += 8) append(head, `pod-${pod}`, 20, (pod * 40 + i) * 1000);
    head.closeGroup(head.openGroup(`pod-${pod}`));
    dropAll(head, (pod - 20) * 40_000);
    const third = Math.floor(pod / 1000);
    peaks[third] = Math.max(peaks[third]!, head.stats().bytes);
  }
  const stats = head.stats();
  expect(stats.groups).toBeLessThan(25);
  expect(stats.series).toBeLessThan(500);
  expect(peaks[2]).toBeLessThan(peaks[1]! * 1.1);
  expect((await content(head.reader())).size).toBe(stats.series);
  expect(await content(new HeadView(head.share()))).toEqual(await content(head.reader()));
});

test("dropping works in steps and refuses what is older from then on", () => {
  const head = new Head();
  for (let pod = 0; pod < 20; pod++)
    for (let i = 0; i < 64; i++) append(head, `pod-${pod}`, 1, 1_000_000 + i * 1000);
  expect(head.stats()).toMatchObject({ chunks: 20, oldestMs: 1_000_000, newestMs: 1_063_000 });
  expect(dropAll(head, 1_040_000)).toBe(5);
  expect(head.stats()).toMatchObject({ chunks: 0, oldestMs: 1_032_000 });
  const group = head.openGroup("pod-1");
  const ref = head.series(group, labelsOf("pod-1", 0))!;
  const old = head.appendPage(group, 1_039_999, Uint32Array.of(ref), Float64Array.of(1), 1);
  expect(old).toEqual({ appended: 0, tooOld: 1, duplicates: 0, conflicting: 0 });
});

test("a series of a closed group that another group has stays", async () => {
  const head = new Head();
  const shared = labelsOf("both", 0);
  for (const [key, timeMs] of [
    ["a", 1000],
    ["b", 2000],
    ["a", 3000],
  ] as const) {
    const group = head.openGroup(key);
    const refs = Uint32Array.of(head.series(group, shared)!);
    head.appendPage(group, timeMs, refs, Float64Array.of(timeMs), 1);
  }
  const view = new HeadView(head.share());
  expect([...(await content(view)).values()]).toEqual(["1000:1000 2000:2000 3000:3000"]);
  head.closeGroup(head.openGroup("b"));
  dropAll(head, 2500);
  append(head, "c", 3, 4000);
  expect((await content(view)).get(shared.toString())).toBe("1000:1000 3000:3000");
  expect((await content(view)).size).toBe(4);
});

test("at the limit of memory the oldest samples go first", async () => {
  const head = new Head({ chunkBytesMax: 3 * 4 * 1024 * 1024 });
  let random = 1;
  const values = new Float64Array(1000);
  const group = head.openGroup("g");
  const refs = Uint32Array.from(values, (_, k) => head.series(group, labelsOf("p", k))!);
  for (let i = 0; i < 32 * 100; i++) {
    const timeMs = i * 15_000;
    for (let k = 0; k < values.length; k++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
      values[k] = random / 7;
    }
    expect(head.appendPage(group, timeMs, refs, values, 1000).appended).toBe(1000);
  }
  const stats = head.stats();
  expect(stats.newestMs).toBe(3199 * 15_000);
  expect(stats.oldestMs).toBeGreaterThan(1000 * 15_000);
  expect(head.parts().chunks).toBeLessThanOrEqual(3 * 4 * 1024 * 1024);
});

test("over the limit of series, of all or of a group, a new one is refused and the others go on", () => {
  const head = new Head({ seriesMax: 5, groupSeriesMax: 3 });
  const a = head.openGroup("a");
  const b = head.openGroup("b");
  const made = (group: number, count: number) =>
    Array.from({ length: count }, (_, i) => head.series(group, labelsOf(String(group), i)));
  expect(made(a, 4).map((ref) => ref !== undefined)).toEqual([true, true, true, false]);
  expect(made(b, 4).map((ref) => ref !== undefined)).toEqual([true, true, false, false]);
  expect(made(a, 3)).toEqual(made(a, 3));
});
