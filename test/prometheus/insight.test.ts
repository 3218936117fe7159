/** What lies behind a graph, asked of the running server: the traces its points came from, and what its query costs. */
import { Counter, Histogram, Registry } from "prom-client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { freePort, serve, type Served } from "../robust/served.ts";
import { listen, type Listening } from "../robust/targets.ts";
import { type Peer, startPrometheus } from "./peers.ts";

const scratch = scratchDir();
let served: Served;
let peer: Peer;
let target: Listening;

beforeAll(async () => {
  const registry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const own = { registers: [registry], enableExemplars: true, help: "-" };
  const requests = new Counter<"path" | "trace_id">({
    ...own,
    name: "requests_total",
    labelNames: ["path"],
  });
  const seconds = new Histogram<"trace_id" | "span_id">({
    ...own,
    name: "request_seconds",
    buckets: [0.1, 1],
  });
  requests.inc({ labels: { path: "/a" }, value: 3, exemplarLabels: { trace_id: "counted" } });
  seconds.observe({ value: 0.05, exemplarLabels: { trace_id: "quick", span_id: "s1" } });
  seconds.observe({ value: 5, exemplarLabels: { trace_id: "slow" } });
  target = await listen((_request, response) => {
    response.setHeader("content-type", registry.contentType);
    void registry.metrics().then((page) => response.end(page));
  });
  const port = await freePort();
  const config = (job: string) => ({
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: [{ job_name: job, static_configs: [{ targets: [target.address] }] }],
  });
  served = await serve({ dir: scratch.dir, port, scrapeConfig: JSON.stringify(config("own")) });
  const peerConfig = {
    ...config("peer"),
    remote_write: [
      {
        url: `${served.url}/api/v1/write`,
        send_exemplars: true,
        queue_config: { batch_send_deadline: "1s" },
      },
    ],
  };
  const features = ["exemplar-storage"];
  peer = await startPrometheus(`${scratch.dir}/peer`, peerConfig, await freePort(), features);
}, 120_000);

afterAll(async () => {
  await peer?.kill();
  await served?.running.stop();
  await target?.close();
  scratch.remove();
}, 60_000);

interface Found {
  readonly seriesLabels: Readonly<Record<string, string>>;
  readonly exemplars: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: string;
    readonly timestamp: number;
  }[];
}

/** By series, in one order. */
async function exemplars(of: Pick<Served, "get">, query: string): Promise<Found[]> {
  const now = Date.now() / 1000;
  const parameters = new URLSearchParams({
    query,
    start: String(now - 600),
    end: String(now + 600),
  });
  const { data } = (await of.get(`/api/v1/query_exemplars?${parameters.toString()}`)) as {
    data: Found[];
  };
  const keyOf = ({ seriesLabels }: Found) =>
    JSON.stringify(seriesLabels, Object.keys(seriesLabels).sort());
  return data.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

const traceIds = (found: readonly Found[]) =>
  found.flatMap(({ exemplars: each }) => each.map(({ labels }) => labels["trace_id"])).sort();

it("exemplars of a scraped page are found through any query over their series", async () => {
  const query =
    'histogram_quantile(0.9, sum by (le) (rate(request_seconds_bucket{job="own"}[5m]))) > 0';
  const found = await until(
    "exemplars of the scraped page",
    async () => {
      const now = await exemplars(served, query);
      return now.length === 2 ? now : undefined;
    },
    60_000,
  );
  expect(traceIds(found)).toEqual(["quick", "slow"]);
  expect(found[0]?.exemplars[0]).toMatchObject({ labels: { trace_id: "slow" }, value: "5" });
  const counted = await exemplars(served, 'sum(requests_total{job="own"})');
  expect(counted.map(({ seriesLabels }) => seriesLabels["path"])).toEqual(["/a"]);
  expect(traceIds(counted)).toEqual(["counted"]);
}, 90_000);

it("exemplars that a Prometheus sends on are shown as it shows them itself", async () => {
  const query = '{job="peer", __name__=~"request.+"}';
  const there = await until(
    "exemplars at the peer",
    async () => {
      const now = await exemplars(peer, query);
      return now.length === 3 ? now : undefined;
    },
    60_000,
  );
  const here = await until(
    "exemplars sent on",
    async () => {
      const now = await exemplars(served, query);
      return now.length === 3 ? now : undefined;
    },
    60_000,
  );
  expect(here).toEqual(there);
}, 150_000);

it("a query is explained operator by operator, with the series that each gave", async () => {
  await until(
    "two samples",
    async () => {
      const { operators } = await explained('rate(requests_total{job="own"}[1m])');
      return operators[0]?.series === 1 || undefined;
    },
    60_000,
  );
  const { operators, samplesRead, totalMs, readMs, notes } = await explained(
    'topk(1, {job="own", __name__=~"request_seconds_(sum|count)"}) or sum(rate(request_seconds_sum[1m])) or sum(rate(up[1m]))',
  );
  expect(operators.map(({ operator, depth, series }) => [operator, depth, series])).toEqual([
    ["select", 3, 2],
    ["aggregate", 2, 1],
    ["range-call", 3, 2],
    ["aggregate", 2, 1],
    ["set", 1, 2],
    ["range-call", 2, 2],
    ["aggregate", 1, 1],
    ["set", 0, 2],
  ]);
  expect(samplesRead).toBeGreaterThan(0);
  expect(readMs).toBeLessThanOrEqual(totalMs);
  expect(notes).toEqual([expect.stringContaining("metric might not be a counter")]);
  const bad = await fetch(
    `${served.url}/api/skopos/v1/query-explain?query=sum(&start=0&end=1000&step=1000`,
  );
  expect(bad.status).toBe(400);
  expect(await bad.json()).toMatchObject({ error: { code: "bad-query", line: 1, column: 5 } });
}, 90_000);

/** At this moment alone, so that what a step shows is what an operator gave. */
function explained(query: string) {
  const now = Date.now();
  return served.api.call("queryExplain", { query: { query, start: now, end: now, step: 1000 } });
}
