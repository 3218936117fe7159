/** What a running server takes: memory by process, disk by part, and what its head says of itself. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { Peer } from "../../bench/peers/process.ts";
import type { Footprint } from "./growth.ts";

type Measured = Omit<Footprint, "atMs" | "ageMs" | "samples" | "series">;

/** `dataDir` is the server's. */
export async function measure(server: Peer, dataDir: string): Promise<Measured> {
  const own = await ownMetrics(server);
  const [journalDiskBytes, headDiskBytes, clickhouseDiskBytes] = await Promise.all(
    ["telemetry/journal", "telemetry/head", "clickhouse"].map((part) =>
      diskBytes(path.join(dataDir, part)),
    ),
  );
  const { residentBytes, ownResidentBytes } = server.usage();
  return {
    serverBytes: ownResidentBytes,
    clickhouseBytes: residentBytes - ownResidentBytes,
    headBytes: gauge(own, "skopos_head_bytes"),
    headSeries: gauge(own, "skopos_head_series"),
    journalDiskBytes: journalDiskBytes ?? 0,
    headDiskBytes: headDiskBytes ?? 0,
    clickhouseDiskBytes: clickhouseDiskBytes ?? 0,
  };
}

async function ownMetrics(server: Peer): Promise<string> {
  const response = await fetch(`${server.url}/metrics`);
  const text = await response.text();
  if (!response.ok) throw new Error(`/metrics: ${response.status} ${text}`);
  return text;
}

function gauge(page: string, name: string): number {
  const value = new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1];
  if (value === undefined) throw new Error(`/metrics has no ${name}`);
  return Number(value);
}

/** Files that go while they are counted are not counted. */
async function diskBytes(dir: string): Promise<number> {
  const names = await readdir(dir, { recursive: true });
  const sizes = await Promise.all(
    names.map((name) =>
      stat(path.join(dir, name)).then(
        (found) => (found.isFile() ? found.size : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
