import { decodeOtlpTraces } from "@skopos/ingest";
import type { Span } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { resourceSpansJson, traceByIdMessage, traceMessage } from "./otlp.ts";

const spans: Span[] = [
  {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    parentSpanId: "",
    service: "posts",
    name: "GET /posts",
    kind: "server",
    startNs: 1_700_000_000_123_456_789n,
    durationNs: 1_500_000,
    status: "error",
    statusMessage: "no pool",
    attributes: { text: "ü", whole: 5, part: 0.5, yes: true, list: ["a", 1] },
    resource: { "service.name": "posts", "k8s.namespace.name": "social" },
    scopeName: "app",
    scopeVersion: "1",
    scopeAttributes: { channel: "stable", stable: true },
    events: [{ timeNs: 1_700_000_000_123_556_789n, name: "exception", attributes: { at: "x" } }],
    links: [],
  },
  {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "00f067aa0ba902b7",
    parentSpanId: "b7ad6b7169203331",
    service: "users",
    name: "SELECT",
    kind: "client",
    startNs: 1_700_000_000_123_500_000n,
    durationNs: 1000,
    status: "unset",
    statusMessage: "",
    attributes: {},
    resource: { "service.name": "users" },
    scopeName: "",
    scopeVersion: "",
    events: [],
    links: [
      { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", attributes: {} },
    ],
  },
];

describe("spans as OTLP", () => {
  it("are the same spans when our own receiver reads the protobuf", () => {
    expect(decodeOtlpTraces(traceMessage(spans), "application/x-protobuf").spans).toEqual(spans);
  });

  it("stand in field 1 of Tempo's answer", () => {
    const trace = traceMessage(spans);
    const answer = traceByIdMessage(spans);
    expect(answer.subarray(answer.length - trace.length).equals(trace)).toBe(true);
  });

  it("have base64 ids and nanoseconds as strings in JSON", () => {
    expect(resourceSpansJson(spans)).toMatchObject([
      {
        scopeSpans: [
          {
            spans: [
              {
                traceId: "CvdlGRbNQ92ESOshHIAxnA==",
                kind: "SPAN_KIND_SERVER",
                startTimeUnixNano: "1700000000123456789",
                status: { code: "STATUS_CODE_ERROR", message: "no pool" },
              },
            ],
          },
        ],
      },
      { resource: { attributes: [{ key: "service.name", value: { stringValue: "users" } }] } },
    ]);
  });
});
