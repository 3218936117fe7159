import { LabelSet } from "@skopos/model";
import { expect, test } from "vitest";
import { Head } from "./head.ts";
import { HeadView } from "./head-view.ts";

const perGroup = 600;

function appendPage(head: Head, group: string, timeMs: number, from: number, count: number): void {
  const id = head.openGroup(group);
  const refs = Uint32Array.from({ length: count }, (_, i) => {
    const labels = LabelSet.fromMap({ __name__: "m", group, member: String(from + i) });
    const ref = head.series(id, labels);
    if (ref === undefined) throw new Error("a ref");
    return ref;
  });
  const values = Float64Array.from(refs, (_, i) => timeMs + from + i);
  expect(head.appendPage(id, timeMs, refs, values, count).appended).toBe(count);
}

test("names of the dead go in pieces, and pages come and queries are answered in between", async () => {
  const head = new Head();
  const view = new HeadView(head.share());
  for (let group = 0; group < 24; group++) {
    appendPage(head, `group ${group}`, group < 20 ? 1000 : 100_000, 0, perGroup);
    head.closeGroup(head.openGroup(`group ${group}`));
  }
  const namesBefore = head.parts().names;
  const seen = async (reader: Pick<HeadView, "select">) => {
    const matchers = [{ op: "=", name: "__name__", value: "m" } as const];
    const range = { startMs: 50_000, endMs: 1e12, seriesMax: 1e5, samplesMax: 1e6 };
    const { labels, values } = await reader.select({ matchers, ...range });
    return {
      labels: new Set(labels.map(String)).size,
      sum: values.filter((value) => !Number.isNaN(value)).reduce((a, b) => a + b, 0),
    };
  };
  let { labels, sum } = await seen(view);
  expect(labels).toBe(4 * perGroup);
  let pieces = 0;
  for (; !head.dropBefore(50_000, 1e6); pieces++) {
    // Some are new names, one is a new sample of a name that the rebuild may have taken already.
    appendPage(head, "grows", 200_000 + pieces, pieces, 2);
    labels += pieces === 0 ? 2 : 1;
    sum += 2 * (200_000 + pieces) + 2 * pieces + 1;
    for (const reader of [view, head.reader()]) expect(await seen(reader)).toEqual({ labels, sum });
  }
  for (const reader of [view, head.reader()]) expect(await seen(reader)).toEqual({ labels, sum });
  expect(pieces).toBeGreaterThan(5);
  expect(head.parts().names).toBeLessThan(0.7 * namesBefore);
  expect(head.stats().series).toBe(labels);
});
