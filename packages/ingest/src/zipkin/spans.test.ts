import * as fc from "fast-check";
import { SkoposError } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { fuzzRuns } from "../testing/fuzz-runs.ts";
import { ProtobufWriter } from "../testing/protobuf-writer.ts";
import { decodeZipkinSpans } from "./spans.ts";

const traceId = "5af7651916cd43dd8448eb211c80319c";
const client = {
  traceId,
  id: "352bff9a74ca9ad2",
  parentId: "6b221d5bc9e6496c",
  kind: "CLIENT",
  name: "get /api",
  timestamp: 1_767_225_600_000_001,
  duration: 1431,
  localEndpoint: { serviceName: "frontend", ipv4: "192.168.99.1" },
  remoteEndpoint: { serviceName: "backend", ipv4: "172.19.0.2", port: 58648 },
  annotations: [{ timestamp: 1_767_225_600_000_101, value: "sent" }],
  tags: { "http.method": "GET", "http.status_code": "503", error: "timeout" },
  debug: true,
};
const span = {
  traceId,
  spanId: "352bff9a74ca9ad2",
  parentSpanId: "6b221d5bc9e6496c",
  service: "frontend",
  name: "get /api",
  kind: "client",
  startNs: 1_767_225_600_000_001_000n,
  durationNs: 1_431_000,
  status: "error",
  statusMessage: "timeout",
  attributes: {
    "http.method": "GET",
    "http.status_code": 503,
    error: "timeout",
    "peer.service": "backend",
    "network.peer.address": "172.19.0.2",
    "network.peer.port": 58648,
    "zipkin.debug": true,
  },
  resource: { "service.name": "frontend", "host.ip": "192.168.99.1" },
  scopeName: "",
  scopeVersion: "",
  events: [{ timeNs: 1_767_225_600_000_101_000n, name: "sent", attributes: {} }],
  links: [],
};
const json = (...spans: unknown[]) => Buffer.from(JSON.stringify(spans));
const tag = (key: string, value: string) => (entry: ProtobufWriter) =>
  entry.text(1, key).text(2, value);
const protobuf = new ProtobufWriter()
  .message(1, (message) =>
    message
      .bytes(1, Buffer.from(traceId, "hex"))
      .bytes(2, Buffer.from(client.parentId, "hex"))
      .bytes(3, Buffer.from(client.id, "hex"))
      .varint(4, 1)
      .text(5, client.name)
      .fixed64(6, BigInt(client.timestamp))
      .varint(7, client.duration)
      .message(8, (end) => end.text(1, "frontend").bytes(2, Uint8Array.of(192, 168, 99, 1)))
      .message(9, (end) =>
        end
          .text(1, "backend")
          .bytes(2, Uint8Array.of(172, 19, 0, 2))
          .varint(4, 58648),
      )
      .message(10, (note) => note.fixed64(1, 1_767_225_600_000_101n).text(2, "sent"))
      .message(11, tag("http.method", "GET"))
      .message(11, tag("http.status_code", "503"))
      .message(11, tag("error", "timeout"))
      .varint(12, 1),
  )
  .finish();

describe("Zipkin spans", () => {
  it("are read from JSON and protobuf alike", () => {
    expect(decodeZipkinSpans(json(client), "application/json").spans).toEqual([span]);
    expect(decodeZipkinSpans(protobuf, "application/x-protobuf").spans).toEqual([span]);
  });

  it("of 64-bit traces have their ids padded", () => {
    const short = { ...client, traceId: "8448eb211c80319c", id: "1f" };
    expect(decodeZipkinSpans(json(short), undefined).spans).toMatchObject([
      { traceId: "00000000000000008448eb211c80319c", spanId: "000000000000001f" },
    ]);
  });

  it("that share the client's id become its child, with what the server calls below it", () => {
    const server = {
      ...client,
      kind: "SERVER",
      shared: true,
      localEndpoint: { serviceName: "backend" },
    };
    const below = {
      ...client,
      id: "00000000000000aa",
      parentId: client.id,
      localEndpoint: { serviceName: "backend" },
    };
    const other = { ...below, id: "00000000000000bb", localEndpoint: { serviceName: "frontend" } };
    const { spans } = decodeZipkinSpans(json(client, server, below, other), "application/json");
    const [ours, theirs, child, sibling] = spans;
    expect(ours?.spanId).toBe(client.id);
    expect(theirs).toMatchObject({ kind: "server", parentSpanId: client.id, service: "backend" });
    expect(theirs?.attributes["zipkin.shared_id"]).toBe(client.id);
    expect(theirs?.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(theirs?.spanId).not.toBe(client.id);
    expect(child?.parentSpanId).toBe(theirs?.spanId);
    expect(sibling?.parentSpanId).toBe(client.id);
    const again = decodeZipkinSpans(json(server), "application/json").spans[0]?.spanId;
    expect(again).toBe(theirs?.spanId);
  });

  it("without a time take that of their first annotation, or are rejected alone", () => {
    const { timestamp: _, duration: __, ...timeless } = client;
    const { annotations: ___, ...bare } = timeless;
    const decoded = decodeZipkinSpans(json(timeless, bare), "application/json");
    expect(decoded.spans).toMatchObject([{ startNs: 1_767_225_600_000_101_000n, durationNs: 0 }]);
    expect(decoded.rejected).toBe(1);
    expect(decoded.error).toBe("span 352bff9a74ca9ad2 has no start time");
  });

  it("say by OpenTelemetry's tags what Zipkin has no field for", () => {
    const tags = { "otel.status_code": "OK", "otel.scope.name": "lib", "otel.scope.version": "2" };
    expect(decodeZipkinSpans(json({ ...client, tags }), "application/json").spans).toMatchObject([
      { status: "ok", scopeName: "lib", scopeVersion: "2" },
    ]);
  });

  it.each([
    [{ ...client, kind: "PROXY" }, "[0].kind must be one of SERVER, CLIENT, PRODUCER, CONSUMER"],
    [{ ...client, tags: [] }, "[0].tags must be an object"],
    [{ ...client, timestamp: "soon" }, "[0].timestamp must be an integer, or a text of digits"],
  ])("that are wrong are refused with the place", (wrong, message) => {
    expect(() => decodeZipkinSpans(json(wrong), "application/json")).toThrow(message);
  });

  it("of any bytes are read or refused, never a crash", () => {
    const body = fc
      .tuple(fc.nat(protobuf.length - 1), fc.integer({ min: 0, max: 255 }))
      .map(([at, byte]) => protobuf.with(at, byte));
    fc.assert(
      fc.property(body, (bytes) => {
        try {
          decodeZipkinSpans(bytes, "application/x-protobuf");
        } catch (error) {
          if (!(error instanceof SkoposError)) throw error;
        }
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});
