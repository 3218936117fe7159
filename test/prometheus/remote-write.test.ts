/** Samples sent on to a real Prometheus and a real VictoriaMetrics, while receivers and the sender die in the middle. */
import { afterAll, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { pushSamples } from "../robust/pushes.ts";
import { freePort, serve, type Served } from "../robust/served.ts";
import { type Peer, startPrometheus, startVictoriaMetrics } from "./peers.ts";

const scratch = scratchDir();
const startMs = Math.floor(Date.now() / 1000 - 240) * 1000;
const seriesCount = 30;
const peers: Peer[] = [];
let served: Served | undefined;

afterAll(async () => {
  await served?.running.stop();
  await Promise.all(peers.map((peer) => peer.kill()));
  scratch.remove();
}, 60_000);

interface Matrix {
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly values: readonly (readonly [number, string])[];
    }[];
  };
}

/** One sample a second for each series, from `fromS` on. */
async function push(url: string, fromS: number, count: number): Promise<void> {
  for (let s = fromS; s < fromS + count; s++) {
    const series = Array.from({ length: seriesCount }, (_, k) => ({
      labels: { __name__: "sent", k: String(k) },
      samples: [{ timeMs: startMs + s * 1000, value: s * 1000 + k }],
    }));
    const unwanted = {
      labels: { __name__: "kept_here" },
      samples: [{ timeMs: startMs + s * 1000, value: 1 }],
    };
    const response = await pushSamples(url, [...series, unwanted]);
    expect(response.status).toBe(204);
  }
}

/** What the peer has, by series: the second and the value of every sample. */
async function held(peer: Peer): Promise<Map<string, string>> {
  const text = encodeURIComponent('{__name__=~"sent|kept_here"}[10m]');
  const time = startMs / 1000 + 200;
  const { data } = (await peer.get(`/api/v1/query?query=${text}&time=${time}`)) as Matrix;
  return new Map(
    data.result.map(({ metric, values }) => [
      `${metric["__name__"]} ${metric["k"]} ${metric["site"]}`,
      values.map(([at, value]) => `${at - startMs / 1000}:${value}`).join(" "),
    ]),
  );
}

function expected(seconds: number): Map<string, string> {
  return new Map(
    Array.from({ length: seriesCount }, (_, k) => [
      `sent ${k} here`,
      Array.from({ length: seconds }, (_s, s) => `${s}:${s * 1000 + k}`).join(" "),
    ]),
  );
}

async function untilHas(peer: Peer, seconds: number): Promise<void> {
  const last = `${seconds - 1}:`;
  await until(
    `all of ${seconds} seconds are there`,
    async () => {
      const all = [...(await held(peer)).values()];
      return (all.length === seriesCount && all.every((text) => text.includes(last))) || undefined;
    },
    60_000,
  );
  expect(await held(peer)).toEqual(expected(seconds));
}

it("every sample reaches every receiver, whoever dies in the middle", async () => {
  const prometheusDir = `${scratch.dir}/prometheus`;
  const first = await startPrometheus(prometheusDir, { global: {} });
  peers.push(first);
  const victoria = await startVictoriaMetrics(`${scratch.dir}/victoria`);
  peers.push(victoria);
  const remote = (peer: Peer) => ({
    url: peer.writeUrl,
    write_relabel_configs: [{ source_labels: ["__name__"], regex: "sent", action: "keep" }],
    queue_config: { batch_send_deadline: "200ms", max_samples_per_send: 100, max_backoff: "1s" },
  });
  const scrapeConfig = JSON.stringify({
    global: { external_labels: { site: "here" } },
    scrape_configs: [],
    remote_write: [remote(first), remote(victoria)],
  });
  const options = { dir: `${scratch.dir}/served`, port: await freePort(), scrapeConfig };
  served = await serve(options);

  await push(served.url, 0, 20);
  await untilHas(first, 20);

  await first.kill();
  await push(served.url, 20, 20);
  const again = await startPrometheus(prometheusDir, { global: {} }, first.port);
  peers.push(again);
  await untilHas(again, 40);

  await push(served.url, 40, 10);
  await served.running.kill();
  served = await serve(options);
  await push(served.url, 50, 10);
  await untilHas(again, 60);
  await untilHas(victoria, 60);

  const { url } = served;
  const metrics = await until(
    "the thread's first report",
    async () => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return text.includes("skopos_remote_write_samples_total{") ? text : undefined;
    },
    30_000,
  );
  expect(metrics).toMatch(/skopos_remote_write_samples_total\{remote="http[^"]+"\} [1-9]/);
  expect(metrics).toMatch(/skopos_remote_write_lost_bytes_total\{remote="[^"]+"\} 0/);
}, 240_000);
