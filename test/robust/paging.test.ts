/**
 * Paging outlives everything else: neither a dead ClickHouse, nor queries that keep every query thread busy, nor a flood of
 * bad requests delays an alert. A series crosses its threshold in the moment it is scraped, so in the undisturbed run the
 * delay until the webhook hears of it is the phase between scrape and evaluation, much the same every time; disturbed, it may
 * be one evaluation interval longer.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { KubeServer } from "@skopos/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { pushSamples } from "./pushes.ts";
import { clickHousePid, clickHouseReady, freePort, query, serve, type Served } from "./served.ts";
import {
  listenAsTarget,
  type Listening,
  listenAsWebhook,
  scrapeConfigOf,
  type Webhook,
} from "./targets.ts";

const intervalMs = 1000;
const crossingsPerRun = 4;
const gauges = 24;

const rules = `
groups:
  - name: paging
    interval: 1s
    rules:
      - alert: Crossed
        expr: paging_level > 10
        labels: { severity: critical }
`;

const scratch = scratchDir();
const kube = new KubeServer();
let target: Listening;
let webhook: Webhook;
let served: Served;
/** Which gauges stand above the threshold. */
const high = new Set<number>();
let onScrape = () => {};
let usualMs = Number.NaN;

function page(): string {
  onScrape();
  return Array.from(
    { length: gauges },
    (_, i) => `paging_level{gauge="${i}"} ${high.has(i) ? 50 : 1}\n`,
  ).join("");
}

/** Lets the next gauge cross as it is scraped; resolves with the time until the webhook heard of it. */
async function delayOfCrossingMs(): Promise<number> {
  const gauge = high.size;
  const crossedMs = await new Promise<number>((resolve) => {
    onScrape = () => {
      onScrape = () => {};
      high.add(gauge);
      resolve(performance.now());
    };
  });
  const heard = await until(
    `the webhook hears of gauge ${gauge}`,
    async () =>
      webhook.received.find(
        ({ status, labels }) => status === "firing" && labels["gauge"] === `${gauge}`,
      ),
    30_000,
    10,
  );
  return heard.atMs - crossedMs;
}

async function delaysMs(): Promise<number[]> {
  const delays: number[] = [];
  while (delays.length < crossingsPerRun) delays.push(await delayOfCrossingMs());
  return delays;
}

function expectNoLater(what: string, delays: readonly number[]): void {
  const text = delays.map((delay) => delay.toFixed(0)).join(", ");
  console.log(`${what}: ${text} ms from crossing to webhook; undisturbed ${usualMs.toFixed(0)} ms`);
  expect(Math.max(...delays)).toBeLessThanOrEqual(usualMs + intervalMs);
}

beforeAll(async () => {
  target = await listenAsTarget(page);
  webhook = await listenAsWebhook();
  served = await serve({
    dir: scratch.dir,
    port: await freePort(),
    kubernetes: await kube.listen(),
    rules,
    scrapeConfig: scrapeConfigOf([target.address], `${intervalMs}ms`),
    webhook: `http://${webhook.address}/`,
  });
  await clickHouseReady(served);
  await until(
    "the gauges are scraped",
    async () => (await query(served, "paging_level"))[0],
    20_000,
  );
  const usual = await delaysMs();
  usualMs = Math.max(...usual);
  expect(usualMs).toBeLessThan(2 * intervalMs);
}, 120_000);

afterAll(async () => {
  await served?.running.kill();
  await Promise.all([target?.close(), webhook?.close(), kube.close()]);
  scratch.remove();
});

it("a ClickHouse that dies again and again delays no alert", async () => {
  const over = new AbortController();
  let kills = 0;
  const killing = (async () => {
    while (!over.signal.aborted) {
      const pid = clickHousePid(served);
      if (pid !== undefined) {
        process.kill(pid, "SIGKILL");
        kills++;
      }
      await sleep(100);
    }
  })();
  const delays = await delaysMs();
  const { parts } = await served.api.call("status");
  over.abort();
  await killing;
  expect(kills).toBeGreaterThan(0);
  expect(parts.find(({ name }) => name === "ClickHouse")?.state).not.toBe("ok");
  expectNoLater(`ClickHouse killed ${kills} times`, delays);
  await clickHouseReady(served);
}, 60_000);

it("queries that keep every query thread busy for ten seconds delay no alert", async () => {
  const nowMs = Date.now();
  const series = Array.from({ length: 15_000 }, (_, i) => ({
    labels: { __name__: "paging_heavy", i: `${i}` },
    samples: Array.from({ length: 20 }, (_, k) => ({
      timeMs: nowMs - (20 - k) * 5000,
      value: i + k,
    })),
  }));
  expect((await pushSamples(served.url, series)).status).toBe(204);
  const question = new URLSearchParams({
    query: "sum(quantile_over_time(0.9, (paging_heavy * 1)[10m:1s]))",
    start: `${nowMs / 1000 - 600}`,
    end: `${nowMs / 1000}`,
    step: "0.06",
  });
  const startedMs = performance.now();
  let answered = 0;
  const abort = new AbortController();
  const asked = Array.from({ length: 4 }, () =>
    fetch(`${served.url}/api/v1/query_range?${question.toString()}`, { signal: abort.signal })
      .then(async (response) => {
        answered++;
        return `${response.status}: ${(await response.text()).slice(0, 300)}`;
      })
      .catch((error: unknown) => String(error)),
  );
  const delays: number[] = [];
  while (performance.now() - startedMs < 10_000) delays.push(await delayOfCrossingMs());
  const answeredSoon = answered;
  abort.abort();
  const outcomes = await Promise.all(asked);
  expect(answeredSoon, outcomes.join("\n")).toBe(0);
  expectNoLater("four queries of more than ten seconds", delays);
  // Given up queries leave their threads.
  const askedMs = performance.now();
  await query(served, "paging_level");
  console.log(`the next query was answered after ${(performance.now() - askedMs).toFixed(0)} ms`);
}, 60_000);

it("a flood of bad requests delays no alert, and good ones are still answered", async () => {
  const over = new AbortController();
  const counts = new Map<number, number>();
  const send: (() => Promise<Response>)[] = [
    () => fetch(`${served.url}/api/v1/query?query=${encodeURIComponent("sum((((")}`),
    () => fetch(`${served.url}/api/v1/write`, { method: "POST", body: "nonsense" }),
    () =>
      fetch(`${served.url}/v1/traces`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"resourceSpans":[{',
      }),
    () => fetch(`${served.url}/api/skopos/v1/nowhere`),
    () =>
      fetch(`${served.url}/api/skopos/v1/incidents/inc-1/resolve`, {
        method: "POST",
        headers: { authorization: "Bearer nobody" },
      }),
    () =>
      fetch(`${served.url}/loki/api/v1/push`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ streams: [{ stream: {}, values: [] }] }),
      }),
  ];
  const flooding = Promise.all(
    Array.from({ length: 12 }, async (_, i) => {
      for (let n = i; !over.signal.aborted; n++) {
        const response = await send[n % send.length]!();
        await response.arrayBuffer();
        counts.set(response.status, (counts.get(response.status) ?? 0) + 1);
      }
    }),
  );
  const delays = await delaysMs();
  expect(await query(served, "paging_level")).toHaveLength(gauges);
  over.abort();
  await flooding;
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  expect(total).toBeGreaterThan(100);
  expect([...counts.keys()].filter((status) => status < 400 || status >= 500)).toEqual([]);
  expectNoLater(`${total} bad requests (${JSON.stringify(Object.fromEntries(counts))})`, delays);
}, 60_000);
