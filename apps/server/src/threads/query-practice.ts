/**
 * What a query thread does before anyone asks: it answers questions about a small mesh of its own making. V8 interprets code
 * until it has run often, so without practice the first hundred questions after a start take several times as long as the
 * rest. Each round parses, plans, reads, evaluates and writes anew, as for questions that were never asked before.
 *
 * Practice is bounded in time and gives way to real questions between any two of its own; nothing of it is kept.
 */
import { type Clock, LabelSet } from "@skopos/model";
import { createMetricEngine, RangeCache } from "@skopos/promql";
import { Head, HeadView } from "@skopos/store";
import { sendJson } from "./json-answer.ts";

/** By then code that runs often is compiled: more rounds make nothing faster. About half a second of one core. */
const roundsMax = 20;
/** On a machine that is busy starting. */
const practiceMsMax = 5000;

/** The mesh: every target shows the traffic of a few edges, an hour at 15 s. */
const targets = 12;
const edgesPerTarget = 4;
const bounds = ["1", "5", "25", "100", "500", "2500", "10000", "+Inf"];
const stepMs = 15_000;
const steps = 240;
const startMs = 1_700_000_000_000;
const mebibyte = 2 ** 20;

/** One of each way in which dashboards and people ask, with the metrics and labels of the mesh above. */
const queries = [
  "sum(up)",
  "count by (job, version) (build_info)",
  'requests_total{instance="i1", reporter=~"source|destination", code!~"5.."}',
  'sum(rate(requests_total{code!~"5.*", namespace="a"}[1m])) by (source, target)',
  'round(sum(irate(requests_total{target=~".*", source!="s1"}[1m])) by (target, code), 0.001) or vector(0)',
  'sum(rate(requests_total{code=~"5.."}[5m])) by (target) / sum(rate(requests_total[5m])) by (target) > 0.01',
  "histogram_quantile(0.95, sum by (le, target) (rate(duration_bucket[1m])))",
  '(histogram_quantile(0.5, sum(irate(duration_bucket{reporter="source"}[1m])) by (le)) / 1000) or histogram_quantile(0.5, sum(irate(none_bucket[1m])) by (le))',
  "sum(rate(duration_sum[5m])) by (target) / on (target) group_left () sum(rate(duration_count[5m])) by (target)",
  'label_join(label_replace(topk(3, sum by (source, target) (increase(requests_total[5m]))), "to", "$1", "target", "(.*)"), "edge", "/", "source", "to")',
  "avg without (instance) (memory_bytes) + max(memory_bytes offset 5m) - min(delta(memory_bytes[10m]))",
  "max_over_time(sum(rate(requests_total[1m]))[10m:1m])",
  "quantile(0.9, memory_bytes) and sum(memory_bytes) unless absent(up)",
];

/** Its label sets and what each gains per step. */
function seriesOf(target: number): { labels: LabelSet; gain: number }[] {
  const own = { instance: `i${target}`, job: "practice", namespace: target % 2 === 0 ? "a" : "b" };
  const series: { labels: LabelSet; gain: number }[] = [];
  const add = (labels: Record<string, string>, gain: number) =>
    series.push({ labels: LabelSet.fromMap({ ...own, ...labels }), gain });
  add({ __name__: "up" }, 0);
  add({ __name__: "build_info", version: "1" }, 0);
  add({ __name__: "memory_bytes" }, 4096);
  for (let edge = 0; edge < edgesPerTarget; edge++) {
    const labels = {
      source: `s${target}`,
      target: `s${(target + edge + 1) % targets}`,
      reporter: edge % 2 === 0 ? "source" : "destination",
      code: edge === 0 ? "503" : "200",
    };
    add({ ...labels, __name__: "requests_total" }, 30.5 + edge);
    add({ ...labels, __name__: "duration_sum" }, 900 + 7.25 * edge);
    add({ ...labels, __name__: "duration_count" }, 30.5 + edge);
    for (const [i, le] of bounds.entries())
      add(
        { ...labels, __name__: "duration_bucket", le },
        (30.5 + edge) * ((i + 1) / bounds.length),
      );
  }
  return series;
}

function practiceHead(): HeadView {
  const head = new Head({
    groupsMax: 64,
    openBytesMax: 64 * mebibyte,
    chunkBytesMax: 64 * mebibyte,
    definitionBytesMax: 4 * mebibyte,
    histogramBytesMax: mebibyte,
    exemplarsMax: 16,
  });
  for (let target = 0; target < targets; target++) {
    const series = seriesOf(target);
    const group = head.openGroup(`practice ${target}`);
    const refs = Uint32Array.from(series, ({ labels }) => head.series(group, labels) ?? 0);
    const values = new Float64Array(refs.length);
    for (let step = 0; step < steps; step++) {
      for (const [i, { gain }] of series.entries())
        values[i] = gain === 0 ? 1 : Math.floor(gain * (step + 0.4 * Math.sin(step / 5)));
      head.appendPage(group, startMs + step * stepMs + target, refs, values, refs.length);
    }
  }
  return new HeadView(head.share());
}

/** Resolves with how many questions there was time for. `pause` lets waiting work go first. */
export async function practise(clock: Clock, pause: () => Promise<void>): Promise<number> {
  const deadlineMs = clock.monotonicMs() + practiceMsMax;
  const reader = practiceHead();
  const endMs = startMs + steps * stepMs;
  const sink = { emit: () => Promise.resolve() };
  let answered = 0;
  for (let round = 0; round < roundsMax; round++) {
    const engine = createMetricEngine({ reader, clock });
    const cache = new RangeCache({
      clock,
      bytesMax: mebibyte,
      settleMs: 0,
      generation: () => "",
      heldSinceMs: () => 0,
    });
    const timeMs = endMs - round * stepMs - 5000;
    for (const query of queries) {
      await pause();
      if (clock.monotonicMs() > deadlineMs) return answered;
      await sendJson(await engine.instant({ query, timeMs }), undefined, sink);
      answered++;
      // A range costs as much as many instants, and shares most of its code with them.
      if (round % 8 > 0) continue;
      const range = { query, startMs: timeMs - 50 * stepMs, endMs: timeMs, stepMs };
      await sendJson(await cache.range(engine, range), undefined, sink);
    }
  }
  return answered;
}
