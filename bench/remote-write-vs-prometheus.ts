/**
 * Receiving remote write 1.0, side by side with Debian's Prometheus, one after the other with the same stream: CPU of the
 * whole program per sample, and how long a round of every series takes with four requests at a time.
 *
 * `--size` is the number of series (default 100,000). One round makes the series known, then 10 are counted, one every 5 s;
 * `SKOPOS_BENCH_ROUNDS` says otherwise. The sender's work is not counted.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { startLoad } from "./load/load-process.ts";
import { pauseMs, percentile, rounded } from "./peers/figures.ts";
import type { Peer } from "./peers/process.ts";
import { startPrometheus } from "./peers/prometheus.ts";
import { startSkopos } from "./peers/skopos.ts";

const rounds = Number(process.env["SKOPOS_BENCH_ROUNDS"] ?? 10);
const everyMs = 5000;

async function measure(start: (dir: string) => Promise<Peer>, size: number) {
  const dir = mkdtempSync(path.join(os.tmpdir(), "skopos-bench-"));
  const peer = await start(dir);
  const sender = await startLoad("remote-writer-process.ts", [String(size), peer.url]);
  try {
    const { stdin, stdout } = sender.child;
    if (!stdin || !stdout) throw new Error("the sender has no pipes");
    const lines = createInterface({ input: stdout });
    const send = async () => {
      stdin.write("\n");
      const [line] = (await once(lines, "line")) as [string];
      const [samples = 0, tookMs = 0] = line.split(" ").map(Number);
      return { samples, tookMs };
    };
    await send();
    await pauseMs(everyMs);
    const before = peer.usage();
    const took: number[] = [];
    let sent = 0;
    for (let i = 0; i < rounds; i++) {
      const { samples, tookMs } = await send();
      sent += samples;
      took.push(tookMs);
      await pauseMs(Math.max(0, everyMs - tookMs));
    }
    const { cpuSeconds, residentBytes } = peer.usage();
    return {
      samples: sent,
      cpuNsPerSample: rounded(((cpuSeconds - before.cpuSeconds) * 1e9) / sent, 0),
      roundMs: rounded(percentile(took, 0.5), 0),
      residentMB: rounded(residentBytes / 2 ** 20, 0),
    };
  } finally {
    await sender.stop();
    await peer.stop();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

export async function run({ size = 100_000 }: { size: number | undefined }) {
  const skopos = await measure(startSkopos, size);
  const prometheus = await measure(startPrometheus, size);
  console.table({ skopos, prometheus });
  return {
    size,
    samples: skopos.samples,
    skoposNsPerSample: skopos.cpuNsPerSample,
    prometheusNsPerSample: prometheus.cpuNsPerSample,
    ratio: rounded(skopos.cpuNsPerSample / prometheus.cpuNsPerSample),
    skoposRoundMs: skopos.roundMs,
    prometheusRoundMs: prometheus.roundMs,
    skoposResidentMB: skopos.residentMB,
    prometheusResidentMB: prometheus.residentMB,
  };
}
