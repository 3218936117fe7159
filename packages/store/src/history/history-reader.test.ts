import { LabelSet, staleNaN, systemClock, writeNaN } from "@skopos/model";
import { type ContractPage, metricReaderContract } from "@skopos/testkit";
import { afterAll, beforeAll, describe, test } from "vitest";
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

async function carried(pages: readonly ContractPage[]): Promise<Head> {
  const head = new Head();
  feed(head, pages);
  head.dropBefore(1);
  head.sealThrough(sliceMs);
  await history.clear();
  await history.carry(head);
  return head;
}

describe("the history's reader", () => {
  const cases = metricReaderContract(async (pages) => {
    await carried(pages);
    return {
      reader: createHistoryReader(history.client, { clock: systemClock }),
      close: async () => {},
    };
  });
  for (const { name, run: check } of cases) test(name, check);
});

describe("head and history joined in the middle of the samples", () => {
  const cases = metricReaderContract(async (pages) => {
    const head = await carried(pages);
    const reader = createMetricReader({
      head: head.reader(),
      marks: { heldSinceMs: 2101, droppedBeforeMs: 2101 },
      history: createHistoryReader(history.client, { clock: systemClock }),
    });
    return { reader, close: async () => {} };
  });
  for (const { name, run: check } of cases) test(name, check);
});
