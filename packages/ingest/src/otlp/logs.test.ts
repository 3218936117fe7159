import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { SkoposError } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { fuzzRuns } from "../testing/fuzz-runs.ts";
import { ProtobufWriter } from "../testing/protobuf-writer.ts";
import { decodeOtlpLogs } from "./logs.ts";

const timeNs = 1_767_225_600_000_000_001n;
const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const text = (key: string, value: string) => (pair: ProtobufWriter) =>
  pair.text(1, key).message(2, (any) => any.text(1, value));

const protobuf = new ProtobufWriter()
  .message(1, (resourceLogs) =>
    resourceLogs
      .message(2, (scopeLogs) =>
        scopeLogs
          .message(1, (scope) => scope.text(1, "my-scope").text(2, "1.0"))
          .message(2, (record) =>
            record
              .fixed64(1, timeNs)
              .varint(2, 17)
              .text(3, "Error")
              .message(5, (any) => any.text(1, "it broke"))
              .message(6, text("http.method", "GET"))
              .message(6, (pair) =>
                pair
                  .text(1, "http.request")
                  .message(2, (any) =>
                    any.message(6, (map) =>
                      map
                        .message(1, text("size", "12"))
                        .message(1, (inner) =>
                          inner.text(1, "n").message(2, (value) => value.varint(3, 7)),
                        ),
                    ),
                  ),
              )
              .bytes(9, Buffer.from(traceId, "hex"))
              .bytes(10, Buffer.from(spanId, "hex"))
              .varint(99, 1),
          ),
      )
      // After the scopes, as the wire format allows.
      .message(1, (resource) =>
        resource
          .message(1, text("service.name", "cart"))
          .message(1, text("k8s.namespace.name", "shop"))
          .message(1, text("telemetry.sdk", "x")),
      ),
  )
  .finish();

const record = {
  timeUnixNano: String(timeNs),
  severityNumber: "SEVERITY_NUMBER_ERROR",
  severityText: "Error",
  body: { stringValue: "it broke" },
  attributes: [
    { key: "http.method", value: { stringValue: "GET" } },
    {
      key: "http.request",
      value: {
        kvlistValue: {
          values: [
            { key: "size", value: { stringValue: "12" } },
            { key: "n", value: { intValue: "7" } },
          ],
        },
      },
    },
  ],
  traceId: Buffer.from(traceId, "hex").toString("base64"),
  spanId: spanId.toUpperCase(),
  unknown: [1, 2],
};
const jsonOf = (...logRecords: unknown[]) =>
  Buffer.from(
    JSON.stringify({
      resourceLogs: [
        {
          resource: {
            attributes: [
              { key: "service.name", value: { stringValue: "cart" } },
              { key: "k8s.namespace.name", value: { stringValue: "shop" } },
              { key: "telemetry.sdk", value: { stringValue: "x" } },
            ],
          },
          scopeLogs: [{ scope: { name: "my-scope", version: "1.0" }, logRecords }],
        },
      ],
    }),
  );

const expected = {
  timeNs,
  labels: { service_name: "cart", k8s_namespace_name: "shop" },
  metadata: {
    telemetry_sdk: "x",
    scope_name: "my-scope",
    scope_version: "1.0",
    http_method: "GET",
    http_request_size: "12",
    http_request_n: "7",
    severity_text: "Error",
    severity_number: "17",
    detected_level: "error",
    trace_id: traceId,
    span_id: spanId,
  },
  line: "it broke",
};

describe("OTLP log records", () => {
  it("become lines with Loki's labels and metadata, from protobuf and JSON alike", () => {
    expect(decodeOtlpLogs(protobuf, "application/x-protobuf").records).toEqual([expected]);
    const json = decodeOtlpLogs(gzipSync(jsonOf(record)), "application/json", {
      contentEncoding: "gzip",
    });
    expect(json).toEqual({ records: [expected], rejected: 0, cut: 0 });
  });

  it("with a body of fields are JSON text; without a time they take the observed one", () => {
    const { timeUnixNano: _, ...timeless } = record;
    const body = { kvlistValue: { values: [{ key: "a", value: { doubleValue: 1.5 } }] } };
    const decoded = decodeOtlpLogs(
      jsonOf({ ...timeless, observedTimeUnixNano: "5", body }),
      "application/json",
    );
    expect(decoded.records).toMatchObject([{ timeNs: 5n, line: '{"a":1.5}' }]);
  });

  it("are rejected alone when they have no time or too long a line", () => {
    const long = { ...record, body: { stringValue: "x".repeat(300_000) } };
    const { timeUnixNano: _, ...timeless } = record;
    const decoded = decodeOtlpLogs(jsonOf(timeless, long, record), "application/json");
    expect(decoded.records).toHaveLength(1);
    expect(decoded.rejected).toBe(2);
    expect(decoded.error).toBe("a log record has no time");
  });

  it("say how many of their attributes were cut", () => {
    const attributes = Array.from({ length: 130 }, (_, i) => ({
      key: `k${i}`,
      value: { stringValue: "v" },
    }));
    const decoded = decodeOtlpLogs(jsonOf({ ...record, attributes }), "application/json");
    expect(decoded.records[0]?.metadata["dropped_attributes_count"]).toBe("2");
    expect(decoded.cut).toBe(2);
  });

  it("of any bytes are read or refused, never a crash", () => {
    const whole = jsonOf(record);
    const damaged = (valid: Uint8Array) =>
      fc
        .tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 }))
        .map(([at, byte]) => valid.with(at, byte));
    fc.assert(
      fc.property(damaged(protobuf), damaged(whole), (binary, json) => {
        for (const [body, type] of [
          [binary, "application/x-protobuf"],
          [json, "application/json"],
        ] as const) {
          try {
            decodeOtlpLogs(body, type);
          } catch (error) {
            if (!(error instanceof SkoposError)) throw error;
          }
        }
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});
