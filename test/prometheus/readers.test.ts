/** A real Prometheus that scrapes `/federate` and reads remotely, and the field's clients, against one running server. */
import { execFile } from "node:child_process";
import { PrometheusDriver } from "prometheus-query";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { pushSamples } from "../robust/pushes.ts";
import { freePort, query, serve, type Served } from "../robust/served.ts";
import { listenAsTarget } from "../robust/targets.ts";
import { type Peer, startPrometheus } from "./peers.ts";

const scratch = scratchDir();
const startedMs = Math.floor(Date.now() / 1000) * 1000;
let served: Served;
let peer: Peer;
let target: Awaited<ReturnType<typeof listenAsTarget>>;
let gone = false;

beforeAll(async () => {
  target = await listenAsTarget(
    () => `kept_total{path="/\\"a\\\\"} 3\n${gone ? "" : "leaving 1\n"}`,
  );
  const scrapeConfig = JSON.stringify({
    global: { scrape_interval: "1s", scrape_timeout: "1s", external_labels: { site: "here" } },
    scrape_configs: [{ job_name: "api", static_configs: [{ targets: [target.address] }] }],
  });
  served = await serve({ dir: scratch.dir, port: await freePort(), scrapeConfig });
  const series = Array.from({ length: 60 }, (_, k) => ({
    timeMs: startedMs - (60 - k) * 1000,
    value: k,
  }));
  await pushSamples(served.url, [
    { labels: { __name__: "pushed", kind: "a" }, samples: series },
    { labels: { __name__: "pushed", kind: "b" }, samples: series.slice(0, 30) },
  ]);
  const { host } = new URL(served.url);
  peer = await startPrometheus(`${scratch.dir}/peer`, {
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: [
      {
        job_name: "federation",
        honor_labels: true,
        metrics_path: "/federate",
        params: { "match[]": ['{job="api"}', "pushed"] },
        static_configs: [{ targets: [host] }],
      },
    ],
    remote_read: [
      { url: `${served.url}/api/v1/read`, read_recent: true, filter_external_labels: false },
    ],
  });
  await until("a scrape", async () => (await query(served, "kept_total"))[0], 30_000);
}, 120_000);

afterAll(async () => {
  await peer?.kill();
  await served?.running.stop();
  await target?.close();
  scratch.remove();
}, 60_000);

interface Vector {
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [number, string];
      readonly values?: readonly (readonly [number, string])[];
    }[];
  };
}

const ask = async (expression: string) =>
  ((await peer.get(`/api/v1/query?query=${encodeURIComponent(expression)}`)) as Vector).data.result;

describe("a Prometheus that federates", () => {
  it("gets the newest samples with their labels, escapes and external labels", async () => {
    // What it scraped itself: remote reads do not carry the name of its job's metrics before it has any.
    await until(
      "the peer's own scrape",
      async () => (await ask('up{job="federation"} == 1'))[0],
      30_000,
    );
    const [kept] = await until(
      "a federated sample",
      async () => {
        const found = await ask("kept_total");
        return found.length > 0 ? found : undefined;
      },
      30_000,
    );
    expect(kept?.metric).toMatchObject({ job: "api", path: '/"a\\', site: "here" });
    expect(kept?.value[1]).toBe("3");
  });

  it("is not told of a series that has ended", async () => {
    const page = async () => (await fetch(`${served.url}/federate?match[]={job="api"}`)).text();
    expect(await page()).toMatch(/# TYPE leaving untyped\nleaving\{/);
    gone = true;
    await until(
      "its end",
      async () => ((await page()).includes("leaving") ? undefined : true),
      30_000,
    );
    expect(await page()).toContain("kept_total");
  });

  it("is answered in the format it asks for, families sorted, instance always there", async () => {
    const accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    const response = await fetch(`${served.url}/federate?match[]=pushed&match[]={job="api"}`, {
      headers: { accept },
    });
    expect(response.headers.get("content-type")).toMatch(/^application\/openmetrics-text/);
    const text = await response.text();
    const families = [...text.matchAll(/^# TYPE (\S+) unknown$/gm)].map(([, name]) => name);
    expect(families).toEqual(families.toSorted());
    expect(text).toContain('pushed{kind="a",site="here",instance=""} 59 ');
    expect(text.endsWith("# EOF\n")).toBe(true);
  });
});

describe("a Prometheus that reads remotely", () => {
  it("sees our samples, exactly", async () => {
    const at = Math.floor(startedMs / 1000) - 1;
    const text = encodeURIComponent('pushed{site="here"}[40s]');
    const { data } = (await peer.get(`/api/v1/query?query=${text}&time=${at}`)) as Vector;
    const byKind = new Map(data.result.map(({ metric, values }) => [metric["kind"], values ?? []]));
    expect(byKind.get("a")?.map(([, value]) => Number(value))).toEqual(
      Array.from({ length: 41 }, (_, k) => k + 19),
    );
    expect(byKind.get("b")?.at(-1)).toEqual([at - 30, "29"]);
  });

  it("asks with every kind of matcher", async () => {
    const at = Math.floor(startedMs / 1000) - 1;
    // What was federated has the job of the scrape.
    const count = async (selector: string) => {
      const text = encodeURIComponent(`count(last_over_time(${selector}[1m]))`);
      const { data } = (await peer.get(`/api/v1/query?query=${text}&time=${at}`)) as Vector;
      return data.result[0]?.value[1];
    };
    expect(await count('pushed{kind=~"a|c",job=""}')).toBe("1");
    expect(await count('pushed{kind!="a",job=""}')).toBe("1");
    expect(await count('pushed{kind!~"c.*",job=""}')).toBe("2");
    expect(await count('pushed{site="elsewhere",job=""}')).toBeUndefined();
  });
});

function promtool(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      process.env["SKOPOS_PROMTOOL"] ?? "promtool",
      args,
      { timeout: 60_000 },
      (error, stdout, stderr) =>
        error ? reject(new Error(`${stderr}${stdout}`)) : resolve(stdout),
    );
  });
}

describe("clients", () => {
  it("promtool queries instants, ranges, series and labels", async () => {
    const at = Math.floor(startedMs / 1000) - 1;
    const instant = await promtool("query", "instant", `--time=${at}`, served.url, "pushed");
    expect(instant).toContain('pushed{kind="a"} => 59 @');
    const times = [`--start=${at - 20}`, `--end=${at}`, "--step=10s"];
    const range = await promtool("query", "range", ...times, served.url, "sum(pushed)");
    expect(range.match(/@\[/g)).toHaveLength(3);
    const series = await promtool("query", "series", "--match=pushed", served.url);
    expect(series.trim().split("\n")).toHaveLength(2);
    expect(await promtool("query", "labels", served.url, "kind")).toBe("a\nb\n");
  });

  it("npm's prometheus-query gets vectors, ranges and series", async () => {
    const driver = new PrometheusDriver({ endpoint: served.url, baseURL: "/api/v1" });
    const at = new Date(startedMs - 1000);
    const instant = await driver.instantQuery("pushed", at);
    const values = instant.result.map(({ value }: { value: { value: number } }) => value.value);
    expect(values.toSorted()).toEqual([29, 59]);
    const range = await driver.rangeQuery("pushed", at.getTime() - 20_000, at, 5);
    expect(range.result).toHaveLength(2);
    expect(await driver.series("pushed", startedMs - 60_000, at)).toHaveLength(2);
    expect(await driver.labelValues("kind")).toEqual(["a", "b"]);
  });

  it("Grafana's calls are answered, as forms too", async () => {
    const window = { start: String(startedMs / 1000 - 60), end: String(startedMs / 1000) };
    const calls: readonly [string, Record<string, string>][] = [
      ["query", { query: "pushed", time: window.end }],
      ["query_range", { query: "rate(pushed[30s])", ...window, step: "15" }],
      ["query_exemplars", { query: "pushed", ...window }],
      ["labels", { "match[]": "pushed", ...window }],
      ["series", { "match[]": "pushed", ...window }],
    ];
    for (const [path, fields] of calls) {
      const body = new URLSearchParams(fields);
      const post = await fetch(`${served.url}/api/v1/${path}`, { method: "POST", body });
      const get = await fetch(`${served.url}/api/v1/${path}?${body.toString()}`);
      expect([path, post.status, get.status]).toEqual([path, 200, 200]);
      expect(await post.json()).toEqual(await get.json());
    }
    const more = ["label/kind/values", "metadata", "rules", "status/buildinfo"];
    for (const path of more)
      expect(await served.get(`/api/v1/${path}`)).toMatchObject({ status: "success" });
  });
});

it("big answers come deflated where that is accepted, whole and equal", async () => {
  const labels = Array.from({ length: 3000 }, (_, k) => ({
    labels: { __name__: "big", k: String(k).padStart(60, "0") },
    samples: [{ timeMs: startedMs - 1000, value: k }],
  }));
  await pushSamples(served.url, labels);
  const url = `${served.url}/api/v1/query?query=big&time=${startedMs / 1000}`;
  const plain = await fetch(url, { headers: { "accept-encoding": "identity" } });
  expect(plain.headers.get("content-encoding")).toBeNull();
  const deflated = await fetch(url, { headers: { "accept-encoding": "gzip" } });
  expect(deflated.headers.get("content-encoding")).toBe("gzip");
  const text = await plain.text();
  expect(text.length).toBeGreaterThan(300_000);
  expect(await deflated.text()).toBe(text);
});

it("an instant result that nobody waits for any more does not hold up the next", async () => {
  const gone = new AbortController();
  const url = `${served.url}/api/v1/query?query=big&time=${startedMs / 1000}`;
  const response = await fetch(url, { signal: gone.signal });
  gone.abort();
  await expect(response.text()).rejects.toThrow();
  for (let i = 0; i < 5; i++) expect((await fetch(url)).status).toBe(200);
});

describe("a range query whose answer is final", () => {
  const get = (url: string, headers: Record<string, string> = {}) => fetch(url, { headers });

  it("need not be sent again, until a late sample changes it", async () => {
    const end = Math.floor(startedMs / 1000) - 200;
    await pushSamples(served.url, [
      { labels: { __name__: "settled" }, samples: [{ timeMs: (end - 5) * 1000, value: 1 }] },
    ]);
    const url = `${served.url}/api/v1/query_range?query=settled&start=${end - 60}&end=${end}&step=5`;
    const first = await get(url);
    const etag = first.headers.get("etag") ?? "";
    expect(etag).toMatch(/^W\//);
    const text = await first.text();
    expect((await get(url, { "if-none-match": etag })).status).toBe(304);
    expect(await (await get(url)).text()).toBe(text);
    await pushSamples(served.url, [
      { labels: { __name__: "settled" }, samples: [{ timeMs: end * 1000, value: 2 }] },
    ]);
    const changed = await get(url, { "if-none-match": etag });
    expect(changed.status).toBe(200);
    expect(await changed.text()).not.toBe(text);
  });

  it("and one of a single time is the same until a late sample comes, deflated or not", async () => {
    const end = Math.floor(startedMs / 1000) - 300;
    const push = (value: number) =>
      pushSamples(served.url, [
        { labels: { __name__: "still" }, samples: [{ timeMs: (end - value) * 1000, value }] },
      ]);
    await push(50);
    const url = `${served.url}/api/v1/query?query=still&time=${end}`;
    const valueOf = async (headers?: Record<string, string>) => {
      const { data } = (await (await get(url, headers)).json()) as {
        data: { result: { value: [number, string] }[] };
      };
      return data.result[0]?.value[1];
    };
    expect(await valueOf()).toBe("50");
    expect(await valueOf({ "accept-encoding": "identity" })).toBe("50");
    await push(10);
    expect(await valueOf()).toBe("10");
  });

  it("is not taken for final while samples may still come", async () => {
    const end = Math.floor(Date.now() / 1000);
    const url = `${served.url}/api/v1/query_range?query=settled&start=${end - 60}&end=${end}&step=5`;
    expect((await get(url)).headers.get("etag")).toBeNull();
  });
});
