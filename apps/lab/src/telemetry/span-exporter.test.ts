import { createServer, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { SendBuffer } from "../http/send-buffer.ts";
import { LogShipper } from "../node/log-shipper.ts";
import { listen } from "../pod/listen.ts";
import { closedPort } from "../testing/proxy-pair.ts";
import { type RecordedSpan, SpanExporter } from "./span-exporter.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** A collector that keeps what it is sent. */
async function startCollector(status = 200) {
  const bodies: { path: string; body: unknown }[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      bodies.push({ path: request.url ?? "", body: JSON.parse(text) });
      response.writeHead(status).end();
    });
  });
  servers.push(server);
  const port = await listen(server, "127.0.0.1", 0);
  return { url: `http://127.0.0.1:${port}`, bodies };
}

function span(overrides: Partial<RecordedSpan> = {}): RecordedSpan {
  return {
    scope: "app",
    context: { traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: true },
    parentSpanId: "",
    name: "db.query",
    kind: "client",
    startMs: 1_700_000_000_000.25,
    endMs: 1_700_000_000_001.5,
    attributes: { "db.system": "postgresql", rows: 3, share: 0.5, cached: false },
    ...overrides,
  };
}

describe("SpanExporter", () => {
  it("sends OTLP/HTTP JSON with typed attributes and nanosecond times", async () => {
    const { url, bodies } = await startCollector();
    const exporter = new SpanExporter(url, { "service.name": "user-service.socialstream" });
    exporter.record(span({ error: "lost" }));
    await exporter.close();
    expect(bodies).toHaveLength(1);
    expect(bodies[0]?.path).toBe("/v1/traces");
    expect(bodies[0]?.body).toMatchObject({
      resourceSpans: [
        {
          resource: {
            attributes: [
              { key: "service.name", value: { stringValue: "user-service.socialstream" } },
            ],
          },
          scopeSpans: [
            {
              spans: [
                {
                  traceId: "a".repeat(32),
                  kind: 3,
                  startTimeUnixNano: "1700000000000250000",
                  endTimeUnixNano: "1700000000001500000",
                  attributes: [
                    { key: "db.system", value: { stringValue: "postgresql" } },
                    { key: "rows", value: { intValue: "3" } },
                    { key: "share", value: { doubleValue: 0.5 } },
                    { key: "cached", value: { boolValue: false } },
                  ],
                  status: { code: 2, message: "lost" },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it("leaves out spans of traces that are not sampled", async () => {
    const { url, bodies } = await startCollector();
    const exporter = new SpanExporter(url, {});
    exporter.record(span({ context: { traceId: "a", spanId: "b", sampled: false } }));
    await exporter.close();
    expect(bodies).toEqual([]);
  });
});

describe("LogShipper", () => {
  it("pushes lines by stream, in order even within one millisecond", async () => {
    const { url, bodies } = await startCollector(204);
    const shipper = new LogShipper(url);
    const stream = '{"app":"frontend","container":"app"}';
    shipper.add(stream, "one", 1_700_000_000_000);
    shipper.add(stream, 'two "quoted"', 1_700_000_000_000);
    await shipper.close();
    expect(bodies).toEqual([
      {
        path: "/loki/api/v1/push",
        body: {
          streams: [
            {
              stream: { app: "frontend", container: "app" },
              values: [
                ["1700000000000000000", "one"],
                ["1700000000000000001", 'two "quoted"'],
              ],
            },
          ],
        },
      },
    ]);
  });
});

describe("SendBuffer", () => {
  const bounds = { path: "/", itemsMax: 400, batchMax: 50, everyMs: 60_000 };
  const encode = (batch: readonly number[]) => JSON.stringify(batch);

  it("keeps items while the collector is away, drops the oldest beyond its bound and counts them", async () => {
    const url = `http://127.0.0.1:${await closedPort()}`;
    const buffer = new SendBuffer<number>({ ...bounds, url, encode });
    for (let i = 0; i < 500; i++) buffer.add(i);
    await expect.poll(() => buffer.failures).toBe(1);
    expect(buffer.sent).toBe(0);
    expect(buffer.dropped).toBeGreaterThanOrEqual(100);
    expect(buffer.dropped).toBeLessThan(200);
    await buffer.close();
  });

  it("tries again, in order, what was refused", async () => {
    const { url, bodies } = await startCollector(500);
    const buffer = new SendBuffer<number>({ ...bounds, url, encode });
    for (let i = 0; i < 3; i++) buffer.add(i);
    await buffer.flush();
    expect(buffer).toMatchObject({ sent: 0, failures: 1, dropped: 0 });
    buffer.add(3);
    await buffer.close();
    expect(bodies.map(({ body }) => body)).toEqual([
      [0, 1, 2],
      [0, 1, 2, 3],
    ]);
  });
});
