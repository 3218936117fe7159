/** The columnar engine against an evaluator that follows the documentation word by word, sample by sample. */
import {
  LabelSet,
  type MetricReader,
  type MetricSelect,
  type SeriesBlock,
  absentNaN,
  staleNaN,
  systemClock,
  writeNaN,
} from "@skopos/model";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { almostEqual } from "./histogram-quantile.ts";
import { createMetricEngine } from "./engine.ts";

interface PlainSeries {
  readonly labels: Record<string, string>;
  /** By time in ms; "stale" is the marker. */
  readonly samples: readonly (readonly [timeMs: number, value: number | "stale"])[];
}

const lookbackMs = 300_000;
const stepMs = 15_000;

/** Shifts and query times are chosen so that samples fall on window edges. Rows of one target share a time column; a hole is a sample one member does not have. */
const targetArbitrary = fc.record({
  shiftMs: fc.constantFrom(0, 5000, 7301),
  rows: fc.array(
    fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 0, max: 50 }) },
        { weight: 1, arbitrary: fc.constant("stale" as const) },
        { weight: 1, arbitrary: fc.constant("hole" as const) },
      ),
      { minLength: 30, maxLength: 30 },
    ),
    { minLength: 1, maxLength: 4 },
  ),
});

type Target = typeof targetArbitrary extends fc.Arbitrary<infer T> ? T : never;

function labelsOf(target: number, row: number): Record<string, string> {
  return {
    __name__: "m_total",
    job: `j${row % 2}`,
    le: row === 3 ? "+Inf" : String(row + 1),
    pod: `p${target}`,
  };
}

function plainSeries(targets: readonly Target[]): PlainSeries[] {
  return targets.flatMap(({ shiftMs, rows }, target) =>
    rows.map((values, row) => ({
      labels: labelsOf(target, row),
      samples: values.flatMap((value, i) =>
        value === "hole" ? [] : [[i * stepMs + shiftMs, value] as const],
      ),
    })),
  );
}

/** The same data as a store would hand it over: shared columns, holes as marks. */
class ColumnReader implements Pick<MetricReader, "select"> {
  readonly #targets: readonly Target[];

  constructor(targets: readonly Target[]) {
    this.#targets = targets;
  }

  async select({ startMs, endMs }: MetricSelect): Promise<SeriesBlock> {
    const labels: LabelSet[] = [];
    const times: Float64Array[] = [];
    const timesOf: number[] = [];
    const cells: (number | "stale" | "hole")[] = [];
    const offsets = [0];
    this.#targets.forEach(({ shiftMs, rows }, target) => {
      const all = Array.from({ length: 30 }, (_, i) => i * stepMs + shiftMs);
      const inside = all.map((timeMs) => timeMs > startMs && timeMs <= endMs);
      times.push(Float64Array.from(all.filter((_, i) => inside[i])));
      rows.forEach((values, row) => {
        labels.push(LabelSet.fromMap(labelsOf(target, row)));
        timesOf.push(target);
        cells.push(...values.filter((_, i) => inside[i]));
        offsets.push(cells.length);
      });
    });
    const values = new Float64Array(cells.length);
    cells.forEach((cell, i) => {
      if (typeof cell === "number") values[i] = cell;
      else writeNaN(values, i, cell === "stale" ? staleNaN : absentNaN);
    });
    return {
      labels,
      times,
      timesOf: Uint32Array.from(timesOf),
      values,
      offsets: Uint32Array.from(offsets),
      warnings: [],
    };
  }
}

type Vector = Map<string, number>;

function key(labels: Record<string, string>): string {
  return LabelSet.fromMap(labels).key;
}

function naiveInstant(
  series: readonly PlainSeries[],
  timeMs: number,
): [Record<string, string>, number][] {
  return series.flatMap(({ labels, samples }) => {
    const last = samples.filter(([t]) => t <= timeMs && t > timeMs - lookbackMs).at(-1);
    return last && last[1] !== "stale"
      ? [[labels, last[1]] as [Record<string, string>, number]]
      : [];
  });
}

function windowOf({ samples }: PlainSeries, timeMs: number, rangeMs: number): [number, number][] {
  return samples.flatMap(([t, value]) =>
    value !== "stale" && t > timeMs - rangeMs && t <= timeMs
      ? [[t, value] as [number, number]]
      : [],
  );
}

function without(labels: Record<string, string>, ...names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !names.includes(name)));
}

function naiveRange(
  series: readonly PlainSeries[],
  timeMs: number,
  rangeMs: number,
  compute: (window: [number, number][]) => number | undefined,
): [Record<string, string>, number][] {
  return series.flatMap((each) => {
    const value = compute(windowOf(each, timeMs, rangeMs));
    return value === undefined
      ? []
      : [[without(each.labels, "__name__"), value] as [Record<string, string>, number]];
  });
}

function naiveRate(rangeMs: number, timeMs: number) {
  return (window: [number, number][]): number | undefined => {
    const [first, last] = [window[0], window.at(-1)];
    if (window.length < 2 || !first || !last) return undefined;
    let increase = last[1] - first[1];
    window.forEach(([, value], i) => {
      const previous = window[i - 1]?.[1] ?? 0;
      if (i > 0 && value < previous) increase += previous;
    });
    const sampled = (last[0] - first[0]) / 1000;
    const average = sampled / (window.length - 1);
    let toStart = (first[0] - (timeMs - rangeMs)) / 1000;
    let toEnd = (timeMs - last[0]) / 1000;
    if (toStart >= average * 1.1) toStart = average / 2;
    if (toEnd >= average * 1.1) toEnd = average / 2;
    if (increase > 0) toStart = Math.min(toStart, sampled * (first[1] / increase));
    return (increase * (sampled + toStart + toEnd)) / sampled / (rangeMs / 1000);
  };
}

function groupBy(
  vector: readonly [Record<string, string>, number][],
  names: readonly string[],
  reduce: (values: number[]) => number,
): Vector {
  const groups = new Map<string, number[]>();
  for (const [labels, value] of vector) {
    const group = key(Object.fromEntries(names.map((name) => [name, labels[name] ?? ""])));
    groups.set(group, [...(groups.get(group) ?? []), value]);
  }
  return new Map([...groups].map(([group, values]) => [group, reduce(values)]));
}

const add = (values: number[]): number => values.reduce((a, b) => a + b, 0);
const keyed = (vector: readonly [Record<string, string>, number][]): Vector =>
  new Map(vector.map(([labels, value]) => [key(labels), value]));

/** Each query with what it means. */
const cases: Record<string, (series: readonly PlainSeries[], timeMs: number) => Vector> = {
  m_total: (series, t) => keyed(naiveInstant(series, t)),
  "m_total offset 1m": (series, t) => keyed(naiveInstant(series, t - 60_000)),
  "rate(m_total[1m])": (series, t) => keyed(naiveRange(series, t, 60_000, naiveRate(60_000, t))),
  "sum by (le, job) (rate(m_total[2m]))": (series, t) =>
    groupBy(naiveRange(series, t, 120_000, naiveRate(120_000, t)), ["le", "job"], add),
  "max by (pod) (m_total)": (series, t) =>
    groupBy(naiveInstant(series, t), ["pod"], (values) => Math.max(...values)),
  "avg(m_total)": (series, t) =>
    groupBy(naiveInstant(series, t), [], (values) => add(values) / values.length),
  "count_over_time(m_total[90s])": (series, t) =>
    keyed(naiveRange(series, t, 90_000, (window) => window.length || undefined)),
  "changes(m_total[90s])": (series, t) =>
    keyed(
      naiveRange(series, t, 90_000, (window) =>
        window.length === 0
          ? undefined
          : window.filter(([, v], i) => i > 0 && v !== window[i - 1]?.[1]).length,
      ),
    ),
  "m_total > 25": (series, t) => keyed(naiveInstant(series, t).filter(([, value]) => value > 25)),
  "m_total unless on (pod) m_total{} > 40": (series, t) => {
    const now = naiveInstant(series, t);
    const high = new Set(now.filter(([, value]) => value > 40).map(([labels]) => labels["pod"]));
    return keyed(now.filter(([labels]) => !high.has(labels["pod"])));
  },
  "m_total / on (pod) group_left sum by (pod) (m_total)": (series, t) => {
    const now = naiveInstant(series, t);
    return keyed(
      now.map(([labels, value]) => {
        const total = add(
          now.filter(([other]) => other["pod"] === labels["pod"]).map(([, v]) => v),
        );
        return [without(labels, "__name__"), value / total];
      }),
    );
  },
  "max_over_time(m_total[1m:20s])": (series, t) =>
    keyed(
      series.flatMap((each) => {
        const times = [];
        for (let at = (Math.floor((t - 60_000) / 20_000) + 1) * 20_000; at <= t; at += 20_000)
          times.push(at);
        const values = times.flatMap((at) => naiveInstant([each], at).map(([, value]) => value));
        return values.length === 0
          ? []
          : [
              [without(each.labels, "__name__"), Math.max(...values)] as [
                Record<string, string>,
                number,
              ],
            ];
      }),
    ),
};

const targetsArbitrary = fc.array(targetArbitrary, { minLength: 1, maxLength: 3 });

it.each(Object.keys(cases))("agrees with the definition of %s, step by step", async (query) => {
  await fc.assert(
    fc.asyncProperty(
      targetsArbitrary,
      fc.integer({ min: 0, max: 80 }).map((n) => n * 5000),
      async (targets, startMs) => {
        const reader = Object.assign(new ColumnReader(targets), unused);
        const engine = createMetricEngine({ reader, clock: systemClock });
        const grid = { startMs, endMs: startMs + 140_000, stepMs: 20_000 };
        const { value } = await engine.range({ query, ...grid });
        if (value.type !== "matrix") throw new Error("not a matrix");
        const series = plainSeries(targets);
        for (let t = grid.startMs; t <= grid.endMs; t += grid.stepMs) {
          const wanted = cases[query]?.(series, t) ?? new Map<string, number>();
          const got = new Map<string, number>();
          for (const { labels, times, values } of value.series) {
            const i = times.indexOf(t);
            if (i >= 0) got.set(key(labels), values[i] ?? NaN);
          }
          expect([...got.keys()].sort()).toEqual([...wanted.keys()].sort());
          for (const [labels, number] of wanted)
            if (!almostEqual(number, got.get(labels) ?? NaN, 1e-9))
              throw new Error(`${labels} at ${t}: expected ${number}, got ${got.get(labels)}`);
        }
      },
    ),
    { seed: 20_260_601, numRuns: 60 },
  );
});

const unused: Omit<MetricReader, "select"> = {
  series: async () => [],
  labelNames: async () => [],
  labelValues: async () => [],
};
