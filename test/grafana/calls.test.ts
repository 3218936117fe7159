/**
 * What Grafana's Loki, Tempo and Jaeger data sources call, asked of a running server over what was pushed into it: each answer has
 * the shape that the data source reads, and says what was pushed.
 */
import path from "node:path";
import { KubeServer } from "@skopos/testkit";
import { WebSocket } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { clickHouseReady, freePort, serve, type Served } from "../robust/served.ts";

const scratch = scratchDir();
const kube = new KubeServer();
let served: Served;

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const startNs = BigInt(Date.now() - 60_000) * 1_000_000n;
const startMs = Number(startNs / 1_000_000n);
const seconds = {
  start: `${Math.floor(startMs / 1000) - 60}`,
  end: `${Math.ceil(startMs / 1000) + 120}`,
};
const ns = { start: `${startNs - 60_000_000_000n}`, end: `${startNs + 120_000_000_000n}` };

function otlpSpan(spanId: string, parentSpanId: string, name: string, kind: number, more = {}) {
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    kind,
    startTimeUnixNano: `${startNs}`,
    endTimeUnixNano: `${startNs + 250_000_000n}`,
    attributes: [{ key: "http.method", value: { stringValue: "GET" } }],
    ...more,
  };
}

function resourceSpans(service: string, spans: object[]) {
  const attributes = [{ key: "service.name", value: { stringValue: service } }];
  return { resource: { attributes }, scopeSpans: [{ spans }] };
}

async function post(where: string, body: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${served.url}${where}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${where}: ${response.status} ${await response.text()}`);
}

const pushLine = (timeNs: bigint, line: string) =>
  post("/loki/api/v1/push", {
    streams: [
      {
        stream: { app: "posts", namespace: "social" },
        values: [[`${timeNs}`, line, { trace_id: traceId }]],
      },
    ],
  });

beforeAll(async () => {
  served = await serve({
    dir: path.join(scratch.dir, "grafana"),
    port: await freePort(),
    kubernetes: await kube.listen(),
  });
  await clickHouseReady(served);
  await post("/v1/traces", {
    resourceSpans: [
      resourceSpans("web", [
        otlpSpan("00f067aa0ba902b7", "", "GET /posts", 2),
        otlpSpan("00f067aa0ba902b8", "00f067aa0ba902b7", "call posts", 3),
      ]),
      resourceSpans("posts", [
        otlpSpan("00f067aa0ba902b9", "00f067aa0ba902b8", "GET /list", 2, { status: { code: 2 } }),
      ]),
    ],
  });
  for (let i = 0; i < 5; i++)
    await pushLine(startNs + BigInt(i) * 1_000_000_000n, `level=error msg="no pool" n=${i}`);
  const pushedIsFound = async () => {
    const { data } = (await served.get(`/jaeger/api/traces/${traceId}`)) as {
      data: unknown[] | null;
    };
    const lines = (await loki("query_range", { query: '{app="posts"}', ...ns })) as Streams;
    return data?.length === 1 && lines.data.result[0]?.values.length === 5;
  };
  await until("what was pushed can be found", pushedIsFound, 60_000);
}, 180_000);

afterAll(async () => {
  await served.running.kill();
  await kube.close();
});

interface Streams {
  readonly data: {
    readonly resultType: string;
    readonly result: readonly {
      readonly stream: Readonly<Record<string, string>>;
      readonly values: readonly (readonly [string, string])[];
    }[];
  };
}

const ask = (where: string, parameters: Record<string, string>) =>
  served.get(`${where}?${new URLSearchParams(parameters).toString()}`);
const loki = (call: string, parameters: Record<string, string>) =>
  ask(`/loki/api/v1/${call}`, parameters);

describe("Grafana's Loki data source", () => {
  it("reads lines with their streams", async () => {
    const answer = (await loki("query_range", {
      query: '{app="posts"} | logfmt | n > 2',
      ...ns,
    })) as Streams;
    expect(answer.data.resultType).toBe("streams");
    const lines = answer.data.result.flatMap(({ values }) => values.map(([, line]) => line));
    expect(lines.sort()).toEqual([
      'level=error msg="no pool" n=3',
      'level=error msg="no pool" n=4',
    ]);
    expect(answer.data.result[0]?.stream).toMatchObject({
      app: "posts",
      trace_id: traceId,
      n: "4",
    });
  });

  it("reads metric queries, of a moment and over time", async () => {
    const query = 'sum by (app) (count_over_time({namespace="social"}[5m]))';
    expect(await loki("query", { query, time: seconds.end })).toMatchObject({
      data: {
        resultType: "vector",
        result: [{ metric: { app: "posts" }, value: [expect.any(Number), "5"] }],
      },
    });
    expect(await loki("query_range", { query, ...ns, step: "30" })).toMatchObject({
      data: { resultType: "matrix", result: [{ metric: { app: "posts" } }] },
    });
  });

  it("reads labels, their values and series", async () => {
    const labels = (await loki("labels", ns)) as { data: string[] };
    expect(labels.data).toEqual(expect.arrayContaining(["app", "namespace"]));
    expect(await loki("label/app/values", ns)).toMatchObject({ data: ["posts"] });
    const series = (await loki("series", { "match[]": '{app="posts"}', ...ns })) as {
      data: object[];
    };
    expect(series.data[0]).toMatchObject({ app: "posts", namespace: "social" });
  });

  it("reads statistics, volumes, fields and patterns", async () => {
    const query = '{app="posts"}';
    expect(await loki("index/stats", { query, ...ns })).toMatchObject({ streams: 1, entries: 5 });
    expect(await loki("index/volume", { query, ...ns })).toMatchObject({
      data: { resultType: "vector", result: [{ metric: { app: "posts" } }] },
    });
    const { fields } = (await loki("detected_fields", { query, ...ns })) as {
      fields: { label: string; parsers: string[] }[];
    };
    expect(fields.find(({ label }) => label === "msg")?.parsers).toEqual(["logfmt"]);
    expect(await loki("patterns", { query, ...ns })).toMatchObject({ status: "success" });
  });

  it("is told in plain text where a query is wrong", async () => {
    const response = await fetch(`${served.url}/loki/api/v1/query_range?query=%7Bapp%3D`);
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/parse error/i);
  });

  it("is sent lines as they arrive", async () => {
    const address = served.url.replace("http:", "ws:");
    const socket = new WebSocket(
      `${address}/loki/api/v1/tail?${new URLSearchParams({ query: '{app="posts"} |= "later"' }).toString()}`,
      { headers: served.headers },
    );
    const first = new Promise<string>((resolve, reject) => {
      socket.addEventListener("message", ({ data }) => resolve(String(data)));
      socket.addEventListener("close", ({ reason }) => reject(new Error(reason)));
    });
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    await pushLine(BigInt(Date.now()) * 1_000_000n, "this came later");
    const { streams } = JSON.parse(await first) as { streams: Streams["data"]["result"] };
    expect(streams[0]?.values[0]?.[1]).toBe("this came later");
    socket.close();
  }, 60_000);
});

describe("Grafana's Tempo data source", () => {
  it("finds traces and reads them", async () => {
    expect(await (await fetch(`${served.url}/tempo/api/echo`)).text()).toBe("echo");
    const q = '{ resource.service.name = "posts" && status = error }';
    expect(await ask("/tempo/api/search", { q, ...seconds })).toMatchObject({
      traces: [
        {
          traceID: traceId,
          rootServiceName: "web",
          rootTraceName: "GET /posts",
          startTimeUnixNano: `${startNs}`,
          spanSets: [
            { matched: 1, spans: [{ spanID: "00f067aa0ba902b9", durationNanos: "250000000" }] },
          ],
        },
      ],
    });
    const { trace } = (await served.get(`/tempo/api/v2/traces/${traceId}`)) as {
      trace: { resourceSpans: object[] };
    };
    expect(trace.resourceSpans).toHaveLength(2);
    const binary = await fetch(`${served.url}/tempo/api/v2/traces/${traceId}`, {
      headers: { accept: "application/protobuf" },
    });
    expect(binary.headers.get("content-type")).toBe("application/protobuf");
    expect((await binary.arrayBuffer()).byteLength).toBeGreaterThan(100);
  });

  it("reads tags and their values", async () => {
    const { scopes } = (await ask("/tempo/api/v2/search/tags", seconds)) as {
      scopes: { name: string; tags: string[] }[];
    };
    expect(scopes.find(({ name }) => name === "span")?.tags).toContain("http.method");
    expect(
      await ask("/tempo/api/v2/search/tag/resource.service.name/values", seconds),
    ).toMatchObject({
      tagValues: expect.arrayContaining([{ type: "string", value: "posts" }]),
    });
  });

  it("reads series of TraceQL metrics", async () => {
    const q = "{ } | count_over_time() by (resource.service.name)";
    const { series } = (await ask("/tempo/api/metrics/query_range", {
      q,
      ...seconds,
      step: "60s",
    })) as { series: { samples: { value: number }[] }[] };
    const total = series
      .flatMap(({ samples }) => samples)
      .reduce((sum, { value }) => sum + value, 0);
    expect(total).toBe(3);
  });
});

describe("Grafana's Jaeger data source", () => {
  it("reads services, operations and traces", async () => {
    expect(await served.get("/jaeger/api/services")).toMatchObject({ data: ["posts", "web"] });
    expect(await served.get("/jaeger/api/services/web/operations")).toMatchObject({
      data: ["GET /posts", "call posts"],
    });
    const { data } = (await ask("/jaeger/api/traces", {
      service: "web",
      tags: '{"http.method":"GET"}',
      lookback: "1h",
    })) as { data: { traceID: string; spans: object[]; processes: object }[] };
    expect(data).toHaveLength(1);
    expect(data[0]).toMatchObject({ traceID: traceId });
    expect(data[0]?.spans).toHaveLength(3);
  });

  it("reads dependencies", async () => {
    expect(
      await ask("/jaeger/api/dependencies", { endTs: `${Date.now()}`, lookback: "3600000" }),
    ).toMatchObject({
      data: [{ parent: "web", child: "posts", callCount: 1 }],
    });
  });

  it("is told of an unknown trace as Jaeger tells it", async () => {
    const response = await fetch(`${served.url}/jaeger/api/traces/${"0".repeat(31)}1`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ data: null, errors: [{ code: 404 }] });
  });
});

describe("our own page", () => {
  it("is told all that belongs to a trace", async () => {
    const outline = await served.api.call("traceOutline", { params: { id: traceId } });
    expect(outline.spanIds).toHaveLength(3);
    expect(outline.errorOrigin).toBe(2);
    const { lines, edges } = await served.api.call("joins", { query: { trace: traceId } });
    expect(lines).toHaveLength(5);
    expect(edges.map(({ id }) => id)).toEqual(["web->posts"]);
    const { statements } = await served.api.call("traceExplanation", { params: { id: traceId } });
    expect(statements[0]?.text).toContain("The failure begins at posts, in “GET /list”");
  });
});
