import { expect, it } from "vitest";
import { readDurations } from "./trace-heat.ts";

it("reads counts per bucket, with bounds in milliseconds and steps named by their end", () => {
  const series = (bound: string, samples: readonly (readonly [string, number])[]) => ({
    labels: [{ key: "__bucket", value: { stringValue: bound } }],
    promLabels: "",
    samples: samples.map(([timestampMs, value]) => ({ timestampMs, value })),
    exemplars: [],
  });
  const heat = readDurations(
    {
      series: [series("0.008", [["60000", 3]]), series("0.016", [["120000", 5]])],
      metrics: {},
    },
    { startMs: 0, endMs: 120_000, stepMs: 60_000 },
  );
  expect(heat?.times).toEqual([60_000, 120_000]);
  expect(heat?.buckets).toEqual([
    { lower: 4, upper: 8 },
    { lower: 8, upper: 16 },
  ]);
  expect([...(heat?.cells ?? [])]).toEqual([3, 0, 0, 5]);
});
