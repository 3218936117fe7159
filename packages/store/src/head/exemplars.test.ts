import { LabelSet, type LabelSelect } from "@skopos/model";
import { expect, test } from "vitest";
import { HeadView } from "./head-view.ts";
import { Head } from "./head.ts";

const everything: LabelSelect = { matcherSets: [], startMs: 0, endMs: 1e15, limit: 1e6 };
const labelsOf = (member: string) => LabelSet.fromMap({ __name__: "m", member });

function seriesOf(head: Head, group: string, member: string): number {
  return head.series(head.openGroup(group), labelsOf(member))!;
}

const exemplar = (timeMs: number, trace = `trace-${timeMs}`) => ({
  timeMs,
  value: timeMs / 7,
  labels: { trace_id: trace },
});

test("exemplars are found by selector and time, from any thread, in the order of time", async () => {
  const head = new Head();
  const a = seriesOf(head, "g", "a");
  const b = seriesOf(head, "g", "b");
  for (let i = 1; i <= 10; i++) head.appendExemplar(i % 2 === 0 ? a : b, exemplar(i * 1000));
  const view = new HeadView(head.share());
  const request = {
    matcherSets: [[{ op: "=", name: "member", value: "a" }] as const],
    startMs: 4000,
    endMs: 8000,
    limit: 10,
  };
  expect(await view.exemplars(request)).toEqual([
    {
      labels: { __name__: "m", member: "a" },
      exemplars: [4000, 6000, 8000].map((t) => exemplar(t)),
    },
  ]);
  expect((await view.exemplars(everything)).length).toBe(2);
  expect((await head.reader().exemplars({ ...everything, limit: 1 })).length).toBe(1);
});

test("an older one, the same again and one with too long labels are not kept", () => {
  const head = new Head();
  const ref = seriesOf(head, "g", "a");
  const kept = [
    exemplar(2000),
    exemplar(2000),
    exemplar(1000),
    exemplar(2000, "other"),
    exemplar(3000, "é".repeat(120)),
    exemplar(3000, "x".repeat(121)),
  ].map((one) => head.appendExemplar(ref, one));
  expect(kept).toEqual([true, false, false, true, true, false]);
});

test("only the newest of all are kept, whatever their size", async () => {
  const head = new Head({ exemplarsMax: 50 });
  const refs = ["a", "b", "c"].map((member) => seriesOf(head, "g", member));
  const view = new HeadView(head.share());
  for (let i = 1; i <= 5000; i++) {
    head.appendExemplar(refs[i % 3]!, exemplar(i, "t".repeat(1 + ((i * 7) % 110))));
    if (i % 97 !== 0) continue;
    const found = (await view.exemplars(everything)).flatMap((series) => series.exemplars);
    const times = found.map(({ timeMs }) => timeMs).toSorted((x, y) => x - y);
    expect(times.at(-1)).toBe(i);
    expect(times).toEqual(Array.from(times, (_, k) => i - times.length + 1 + k));
    expect(times.length).toBeGreaterThan(Math.min(i, 30) - 1);
    expect(times.length).toBeLessThanOrEqual(50);
    for (const one of found) expect(one.value).toBe(one.timeMs / 7);
  }
});

test("when names are written anew an exemplar stays with its series, and goes with it", async () => {
  const head = new Head();
  for (const member of ["a", "b", "c"])
    head.appendExemplar(seriesOf(head, member, member), exemplar(1000, member));
  const view = new HeadView(head.share());
  expect((await view.exemplars(everything)).length).toBe(3);
  head.closeGroup(head.openGroup("a"));
  while (!head.dropBefore(5000));
  head.rebuildIndex();
  const found = await view.exemplars(everything);
  expect(found.map(({ labels, exemplars }) => [labels["member"], exemplars[0]?.labels])).toEqual([
    ["b", { trace_id: "b" }],
    ["c", { trace_id: "c" }],
  ]);
});
