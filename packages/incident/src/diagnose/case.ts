/**
 * The live diagnosis's rankers on recorded fault cases: a call graph, series per node (and per edge, where both reporters
 * were kept), the alert, and when other incidents were. Where the case has resource signals they are a channel of their
 * own; what stands out there is believed before latency is, for latency travels and CPU does not.
 */
import { z } from "zod";
import { rankByEdgeGap } from "./edge-gap.ts";
import { rankByExcessWork, reachableFrom } from "./excess-work.ts";
import {
  combine,
  emptySeries,
  type Range,
  type Series,
  shiftOf,
  type Windows,
} from "./statistics.ts";

const signals = z.record(z.string(), z.array(z.tuple([z.number(), z.number().nullable()])));
export const faultCase = z.object({
  id: z.string(),
  interval_s: z.number(),
  edges: z.array(z.tuple([z.string(), z.string()])),
  alert: z.object({ node: z.string(), signal: z.string(), time: z.number() }),
  known_incidents: z.array(z.tuple([z.number(), z.number()])),
  window: z.record(z.string(), signals),
  edge_window: z.record(z.string(), signals).optional(),
});
export type FaultCase = z.infer<typeof faultCase>;
export const caseBaseline = z.object({ series: z.record(z.string(), signals) });
export type CaseBaseline = z.infer<typeof caseBaseline>;

export interface RankedCause {
  readonly node: string;
  readonly score: number;
}

/** A CPU share this much above usual, in points of its limit, is a cause and not an echo of latency. */
const cpuPointsMin = 20;
const cpuFactorMin = 1.5;

type NamedSignals = Readonly<Record<string, readonly (readonly [number, number | null])[]>>;

function seriesOf(list: NamedSignals | undefined, name: string): Series {
  const points = list?.[name] ?? [];
  const kept = points.flatMap(([time, value]) => (value === null ? [] : [{ time, value }]));
  return { times: kept.map(({ time }) => time), values: kept.map(({ value }) => value) };
}

/** Requests times what each costs; nothing is asked of whoever gets no requests, so that their work is zero, not absent. */
function workOf(list: NamedSignals | undefined, signal: string): Series {
  const requests = seriesOf(list, "requests_per_interval");
  const cost =
    signal === "availability"
      ? seriesOf(list, "availability_percent")
      : seriesOf(list, "latency_mean_s");
  const idle = requests.times.flatMap((time, i) => (requests.values[i] === 0 ? [time] : []));
  const busy = combine(requests, cost, (count, value) =>
    signal === "availability" ? count * (1 - value / 100) : count * value,
  );
  const all = new Map<number, number>(idle.map((time) => [time, 0]));
  busy.times.forEach((time, i) => all.set(time, busy.values[i] ?? 0));
  const times = [...all.keys()].sort((a, b) => a - b);
  return { times, values: times.map((time) => all.get(time) ?? 0) };
}

/** Joins baseline and window; the windows keep them apart. */
function joined(a: Series, b: Series): Series {
  const rows = new Map<number, number>();
  for (const part of [a, b])
    part.times.forEach((time, i) => rows.set(time, part.values[i] ?? Number.NaN));
  const times = [...rows.keys()].sort((x, y) => x - y);
  return { times, values: times.map((time) => rows.get(time) ?? Number.NaN) };
}

/** In the case's seconds. */
function windowsOfCase(found: FaultCase, baseline: CaseBaseline | undefined): Windows {
  const { time } = found.alert;
  const step = found.interval_s;
  const incident: Range = { startMs: time - step, endMs: Number.POSITIVE_INFINITY };
  if (baseline) {
    const inside = new Set(
      Object.values(baseline.series).flatMap((list) =>
        Object.values(list).flatMap((points) => points.map(([at]) => at)),
      ),
    );
    const last = Math.max(...inside);
    const first = Math.min(...inside);
    const normal = [
      { startMs: first, endMs: Math.min(last, time - 2 * step) },
      { startMs: time + 12 * step, endMs: last },
    ].filter(({ startMs, endMs }) => endMs > startMs);
    const times = Object.values(found.window).flatMap((list) =>
      Object.values(list).flatMap((points) => points.map(([at]) => at)),
    );
    return { normal, incident: { startMs: time - step, endMs: Math.max(time, ...times) } };
  }
  let normal: Range[] = [{ startMs: 0, endMs: time - 2 * step }];
  for (const [from, to] of found.known_incidents)
    normal = normal.flatMap((part) =>
      [
        { startMs: part.startMs, endMs: Math.min(part.endMs, from - step) },
        { startMs: Math.max(part.startMs, to + step), endMs: part.endMs },
      ].filter(({ startMs, endMs }) => endMs > startMs),
    );
  return { normal, incident };
}

function byWork(
  found: FaultCase,
  baseline: CaseBaseline | undefined,
  windows: Windows,
): RankedCause[] {
  const excess = new Map<string, number>();
  for (const node of Object.keys(found.window)) {
    const series = joined(
      workOf(baseline?.series[node], found.alert.signal),
      workOf(found.window[node], found.alert.signal),
    );
    const shift = shiftOf(series, windows);
    if (shift) excess.set(node, shift.excess);
  }
  return rankByExcessWork(
    {
      excessOf: (node) => excess.get(node),
      edges: found.edges.map(([source, target]) => ({
        source,
        target,
        excess: excess.get(target),
      })),
    },
    [found.alert.node],
  ).map(({ node, own }) => ({ node, score: own }));
}

/** Nodes whose CPU, in percent of its limit, left its usual level by far; most first. */
function byCpu(found: FaultCase, windows: Windows): RankedCause[] {
  return Object.entries(found.window)
    .flatMap(([node, list]) => {
      const shift = shiftOf(seriesOf(list, "cpu_percent"), windows);
      const stands =
        shift && shift.excess > cpuPointsMin && shift.now > cpuFactorMin * shift.before;
      return shift && stands ? [{ node, score: shift.excess }] : [];
    })
    .sort((a, b) => b.score - a.score);
}

function byGap(found: FaultCase, windows: Windows): RankedCause[] {
  const gaps = Object.entries(found.edge_window ?? {}).flatMap(([name, list]) => {
    const [source, target] = name.split(">");
    const near = {
      times: seriesOf(list, "source_latency_p50_s"),
      far: seriesOf(list, "destination_latency_p50_s"),
    };
    const gap = alignedGap(near.times, near.far, found.interval_s);
    const shift = shiftOf(gap, windows);
    return source && target && shift ? [{ source, target, excessMs: shift.excess * 1000 }] : [];
  });
  return rankByEdgeGap(gaps).map(({ node, excessMs }) => ({ node, score: excessMs }));
}

/** Both sides are sampled apart by less than a step. */
function alignedGap(near: Series, far: Series, stepS: number): Series {
  if (far.times.length === 0) return emptySeries;
  const align = (series: Series): Series => ({
    times: series.times.map((time) => Math.round(time / stepS) * stepS),
    values: series.values,
  });
  return combine(align(near), align(far), (a, b) => a - b);
}

/** Server latency of a node, less that of the slowest callee. */
function byOwnLatency(found: FaultCase, windows: Windows): RankedCause[] {
  const excess = new Map<string, number>();
  for (const [node, list] of Object.entries(found.window)) {
    const shift = shiftOf(seriesOf(list, "server_latency_p90_s"), windows);
    if (shift) excess.set(node, shift.excess * 1000);
  }
  return [...excess]
    .map(([node, value]) => {
      const below = found.edges.flatMap(([source, target]) =>
        source === node ? [Math.max(0, excess.get(target) ?? 0)] : [],
      );
      return { node, score: value - Math.max(0, ...below) };
    })
    .sort((a, b) => b.score - a.score);
}

/** Every node at most once, in the order of the channels. */
function inOrder(lists: readonly (readonly RankedCause[])[], allowed: ReadonlySet<string>) {
  const seen = new Set<string>();
  const ranking: RankedCause[] = [];
  for (const list of lists)
    for (const item of list) {
      if (seen.has(item.node) || !allowed.has(item.node)) continue;
      seen.add(item.node);
      ranking.push(item);
    }
  return ranking;
}

/** Most likely cause first; `baseline` holds healthy days of the same system, where they were recorded. */
export function diagnoseCase(found: FaultCase, baseline?: CaseBaseline): RankedCause[] {
  const windows = windowsOfCase(found, baseline);
  if (Object.values(found.window).some((list) => "requests_per_interval" in list))
    return byWork(found, baseline, windows);
  const edges = found.edges.map(([source, target]) => ({ source, target, excess: undefined }));
  const allowed = reachableFrom(edges, [found.alert.node]);
  return inOrder(
    [byCpu(found, windows), byGap(found, windows), byOwnLatency(found, windows)],
    allowed,
  );
}
