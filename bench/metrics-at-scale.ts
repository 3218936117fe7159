/**
 * The built server under the reference load, and Debian's Prometheus after it with the same pages and rules: does it hold?
 * Reports missed scrapes, the delay of the HTTP thread's loop, how late rules run, memory and CPU.
 *
 * `--size` is the number of active series (default 100,000; 1,000,000 is Istio's reference mesh). Scrapes come every 15 s.
 * It lasts `SKOPOS_BENCH_MINUTES`, by default 2 minutes below 300,000 series, 5 below a million and 30 from there, after a
 * minute that is not counted; Prometheus is watched for five minutes at most. While it runs, one client asks for the page's
 * health and for an instant query every second.
 */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { scrapeConfigOf } from "./load/istio-pages.ts";
import { servedPages, startLoad } from "./load/load-process.ts";
import { MeshLoad } from "./load/mesh.ts";
import { pauseMs, percentile, rounded } from "./peers/figures.ts";
import type { Peer } from "./peers/process.ts";
import { startPrometheus } from "./peers/prometheus.ts";
import { startSkopos } from "./peers/skopos.ts";

const rulesFile = path.resolve(import.meta.dirname, "../packages/alerting/rules/mesh.yaml");
const intervalMs = 15_000;
const warmUpMs = 60_000;
const askEveryMs = 1000;
/** It is there for comparison, whether it holds is not asked. */
const peerMinutesMax = 5;
const instantQuery = "sum by (destination_service) (rate(istio_requests_total[1m]))";

function minutesOf(size: number): number {
  const told = Number(process.env["SKOPOS_BENCH_MINUTES"]);
  if (told > 0) return told;
  if (size >= 1_000_000) return 30;
  return size >= 300_000 ? 5 : 2;
}

interface Asked {
  readonly healthyMs: number[];
  readonly queryMs: number[];
  readonly loopDelayMs: number[];
  readonly ruleLateMs: number[];
  residentBytesMax: number;
}

async function timed(ask: () => Promise<Response>): Promise<number> {
  const began = performance.now();
  const response = await ask();
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  return performance.now() - began;
}

interface RuleGroups {
  readonly data: {
    readonly groups: readonly { readonly interval: number; readonly lastEvaluation: string }[];
  };
}

/** How long after its time a rule group has not run yet; 0 while none is due. */
async function ruleLatenessMs(peer: Peer): Promise<number> {
  const response = await fetch(`${peer.url}/api/v1/rules`);
  const { data } = (await response.json()) as RuleGroups;
  const nowMs = Date.now();
  const late = data.groups.map(
    ({ interval, lastEvaluation }) => nowMs - Date.parse(lastEvaluation) - interval * 1000,
  );
  return Math.max(0, ...late.filter((ms) => ms < 3_600_000));
}

/** Of our own /metrics; undefined where there is none of that name. */
async function loopDelayMs(peer: Peer): Promise<number | undefined> {
  const text = await (await fetch(`${peer.url}/metrics`)).text();
  const row = /^skopos_loop_delay_seconds\{thread="http"\} (\S+)/m.exec(text)?.[1];
  return row === undefined ? undefined : Number(row) * 1000;
}

async function watch(peer: Peer, untilMs: number): Promise<Asked> {
  const asked: Asked = {
    healthyMs: [],
    queryMs: [],
    loopDelayMs: [],
    ruleLateMs: [],
    residentBytesMax: 0,
  };
  const query = `${peer.url}/api/v1/query?query=${encodeURIComponent(instantQuery)}`;
  while (Date.now() < untilMs) {
    const nextMs = Date.now() + askEveryMs;
    asked.healthyMs.push(await timed(() => fetch(`${peer.url}/-/healthy`)));
    asked.queryMs.push(await timed(() => fetch(query)));
    asked.ruleLateMs.push(await ruleLatenessMs(peer));
    const delay = await loopDelayMs(peer);
    if (delay !== undefined) asked.loopDelayMs.push(delay);
    asked.residentBytesMax = Math.max(asked.residentBytesMax, peer.usage().residentBytes);
    await pauseMs(nextMs - Date.now());
  }
  return asked;
}

interface Contender {
  readonly minutesMax: number;
  readonly start: (dir: string, scrapeConfig: string) => Promise<Peer>;
}

/** Both evaluate the mesh's rules every 15 s. */
const contenders: Readonly<Record<string, Contender>> = {
  skopos: {
    minutesMax: Number.POSITIVE_INFINITY,
    start: (dir, scrapeConfig) => startSkopos(dir, { rules: [rulesFile] }, scrapeConfig),
  },
  prometheus: {
    minutesMax: peerMinutesMax,
    start(dir, scrapeConfig) {
      const config = JSON.parse(scrapeConfig) as Record<string, unknown>;
      return startPrometheus(dir, JSON.stringify({ ...config, rule_files: [rulesFile] }));
    },
  },
};

async function measure(
  name: string,
  { minutesMax, start }: Contender,
  size: number,
): Promise<Record<string, number>> {
  const mesh = new MeshLoad({ series: size });
  const dir = mkdtempSync(path.join(os.tmpdir(), "skopos-bench-"));
  const load = await startLoad("pages-process.ts", [String(size), "plain"]);
  const peer = await start(dir, scrapeConfigOf(mesh, load.firstLine, intervalMs));
  try {
    await pauseMs(warmUpMs);
    await servedPages(load.firstLine);
    const before = peer.usage();
    const beganMs = Date.now();
    const minutes = Math.min(minutesOf(size), minutesMax);
    const asked = await watch(peer, beganMs + minutes * 60_000);
    const { byTarget, samples } = await servedPages(load.firstLine);
    const used = peer.usage().cpuSeconds - before.cpuSeconds;
    const elapsedMs = Date.now() - beganMs;
    const due = Math.floor(elapsedMs / intervalMs);
    const figures = {
      scrapes: byTarget.reduce((sum, count) => sum + count, 0),
      missed: byTarget.reduce((sum, count) => sum + Math.max(0, due - count), 0),
      loopDelayP99Ms: rounded(Math.max(...asked.loopDelayMs), 1),
      healthyP99Ms: rounded(percentile(asked.healthyMs, 0.99), 1),
      queryP50Ms: rounded(percentile(asked.queryMs, 0.5), 1),
      queryP99Ms: rounded(percentile(asked.queryMs, 0.99), 1),
      ruleLateP99Ms: rounded(percentile(asked.ruleLateMs, 0.99), 0),
      residentMB: rounded(asked.residentBytesMax / 2 ** 20, 0),
      cpuNsPerSample: rounded((used * 1e9) / samples, 0),
      coresUsed: rounded((used * 1000) / elapsedMs),
    };
    return Object.fromEntries(
      Object.entries(figures).map(([figure, value]) => [
        `${name}${figure.charAt(0).toUpperCase()}${figure.slice(1)}`,
        Number.isFinite(value) ? value : -1,
      ]),
    );
  } finally {
    await peer.stop();
    await load.stop();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

export async function run({ size = 100_000 }: { size: number | undefined }) {
  const { seriesCount, edgeCount, services, targets } = new MeshLoad({ series: size });
  const shape = {
    series: seriesCount,
    services: services.length,
    targets: targets.length,
    edges: edgeCount,
    minutes: minutesOf(size),
  };
  console.table(shape);
  const figures: Record<string, number> = { ...shape };
  for (const [name, contender] of Object.entries(contenders)) {
    const measured = await measure(name, contender, size);
    console.table(measured);
    Object.assign(figures, measured);
  }
  return figures;
}
