/** Debian's Prometheus and VictoriaMetrics, started on free ports with directories of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { until } from "../demo/processes.ts";
import { freePort } from "../robust/served.ts";

export interface Peer {
  readonly url: string;
  /** Where it takes remote writes. */
  readonly writeUrl: string;
  get(path: string): Promise<unknown>;
  kill(): Promise<void>;
}

async function startPeer(
  program: string,
  args: readonly string[],
  url: string,
  ready: string,
  writeUrl: string,
): Promise<Peer> {
  const child: ChildProcess = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr?.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4000)));
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  await until(
    `${program} is ready`,
    async () => {
      if (ended()) throw new Error(`${program} ended: ${errors}`);
      return (await fetch(`${url}${ready}`)).ok || undefined;
    },
    60_000,
    50,
  );
  return {
    url,
    writeUrl,
    async get(where) {
      const response = await fetch(`${url}${where}`);
      if (!response.ok)
        throw new Error(`GET ${where}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    async kill() {
      if (ended()) return;
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    },
  };
}

/** `config` is a prometheus.yml. The same directory again continues with its data. */
export async function startPrometheus(
  dir: string,
  config: object,
  port?: number,
  features: readonly string[] = [],
): Promise<Peer & { port: number }> {
  mkdirSync(dir, { recursive: true });
  const file = path.join(dir, "prometheus.yml");
  writeFileSync(file, JSON.stringify(config));
  const own = port ?? (await freePort());
  const url = `http://127.0.0.1:${own}`;
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${path.join(dir, "data")}`,
    `--web.listen-address=127.0.0.1:${own}`,
    "--web.enable-remote-write-receiver",
    "--query.lookback-delta=5m",
    `--enable-feature=${features.join(",")}`,
  ];
  const program = process.env["SKOPOS_PROMETHEUS"] ?? "prometheus";
  const peer = await startPeer(program, args, url, "/-/ready", `${url}/api/v1/write`);
  return { ...peer, port: own };
}

export async function startVictoriaMetrics(dir: string): Promise<Peer> {
  const own = await freePort();
  const url = `http://127.0.0.1:${own}`;
  const args = [
    `-storageDataPath=${dir}`,
    `-httpListenAddr=127.0.0.1:${own}`,
    "-retentionPeriod=100y",
    "-search.latencyOffset=0s",
    "-search.disableCache",
    // It keeps what is sent twice, unless it is told not to.
    "-dedup.minScrapeInterval=1ms",
  ];
  const program = process.env["SKOPOS_VICTORIA_METRICS"] ?? "victoria-metrics";
  return startPeer(program, args, url, "/health", `${url}/api/v1/write`);
}
