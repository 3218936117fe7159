/** What is on npm to send traces and logs with, each as its documentation shows it, delivering into a running server. */
import path from "node:path";
import { createRequire } from "node:module";
import { SpanStatusCode } from "@opentelemetry/api";
import { OTLPLogExporter as LogsGrpc } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as LogsJson } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as LogsProto } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter as TracesGrpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as TracesJson } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as TracesProto } from "@opentelemetry/exporter-trace-otlp-proto";
import { ZipkinExporter } from "@opentelemetry/exporter-zipkin";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  LoggerProvider,
  type LogRecordExporter,
  SimpleLogRecordProcessor,
} from "@opentelemetry/sdk-logs";
import {
  BasicTracerProvider,
  SimpleSpanProcessor,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-base";
import type { LogLine } from "@skopos/api";
import { KubeServer } from "@skopos/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { clickHouseReady, freePort, serve, type Served } from "./served.ts";

const require = createRequire(import.meta.url);
const scratch = scratchDir();
const kube = new KubeServer();
let served: Served;
const addresses = new Map<string, string>();

beforeAll(async () => {
  served = await serve({
    dir: path.join(scratch.dir, "senders"),
    port: await freePort(),
    kubernetes: await kube.listen(),
    settings: {
      otlp: { grpc: "127.0.0.1:0", http: "127.0.0.1:0" },
      zipkin: { listen: "127.0.0.1:0" },
    },
  });
  await clickHouseReady(served);
  const { parts } = await served.api.call("status");
  for (const { name, detail } of parts) addresses.set(name, detail);
}, 120_000);

afterAll(async () => {
  await served?.running.stop();
  await kube.close();
  scratch.remove();
}, 60_000);

const grpcUrl = () => `http://${addresses.get("OTLP/gRPC") ?? ""}`;

async function traceOf(id: string) {
  return until(
    `trace ${id} is there`,
    async () => {
      try {
        return await served.api.call("trace", { params: { id } });
      } catch {
        return undefined;
      }
    },
    30_000,
    200,
  );
}

async function linesOf(query: string, count = 1): Promise<readonly LogLine[]> {
  return until(
    `${count} lines of ${query}`,
    async () => {
      const start = Date.now() - 600_000;
      const { lines } = await served.api.call("logs", { query: { query, start } });
      return lines.length >= count ? lines : undefined;
    },
    30_000,
    200,
  );
}

describe("OpenTelemetry's exporters", () => {
  const traceExporters: readonly (readonly [string, () => SpanExporter])[] = [
    ["json", () => new TracesJson({ url: `${served.url}/v1/traces` })],
    ["proto", () => new TracesProto({ url: `${served.url}/v1/traces` })],
    [
      "proto on its own port",
      () => new TracesProto({ url: `http://${addresses.get("OTLP/HTTP") ?? ""}/v1/traces` }),
    ],
    ["grpc", () => new TracesGrpc({ url: grpcUrl() })],
    ["zipkin", () => new ZipkinExporter({ url: `${served.url}/api/v2/spans` })],
  ];

  it.each(traceExporters)("deliver spans: %s", async (name, exporter) => {
    const provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ "service.name": `traced-${name}` }),
      spanProcessors: [new SimpleSpanProcessor(exporter())],
    });
    const span = provider.getTracer("senders").startSpan("GET /cart", { kind: 1 });
    span.setAttribute("http.response.status_code", 503);
    span.addEvent("retry");
    span.setStatus({ code: SpanStatusCode.ERROR, message: "no upstream" });
    const { traceId } = span.spanContext();
    span.end();
    await provider.forceFlush();
    await provider.shutdown();
    const trace = await traceOf(traceId);
    expect(trace.spans).toHaveLength(1);
    expect(trace.spans[0]).toMatchObject({ name: "GET /cart", service: `traced-${name}` });
    const text = JSON.stringify(trace.spans[0]);
    for (const part of ["503", "retry", "no upstream", "error"]) expect(text).toContain(part);
  });

  const logExporters: readonly (readonly [string, () => LogRecordExporter])[] = [
    ["json", () => new LogsJson({ url: `${served.url}/v1/logs` })],
    ["proto", () => new LogsProto({ url: `${served.url}/v1/logs` })],
    ["grpc", () => new LogsGrpc({ url: grpcUrl() })],
  ];

  it.each(logExporters)("deliver log records: %s", async (name, exporter) => {
    const provider = new LoggerProvider({
      resource: resourceFromAttributes({ "service.name": `logged-${name}` }),
      processors: [new SimpleLogRecordProcessor({ exporter: exporter() })],
    });
    provider
      .getLogger("senders")
      .emit({ body: "it broke", severityNumber: 17, attributes: { "http.method": "GET" } });
    await provider.forceFlush();
    await provider.shutdown();
    const [line] = await linesOf(`{service_name="logged-${name}"}`);
    expect(line).toMatchObject({ line: "it broke", level: "error" });
    expect(line?.metadata).toMatchObject({ http_method: "GET", scope_name: "senders" });
  });
});

it("Zipkin's own library delivers spans", async () => {
  const zipkin = require("zipkin");
  const { HttpLogger } = require("zipkin-transport-http");
  const logger = new HttpLogger({
    endpoint: `http://${addresses.get("Zipkin") ?? ""}/api/v2/spans`,
    jsonEncoder: zipkin.jsonEncoder.JSON_V2,
    httpInterval: 50,
  });
  const recorder = new zipkin.BatchRecorder({ logger });
  const tracer = new zipkin.Tracer({
    ctxImpl: new zipkin.ExplicitContext(),
    recorder,
    localServiceName: "zipkin-shop",
    supportsJoin: true,
  });
  const traceId: string = tracer.scoped(() => {
    const id = tracer.createRootId();
    tracer.setId(id);
    tracer.recordServiceName("zipkin-shop");
    tracer.recordRpc("get /cart");
    tracer.recordAnnotation(new zipkin.Annotation.ServerRecv());
    tracer.recordBinary("http.status_code", "200");
    tracer.recordAnnotation(new zipkin.Annotation.ServerSend());
    return id.traceId;
  });
  const trace = await traceOf(traceId.padStart(32, "0"));
  expect(trace.spans).toMatchObject([{ name: "get /cart", service: "zipkin-shop" }]);
});

it("pino-loki delivers lines", async () => {
  const { pino } = require("pino");
  const { pinoLoki } = require("pino-loki");
  const stream = pinoLoki({ host: served.url, batching: false, labels: { app: "from-pino" } });
  const logger = pino(stream);
  logger.info({ user: 7 }, "hello from pino");
  const [line] = await linesOf(`{app="from-pino"}`);
  expect(line?.line).toContain("hello from pino");
});

it("winston-loki delivers lines, in protobuf and JSON", async () => {
  const { createLogger } = require("winston");
  const LokiTransport = require("winston-loki");
  for (const json of [true, false]) {
    const app = `from-winston-${json ? "json" : "protobuf"}`;
    const transport = new LokiTransport({
      host: served.url,
      labels: { app },
      json,
      batching: false,
    });
    createLogger({ transports: [transport] }).warn("hello from winston");
    const [line] = await linesOf(`{app="${app}"}`);
    expect(line?.line).toContain("hello from winston");
  }
});

it("a call over gRPC that cannot be read gets INVALID_ARGUMENT, over HTTP a Status", async () => {
  const { Client, credentials, status } = require("@grpc/grpc-js");
  const client = new Client(addresses.get("OTLP/gRPC"), credentials.createInsecure());
  const asIs = (bytes: Buffer) => bytes;
  const error = await new Promise<{ code: number; details: string }>((resolve) => {
    client.makeUnaryRequest(
      "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
      asIs,
      asIs,
      Buffer.from([0x0a, 0xff]),
      resolve,
    );
  });
  client.close();
  expect(error.code).toBe(status.INVALID_ARGUMENT);
  expect(error.details).toContain("ExportTraceServiceRequest");
  const response = await fetch(`${served.url}/v1/logs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "[]",
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ code: 3, message: "the body must be an object" });
});
