import { type LabelSet, LabelSet as Labels, type RefKeeper, type SampleSink } from "@skopos/model";
import { expect, test } from "vitest";
import { RuleSeries } from "./rule-series.ts";

test("a series that the store has forgotten is asked for anew, and gets no marker", () => {
  const asked: string[] = [];
  const pages: number[][] = [];
  let keeper: RefKeeper | undefined;
  const sink: SampleSink = {
    openGroup: (_, given) => {
      keeper = given;
      return 0;
    },
    series: (_, labels: LabelSet) => asked.push(String(labels)) - 1,
    appendPage: (_, __, refs, ___, count) => {
      pages.push([...refs.subarray(0, count)]);
      return { appended: count, tooOld: 0, duplicates: 0, conflicting: 0 };
    },
    closeGroup: () => {},
    durable: () => Promise.resolve(),
  };
  const rule = new RuleSeries(sink, "rule");
  const sample = (name: string) => ({ labels: Labels.fromMap({ __name__: name }), value: 1 });
  rule.write(1000, [sample("a"), sample("b")]);
  rule.write(2000, [sample("a"), sample("b")]);
  keeper?.forget(new Set([0, 1]));
  rule.write(3000, [sample("a")]);
  expect(asked).toEqual(["a", "b", "a"]);
  expect(pages).toEqual([[0, 1], [0, 1], [2]]);
});
