import { LabelSet, type MetricReader, type SeriesNames, systemClock } from "@skopos/model";
import { expect, it } from "vitest";
import { MemoryReader } from "../testing/index.ts";
import { createMetricEngine } from "./engine.ts";

function filledReader(): MemoryReader {
  const reader = new MemoryReader();
  let value = 1;
  for (const name of ["calls_total", "errors_total", "time_bucket"])
    for (const pod of ["a", "b", ""])
      for (const le of name === "time_bucket" ? ["1", "2", "+Inf"] : [""]) {
        const labels = LabelSet.fromMap({ __name__: name, pod, le, zone: pod === "a" ? "x" : "y" });
        const at = (s: number) => ({ timeMs: s * 1000, value: value * (s + (le === "1" ? 0 : 5)) });
        reader.add(labels, [0, 15, 30, 45, 60].map(at));
        value++;
      }
  return reader;
}

/** As a store that knows its labels by number: grouping is its business, label sets are not looked at. */
function naming(reader: MetricReader): MetricReader {
  return {
    series: (request) => reader.series(request),
    labelNames: (request) => reader.labelNames(request),
    labelValues: (name, request) => reader.labelValues(name, request),
    async select(request) {
      const { labels, ...columns } = await reader.select(request);
      return {
        ...columns,
        names: namesOf(labels),
        get labels(): readonly LabelSet[] {
          throw new Error("the label sets of all series are not wanted");
        },
      };
    },
  };
}

function namesOf(sets: readonly LabelSet[]): SeriesNames {
  const at = (series: number) => sets[series] ?? LabelSet.empty;
  return {
    length: sets.length,
    labels: at,
    value: (series, label) => at(series).get(label),
    group(by, wanted) {
      const passed = (name: string) => wanted.includes(name) || name === "__name__";
      const keys = sets.map((set) =>
        by ? set.without((name) => !wanted.includes(name)).key : set.without(passed).key,
      );
      const first = [...new Set(keys)].map((key) => keys.indexOf(key));
      const numberOf = new Map(first.map((s, group) => [keys[s], group]));
      return {
        of: Uint32Array.from(keys, (key) => numberOf.get(key) ?? 0),
        count: first.length,
        first,
      };
    },
  };
}

const queries = [
  "calls_total",
  "sum(calls_total)",
  "sum by (pod) (rate(calls_total[1m]))",
  "sum by (__name__) (calls_total)",
  'sum by (__name__, pod) ({zone=~"x|y", le=""})',
  "sum by (__name__, zone) (rate(calls_total[1m]))",
  "max without (pod) (calls_total)",
  "count without (pod, le) (time_bucket)",
  "histogram_quantile(0.5, rate(time_bucket[1m]))",
  "histogram_quantile(0.5, sum by (le, zone) (rate(time_bucket[1m])))",
  'rate({__name__=~"calls_total|errors_total",pod="a"}[1m]) or vector(1)',
  "errors_total / ignoring(zone) calls_total",
  "sum(max_over_time(calls_total[30s:15s]))",
  "calls_total[30s]",
  "topk(1, calls_total)",
];

for (const delayedNameRemoval of [false, true])
  it(`gives one answer for labels by number and as they are, names dropped ${delayedNameRemoval ? "late" : "at once"}`, async () => {
    const reader = filledReader();
    const options = { clock: systemClock, features: { delayedNameRemoval } };
    const plain = createMetricEngine({ reader, ...options });
    const named = createMetricEngine({ reader: naming(reader), ...options });
    for (const query of queries) {
      const outcome = (engine: typeof plain) =>
        engine.instant({ query, timeMs: 60_000 }).catch((error: unknown) => String(error));
      expect(await outcome(named), query).toEqual(await outcome(plain));
    }
  });
