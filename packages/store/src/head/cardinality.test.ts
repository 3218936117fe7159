import { LabelSet } from "@skopos/model";
import { expect, test } from "vitest";
import { HeadView } from "./head-view.ts";
import { Head } from "./head.ts";

function append(head: Head, key: string, sets: readonly Record<string, string>[]): void {
  const group = head.openGroup(key);
  const refs = Uint32Array.from(sets, (set) => head.series(group, LabelSet.fromMap(set)) ?? 0);
  head.appendPage(group, 1000, refs, new Float64Array(sets.length), sets.length);
}

test("counts series by metric, label and pair, the largest first, without those that have gone", () => {
  const head = new Head();
  append(head, "a", [
    { __name__: "up", pod: "x" },
    { __name__: "h", pod: "x", le: "1" },
    { __name__: "h", pod: "x", le: "+Inf" },
    { __name__: "h", pod: "yy", le: "1" },
  ]);
  append(head, "b", [{ __name__: "gone", zone: "z" }]);
  head.closeGroup(head.openGroup("b"));
  while (!head.dropBefore(2000));
  const found = new HeadView(head.share()).cardinality(2);
  expect(found).toEqual({
    series: 4,
    labelPairs: 6,
    seriesByMetric: [
      { name: "h", value: 3 },
      { name: "up", value: 1 },
    ],
    valuesByLabel: [
      { name: "__name__", value: 2 },
      { name: "le", value: 2 },
    ],
    bytesByLabel: [
      { name: "le", value: 6 },
      { name: "__name__", value: 5 },
    ],
    seriesByPair: [
      { name: "__name__=h", value: 3 },
      { name: "pod=x", value: 3 },
    ],
  });
});
