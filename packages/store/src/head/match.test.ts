import { LabelSet, type Matcher } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { LabelIndex } from "./label-index.ts";
import { MatchCache, matchSeries } from "./match.ts";

const sink = { symbol: () => {}, base: () => {}, series: () => {} };
const add = (index: LabelIndex, labels: Record<string, string>) =>
  index.internSeries(LabelSet.fromMap(labels), sink);
const named: readonly Matcher[] = [{ op: "=", name: "__name__", value: "a" }];

describe("matches that are kept", () => {
  it("are handed out again while the series stay the same", () => {
    const index = new LabelIndex();
    const cache = new MatchCache();
    add(index, { __name__: "a", pod: "x" });
    const first = cache.match(index, named);
    expect(first).toEqual(matchSeries(index, named));
    expect(cache.match(index, named)).toBe(first);
    expect(cache.match(index, [...named, { op: "=", name: "pod", value: "y" }])).toEqual([]);
  });

  it("hold until series come, go, or are numbered anew", () => {
    const cache = new MatchCache();
    const index = new LabelIndex();
    const x = add(index, { __name__: "a", pod: "x" });
    expect(cache.match(index, named)).toEqual([x]);
    const y = add(index, { __name__: "a", pod: "y" });
    expect([...cache.match(index, named)].sort()).toEqual([x, y]);
    index.forget(x);
    expect(cache.match(index, named)).toEqual([y]);
    const other = new LabelIndex();
    add(other, { __name__: "b" });
    const z = add(other, { __name__: "a", pod: "z" });
    expect(cache.match(other, named)).toEqual([z]);
  });
});
