import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { SkoposError } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { ProtobufWriter } from "../testing/protobuf-writer.ts";
import { encodeExportResponse } from "./export-response.ts";
import { decodeOtlpTraces } from "./traces.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const startNs = 1_767_225_600_000_000_001n;

function keyValue(key: string, write: (any: ProtobufWriter) => unknown) {
  return (pair: ProtobufWriter) => pair.text(1, key).message(2, write);
}

function protobufRequest(span: (message: ProtobufWriter) => unknown): Uint8Array {
  return new ProtobufWriter()
    .message(1, (resourceSpans) =>
      resourceSpans
        .message(2, (scopeSpans) =>
          scopeSpans
            .message(1, (scope) =>
              scope
                .text(1, "lib")
                .text(2, "1.2")
                .message(
                  3,
                  keyValue("channel", (any) => any.text(1, "beta")),
                ),
            )
            .message(2, span)
            .text(3, "a schema url"),
        )
        .message(1, (resource) =>
          resource.message(
            1,
            keyValue("service.name", (any) => any.text(1, "cart")),
          ),
        ),
    )
    .finish();
}

const wholeSpan = (span: ProtobufWriter) =>
  span
    .bytes(1, Buffer.from(traceId, "hex"))
    .bytes(2, Buffer.from(spanId, "hex"))
    .bytes(4, Buffer.alloc(8))
    .text(5, "GET /cart")
    .varint(6, 2)
    .fixed64(7, startNs)
    .fixed64(8, startNs + 1500n)
    .message(
      9,
      keyValue("http.status_code", (any) => any.varint(3, 503)),
    )
    .message(
      9,
      keyValue("tags", (any) =>
        any.message(5, (list) =>
          list.message(1, (item) => item.text(1, "a")).message(1, (item) => item.varint(2, 1)),
        ),
      ),
    )
    .message(
      9,
      keyValue("ratio", (any) => any.double(4, 0.25)),
    )
    .message(
      9,
      keyValue("map", (any) =>
        any.message(6, (list) =>
          list.message(
            1,
            keyValue("x", (value) => value.varint(3, -1)),
          ),
        ),
      ),
    )
    .message(11, (event) => event.fixed64(1, startNs).text(2, "retry"))
    .message(13, (link) =>
      link.bytes(1, Buffer.from(traceId, "hex")).bytes(2, Buffer.from(spanId, "hex")),
    )
    .message(15, (status) => status.text(2, "overflow").varint(3, 2))
    .varint(99, 1);

const expected = {
  traceId,
  spanId,
  parentSpanId: "",
  service: "cart",
  name: "GET /cart",
  kind: "server",
  startNs,
  durationNs: 1500,
  status: "error",
  statusMessage: "overflow",
  attributes: { "http.status_code": 503, tags: ["a", true], ratio: 0.25, map: '{"x":-1}' },
  resource: { "service.name": "cart" },
  scopeName: "lib",
  scopeVersion: "1.2",
  scopeAttributes: { channel: "beta" },
  events: [{ timeNs: startNs, name: "retry", attributes: {} }],
  links: [{ traceId, spanId, attributes: {} }],
};

const jsonSpan = {
  traceId: traceId.toUpperCase(),
  spanId,
  parentSpanId: "",
  name: "GET /cart",
  kind: 2,
  startTimeUnixNano: String(startNs),
  endTimeUnixNano: String(startNs + 1500n),
  attributes: [
    { key: "http.status_code", value: { intValue: "503" } },
    { key: "tags", value: { arrayValue: { values: [{ stringValue: "a" }, { boolValue: true }] } } },
    { key: "ratio", value: { doubleValue: 0.25 } },
    { key: "map", value: { kvlistValue: { values: [{ key: "x", value: { intValue: -1 } }] } } },
  ],
  events: [{ timeUnixNano: String(startNs), name: "retry" }],
  links: [{ traceId, spanId }],
  status: { code: "STATUS_CODE_ERROR", message: "overflow" },
};

function jsonRequest(...spans: unknown[]): Uint8Array {
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "cart" } }] };
  const attributes = [{ key: "channel", value: { stringValue: "beta" } }];
  const scopeSpans = [{ scope: { name: "lib", version: "1.2", attributes }, spans }];
  return Buffer.from(JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] }));
}

describe("a span", () => {
  it("is read from protobuf, whatever the order of its fields", () => {
    const decoded = decodeOtlpTraces(protobufRequest(wholeSpan), "application/x-protobuf");
    expect(decoded).toEqual({ spans: [expected], rejected: 0, cut: 0 });
  });

  it("is read from JSON", () => {
    const decoded = decodeOtlpTraces(jsonRequest(jsonSpan), "application/json; charset=utf-8");
    expect(decoded).toEqual({ spans: [expected], rejected: 0, cut: 0 });
  });

  it("is read from a gzipped body", () => {
    const body = gzipSync(protobufRequest(wholeSpan));
    const options = { contentEncoding: "gzip" };
    expect(decodeOtlpTraces(body, "application/x-protobuf", options).spans).toEqual([expected]);
  });

  it.each([
    ["without a trace id", { traceId: "" }],
    ["with a trace id of zeros", { traceId: "0".repeat(32) }],
    ["with a short span id", { spanId: "abc" }],
    ["without a start", { startTimeUnixNano: "0" }],
    ["from the far future", { startTimeUnixNano: "18000000000000000000" }],
  ])("%s is rejected, the others are kept", (_, fault) => {
    const decoded = decodeOtlpTraces(
      jsonRequest({ ...jsonSpan, ...fault }, jsonSpan),
      "application/json",
    );
    expect(decoded.spans).toHaveLength(1);
    expect(decoded.rejected).toBe(1);
    expect(decoded.error).toMatch(/span/);
  });

  it("that ends before it starts has no length", () => {
    const span = { ...jsonSpan, endTimeUnixNano: "1" };
    expect(decodeOtlpTraces(jsonRequest(span), "application/json").spans[0]?.durationNs).toBe(0);
  });

  it("has its attributes bounded, with a count of what was cut", () => {
    const attributes = Array.from({ length: 200 }, (_, i) => ({
      key: `k${i}`,
      value: { stringValue: "v".repeat(i === 0 ? 10_000 : 1) },
    }));
    const decoded = decodeOtlpTraces(jsonRequest({ ...jsonSpan, attributes }), "application/json");
    const [span] = decoded.spans;
    expect(Object.keys(span?.attributes ?? {})).toHaveLength(129);
    expect(span?.attributes["otel.dropped_attributes_count"]).toBe(200 - 128 + 1);
    expect(String(span?.attributes["k0"])).toHaveLength(8192);
    expect(decoded.cut).toBe(200 - 128 + 1);
  });
});

const read = (body: Uint8Array, type: string) => () => decodeOtlpTraces(body, type);

describe("a body that cannot be read", () => {
  it("names the path in JSON", () => {
    expect(read(jsonRequest({ ...jsonSpan, name: 7 }), "application/json")).toThrow(
      "resourceSpans[0].scopeSpans[0].spans[0].name must be a text",
    );
    expect(read(Buffer.from("{"), "application/json")).toThrow(/not JSON/);
  });

  it("names the message in protobuf", () => {
    const body = protobufRequest(wholeSpan);
    expect(read(body.subarray(0, body.length - 3), "application/x-protobuf")).toThrow(
      /^byte \d+, in ExportTraceServiceRequest: field 1 goes past the end$/,
    );
  });

  it("of lists in lists in lists is cut, not followed for ever", () => {
    let value: unknown = { stringValue: "deep" };
    for (let i = 0; i < 200; i++) value = { arrayValue: { values: [value] } };
    const body = jsonRequest({ ...jsonSpan, attributes: [{ key: "k", value }] });
    expect(decodeOtlpTraces(body, "application/json").cut).toBe(1);
  });

  it("nested a hundred thousand deep gets an error", () => {
    const nested = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    expect(read(Buffer.from(`{"resourceSpans":${nested}}`), "application/json")).toThrow(
      "byte 1040: nested deeper than 1024 levels",
    );
  });

  it("of any bytes gets an error, never a crash", () => {
    const valid = protobufRequest(wholeSpan);
    const damaged = fc
      .tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 }))
      .map(([at, byte]) => valid.with(at, byte));
    fc.assert(
      fc.property(
        fc.oneof(damaged, fc.uint8Array({ maxLength: 100 })),
        fc.constantFrom("application/x-protobuf", "application/json"),
        (body, type) => {
          try {
            decodeOtlpTraces(body, type);
          } catch (error) {
            if (!(error instanceof SkoposError)) throw error;
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe("the answer", () => {
  it("is empty when everything was taken", () => {
    expect(
      encodeExportResponse("traces", { rejected: 0 }, "application/x-protobuf").body,
    ).toHaveLength(0);
    expect(
      Buffer.from(
        encodeExportResponse("traces", { rejected: 0 }, "application/json").body,
      ).toString(),
    ).toBe("{}");
  });

  it("says what was rejected in the request's format", () => {
    const partial = { rejected: 300, error: "why" };
    expect([...encodeExportResponse("traces", partial, "application/x-protobuf").body]).toEqual([
      0x0a, 8, 0x08, 0xac, 0x02, 0x12, 3, 119, 104, 121,
    ]);
    expect(
      JSON.parse(
        Buffer.from(encodeExportResponse("traces", partial, "application/json").body).toString(),
      ),
    ).toEqual({ partialSuccess: { rejectedSpans: "300", errorMessage: "why" } });
  });
});
