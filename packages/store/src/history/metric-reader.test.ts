import { LabelSet, type MetricReader, SkoposError } from "@skopos/model";
import { PlainMetricStore, samplesOf } from "@skopos/testkit";
import { describe, expect, test } from "vitest";
import { createMetricReader } from "./metric-reader.ts";

const labels = (job: string) => LabelSet.fromMap({ __name__: "up", job });
const bitsOf = (value: number) => new BigUint64Array(Float64Array.of(value).buffer)[0] ?? 0n;

function storeOf(job: string, times: readonly number[]): PlainMetricStore {
  const store = new PlainMetricStore();
  for (const time of times) store.add(labels(job), time, bitsOf(time));
  return store;
}

const marksOf = (heldSinceMs: number, droppedBeforeMs = heldSinceMs) => ({
  heldSinceMs,
  droppedBeforeMs,
});
const everything = { matchers: [], startMs: 0, endMs: 1000, seriesMax: 10, samplesMax: 100 };

class Away extends PlainMetricStore {
  override select(): Promise<never> {
    return Promise.reject(new SkoposError("unavailable", "nobody is there"));
  }
}

describe("head and history as one", () => {
  test("a series that both have is one, and no sample comes twice", async () => {
    const reader = createMetricReader({
      head: storeOf("a", [40, 50, 60, 70]),
      marks: marksOf(51),
      history: storeOf("a", [10, 20, 30, 40, 50, 60]),
    });
    const block = await reader.select(everything);
    expect([...samplesOf(block).values()]).toEqual(["10:10 20:20 30:30 40:40 50:50 60:60 70:70"]);
    const seven = { ...everything, samplesMax: 7 };
    expect((await reader.select(seven)).values.length).toBe(7);
    await expect(reader.select({ ...everything, samplesMax: 6 })).rejects.toMatchObject({
      code: "limit",
    });
  });

  test("series of both count against the limit of series", async () => {
    const reader = createMetricReader({
      head: storeOf("a", [60]),
      marks: marksOf(51),
      history: storeOf("b", [10]),
    });
    expect((await reader.select({ ...everything, seriesMax: 2 })).labels.length).toBe(2);
    await expect(reader.select({ ...everything, seriesMax: 1 })).rejects.toMatchObject({
      code: "limit",
    });
  });

  test("the head answers alone, and says so, while the history is away", async () => {
    const reader = createMetricReader({
      head: storeOf("a", [60]),
      marks: marksOf(51),
      history: new Away(),
    });
    const block = await reader.select(everything);
    expect([...samplesOf(block).values()]).toEqual(["60:60"]);
    expect(block.warnings.join()).toMatch(/older samples are missing.*nobody is there/);
    expect((await reader.select({ ...everything, startMs: 50 })).warnings).toEqual([]);
  });

  test("what leaves the head while it is read comes from the history", async () => {
    const marks = { heldSinceMs: 11, droppedBeforeMs: 11 };
    const full = storeOf("a", [20, 30, 60]);
    const rest = storeOf("a", [60]);
    const head: MetricReader = {
      select: (request) => {
        const answer = (marks.heldSinceMs === 11 ? rest : full).select(request);
        // What was read may have been read while it was being dropped.
        marks.heldSinceMs = 51;
        marks.droppedBeforeMs = 51;
        return answer;
      },
      series: (request) => full.series(request),
      labelNames: (request) => full.labelNames(request),
      labelValues: (name, request) => full.labelValues(name, request),
    };
    const reader = createMetricReader({ head, marks, history: storeOf("a", [10, 20, 30, 60]) });
    const block = await reader.select(everything);
    expect([...samplesOf(block).values()]).toEqual(["10:10 20:20 30:30 60:60"]);
  });

  test("a head that is still coming back after a start says so", async () => {
    const reader = createMetricReader({
      head: storeOf("a", [60]),
      marks: marksOf(51, 21),
      history: storeOf("a", [10, 20]),
    });
    const block = await reader.select(everything);
    expect([...samplesOf(block).values()]).toEqual(["10:10 20:20 60:60"]);
    expect(block.warnings.join()).toMatch(/read back/);
  });
});
