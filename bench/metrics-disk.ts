/**
 * Bytes on disk per sample of settled history, side by side with Debian's Prometheus on the same data: `--size` series
 * (default 10,000) for four hours at 15 s by remote write. Ours are the tables of the history once merged, with roll-ups,
 * times and labels; of Prometheus the blocks of a snapshot, which writes its head as compaction would.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { MeshLoad } from "./load/mesh.ts";
import { RemoteWriteLoad, sendRemoteWrite } from "./load/remote-write.ts";
import { bytesBelow, pauseMs, rounded } from "./peers/figures.ts";
import { startPrometheus } from "./peers/prometheus.ts";
import { startSkopos } from "./peers/skopos.ts";
import { mergedSizes, numberFrom } from "./peers/tables.ts";

const stepMs = 15_000;
const hourMs = 3_600_000;
const hours = 4;
const steps = (hours * hourMs) / stepMs;
const openMs = 15 * 60_000;
const carriedMsMax = 10 * 60_000;
const tables = ["metric_slices", "metric_rollups", "metric_times", "metric_bases"];

async function load(url: string, mesh: MeshLoad, endMs: number): Promise<number> {
  const writes = new RemoteWriteLoad(mesh.targets);
  for (let step = 0; step < steps; step++) {
    const timeMs = endMs - (steps - 1 - step) * stepMs;
    for (const body of writes.requests(step, timeMs)) await sendRemoteWrite(url, body);
  }
  return writes.samplesPerStep * steps;
}

async function untilCarried(dir: string, throughMs: number): Promise<void> {
  const file = path.join(dir, "skopos/telemetry/history.json");
  const deadlineMs = Date.now() + carriedMsMax;
  while (Date.now() < deadlineMs) {
    if (existsSync(file)) {
      const { carriedThroughMs } = JSON.parse(readFileSync(file, "utf8")) as {
        carriedThroughMs: number;
      };
      if (carriedThroughMs >= throughMs) return;
    }
    await pauseMs(500);
  }
  throw new Error("the samples were not carried into the history");
}

async function ours(dir: string, mesh: MeshLoad, endMs: number) {
  // What is to be carried at once may not be written any more: first the one, then the other.
  const head = { retention: `${hours + 6}h` };
  const writing = await startSkopos(dir, { head, history: { carryAfter: `${hours + 1}h` } });
  try {
    await load(writing.url, mesh, endMs);
  } finally {
    await writing.stop();
  }
  const carrying = await startSkopos(dir, { head, history: { carryAfter: `${openMs / 60_000}m` } });
  try {
    await untilCarried(dir, Math.floor((endMs - openMs) / hourMs) * hourMs);
  } finally {
    await carrying.stop();
  }
  const clickHouse = path.join(dir, "skopos/clickhouse");
  const sizes = await mergedSizes(clickHouse, tables);
  const samples = await numberFrom(clickHouse, "SELECT sum(samples) FROM skopos.metric_slices");
  const bytes = (...of: string[]) =>
    sizes.filter(({ table }) => of.includes(table)).reduce((sum, size) => sum + size.bytes, 0);
  return {
    samples,
    bytesPerSample: bytes(...tables) / samples,
    rollupBytesPerSample: bytes("metric_rollups") / samples,
  };
}

async function theirs(dir: string, mesh: MeshLoad, endMs: number) {
  const peer = await startPrometheus(dir);
  try {
    const samples = await load(peer.url, mesh, endMs);
    const url = `${peer.url}/api/v1/admin/tsdb/snapshot`;
    const { data } = (await (await fetch(url, { method: "POST" })).json()) as {
      data: { name: string };
    };
    const bytes = bytesBelow(path.join(dir, "prometheus/snapshots", data.name));
    return { samples, bytesPerSample: bytes / samples };
  } finally {
    await peer.stop();
  }
}

export async function run({ size = 10_000 }: { size: number | undefined }) {
  const mesh = new MeshLoad({ series: size });
  const endMs = Math.floor(Date.now() / stepMs) * stepMs;
  const dir = mkdtempSync(path.join(os.tmpdir(), "skopos-bench-"));
  try {
    const skopos = await ours(dir, mesh, endMs);
    const prometheus = await theirs(dir, mesh, endMs);
    console.table({ skopos, prometheus });
    return {
      series: mesh.seriesCount,
      hours,
      skoposBytesPerSample: rounded(skopos.bytesPerSample),
      skoposRollupBytesPerSample: rounded(skopos.rollupBytesPerSample),
      prometheusBytesPerSample: rounded(prometheus.bytesPerSample),
      ratio: rounded(skopos.bytesPerSample / prometheus.bytesPerSample),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}
