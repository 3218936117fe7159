/** Debian's Prometheus as a peer: a data directory of its own, on loopback, with the receivers that benchmarks need. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { findPrometheus } from "../../scripts/system-tools.ts";
import { freePort } from "../../apps/cli/src/port.ts";
import { type Peer, startPeer } from "./process.ts";

export async function startPrometheus(
  dir: string,
  config = "global: {scrape_interval: 15s}\n",
): Promise<Peer> {
  const port = await freePort();
  const file = path.join(dir, "prometheus.yml");
  writeFileSync(file, config);
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${path.join(dir, "prometheus")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--web.enable-remote-write-receiver",
    "--web.enable-admin-api",
    "--query.max-samples=500000000",
    "--log.level=warn",
  ];
  return startPeer(findPrometheus(), args, `http://127.0.0.1:${port}`, "/-/ready");
}
