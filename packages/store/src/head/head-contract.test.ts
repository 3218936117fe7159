import { LabelSet, staleNaN, writeNaN } from "@skopos/model";
import { type ContractPage, metricReaderContract } from "@skopos/testkit";
import { describe, test } from "vitest";
import { Head } from "./head.ts";
import { RemoteReader } from "./testing/remote-reader.ts";

function feed(head: Head, pages: readonly ContractPage[]): void {
  for (const { group, timeMs, samples } of pages) {
    const ref = head.openGroup(group);
    const refs = new Uint32Array(samples.length);
    const values = new Float64Array(samples.length);
    for (const [i, [labels, value]] of samples.entries()) {
      refs[i] = head.series(ref, LabelSet.fromMap(labels)) ?? 0;
      if (value === "stale") writeNaN(values, i, staleNaN);
      else values[i] = value;
    }
    head.appendPage(ref, timeMs, refs, values, samples.length);
  }
}

describe("the head's reader in its own thread", () => {
  const cases = metricReaderContract(async (pages) => {
    const head = new Head();
    feed(head, pages);
    return { reader: head.reader(), close: async () => {} };
  });
  for (const { name, run } of cases) test(name, run);
});

describe("a view in another thread, opened before the samples came", () => {
  const cases = metricReaderContract(async (pages) => {
    const head = new Head();
    const reader = new RemoteReader(head.share());
    await reader.labelNames({ matcherSets: [], startMs: 0, endMs: 1, limit: 1 });
    feed(head, pages);
    return { reader, close: () => reader.close() };
  });
  for (const { name, run } of cases) test(name, run);
});
