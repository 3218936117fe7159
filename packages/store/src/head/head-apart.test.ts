/** Members of one group that come at times of their own, as containers of one node do. */
import { LabelSet } from "@skopos/model";
import { samplesOf } from "@skopos/testkit";
import { expect, test } from "vitest";
import { HeadView } from "./head-view.ts";
import { Head } from "./head.ts";

const containers = 20;
const perContainer = 10;
const scrapes = 200;

function fill(head: Head, from: number): Map<string, string> {
  const group = head.openGroup("node");
  const expected = new Map<string, string>();
  const pages: { container: number; refs: Uint32Array }[] = [];
  for (let container = 0; container < containers; container++) {
    const refs = new Uint32Array(perContainer);
    const text: string[] = [];
    const labels = Array.from(refs, (_, i) =>
      LabelSet.fromMap({ __name__: "m", container: String(container), i: String(i) }),
    );
    for (const [i, set] of labels.entries()) refs[i] = head.series(group, set)!;
    pages.push({ container, refs });
    for (let scrape = 0; scrape < scrapes; scrape++)
      text.push(`${timeOf(from + scrape, container)}:${from + scrape}`);
    for (const set of labels) expected.set(set.toString(), text.join(" "));
  }
  for (let scrape = 0; scrape < scrapes; scrape++)
    for (const { container, refs } of pages) {
      const values = new Float64Array(perContainer).fill(from + scrape);
      const timeMs = timeOf(from + scrape, container);
      expect(head.appendPage(group, timeMs, refs, values, perContainer).appended).toBe(
        perContainer,
      );
    }
  return new Map([...expected].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function timeOf(scrape: number, container: number): number {
  return (scrape + 1) * 15_000 + container * 37;
}

test("members at times of their own get families of their own, and nobody sees it", async () => {
  const head = new Head();
  const expected = fill(head, 0);
  const request = { matchers: [], startMs: 0, endMs: 1e15, seriesMax: 1000, samplesMax: 1e6 };
  const view = new HeadView(head.share());
  const first = await view.select(request);
  expect(samplesOf(first)).toEqual(expected);
  // In one family 19 of 20 cells would be holes.
  expect(first.values.length).toBeLessThan(1.2 * containers * perContainer * scrapes);
  const before = head.parts();
  while (!head.dropBefore((scrapes - 1) * 15_000));
  fill(head, scrapes);
  while (!head.dropBefore((2 * scrapes - 100) * 15_000));
  const block = await view.select(request);
  expect(block.labels.length).toBe(containers * perContainer);
  expect(head.parts().open).toBeLessThanOrEqual(before.open);
});
