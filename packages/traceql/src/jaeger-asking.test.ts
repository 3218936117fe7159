import type { Span } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { jaegerAsking } from "./jaeger-asking.ts";

const span: Span = {
  traceId: "1".repeat(32),
  spanId: "2".repeat(16),
  parentSpanId: "",
  service: "shop",
  name: "GET /",
  kind: "server",
  startNs: 1_000_000_000n,
  durationNs: 100_000_000,
  status: "error",
  statusMessage: "",
  attributes: { "http.status_code": 503 },
  resource: {},
  scopeName: "",
  scopeVersion: "",
  events: [],
  links: [],
};
const request = { startMs: 0, endMs: 2000, limit: 10 };

function parametersOf(query: string) {
  const { match: _match, ...parameters } = jaegerAsking(query);
  return parameters;
}

describe("TraceQL as a search of Jaeger's", () => {
  it("is service, operation, tags and durations", () => {
    expect(
      parametersOf(
        '{ resource.service.name = "shop" && name = "GET /" && status = error && kind = server' +
          ' && .http.status_code = 503 && resource.zone = "a" && span.cached = true' +
          " && duration > 1ms && 2s >= duration } | select(.user)",
      ),
    ).toEqual({
      service: "shop",
      operation: "GET /",
      tags: {
        error: "true",
        "span.kind": "server",
        "http.status_code": "503",
        zone: "a",
        cached: "true",
      },
      minDurationNs: 1_000_001,
      maxDurationNs: 2_000_000_000,
    });
    expect(parametersOf('{ .service.name = "shop" && duration < 5ms && duration < 1s }')).toEqual({
      service: "shop",
      tags: {},
      maxDurationNs: 4_999_999,
    });
  });

  it("says what Jaeger cannot answer", () => {
    const service = 'resource.service.name = "shop"';
    const cases = [
      ["", /every service at once: add resource\.service\.name/],
      ['{ name = "x" }', /every service/],
      [`{ ${service} || status = error }`, /with && alone/],
      [`{ ${service} } && { status = error }`, /single \{ … \}/],
      [`{ ${service} } | count() > 2`, /single \{ … \}/],
      [`{ ${service} && .a != 1 }`, /it knows = alone|by = and durations/],
      [`{ ${service} && .a =~ "x.*" }`, /by = and durations/],
      [`{ ${service} && .a > 1 }`, /it knows = alone/],
      [`{ ${service} && status = ok }`, /"status"/],
      [`{ ${service} && traceDuration > 1s }`, /traceDuration/],
      [`{ ${service} && .a = 1 && span.a = 2 }`, /two values of "a"/],
      [`{ ${service} && !(.a = 1) }`, /joined by &&/],
    ] as const;
    for (const [query, message] of cases) {
      let error: unknown;
      try {
        jaegerAsking(query);
      } catch (thrown) {
        error = thrown;
      }
      expect(error, query).toMatchObject({
        code: "not-supported",
        message: expect.stringMatching(message) as string,
      });
    }
    expect(() => jaegerAsking("{ name = ")).toThrow(/line 1/);
    expect(() => jaegerAsking("{ } | rate()")).toThrow(/makes series/);
  });

  it("looks at what comes back with the query itself", () => {
    const right = jaegerAsking('{ .service.name = "shop" && span.http.status_code = 503 }');
    expect(right.match([span], request)).toMatchObject({
      rootService: "shop",
      spanSets: [{ matched: 1, spans: [{ spanId: span.spanId }] }],
    });
    // Jaeger has texts: it hands this trace out for the text as well.
    const text = jaegerAsking('{ .service.name = "shop" && span.http.status_code = "503" }');
    expect(text.match([span], request)).toBeUndefined();
    const longer = jaegerAsking('{ .service.name = "shop" && duration > 100ms }');
    expect(longer.match([span], request)).toBeUndefined();
  });
});
