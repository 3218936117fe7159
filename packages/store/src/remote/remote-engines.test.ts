/** What other servers may answer, said by a server of the test's own: shapes as Loki's, Tempo's and Jaeger's documentation has them. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import { systemClock } from "@skopos/model";
import { afterEach, describe, expect, it } from "vitest";
import { createJaegerEngine } from "./jaeger-engine.ts";
import { createLokiEngine } from "./loki-engine.ts";
import { createTempoEngine } from "./tempo-engine.ts";

interface Said {
  readonly status?: number;
  readonly body: unknown;
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** `say` may answer undefined: then nothing is ever said. */
async function saying(say: (url: URL, request: IncomingMessage) => Said | undefined) {
  const server = createServer((request, response) => {
    const said = say(new URL(request.url ?? "/", "http://x"), request);
    if (!said) return;
    const { status = 200, body } = said;
    response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("no address");
  return `http://127.0.0.1:${address.port}`;
}

const lineQuery = {
  query: '{app="a"}',
  startNs: 0n,
  endNs: 10n ** 18n,
  limit: 100,
  direction: "backward",
} as const;

function loki(url: string, more: object = {}) {
  return createLokiEngine({ url, clock: systemClock, ...more });
}

describe("a remote engine", () => {
  it.each([
    [400, "parse error at line 1, col 8: syntax error", { code: "bad-query", line: 1, column: 8 }],
    [400, "the query time range exceeds the limit (query length: 800h)", { code: "limit" }],
    [400, "something else", { code: "bad-query", message: "something else" }],
    [429, "too many outstanding requests", { code: "limit" }],
    [401, "no org id", { code: "unavailable" }],
    [404, "page not found", { code: "unavailable" }],
    [500, "boom", { code: "unavailable" }],
  ])("maps a refusal with status %i: %s", async (status, body, expected) => {
    const url = await saying(() => ({ status, body }));
    await expect(loki(url).query(lineQuery)).rejects.toMatchObject(expected);
    await expect(
      createTempoEngine({ url }).search("{ }", { startMs: 0, endMs: 1, limit: 1 }),
    ).rejects.toMatchObject(expected);
  });

  it("bounds the size of an answer and the time it takes, and hears of cancelling", async () => {
    const url = await saying(() => ({ body: "x".repeat(5000) }));
    await expect(loki(url, { answerBytesMax: 1000 }).query(lineQuery)).rejects.toMatchObject({
      code: "limit",
    });
    await expect(loki(url).query(lineQuery)).rejects.toMatchObject({ code: "unavailable" });
    const silent = await saying(() => undefined);
    await expect(loki(silent, { timeoutMs: 20 }).query(lineQuery)).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("no answer in time") as string,
    });
    const gone = new AbortController();
    const asked = loki(silent).query({ ...lineQuery, signal: gone.signal });
    gone.abort();
    await expect(asked).rejects.toMatchObject({ code: "cancelled" });
  });

  it("does not take an answer for what it is not", async () => {
    const url = await saying(() => ({ body: { data: { resultType: "streams", result: [7] } } }));
    await expect(loki(url).query(lineQuery)).rejects.toMatchObject({ code: "unavailable" });
    const tempo = createTempoEngine({ url: await saying(() => ({ body: { traces: [{}] } })) });
    await expect(tempo.search("", { startMs: 0, endMs: 1, limit: 1 })).rejects.toMatchObject({
      code: "unavailable",
    });
  });
});

describe("Loki", () => {
  it("is sent the headers, and tells lines with and without categories", async () => {
    const seen: (string | string[] | undefined)[] = [];
    const url = await saying((_url, { headers }) => {
      seen.push(headers["x-scope-orgid"], headers["x-loki-response-encoding-flags"]);
      const values = [
        ["3", "c", { structuredMetadata: { pod: "p" }, parsed: { level: "info" } }],
        ["1", "a"],
      ];
      return {
        body: { data: { resultType: "streams", result: [{ stream: { app: "a" }, values }] } },
      };
    });
    const result = await loki(`${url}/`, { headers: { "X-Scope-OrgID": "t" } }).query(lineQuery);
    expect(seen).toEqual(["t", "categorize-labels"]);
    const labels = { app: "a" };
    expect(result).toEqual({
      type: "lines",
      plan: { selections: [] },
      records: [
        { timeNs: 3n, labels, metadata: { pod: "p" }, parsed: { level: "info" }, line: "c" },
        { timeNs: 1n, labels, metadata: {}, parsed: {}, line: "a" },
      ],
    });
  });

  it.each(["forward", "backward"] as const)(
    "reads %s beyond one page, each line once",
    async (direction) => {
      // Three lines of each nanosecond: pages end in the midst of one.
      const all = Array.from({ length: 7000 }, (_, i) => [
        String(Math.floor(i / 3) + 1),
        `line ${i}`,
      ]);
      const limits: number[] = [];
      const url = await saying(({ searchParams }) => {
        const limit = Number(searchParams.get("limit"));
        limits.push(limit);
        const [start, end] = [Number(searchParams.get("start")), Number(searchParams.get("end"))];
        const within = all.filter(([time]) => Number(time) >= start && Number(time) < end);
        const values = (direction === "forward" ? within : within.toReversed()).slice(0, limit);
        return { body: { data: { resultType: "streams", result: [{ stream: {}, values }] } } };
      });
      const result = await loki(url).query({ ...lineQuery, limit: 6500, direction });
      const lines = result.type === "lines" ? result.records.map(({ line }) => line) : [];
      const expected = (direction === "forward" ? all : all.toReversed()).slice(0, 6500);
      expect(new Set(lines)).toEqual(new Set(expected.map(([, line]) => line)));
      expect(lines).toHaveLength(6500);
      expect(Math.max(...limits)).toBe(5000);
    },
  );

  it("asks for series where the query makes some", async () => {
    const paths: string[] = [];
    const url = await saying(({ pathname, searchParams }) => {
      paths.push(`${pathname} ${searchParams.get("step") ?? "-"}`);
      return { body: { data: { resultType: "vector", result: [] } } };
    });
    const metric = { ...lineQuery, query: '# of {x}\n sum(rate({app="a"}[1m]))' };
    await loki(url).query(metric);
    await loki(url).query({ ...metric, stepMs: 1500 });
    expect(paths).toEqual(["/loki/api/v1/query -", "/loki/api/v1/query_range 1.5"]);
    await expect(
      loki(url).tail({ query: metric.query, position: { newestNs: 0n, seen: [] }, limit: 1 }),
    ).rejects.toMatchObject({ code: "bad-query" });
  });
});

describe("Tempo", () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const base64 = (hex: string) => Buffer.from(hex, "hex").toString("base64");
  const trace = (id: (hex: string) => string, words: boolean) => [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] },
      scopeSpans: [
        {
          scope: { name: "lib" },
          spans: [
            {
              traceId: id(traceId),
              spanId: id("00f067aa0ba902b7"),
              name: "GET /",
              kind: words ? "SPAN_KIND_SERVER" : 2,
              startTimeUnixNano: "1700000000000000001",
              endTimeUnixNano: "1700000000000001001",
              attributes: [
                { key: "n", value: { intValue: "7" } },
                { key: "list", value: { arrayValue: { values: [{ boolValue: true }] } } },
              ],
              status: { code: words ? "STATUS_CODE_ERROR" : 2, message: "no" },
            },
          ],
        },
      ],
    },
  ];
  const expected = {
    traceId,
    spanId: "00f067aa0ba902b7",
    parentSpanId: "",
    service: "shop",
    kind: "server",
    startNs: 1700000000000000001n,
    durationNs: 1000,
    status: "error",
    statusMessage: "no",
    attributes: { n: 7, list: [true] },
    scopeName: "lib",
  };

  it("hands out a trace with ids in base64 or hex, by its second path", async () => {
    for (const resourceSpans of [trace(base64, true), trace((hex) => hex, false)]) {
      const url = await saying(({ pathname }) =>
        pathname === `/api/v2/traces/${traceId}`
          ? { body: { trace: { resourceSpans } } }
          : { status: 404, body: "trace not found" },
      );
      const engine = createTempoEngine({ url });
      expect(await engine.trace(traceId)).toMatchObject([expected]);
      expect(await engine.traces(["1".repeat(32), traceId])).toHaveLength(1);
    }
  });

  it("is asked by its first path where it has no second", async () => {
    const url = await saying(({ pathname }) =>
      pathname === `/api/traces/${traceId}`
        ? { body: { batches: trace(base64, true) } }
        : { status: 404, body: "404 page not found" },
    );
    const engine = createTempoEngine({ url });
    expect(await engine.trace(traceId)).toMatchObject([expected]);
    expect(await engine.trace("1".repeat(32))).toEqual([]);
  });

  it("is asked in whole seconds, and its ids get their zeros back", async () => {
    let asked = "";
    const url = await saying(({ searchParams }) => {
      asked = searchParams.toString();
      const spans = [{ spanID: "b7", startTimeUnixNano: "5", durationNanos: "6" }];
      const found = {
        traceID: "1c",
        rootServiceName: "shop",
        startTimeUnixNano: "4",
        durationMs: 2,
        spanSets: [{ matched: 9, spans }],
        serviceStats: { shop: { spanCount: 11, errorCount: 3 } },
      };
      return { body: { traces: [found], metrics: { inspectedSpans: "20" } } };
    });
    const { traces, spansRead } = await createTempoEngine({ url }).search("", {
      startMs: 1500,
      endMs: 2500,
      limit: 5,
    });
    expect(asked).toBe("q=%7B+%7D&limit=5&start=1&end=3");
    expect(spansRead).toBe(20);
    expect(traces).toMatchObject([
      {
        traceId: `${"0".repeat(30)}1c`,
        durationNs: 2e6,
        spanCount: 11,
        errorCount: 3,
        serviceErrors: { shop: 3 },
        matched: ["00000000000000b7"],
        spanSets: [{ matched: 9, spans: [{ service: "shop", startNs: 5n, durationNs: 6 }] }],
      },
    ]);
  });

  it("says when its answer is partial, and leaves out zeros", async () => {
    const series = [
      {
        labels: [{ key: "p", value: { doubleValue: 0.9 } }],
        samples: [{ timestampMs: "1000" }, { timestampMs: "2000", value: 1.5 }],
      },
    ];
    const url = await saying(() => ({ body: { series, status: "PARTIAL", message: "cut" } }));
    const request = { startMs: 0, endMs: 2000, stepMs: 1000 };
    const result = await createTempoEngine({ url }).metrics("{ } | rate()", request);
    expect(result.warnings).toEqual(["Tempo's answer is partial: cut"]);
    expect(result.value).toEqual({
      type: "matrix",
      series: [
        {
          labels: { p: "0.9" },
          times: Float64Array.of(1000, 2000),
          values: Float64Array.of(0, 1.5),
        },
      ],
    });
  });
});

describe("Jaeger", () => {
  const understand = () => {
    throw new Error("not asked");
  };

  it("has traces of its own clients and of OpenTelemetry's", async () => {
    const url = await saying(({ pathname }) => {
      if (pathname !== "/api/traces/1c")
        return {
          status: 404,
          body: { data: null, errors: [{ code: 404, msg: "trace not found" }] },
        };
      const span = {
        traceID: "1c",
        startTime: 1_700_000_000_000_001,
        duration: 5,
        processID: "p1",
      };
      const spans = [
        {
          ...span,
          spanID: "2",
          operationName: "child",
          references: [
            { refType: "FOLLOWS_FROM", traceID: "ff", spanID: "9" },
            { refType: "CHILD_OF", traceID: "1c", spanID: "1" },
          ],
          tags: [
            { key: "error", type: "bool", value: true },
            { key: "otel.status_code", type: "string", value: "ERROR" },
            { key: "span.kind", type: "string", value: "client" },
          ],
          logs: [
            {
              timestamp: 1_700_000_000_000_002,
              fields: [
                { key: "event", type: "string", value: "retry" },
                { key: "n", type: "int64", value: 2 },
              ],
            },
          ],
        },
        {
          ...span,
          spanID: "1",
          operationName: "root",
          startTime: 1_700_000_000_000_000,
          tags: [{ key: "error", type: "bool", value: true }],
        },
      ];
      return {
        body: { data: [{ traceID: "1c", spans, processes: { p1: { serviceName: "a" } } }] },
      };
    });
    const engine = createJaegerEngine({ url, understand });
    const [root, child] = await engine.trace("1c");
    expect(root).toMatchObject({ name: "root", status: "error", attributes: { error: true } });
    expect(child).toMatchObject({
      traceId: `${"0".repeat(30)}1c`,
      spanId: "0000000000000002",
      parentSpanId: "0000000000000001",
      service: "a",
      kind: "client",
      status: "error",
      attributes: {},
      startNs: 1_700_000_000_000_001_000n,
      durationNs: 5000,
      events: [{ name: "retry", attributes: { n: 2 }, timeNs: 1_700_000_000_000_002_000n }],
      links: [{ traceId: `${"0".repeat(30)}ff`, spanId: "0000000000000009" }],
    });
    expect(await engine.trace("2d")).toEqual([]);
  });

  it("refuses in its own words, and says what it has not", async () => {
    const body = { data: null, errors: [{ code: 400, msg: 'cannot parse "x"' }] };
    const url = await saying(() => ({ status: 400, body }));
    const engine = createJaegerEngine({ url, understand });
    await expect(engine.services(0, 1)).rejects.toMatchObject({
      code: "bad-query",
      message: 'cannot parse "x"',
    });
    const range = { startMs: 0, endMs: 1 };
    for (const asked of [
      engine.tags(range),
      engine.tagValues("name", range),
      engine.metrics("{ } | rate()", { ...range, stepMs: 1 }),
    ])
      await expect(asked).rejects.toMatchObject({ code: "not-supported" });
  });
});
