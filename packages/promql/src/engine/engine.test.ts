import { CancelledError, LabelSet, LimitError, systemClock } from "@skopos/model";
import { expect, it } from "vitest";
import { MemoryReader } from "../testing/index.ts";
import { createMetricEngine, type EngineOptions } from "./engine.ts";
import { toPrometheusJson } from "./json.ts";

function engineOver(options: Partial<EngineOptions> = {}) {
  const reader = new MemoryReader();
  for (const instance of ["a", "b"]) {
    const labels = LabelSet.fromMap({ __name__: "up", instance });
    reader.add(
      labels,
      [0, 15, 30, 45, 60].map((s) => ({ timeMs: s * 1000, value: s })),
    );
  }
  return createMetricEngine({ reader, clock: systemClock, ...options });
}

it("answers as Prometheus's HTTP API writes it", async () => {
  const engine = engineOver();
  const instant = await engine.instant({ query: 'up{instance="a"} / 0', timeMs: 15_500 });
  expect(toPrometheusJson(instant)).toBe(
    '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"a"},"value":[15.500,"+Inf"]}]}}',
  );
  const range = await engine.range({ query: "sum(up)", startMs: 0, endMs: 30_000, stepMs: 15_000 });
  expect(toPrometheusJson(range)).toBe(
    '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[0,"0"],[15,"30"],[30,"60"]]}]}}',
  );
  const scalar = await engine.instant({ query: "-1e-7", timeMs: 5 });
  expect(toPrometheusJson(scalar)).toBe(
    '{"status":"success","data":{"resultType":"scalar","result":[0.005,"-1e-7"]}}',
  );
});

it("carries warnings with their position", async () => {
  const result = await engineOver().instant({ query: "quantile(2, up)", timeMs: 0 });
  expect(result.warnings).toEqual([
    "PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)",
  ]);
  expect(toPrometheusJson(result)).toContain('"warnings":["PromQL warning');
});

it("gives the raw samples of a range vector", async () => {
  const { value } = await engineOver().instant({ query: 'up{instance="b"}[30s]', timeMs: 30_000 });
  expect(value).toMatchObject({ type: "matrix", series: [{ values: new Float64Array([15, 30]) }] });
});

it("refuses more points than its limit, and wrong types over a range", async () => {
  const engine = engineOver();
  const tooMany = { query: "up", startMs: 0, endMs: 11_000_000, stepMs: 1000 };
  await expect(engine.range(tooMany)).rejects.toThrow(LimitError);
  const matrix = { query: "up[5m]", startMs: 0, endMs: 1, stepMs: 1 };
  await expect(engine.range(matrix)).rejects.toMatchObject({ code: "bad-query" });
});

it("refuses more series, samples and cells than its limits", async () => {
  const query = { query: "up", startMs: 0, endMs: 60_000, stepMs: 1000 };
  for (const limits of [{ seriesMax: 1 }, { samplesMax: 3 }, { cellsMax: 60 }])
    await expect(engineOver({ limits }).range(query)).rejects.toThrow(LimitError);
});

it("stops when it is cancelled or out of time", async () => {
  const signal = AbortSignal.abort();
  await expect(engineOver().instant({ query: "up", timeMs: 0, signal })).rejects.toThrow(
    CancelledError,
  );
  const flagged = engineOver({ cancelled: () => true });
  await expect(flagged.instant({ query: "up", timeMs: 0 })).rejects.toThrow(CancelledError);
  let now = 0;
  const clock = { ...systemClock, monotonicMs: () => (now += 1000) };
  const slow = engineOver({ clock }).instant({ query: "up", timeMs: 0, timeoutMs: 500 });
  await expect(slow).rejects.toThrow("query timed out after 0.5s");
});

it("explains what each operator cost", async () => {
  const { operators } = await engineOver().explain({ query: "sum(up) + 1", timeMs: 0 });
  expect(operators.map(({ operator, series }) => [operator, series])).toEqual([
    ["select", 2],
    ["aggregate", 1],
    ["vector-scalar", 1],
  ]);
});

it("tells which operator is whose input, and what was evaluated once for both", async () => {
  const { operators } = await engineOver().explain({ query: "sum(up) / sum(up) > 0", timeMs: 0 });
  expect(operators.map(({ expression, depth, reused }) => [expression, depth, reused])).toEqual([
    ["up", 3, false],
    ["sum(up)", 2, false],
    ["sum(up)", 2, true],
    ["sum(up) / sum(up)", 1, false],
    ["sum(up) / sum(up) > 0", 0, false],
  ]);
});

it("fetches a selector once however often the query uses it", async () => {
  const reader = new MemoryReader();
  reader.add(LabelSet.fromMap({ __name__: "a" }), [{ timeMs: 0, value: 1 }]);
  let selects = 0;
  const counting = Object.assign(Object.create(reader), {
    select: (request: Parameters<MemoryReader["select"]>[0]) => {
      selects += 1;
      return reader.select(request);
    },
  });
  const engine = createMetricEngine({ reader: counting, clock: systemClock });
  await engine.instant({ query: "a / a + sum(a) + rate(a[1m]) + a offset 1w", timeMs: 0 });
  expect(selects).toBe(2);
});

it("drops metric names at once, unless their removal is delayed", async () => {
  const reader = new MemoryReader();
  for (const name of ["a_total", "b_total"])
    reader.add(LabelSet.fromMap({ __name__: name, pod: "x" }), [
      { timeMs: 0, value: 1 },
      { timeMs: 15_000, value: 2 },
    ]);
  const engine = createMetricEngine({ reader, clock: systemClock });
  const at = { timeMs: 15_000 };
  const both = { query: 'rate({pod="x"}[1m])', ...at };
  await expect(engine.instant(both)).rejects.toMatchObject({
    code: "execution",
    message: "vector cannot contain metrics with the same labelset",
  });
  const absent = await engine.instant({ query: 'absent_over_time({pod="x"}[1m])', ...at });
  expect(absent.value).toEqual({ type: "vector", samples: [] });
  const query = 'label_replace(rate({pod="x"}[1m]), "metric", "$1", "__name__", "(.*)_total")';
  const delayed = createMetricEngine({
    reader,
    clock: systemClock,
    features: { delayedNameRemoval: true },
  });
  const { value } = await delayed.instant({ query, ...at });
  expect(value.type === "vector" && value.samples.map(({ labels }) => labels)).toEqual([
    { metric: "a", pod: "x" },
    { metric: "b", pod: "x" },
  ]);
});

it("says where a gauge is treated as a counter", async () => {
  const { infos } = await engineOver().instant({ query: "rate(up[1m])", timeMs: 60_000 });
  expect(infos).toEqual([
    'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "up" (1:6)',
  ]);
});

it("looks beyond a window for anchored and smoothed selectors", async () => {
  const engine = engineOver({ features: { extendedRangeSelectors: true } });
  const one = async (query: string) => {
    const { value } = await engine.instant({ query, timeMs: 50_000 });
    return value.type === "vector" ? value.samples.map((sample) => sample.value) : [];
  };
  expect(await one('increase(up{instance="a"}[30s] anchored)')).toEqual([30]);
  expect(await one('increase(up{instance="a"}[30s] smoothed)')).toEqual([30]);
  expect(await one('up{instance="a"} smoothed')).toEqual([50]);
});

it.each([
  ["increase(m[2h])", 7_200_000],
  ["rate(m[2h]) / rate(m[3h])", 7_200_000],
  ["m", 3_600_000],
  ["avg_over_time(m[2h])", undefined],
  ["rate(m[2h]) / count_over_time(m[2h])", undefined],
  ["timestamp(m)", undefined],
])("tells the store how narrow the windows of %s are", async (query, resolutionMs) => {
  const seen = new Set<number | undefined>();
  const reader = new MemoryReader();
  const watched = {
    select: (request: Parameters<MemoryReader["select"]>[0]) => {
      seen.add(request.resolutionMs);
      return reader.select(request);
    },
    series: reader.series.bind(reader),
    labelNames: reader.labelNames.bind(reader),
    labelValues: reader.labelValues.bind(reader),
  };
  const engine = createMetricEngine({ reader: watched, clock: systemClock });
  await engine.range({ query, startMs: 0, endMs: 86_400_000, stepMs: 3_600_000 });
  expect([...seen]).toEqual([resolutionMs]);
});
