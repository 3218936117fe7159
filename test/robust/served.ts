/**
 * `skopos serve` as built, on a free port and a data directory of the test's own, with everything it watches made by the
 * test. Whoever starts it here ends it here, by process id.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Client, createClient } from "@skopos/api";
import { type Running, startProgram, until } from "../demo/processes.ts";
import { descendantsOf } from "./processes.ts";

export { freePort } from "../../apps/cli/src/port.ts";

export interface ServedOptions {
  /** Where configuration and data are kept; the same directory again continues with its data. */
  readonly dir: string;
  readonly port: number;
  readonly kubernetes?: string;
  /** A Prometheus configuration; no targets when absent. */
  readonly scrapeConfig?: string;
  /** A rule file's text; no rules when absent. */
  readonly rules?: string;
  readonly webhook?: string;
  readonly quietTime?: string;
  readonly dataDir?: string;
  /** Further settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface Served {
  readonly running: Running;
  readonly pid: number;
  readonly url: string;
  readonly dataDir: string;
  readonly api: Client;
  /** The right to everything. */
  readonly headers: Readonly<Record<string, string>>;
  /** GET of a path of the server, as JSON. */
  get(path: string): Promise<unknown>;
}

/** Writes the configuration and returns the arguments that start the server with it. */
export function serveArguments(options: ServedOptions): string[] {
  const { dir, port, kubernetes, scrapeConfig, rules, webhook, quietTime = "1s" } = options;
  mkdirSync(dir, { recursive: true });
  const scrapeFile = path.join(dir, "scrape.yaml");
  const rulesFile = path.join(dir, "rules.yaml");
  writeFileSync(scrapeFile, scrapeConfig ?? "scrape_configs: []\n");
  writeFileSync(rulesFile, rules ?? "groups: []\n");
  const config = path.join(dir, "skopos.yaml");
  const settings = {
    dataDir: options.dataDir ?? path.join(dir, "data"),
    listen: `127.0.0.1:${port}`,
    kubernetes: { server: kubernetes ?? "http://127.0.0.1:1" },
    scrapeConfig: scrapeFile,
    scrapeInterval: "1s",
    rules: [rulesFile],
    webhooks: webhook === undefined ? [] : [{ url: webhook }],
    clickhouse: { memoryMaxMB: 512 },
    incidents: { quietTime },
    // Several servers run at a time here and there, and the usual port may be anyone's.
    otlp: { grpc: "off" },
    ...options.settings,
  };
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(settings, null, 2));
  return ["serve", "--config", config];
}

/** Starts the server and waits until it answers. */
export async function serve(options: ServedOptions): Promise<Served> {
  const running = startProgram(serveArguments(options));
  const url = `http://127.0.0.1:${options.port}`;
  const dataDir = options.dataDir ?? path.join(options.dir, "data");
  try {
    await running.waitFor(/Skopos is watching/, 60_000);
  } catch (error) {
    await running.kill();
    throw error;
  }
  const { pid } = running.child;
  if (pid === undefined) throw new Error("a running program has a process id");
  const token = readFileSync(path.join(dataDir, "cli-token"), "utf8").trim();
  const headers = { authorization: `Bearer ${token}` };
  return {
    running,
    pid,
    url,
    dataDir,
    headers,
    api: createClient({ baseUrl: url, fetch, headers: () => headers }),
    async get(where) {
      const response = await fetch(`${url}${where}`, { headers });
      const text = await response.text();
      if (!response.ok) throw new Error(`GET ${where}: ${response.status} ${text}`);
      return JSON.parse(text);
    },
  };
}

interface PrometheusSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

/** An instant query; a range selector returns the raw samples. */
export async function query(
  served: Pick<Served, "get">,
  expression: string,
): Promise<readonly PrometheusSeries[]> {
  const answer = (await served.get(`/api/v1/query?query=${encodeURIComponent(expression)}`)) as {
    data: { result: readonly PrometheusSeries[] };
  };
  return answer.data.result;
}

/** The process id of the embedded ClickHouse's process, once there is one. */
export function clickHousePid(served: Pick<Served, "pid">): number | undefined {
  return descendantsOf(served.pid).find(({ command }) => command.includes("clickhouse-process"))
    ?.pid;
}

/** Resolves when the server says that its ClickHouse is ready. */
export async function clickHouseReady(served: Served): Promise<void> {
  await until(
    "ClickHouse is ready",
    async () => {
      const { parts } = await served.api.call("status");
      const part = parts.find(({ name }) => name === "ClickHouse");
      if (part?.state !== "ok") throw new Error(`${part?.state}: ${part?.detail}`);
      return true;
    },
    60_000,
    100,
  );
}
