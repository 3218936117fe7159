/**
 * The metrics head alone, on label sets and counters as Istio's proxies give them: what an appended sample costs, what a
 * series takes in memory after an hour at 15 s, and how long a select of 30,000 series over that hour takes.
 * `--size` is the number of series (default 100,000).
 */
import type { MetricReader } from "@skopos/model";
import { Head, HeadView } from "@skopos/store";
import { MeshLoad } from "./load/mesh.ts";
import { openTarget } from "./load/sink-target.ts";

const stepMs = 15_000;
const steps = 240;
async function medianMs(work: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < 7; i++) {
    const started = performance.now();
    await work();
    took.push(performance.now() - started);
  }
  return took.sort((x, y) => x - y)[3] ?? Number.NaN;
}

async function timeSelect(reader: MetricReader, endMs: number) {
  const request = {
    matchers: [
      { op: "=", name: "__name__", value: "istio_request_duration_milliseconds_bucket" },
    ] as const,
    startMs: endMs - steps * stepMs,
    endMs,
    seriesMax: 1e6,
    samplesMax: 1e9,
  };
  const labelled = { ...request, startMs: endMs - 60_000 };
  const block = await reader.select(request);
  const wholeMs = await medianMs(() => reader.select(request));
  const instantMs = await medianMs(() => reader.select(labelled));
  const scale = 30_000 / block.labels.length;
  return { series: block.labels.length, wholeMs: wholeMs * scale, instantMs: instantMs * scale };
}

export async function run({ size = 100_000 }: { size: number | undefined }) {
  const head = new Head();
  const mesh = new MeshLoad({ series: size });
  const series = mesh.seriesCount;
  const defineStarted = performance.now();
  const targets = mesh.targets.map((target) => openTarget(head, target));
  const defineUs = ((performance.now() - defineStarted) * 1000) / series;
  let appendMs = 0;
  let slowestMs = 0;
  let timeMs = 1_700_000_000_000;
  for (let step = 0; step < steps; step++) {
    timeMs += stepMs;
    for (const [i, target] of targets.entries()) {
      target.moveTo(step);
      const started = performance.now();
      head.appendPage(target.group, timeMs + i, target.refs, target.values, target.refs.length);
      const tookMs = performance.now() - started;
      appendMs += tookMs;
      slowestMs = Math.max(slowestMs, tookMs);
    }
  }
  const stats = head.stats();
  const endMs = timeMs + stepMs;
  const foldStarted = performance.now();
  const view = new HeadView(head.share());
  await view.labelNames({
    matcherSets: [[{ op: "=", name: "x", value: "y" }]],
    startMs: 0,
    endMs,
    limit: 1,
  });
  const foldMs = performance.now() - foldStarted;
  const select = await timeSelect(view, endMs);
  const figures = {
    series,
    nsPerSample: round((appendMs * 1e6) / (series * steps)),
    slowestPageMs: round(slowestMs),
    bytesPerSeries: round(stats.bytes / series),
    chunkBytesPerSample: round(head.parts().chunks / (series * (steps - (steps % 32)))),
    openBytesPerSeries: round(head.parts().open / series),
    nameBytesPerSeries: round(head.parts().names / series),
    defineUsPerSeries: round(defineUs),
    foldMs: round(foldMs),
    selectedSeries: select.series,
    selectHourMsPer30k: round(select.wholeMs),
    selectMinuteMsPer30k: round(select.instantMs),
  };
  console.table(figures);
  return figures;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
