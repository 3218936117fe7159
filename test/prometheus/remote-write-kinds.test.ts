/** Native histograms, exemplars and metadata sent on: to a real Prometheus by 1.0, to another of ours by 2.0. */
import { encodeRemoteWrite, remoteWriteHeaders } from "@skopos/ingest";
import { LabelSet, type NativeHistogram } from "@skopos/model";
import { afterAll, beforeAll, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { freePort, serve, type Served } from "../robust/served.ts";
import { listenAsTarget } from "../robust/targets.ts";
import { type Peer, startPrometheus } from "./peers.ts";

const scratch = scratchDir();
const startMs = Math.floor(Date.now() / 1000 - 60) * 1000;
const labels = LabelSet.fromMap({ __name__: "took_seconds", pod: "a" });
const traceId = "5b8efff798038103d269b633813fc60c";
let peer: Peer;
let other: Served;
let served: Served;
let target: Awaited<ReturnType<typeof listenAsTarget>>;

beforeAll(async () => {
  peer = await startPrometheus(`${scratch.dir}/peer`, { global: {} }, undefined, [
    "native-histograms",
    "exemplar-storage",
  ]);
  other = await serve({ dir: `${scratch.dir}/other`, port: await freePort() });
  target = await listenAsTarget(
    () => "# HELP told_total What was told.\n# TYPE told_total counter\ntold_total 4\n",
  );
  const sends = {
    send_exemplars: true,
    send_native_histograms: true,
    queue_config: { batch_send_deadline: "200ms" },
    metadata_config: { send_interval: "1s" },
  };
  const scrapeConfig = JSON.stringify({
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: [{ job_name: "told", static_configs: [{ targets: [target.address] }] }],
    remote_write: [
      { url: peer.writeUrl, ...sends },
      {
        url: `${other.url}/api/v1/write`,
        protobuf_message: "io.prometheus.write.v2.Request",
        authorization: { credentials: other.headers["authorization"]?.slice(7) ?? "" },
        ...sends,
      },
    ],
  });
  served = await serve({ dir: `${scratch.dir}/served`, port: await freePort(), scrapeConfig });
  await push();
}, 180_000);

afterAll(async () => {
  await Promise.all([peer?.kill(), other?.running.stop(), served?.running.stop()]);
  await target?.close();
  scratch.remove();
}, 60_000);

function histogram(i: number): NativeHistogram {
  return {
    schema: 0,
    count: 6 * i,
    sum: 10 * i,
    zeroThreshold: 2 ** -128,
    zeroCount: i,
    positiveSpans: [
      { offset: 0, length: 2 },
      { offset: 1, length: 1 },
    ],
    positiveBuckets: [i, 2 * i, i],
    negativeSpans: [{ offset: 0, length: 1 }],
    negativeBuckets: [i],
    customValues: [],
    counterReset: "unknown",
  };
}

async function push(): Promise<void> {
  const counted = LabelSet.fromMap({ __name__: "counted_total", pod: "a" });
  const seconds = Array.from({ length: 20 }, (_, i) => i + 1);
  const body = encodeRemoteWrite([
    ...seconds.map((i) => ({
      type: "histogram" as const,
      timeMs: startMs + i * 1000,
      labels,
      histogram: histogram(i),
    })),
    { type: "page", timeMs: startMs, labels: [counted], values: Float64Array.of(3) },
    {
      type: "exemplar",
      labels: counted,
      exemplar: { labels: { trace_id: traceId }, value: 0.5, timeMs: startMs },
    },
  ]);
  const url = `${served.url}/api/v1/write`;
  const response = await fetch(url, { method: "POST", headers: remoteWriteHeaders, body });
  expect(response.status, await response.text()).toBeLessThan(300);
}

type Get = (path: string) => Promise<unknown>;
const receivers: readonly (readonly [string, () => Get])[] = [
  ["a Prometheus, by 1.0", () => (path) => peer.get(path)],
  ["another Skopos, by 2.0", () => (path) => other.get(path)],
];

it.each(receivers)("histograms reach %s", async (_name, get) => {
  const at = startMs / 1000 + 20;
  const ask = async (expression: string) => {
    const text = encodeURIComponent(expression);
    const { data } = (await get()(`/api/v1/query?query=${text}&time=${at}`)) as {
      data: { result: { value: [number, string] }[] };
    };
    return data.result[0]?.value[1];
  };
  const last = async () => (await ask("histogram_count(took_seconds)")) === "120" || undefined;
  await until("the last histogram", last, 60_000);
  expect(await ask("histogram_sum(took_seconds)")).toBe("200");
  expect(await ask("histogram_quantile(0.5, took_seconds)")).toBe(
    await askOurs("histogram_quantile(0.5, took_seconds)", at),
  );
  expect(await ask("count_over_time(took_seconds[15s])")).toMatch(/^1[56]$/);
});

async function askOurs(expression: string, at: number): Promise<string | undefined> {
  const text = encodeURIComponent(expression);
  const { data } = (await served.get(`/api/v1/query?query=${text}&time=${at}`)) as {
    data: { result: { value: [number, string] }[] };
  };
  return data.result[0]?.value[1];
}

it.each(receivers)("exemplars reach %s", async (_name, get) => {
  const range = `start=${startMs / 1000 - 60}&end=${startMs / 1000 + 60}`;
  const found = await until(
    "the exemplar",
    async () => {
      const { data } = (await get()(`/api/v1/query_exemplars?query=counted_total&${range}`)) as {
        data: { exemplars: { labels: object; value: string }[] }[];
      };
      return data[0]?.exemplars;
    },
    60_000,
  );
  expect(found).toMatchObject([{ labels: { trace_id: traceId }, value: "0.5" }]);
});

it("metadata reaches another Skopos, by 2.0", async () => {
  const about = await until(
    "the metadata",
    async () => {
      const { data } = (await other.get("/api/v1/metadata?metric=told_total")) as {
        data: Record<string, object[]>;
      };
      return data["told_total"];
    },
    60_000,
  );
  expect(about).toEqual([{ type: "counter", help: "What was told.", unit: "" }]);
}, 90_000);

it("the server tells how its receivers fare", async () => {
  const metrics = await (await fetch(`${served.url}/metrics`)).text();
  for (const name of ["histograms", "exemplars", "requests", "bytes"])
    expect(metrics).toMatch(
      new RegExp(`skopos_remote_write_${name}_total\\{remote="[^"]+"\\} [1-9]`),
    );
  const { parts } = (await served.get("/api/skopos/v1/status")) as {
    parts: { name: string; state: string; detail: string }[];
  };
  const part = parts.find(({ name }) => name === "Remote write");
  expect(part?.state).toBe("ok");
  expect(part?.detail).toContain("KiB behind");
});
