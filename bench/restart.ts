/**
 * How long the metric store takes to come back: until rules can run, and until everything is in memory. Two hours at 15 s,
 * the last five minutes in the journal alone. `--size` is the number of series (default 100,000); it fills the store first,
 * which takes longer than what is measured.
 */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { systemClock } from "@skopos/model";
import { Journal, JournalReader, MetricStore } from "@skopos/store";
import { MeshLoad } from "./load/mesh.ts";
import { openTarget } from "./load/sink-target.ts";
import { bytesBelow, rounded } from "./peers/figures.ts";

const stepMs = 15_000;
const steps = 480;
const stepsAfterCheckpoint = 20;
const checkpointEverySteps = 40;
const startMs = 1_700_000_000_000;

async function openStore(dir: string, now: { ms: number }) {
  const journalDir = path.join(dir, "journal");
  const limits = { segmentBytesMax: 64 * 2 ** 20, bytesMax: 64 * 2 ** 30 };
  const journal = await Journal.open({ dir: journalDir, clock: systemClock, ...limits });
  const journalReader = await JournalReader.open({ dir: journalDir });
  const clock = { ...systemClock, nowMs: () => now.ms };
  const store = await MetricStore.open({
    dir: path.join(dir, "head"),
    journal,
    journalReader,
    clock,
  });
  await journalReader.close();
  return { journal, store };
}

async function fill(dir: string, size: number, now: { ms: number }) {
  const { journal, store } = await openStore(dir, now);
  const mesh = new MeshLoad({ series: size });
  const targets = mesh.targets.map((target) => openTarget(store, target));
  const checkpoints: number[] = [];
  for (let step = 0; step < steps; step++) {
    now.ms += stepMs;
    for (const [i, target] of targets.entries()) {
      target.moveTo(step);
      store.appendPage(target.group, now.ms + i, target.refs, target.values, target.refs.length);
      if (i % 64 === 63) await store.durable();
    }
    const left = steps - 1 - step;
    if (left < stepsAfterCheckpoint || (left - stepsAfterCheckpoint) % checkpointEverySteps !== 0)
      continue;
    const began = performance.now();
    await journal.truncateBefore(await store.checkpoint());
    checkpoints.push(performance.now() - began);
  }
  await store.durable();
  await store.close();
  await journal.close();
  return { series: mesh.seriesCount, checkpointMs: checkpoints.at(-1) ?? Number.NaN };
}

export async function run({ size = 100_000 }: { size: number | undefined }) {
  const dir = mkdtempSync(path.join(os.tmpdir(), "skopos-bench-"));
  const now = { ms: startMs };
  try {
    const { series, checkpointMs } = await fill(dir, size, now);
    const diskBytes = bytesBelow(path.join(dir, "head"));
    const began = performance.now();
    const cpuBefore = process.cpuUsage();
    const { journal, store } = await openStore(dir, now);
    const readyMs = performance.now() - began;
    const readyCpu = process.cpuUsage(cpuBefore);
    await store.whole();
    const wholeMs = performance.now() - began;
    const stats = store.stats();
    const { snapshotSamples, replayedSamples, warnings } = store.restored;
    await store.close();
    await journal.close();
    const figures = {
      series,
      readyMs: rounded(readyMs, 0),
      readyCpuMs: rounded((readyCpu.user + readyCpu.system) / 1000, 0),
      wholeMs: rounded(wholeMs, 0),
      snapshotSamples,
      replayedSamples,
      warnings: warnings.length,
      hoursRestored: rounded(((stats.newestMs ?? 0) - (stats.oldestMs ?? 0)) / 3_600_000),
      checkpointMs: rounded(checkpointMs, 0),
      diskBytesPerSample: rounded(diskBytes / (series * (steps - stepsAfterCheckpoint))),
      headBytesPerSeries: rounded(stats.bytes / series, 0),
    };
    console.table(figures);
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
