/** kill -9 while spans and lines come in by every other way than the usual one: OTLP, Zipkin, container log files. */
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, renameSync } from "node:fs";
import path from "node:path";
import { KubeServer } from "@skopos/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { clickHouseReady, freePort, serve, type Served } from "./served.ts";

let scratch: ReturnType<typeof scratchDir>;
let kube: KubeServer;
let served: Served | undefined;

beforeEach(() => {
  scratch = scratchDir();
  kube = new KubeServer();
});
afterEach(async () => {
  await served?.running.kill();
  served = undefined;
  await kube.close();
  scratch.remove();
});

const jsonType = { "content-type": "application/json" };
const id = (bytes: number) => randomBytes(bytes).toString("hex");

/** Sends until it is told to stop; remembers what was acknowledged. */
class Sender {
  readonly lines = new Set<string>();
  readonly traces = new Set<string>();
  readonly written = new Set<string>();
  readonly #url: string;
  readonly #file: string;
  #stopped = false;
  #done: Promise<void> = Promise.resolve();

  constructor(url: string, file: string) {
    this.#url = url;
    this.#file = file;
  }

  start(): void {
    this.#done = Promise.all([
      this.#repeat(() => this.#log()),
      this.#repeat(() => this.#trace()),
    ]).then(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  get acknowledged(): number {
    return Math.min(this.lines.size, this.traces.size);
  }

  async #repeat(send: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      try {
        await send();
      } catch {
        // The server is down; what was sent was not acknowledged.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async #log(): Promise<void> {
    const line = `otlp ${id(8)}`;
    const logRecords = [{ timeUnixNano: `${Date.now()}000000`, body: { stringValue: line } }];
    const resource = { attributes: [{ key: "service.name", value: { stringValue: "killed" } }] };
    const body = JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] });
    const url = `${this.#url}/v1/logs`;
    const { ok } = await fetch(url, { method: "POST", headers: jsonType, body });
    if (ok) this.lines.add(line);
    const written = `file ${id(8)}`;
    appendFileSync(this.#file, `${new Date().toISOString()} stdout F ${written}\n`);
    this.written.add(written);
    if (this.written.size % 50 === 0) renameSync(this.#file, `${this.#file}.${stamp()}`);
  }

  async #trace(): Promise<void> {
    const span = {
      traceId: id(16),
      id: id(8),
      name: "get",
      timestamp: Date.now() * 1000,
      duration: 5,
      localEndpoint: { serviceName: "killed" },
    };
    const url = `${this.#url}/api/v2/spans`;
    const body = JSON.stringify([span]);
    const { ok } = await fetch(url, { method: "POST", headers: jsonType, body });
    if (ok) this.traces.add(span.traceId);
  }
}

let stamps = 0;
/** A rotation's suffix, each its own. */
function stamp(): string {
  return `20260101-${String(stamps++).padStart(6, "0")}`;
}

/** The end of a range is not in it. */
async function linesOf(from: Served, query: string, sinceMs: number): Promise<Set<string>> {
  const found = new Set<string>();
  for (let start = sinceMs; start < Date.now(); start += 2000) {
    const range = { query, start, end: start + 2000, limit: 5000 };
    const page = await from.api.call("logs", { query: range });
    expect(page.more).toBe(false);
    for (const { line } of page.lines) found.add(line);
  }
  return found;
}

it("loses nothing that was acknowledged, and no line of a file", async () => {
  const dir = path.join(scratch.dir, "pods");
  const container = path.join(dir, "shop_killed-0_1", "app");
  mkdirSync(container, { recursive: true });
  const options = {
    dir: scratch.dir,
    port: await freePort(),
    kubernetes: await kube.listen(),
    settings: { logs: { files: { dir } } },
  };
  const sinceMs = Date.now();
  served = await serve(options);
  const sender = new Sender(served.url, path.join(container, "0.log"));
  sender.start();
  for (let round = 0; round < 2; round++) {
    const before = sender.acknowledged;
    await until(
      "more is acknowledged",
      async () => sender.acknowledged > before + 60 || undefined,
      60_000,
      20,
    );
    await served.running.kill();
    served = await serve(options);
  }
  await sender.stop();
  await clickHouseReady(served);
  const missing = async () => {
    const now = served;
    if (!now) return ["no server"];
    const otlp = await linesOf(now, '{service_name="killed"}', sinceMs);
    const files = await linesOf(now, '{namespace="shop", container="app"}', sinceMs);
    return [
      ...[...sender.lines].filter((line) => !otlp.has(line)),
      ...[...sender.written].filter((line) => !files.has(line)),
    ];
  };
  await until(
    "all lines are there",
    async () => {
      const lines = await missing();
      if (lines.length > 0) throw new Error(`${lines.length} missing, first: ${lines[0]}`);
      return true;
    },
    60_000,
  );
  for (const trace of sender.traces) {
    const { spans } = await served.api.call("trace", { params: { id: trace } });
    expect(spans).toHaveLength(1);
  }
  console.log(
    `found: ${sender.lines.size} OTLP lines, ${sender.written.size} lines of files, ${sender.traces.size} Zipkin traces`,
  );
}, 180_000);
