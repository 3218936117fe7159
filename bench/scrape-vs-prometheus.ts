/**
 * Scraping, side by side with Debian's Prometheus on the same pages, one after the other: CPU of the whole program per
 * scraped sample, plain and gzip, resident memory per added series, bytes on disk per sample.
 *
 * `--size` is the number of active series (default 100,000); memory is compared between three tenths of it and all of it.
 * Each run scrapes every 5 s (15 s above 300,000 series): one interval to find the series, then 12 that are counted;
 * `SKOPOS_BENCH_SCRAPES` says otherwise. Pages come from a process whose work is not counted.
 */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { scrapeConfigOf } from "./load/istio-pages.ts";
import { servedPages, startLoad } from "./load/load-process.ts";
import { MeshLoad } from "./load/mesh.ts";
import { bytesBelow, pauseMs, rounded } from "./peers/figures.ts";
import type { Peer } from "./peers/process.ts";
import { startPrometheus } from "./peers/prometheus.ts";
import { startSkopos } from "./peers/skopos.ts";

const scrapes = Number(process.env["SKOPOS_BENCH_SCRAPES"] ?? 12);

interface Measured {
  readonly series: number;
  readonly samples: number;
  readonly cpuNsPerSample: number;
  readonly residentBytes: number;
  /** Of everything scraped since the start. */
  readonly diskBytesPerSample: number;
}

interface Contender {
  start(dir: string, scrapeConfig: string): Promise<Peer>;
  /** Bytes of samples in their resting place. May stop the peer. */
  diskBytes(peer: Peer, dir: string): Promise<number>;
}

const contenders: Readonly<Record<string, Contender>> = {
  skopos: {
    start: (dir, scrapeConfig) => startSkopos(dir, {}, scrapeConfig),
    /** The head's own files, which a stop leaves whole. */
    async diskBytes(peer, dir) {
      await peer.stop();
      return bytesBelow(path.join(dir, "skopos/telemetry/head"));
    },
  },
  prometheus: {
    start: startPrometheus,
    /** Its head written as a block, as compaction would. */
    async diskBytes(peer, dir) {
      const url = `${peer.url}/api/v1/admin/tsdb/snapshot`;
      const { data } = (await (await fetch(url, { method: "POST" })).json()) as {
        data: { name: string };
      };
      return bytesBelow(path.join(dir, "prometheus/snapshots", data.name));
    },
  },
};

async function measure(
  contender: Contender,
  size: number,
  encoding: "plain" | "gzip",
): Promise<Measured> {
  const mesh = new MeshLoad({ series: size });
  const dir = mkdtempSync(path.join(os.tmpdir(), "skopos-bench-"));
  const load = await startLoad("pages-process.ts", [String(size), encoding]);
  const intervalMs = size > 300_000 ? 15_000 : 5000;
  try {
    const scrapeConfig = scrapeConfigOf(mesh, load.firstLine, intervalMs);
    const peer = await contender.start(dir, scrapeConfig);
    try {
      await pauseMs(2 * intervalMs);
      const warmUp = (await servedPages(load.firstLine)).samples;
      const before = peer.usage();
      await pauseMs(scrapes * intervalMs);
      const { samples } = await servedPages(load.firstLine);
      const { cpuSeconds, residentBytes } = peer.usage();
      return {
        series: mesh.seriesCount,
        samples,
        cpuNsPerSample: ((cpuSeconds - before.cpuSeconds) * 1e9) / samples,
        residentBytes,
        diskBytesPerSample: (await contender.diskBytes(peer, dir)) / (samples + warmUp),
      };
    } finally {
      await peer.stop();
    }
  } finally {
    await load.stop();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

export async function run({ size = 100_000 }: { size: number | undefined }) {
  const figures: Record<string, number> = {};
  for (const [name, contender] of Object.entries(contenders)) {
    const small = await measure(contender, Math.round(size * 0.3), "plain");
    const plain = await measure(contender, size, "plain");
    const gzip = await measure(contender, size, "gzip");
    console.table({ small, plain, gzip });
    const addedBytes = plain.residentBytes - small.residentBytes;
    figures["series"] = plain.series;
    figures[`${name}PlainNsPerSample`] = rounded(plain.cpuNsPerSample, 0);
    figures[`${name}GzipNsPerSample`] = rounded(gzip.cpuNsPerSample, 0);
    figures[`${name}BytesPerAddedSeries`] = rounded(addedBytes / (plain.series - small.series), 0);
    figures[`${name}ResidentMB`] = rounded(plain.residentBytes / 2 ** 20, 0);
    figures[`${name}DiskBytesPerSample`] = rounded(plain.diskBytesPerSample);
  }
  const ratio = (what: string) =>
    rounded(
      (figures[`skopos${what}`] ?? Number.NaN) / (figures[`prometheus${what}`] ?? Number.NaN),
    );
  return {
    ...figures,
    plainRatio: ratio("PlainNsPerSample"),
    gzipRatio: ratio("GzipNsPerSample"),
    memoryRatio: ratio("BytesPerAddedSeries"),
    diskRatio: ratio("DiskBytesPerSample"),
  };
}
