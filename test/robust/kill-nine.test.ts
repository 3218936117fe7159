/**
 * Nothing acknowledged is lost, and nothing is there twice, when processes are killed. "Acknowledged" is what was answered
 * with 2xx; what was not may be there or not, but never twice.
 */
import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Incident } from "@skopos/api";
import { KubeServer } from "@skopos/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { scratchDir, startProgram, until } from "../demo/processes.ts";
import { pushLines, pushSamples, pushSpans } from "./pushes.ts";
import {
  clickHousePid,
  clickHouseReady,
  freePort,
  query,
  serve,
  serveArguments,
  type Served,
} from "./served.ts";
import { listenAsTarget, scrapeConfigOf } from "./targets.ts";

/** Pushes all three signals as fast as they are acknowledged and remembers what was. */
class Pusher {
  readonly samples = new Map<number, number>();
  readonly traces = new Map<string, Set<string>>();
  readonly lines = new Set<string>();
  refused = 0;
  readonly #url: string;
  #on = true;
  #loops: Promise<unknown> = Promise.resolve();
  #lastMs = 0;

  constructor(url: string) {
    this.#url = url;
  }

  start(): void {
    this.#on = true;
    this.#loops = Promise.all([
      ...["a", "b", "c"].map((writer) => this.#loop(() => this.#sample(writer))),
      ...["a", "b", "c"].map(() => this.#loop(() => this.#trace())),
      ...["a", "b", "c"].map(() => this.#loop(() => this.#line())),
    ]);
  }

  async stop(): Promise<void> {
    this.#on = false;
    await this.#loops;
  }

  count(): number {
    return this.samples.size + this.traces.size + this.lines.size;
  }

  async #loop(push: () => Promise<boolean>): Promise<void> {
    while (this.#on) {
      // While the server is dead nobody answers.
      const acknowledged = await push().catch(() => false);
      if (!acknowledged) {
        this.refused++;
        await sleep(20);
      }
    }
  }

  /** Times are unique over all writers, and rise within each. */
  async #sample(writer: string): Promise<boolean> {
    const samples = [1, 2, 3].map(() => {
      this.#lastMs = Math.max(Date.now(), this.#lastMs + 1);
      return { timeMs: this.#lastMs, value: this.#lastMs % 1_000_003 };
    });
    const labels = { __name__: "robust_pushed", job: "pusher", writer };
    const { ok } = await pushSamples(this.#url, [{ labels, samples }]);
    if (ok) for (const { timeMs, value } of samples) this.samples.set(timeMs, value);
    return ok;
  }

  async #trace(): Promise<boolean> {
    const traceId = randomBytes(16).toString("hex");
    const startNs = BigInt(Date.now()) * 1_000_000n;
    const spanIds = [1, 2, 3].map(() => randomBytes(8).toString("hex"));
    const spans = spanIds.map((spanId) => ({ traceId, spanId, name: "work", startNs }));
    const { ok } = await pushSpans(this.#url, spans);
    if (ok) this.traces.set(traceId, new Set(spanIds));
    return ok;
  }

  async #line(): Promise<boolean> {
    const text = `line ${randomBytes(8).toString("hex")}`;
    const timeNs = BigInt(Date.now()) * 1_000_000n;
    const { ok } = await pushLines(this.#url, { job: "pusher" }, [[timeNs, text]]);
    if (ok) this.lines.add(text);
    return ok;
  }
}

interface Stored {
  readonly samples: readonly (readonly [number, string])[];
  readonly lines: readonly string[];
  /** Span ids by trace. */
  readonly traces: ReadonlyMap<string, readonly string[]>;
}

async function stored(served: Served, pusher: Pusher, sinceMs: number): Promise<Stored> {
  const series = await query(served, 'robust_pushed{job="pusher"}[15m]');
  const lines: string[] = [];
  // The page of lines is bounded, so the time is asked for in slices.
  for (let start = sinceMs; start < Date.now(); start += 2000) {
    const page = await served.api.call("logs", {
      query: { query: '{job="pusher"}', start, end: start + 2000, limit: 5000 },
    });
    expect(page.more).toBe(false);
    lines.push(...page.lines.map(({ line }) => line));
  }
  const traces = new Map<string, readonly string[]>();
  const wanted = [...pusher.traces.keys()];
  for (let i = 0; i < wanted.length; i += 8)
    await Promise.all(
      wanted.slice(i, i + 8).map(async (id) => {
        const trace = await served.api.call("trace", { params: { id } });
        traces.set(
          id,
          trace.spans.map(({ spanId }) => spanId),
        );
      }),
    );
  return { samples: series.flatMap(({ values }) => values ?? []), lines, traces };
}

/** Waits until the last acknowledged line and trace have reached ClickHouse; what came before them is there then. */
async function carried(served: Served, pusher: Pusher): Promise<void> {
  await clickHouseReady(served);
  const trace = [...pusher.traces.keys()].at(-1);
  const line = [...pusher.lines].at(-1);
  await until(
    "what was acknowledged can be read",
    async () => {
      if (trace !== undefined) await served.api.call("trace", { params: { id: trace } });
      if (line === undefined) return true;
      const page = await served.api.call("logs", {
        query: { query: `{job="pusher"} |= "${line}"`, start: Date.now() - 600_000 },
      });
      return page.lines.length > 0 || undefined;
    },
    60_000,
  );
}

async function expectAllOnce(served: Served, pusher: Pusher, sinceMs: number): Promise<void> {
  await carried(served, pusher);
  const found = await stored(served, pusher, sinceMs);
  const samples = new Map(
    found.samples.map(([seconds, value]) => [Math.round(seconds * 1000), Number(value)]),
  );
  expect(samples.size).toBe(found.samples.length);
  const lostSamples = [...pusher.samples].filter(([time, value]) => samples.get(time) !== value);
  expect(lostSamples).toEqual([]);
  const [counted] = await query(served, 'sum(count_over_time(robust_pushed{job="pusher"}[15m]))');
  expect(Number(counted?.value?.[1])).toBe(found.samples.length);
  expect(new Set(found.lines).size).toBe(found.lines.length);
  expect([...pusher.lines].filter((line) => !found.lines.includes(line))).toEqual([]);
  const wrongTraces = [...pusher.traces].filter(([id, spans]) => {
    const there = found.traces.get(id) ?? [];
    return there.length !== spans.size || there.some((span) => !spans.has(span));
  });
  expect(wrongTraces).toEqual([]);
  console.log(
    `acknowledged and found once: ${pusher.samples.size} samples, ${pusher.traces.size} traces of 3 spans, ${pusher.lines.size} log lines; beyond them ${found.samples.length - pusher.samples.size} samples and ${found.lines.length - pusher.lines.size} lines that were not acknowledged`,
  );
}

const rules = `
groups:
  - name: robust
    interval: 1s
    rules:
      - alert: TooMuch
        expr: robust_level > 10
        labels: { severity: critical, namespace: shop, service: cart }
        annotations: { summary: the cart's level is too high }
`;

let scratch: ReturnType<typeof scratchDir>;
let kube: KubeServer;
let kubernetes: string;
let served: Served | undefined;

beforeEach(async () => {
  scratch = scratchDir();
  kube = new KubeServer();
  kubernetes = await kube.listen();
});
afterEach(async () => {
  await served?.running.kill();
  served = undefined;
  await kube.close();
  scratch.remove();
});

it("a server killed at any moment comes back with everything it acknowledged, once", async () => {
  const seed = Number(process.env["SKOPOS_SEED"] ?? randomInt(1_000_000));
  console.log(`seed ${seed}`);
  const options = { dir: scratch.dir, port: await freePort(), kubernetes };
  const sinceMs = Date.now();
  served = await serve(options);
  const pusher = new Pusher(served.url);
  pusher.start();
  for (let round = 0; round < 3; round++) {
    const before = pusher.count();
    await until(
      "pushes are acknowledged",
      async () => pusher.count() > before + 20 || undefined,
      30_000,
      20,
    );
    await sleep((seed * (round + 7919)) % 1500);
    await served.running.kill();
    // Once more while it comes up.
    const starting = startProgram(serveArguments(options));
    await sleep((seed * (round + 104_729)) % 1500);
    await starting.kill();
    served = await serve(options);
  }
  const before = pusher.count();
  await until("pushes go on", async () => pusher.count() > before + 20 || undefined, 30_000, 20);
  await pusher.stop();
  expect(pusher.refused).toBeGreaterThan(0);
  await expectAllOnce(served, pusher, sinceMs);
}, 180_000);

it("killing ClickHouse's process loses nothing, doubles nothing and refuses no push", async () => {
  const sinceMs = Date.now();
  served = await serve({ dir: scratch.dir, port: await freePort(), kubernetes });
  await clickHouseReady(served);
  const pusher = new Pusher(served.url);
  pusher.start();
  for (let round = 0; round < 3; round++) {
    const pid = await until(
      "ClickHouse runs",
      async () => served && clickHousePid(served),
      30_000,
      50,
    );
    const before = pusher.count();
    process.kill(pid, "SIGKILL");
    await until("pushes go on", async () => pusher.count() > before + 30 || undefined, 30_000, 20);
    await clickHouseReady(served);
    await sleep(500);
  }
  await pusher.stop();
  expect(pusher.refused).toBe(0);
  await expectAllOnce(served, pusher, sinceMs);
}, 180_000);

it("an open incident goes on after the server was killed", async () => {
  let level = 50;
  const target = await listenAsTarget(() => `robust_level ${level}\n`);
  try {
    const options = {
      dir: scratch.dir,
      port: await freePort(),
      kubernetes,
      rules,
      scrapeConfig: scrapeConfigOf([target.address], "1s"),
    };
    const first = await serve(options);
    served = first;
    const id = await until(
      "an incident opens",
      async () => (await first.api.call("incidents")).incidents[0]?.id,
      30_000,
      100,
    );
    const incidentOf = (of: Served): Promise<Incident> =>
      of.api.call("incident", { params: { id } });
    await first.api.call("acknowledge", { params: { id } });
    await first.api.call("addNote", { params: { id }, body: { text: "looking at the cart" } });
    const before = await incidentOf(first);
    await first.running.kill();

    const second = await serve(options);
    served = second;
    const after = await incidentOf(second);
    for (const entry of before.timeline) expect(after.timeline).toContainEqual(entry);
    expect(after.timeline.some(({ text }) => text.includes("looking at the cart"))).toBe(true);
    expect(after.state).not.toBe("resolved");
    await until(
      "the alert fires again",
      async () => (await query(second, 'ALERTS{alertname="TooMuch",alertstate="firing"}'))[0],
      20_000,
      100,
    );
    level = 1;
    const ended = await until(
      "the incident resolves",
      async () => {
        const incident = await incidentOf(second);
        return incident.state === "resolved" ? incident : undefined;
      },
      40_000,
      200,
    );
    for (const entry of before.timeline) expect(ended.timeline).toContainEqual(entry);
    const { incidents } = await second.api.call("incidents", { query: { state: "all" } });
    expect(incidents.map((incident) => incident.id)).toEqual([id]);
    console.log(
      `incident ${id}: ${before.timeline.length} entries before the kill, ${ended.timeline.length} at its end`,
    );
  } finally {
    await target.close();
  }
}, 120_000);
