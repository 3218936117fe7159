/**
 * From start to end: a demo leaves no process behind however it ends, keeps its data, and drops it only when asked to.
 * Processes are found by descent while the demo lives, and by a mark in the environment that those inherit which no
 * Deployment gives one of its own.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, expect, it } from "vitest";
import { type Running, scratchDir, startProgram, until } from "../demo/processes.ts";
import { descendantsOf, everyProcess, processesWith } from "./processes.ts";
import { query } from "./served.ts";

const scratch = scratchDir();
const mark = randomUUID();
const marked = () => processesWith(`SKOPOS_TEST_MARK=${mark}`);
/** Every process seen below a demo of this file. */
const seen = new Map<number, number>();

/** Remembers the processes of a demo; returns how many there are. */
function look(running: Running): number {
  const below = descendantsOf(running.child.pid ?? 0);
  for (const { pid, startedTicks } of below) seen.set(pid, startedTicks);
  return below.length + 1;
}

const alive = () => {
  const inherited = new Set(marked().map(({ pid }) => pid));
  return everyProcess().filter(
    ({ pid, startedTicks }) => inherited.has(pid) || seen.get(pid) === startedTicks,
  );
};
let demo: Running | undefined;
let markedTime = 0;

afterEach(async () => {
  await demo?.stop();
  demo = undefined;
});
afterAll(() => {
  for (const { pid } of alive()) process.kill(pid, "SIGKILL");
  scratch.remove();
});

async function startDemo(...more: string[]) {
  const args = ["demo", "--port", "0", "--rps", "10", "--data-dir", scratch.dir, ...more];
  const running = startProgram(args, { env: { SKOPOS_TEST_MARK: mark } });
  demo = running;
  const [, signIn = ""] = await running.waitFor(/Sign in\s+(\S+)/, 120_000);
  const url = new URL(signIn).origin;
  const get = async (where: string): Promise<unknown> => {
    const response = await fetch(`${url}${where}`);
    if (!response.ok) throw new Error(`${where}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return { running, get };
}

async function nothingLeft(withinMs: number): Promise<number> {
  const sinceMs = performance.now();
  await until(
    "no process is left",
    async () => {
      const left = alive();
      if (left.length > 0) throw new Error(left.map((p) => `${p.pid} ${p.command}`).join("\n"));
      return true;
    },
    withinMs,
    50,
  );
  return performance.now() - sinceMs;
}

it("Ctrl-C ends a demo in order: the load's report, exit code 0, no process left, data kept", async () => {
  const { running, get } = await startDemo();
  await until(
    "traffic is seen",
    async () => (await query({ get }, "sum(istio_requests_total) > 500"))[0],
    90_000,
    250,
  );
  const count = look(running);
  // The demo, the mesh, ClickHouse, the load, and the pods.
  expect(count).toBeGreaterThan(10);
  markedTime = Date.now() / 1000;
  const sinceMs = performance.now();
  running.child.kill("SIGINT");
  const [code] = (await once(running.child, "exit")) as [number | null];
  const tookMs = performance.now() - sinceMs;
  expect(code, running.output()).toBe(0);
  expect(tookMs).toBeLessThan(15_000);
  expect(running.output()).toMatch(/Ended after [\d.]+s : \d+ calls/);
  expect(running.output()).toMatch(/Code 200 : \d+/);
  await nothingLeft(2000);
  expect(existsSync(path.join(scratch.dir, "telemetry"))).toBe(true);
  expect(existsSync(path.join(scratch.dir, "lab.json"))).toBe(false);
  console.log(`${count} processes ended within ${(tookMs / 1000).toFixed(1)} s`);
}, 180_000);

it("a demo on kept data shows what was seen before, and killed leaves no process either", async () => {
  const { running, get } = await startDemo();
  const answer = (await get(
    `/api/v1/query?query=${encodeURIComponent("sum(istio_requests_total)")}&time=${markedTime}`,
  )) as { data: { result: { value: [number, string] }[] } };
  expect(Number(answer.data.result[0]?.value[1])).toBeGreaterThan(50);
  const traces = await until(
    "earlier traces can be read",
    async () => {
      const found = (await get(
        `/api/skopos/v1/traces?start=${Math.round((markedTime - 60) * 1000)}&end=${Math.round(markedTime * 1000)}`,
      )) as { traces: unknown[] };
      return found.traces.length > 0 ? found.traces : undefined;
    },
    30_000,
  );
  const count = look(running);
  expect(alive()).toHaveLength(count);
  await running.kill();
  const tookMs = await nothingLeft(15_000);
  console.log(
    `${traces.length} earlier traces; ${count} processes ended ${(tookMs / 1000).toFixed(1)} s after the first was killed`,
  );
}, 180_000);

it("a demo with --fresh knows nothing of earlier ones, and ends on SIGTERM as on Ctrl-C", async () => {
  const { running, get } = await startDemo("--fresh");
  const answer = (await get(
    `/api/v1/query?query=${encodeURIComponent("sum(istio_requests_total)")}&time=${markedTime}`,
  )) as { data: { result: unknown[] } };
  expect(answer.data.result).toEqual([]);
  look(running);
  expect(await running.stop()).toBe(0);
  await nothingLeft(2000);
}, 180_000);

it("a demo that is told to end while it starts leaves nothing", async () => {
  const running = startProgram(["demo", "--port", "0", "--rps", "10", "--data-dir", scratch.dir], {
    env: { SKOPOS_TEST_MARK: mark },
  });
  demo = running;
  await running.waitFor(/Starting the practice mesh/, 30_000);
  await until("the mesh is coming up", async () => look(running) > 8 || undefined, 30_000, 20);
  running.child.kill("SIGINT");
  await once(running.child, "exit");
  await nothingLeft(15_000);
}, 90_000);
