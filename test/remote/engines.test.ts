/**
 * A server that reads logs and traces from another one. The peer is our own implementation of Loki's, Tempo's and Jaeger's
 * APIs: real ones are not at hand here. So this shows that both sides keep to the same reading of those APIs, and that what
 * goes through a remote engine comes out as it went in; not that a real server reads them so.
 */
import path from "node:path";
import { type LogLine, systemClock, type TailPosition } from "@skopos/model";
import { createLokiEngine } from "@skopos/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { pushLines } from "../robust/pushes.ts";
import { clickHouseReady, freePort, serve, type Served } from "../robust/served.ts";

const scratch = scratchDir();
/** The one with the data, and the one that asks it. */
let peer: Served;
let reader: Served;
let readerPort: number;

const baseMs = Math.floor(Date.now() / 1000 - 120) * 1000;
const traceId = (n: number) => `4bf92f3577b34da6a3ce929d0e0e${String(n).padStart(4, "0")}`;
const tracesCount = 6;
const attribute = (key: string, value: string | number) => ({
  key,
  value: typeof value === "string" ? { stringValue: value } : { intValue: String(value) },
});

/** Two services; each second trace fails at the second one. */
function spansOf(service: string, callee: boolean) {
  const spans = Array.from({ length: tracesCount }, (_, n) => {
    const startNs = BigInt(baseMs + n * 1000 + (callee ? 2 : 0)) * 1_000_000n;
    const durationNs = BigInt(10 + n * 10 - (callee ? 4 : 0)) * 1_000_000n;
    const failed = callee && n % 2 === 1;
    return {
      traceId: traceId(n),
      spanId: `00f067aa0ba9${callee ? "0002" : "0001"}`,
      ...(callee ? { parentSpanId: "00f067aa0ba90001" } : {}),
      name: callee ? "charge" : "GET /cart",
      kind: callee ? 2 : 3,
      startTimeUnixNano: `${startNs}`,
      endTimeUnixNano: `${startNs + durationNs}`,
      attributes: [
        attribute("http.status_code", failed ? 503 : 200),
        attribute("tenant", n < 3 ? "a" : "b"),
      ],
      events: failed
        ? [
            {
              timeUnixNano: `${startNs + 1_000_000n}`,
              name: "retry",
              attributes: [attribute("attempt", 2)],
            },
          ]
        : [],
      status: failed ? { code: 2, message: "declined" } : {},
    };
  });
  const resource = {
    attributes: [attribute("service.name", service), attribute("zone", "eu-1")],
  };
  return { resource, scopeSpans: [{ scope: { name: "shop", version: "1" }, spans }] };
}

async function pushed(response: Promise<Response>): Promise<void> {
  const { ok, status } = await response;
  if (!ok) throw new Error(`a push was answered with ${status}`);
}

async function fill(): Promise<void> {
  await pushed(
    fetch(`${peer.url}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ resourceSpans: [spansOf("cart", false), spansOf("pay", true)] }),
    }),
  );
  for (const app of ["cart", "pay"]) {
    const lines = Array.from({ length: 20 }, (_, n) => {
      const level = n % 5 === 0 ? "error" : "info";
      const text = JSON.stringify({ level, took: n, user: `u${n % 3}` });
      return [BigInt(baseMs + n * 1000) * 1_000_000n, text] as const;
    });
    await pushed(pushLines(peer.url, { app, env: "test" }, lines));
  }
}

function readerWith(settings: Record<string, unknown>): Promise<Served> {
  return serve({ dir: path.join(scratch.dir, "reader"), port: readerPort, settings });
}

const range = `start=${baseMs / 1000 - 60}&end=${baseMs / 1000 + 60}`;
const nsRange = `start=${baseMs - 60_000}000000&end=${baseMs + 60_000}000000`;

const text = encodeURIComponent;

/** What a query cost is told by whoever ran it. */
const withoutCost = (body: string) =>
  body.replace(/"totalLinesProcessed":\d+/, '"totalLinesProcessed":0');

async function same(where: string, headers: Record<string, string> = {}) {
  const answers = await Promise.all(
    [peer, reader].map(async (served) => {
      const response = await fetch(served.url + where, {
        headers: { ...served.headers, ...headers },
      });
      return { status: response.status, body: withoutCost(await response.text()) };
    }),
  );
  const [expected, found] = answers;
  expect(found, where).toEqual(expected);
  expect(found?.status, where).toBe(200);
  return JSON.parse(found?.body ?? "") as unknown;
}

beforeAll(async () => {
  readerPort = await freePort();
  peer = await serve({ dir: path.join(scratch.dir, "peer"), port: await freePort() });
  await clickHouseReady(peer);
  await fill();
  const headers = { ...peer.headers };
  reader = await readerWith({
    logs: { engine: { url: peer.url, headers } },
    traces: { engine: { kind: "tempo", url: `${peer.url}/tempo`, headers } },
  });
  await until(
    "the peer has what was pushed",
    async () => {
      const { data } = (await peer.get(
        `/loki/api/v1/query?query=${text('sum(count_over_time({env="test"}[1h]))')}`,
      )) as { data: { result: readonly { value: readonly [number, string] }[] } };
      const { traces } = (await peer.get(`/tempo/api/search?q=${text("{ }")}&${range}`)) as {
        traces: readonly unknown[];
      };
      return (data.result[0]?.value[1] === "40" && traces.length === tracesCount) || undefined;
    },
    30_000,
    200,
  );
}, 180_000);

afterAll(async () => {
  await reader?.running.stop();
  await peer?.running.stop();
  scratch.remove();
}, 60_000);

describe("logs read from a Loki", () => {
  const parsed = text('{app="cart"} | json | took > 3');

  it.each([
    `/query_range?query=${parsed}&${nsRange}&limit=7`,
    `/query_range?query=${parsed}&${nsRange}&limit=7&direction=forward`,
    `/query_range?query=${text('sum by (app) (count_over_time({env="test"}[30s]))')}&${nsRange}&step=15`,
    `/query?query=${text('sum by (level) (count_over_time({env="test"} | json [5m]))')}&time=${baseMs / 1000 + 60}`,
    `/labels?${nsRange}`,
    `/label/app/values?${nsRange}`,
    `/label/app/values?query=${text('{app="pay"}')}&${nsRange}`,
    `/series?match[]=${text('{app=~"c.*"}')}&${nsRange}`,
    `/index/stats?query=${text('{app="cart"}')}&${nsRange}`,
    `/index/volume?query=${text('{env="test"}')}&targetLabels=app&${nsRange}`,
    `/index/volume_range?query=${text('{env="test"}')}&step=60&${nsRange}`,
    `/detected_fields?query=${text('{app="cart"}')}&${nsRange}`,
    `/detected_field/user/values?query=${text('{app="cart"}')}&${nsRange}`,
    `/detected_labels?${nsRange}`,
    `/patterns?query=${text('{app="cart"}')}&${nsRange}`,
  ])("answers as the Loki itself: %s", async (where) => {
    expect(JSON.stringify(await same(`/loki/api/v1${where}`)).length).toBeGreaterThan(2);
    await same(`/loki/api/v1${where}`, { "x-loki-response-encoding-flags": "categorize-labels" });
  });

  it("are what the page shows", async () => {
    const query = { query: '{app="pay"} | json | level="error"', start: baseMs - 60_000 };
    const { lines } = await reader.api.call("logs", { query });
    expect(lines.map(({ line }) => (JSON.parse(line) as { took: number }).took).sort()).toEqual([
      0, 10, 15, 5,
    ]);
  });

  it("are refused with the place that the Loki names", async () => {
    const asked = reader.api.call("logs", { query: { query: '{app="pay"} |= ', start: 0 } });
    await expect(asked).rejects.toMatchObject({ code: "bad-query" });
  });

  it("are followed, each line once", async () => {
    const { url, headers } = peer;
    const engine = createLokiEngine({ url, headers, clock: systemClock });
    let position: TailPosition = { newestNs: BigInt(Date.now()) * 1_000_000n, seen: [] };
    const lines: LogLine[] = [];
    for (const round of ["first", "second"]) {
      const timeNs = BigInt(Date.now() + 1) * 1_000_000n;
      await pushed(pushLines(url, { app: "tailed" }, [[timeNs, round]]));
      await until(
        `the ${round} line is followed`,
        async () => {
          const batch = await engine.tail({ query: '{app="tailed"}', position, limit: 10 });
          position = batch.position;
          lines.push(...batch.records);
          return lines.some(({ line }) => line === round) || undefined;
        },
        30_000,
        100,
      );
    }
    expect(lines.map(({ line }) => line)).toEqual(["first", "second"]);
  });
});

describe("traces read from a Tempo", () => {
  it.each([
    `/v2/traces/${traceId(1)}`,
    `/v2/search/tags?${range}`,
    `/v2/search/tag/span.tenant/values?${range}`,
    `/v2/search/tag/resource.service.name/values?q=${text("{ status = error }")}&${range}`,
    `/metrics/query_range?q=${text("{ status = error } | rate() by (resource.service.name)")}&step=30s&${range}`,
    `/metrics/query_range?q=${text("{ } | quantile_over_time(duration, .9)")}&step=60s&${range}`,
  ])("answers as the Tempo itself: %s", async (where) => {
    expect(JSON.stringify(await same(`/tempo/api${where}`)).length).toBeGreaterThan(50);
  });

  it.each([
    "{ }",
    '{ resource.service.name = "pay" && status = error }',
    '{ name = "GET /cart" } > { span.http.status_code = 503 }',
    '{ span.tenant = "b" } | by(resource.service.name) | count() > 0',
  ])("finds the same: %s", async (query) => {
    const where = `/tempo/api/search?q=${text(query)}&${range}`;
    const [expected, found] = await Promise.all([peer.get(where), reader.get(where)]);
    const tracesOf = (answer: unknown) => (answer as { traces: readonly object[] }).traces;
    expect(tracesOf(found)).toEqual(tracesOf(expected));
    expect(tracesOf(found).length).toBeGreaterThan(0);
  });

  it("lists services and their operations, and knows no other traces", async () => {
    await same("/jaeger/api/services");
    expect(await same("/jaeger/api/services/pay/operations")).toMatchObject({ data: ["charge"] });
    const { status } = await fetch(`${reader.url}/tempo/api/v2/traces/${"7".repeat(32)}`);
    expect(status).toBe(404);
  });
});

it("what is pushed to the reader stays there, and a Jaeger answers what it can", async () => {
  await clickHouseReady(reader);
  const now = BigInt(Date.now()) * 1_000_000n;
  await pushed(pushLines(reader.url, { app: "own" }, [[now, "here"]]));
  const { url, headers } = peer;
  await reader.running.stop();
  reader = await readerWith({
    traces: { engine: { kind: "jaeger", url: `${url}/jaeger`, headers } },
  });
  await clickHouseReady(reader);
  await until(
    "the line is found where it was pushed",
    async () => {
      const query = { query: '{app="own"}', start: baseMs };
      return (await reader.api.call("logs", { query })).lines[0]?.line === "here" || undefined;
    },
    30_000,
    200,
  );
  const atPeer = await peer.api.call("logs", { query: { query: '{app="own"}', start: baseMs } });
  expect(atPeer.lines).toEqual([]);

  await same(`/jaeger/api/traces/${traceId(1)}`);
  await same(`/jaeger/api/traces?traceID=${traceId(2)}&traceID=${traceId(1)}`);
  await same("/jaeger/api/services");
  await same("/jaeger/api/services/cart/operations");
  const pay = 'resource.service.name = "pay"';
  for (const [query, count] of [
    [`{ ${pay} }`, 6],
    [`{ ${pay} && name = "charge" && status = error && span.http.status_code = 503 }`, 3],
    [`{ ${pay} && resource.zone = "eu-1" && .tenant = "b" && duration > 36ms }`, 2],
  ] as const) {
    const where = `/tempo/api/search?q=${text(query)}&${range}`;
    const [expected, found] = await Promise.all([peer.get(where), reader.get(where)]);
    const { traces } = found as { traces: readonly object[] };
    expect(traces, query).toHaveLength(count);
    expect(traces, query).toEqual((expected as { traces: readonly object[] }).traces);
  }
  for (const [where, said] of [
    [`/tempo/api/search?q=${text("{ status = error }")}&${range}`, /every service at once/],
    [`/tempo/api/v2/search/tags?${range}`, /names of attributes/],
    [`/tempo/api/metrics/query_range?q=${text("{ } | rate()")}&${range}`, /series/],
  ] as const) {
    const response = await fetch(reader.url + where);
    expect(response.status, where).toBe(406);
    expect(await response.text()).toMatch(said);
  }
}, 180_000);
