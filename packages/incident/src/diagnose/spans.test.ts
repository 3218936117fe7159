import type { Span } from "@skopos/model";
import { blankSpan } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { timedSpans } from "@skopos/traces";
import { inspectSpans, type TraceQueries } from "./spans.ts";

let count = 0;
function span(
  traceId: string,
  parent: Span | undefined,
  name: string,
  offsetMs: number,
  durationMs: number,
  more: Partial<Span> = {},
): Span {
  return blankSpan({
    traceId,
    spanId: `${++count}`,
    parentSpanId: parent?.spanId ?? "",
    service: "users",
    name,
    kind: "internal",
    startNs: BigInt(Math.round(offsetMs * 1e6)),
    durationNs: durationMs * 1e6,
    ...more,
  });
}

function request(traceId: string, waitMs: number, failing = false): Span[] {
  const status = failing ? "error" : "unset";
  const root = span(traceId, undefined, "GET /feed", 0, waitMs + 30, {
    service: "web.shop",
    kind: "server",
    status,
  });
  const server = span(traceId, root, "GET /users", 5, waitMs + 20, { kind: "server", status });
  const wait = span(traceId, server, "db.pool.acquire", 6, waitMs, { status });
  const query = span(traceId, server, "db.query", 6 + waitMs, 10, { kind: "client" });
  return [root, server, wait, query];
}

function engineOf(traces: Record<string, Span[]>, pick: (query: string) => string[]): TraceQueries {
  return {
    trace: (id) => Promise.resolve(traces[id] ?? []),
    search: (query) =>
      Promise.resolve({
        traces: pick(query).map((traceId) => ({
          traceId,
          rootService: "",
          rootName: "",
          startNs: 0n,
          durationNs: 0,
          spanCount: 0,
          errorCount: 0,
          services: {},
          serviceErrors: {},
          matched: [],
          spanSets: [],
        })),
        warnings: [],
        spansRead: 0,
      }),
  };
}

const window = {
  startMs: 0,
  onsetMs: 60_000,
  endMs: 90_000,
  slowMs: 20,
  signal: "errors",
} as const;

describe("spans", () => {
  it("count time that children spend at once only once", () => {
    const root = span("t", undefined, "root", 0, 100);
    const spans = [root, span("t", root, "a", 10, 50), span("t", root, "b", 40, 40)];
    const own = new Map(timedSpans(spans).map((item) => [item.span.name, item.exclusiveMs]));
    expect(own.get("root")).toBeCloseTo(30);
    expect(own.get("a")).toBeCloseTo(50);
  });

  it("tell waiting before a call from the call, and where failing requests fail first", async () => {
    const traces = { usual: request("usual", 1), slow: request("slow", 400, true) };
    const engine = engineOf(traces, (query) => [
      query.includes("duration") || query.includes("error") ? "slow" : "usual",
    ]);
    const found = await inspectSpans(engine, "shop/users", window, []);
    expect(found?.own[0]).toMatchObject({ name: "db.pool.acquire", isWait: true, usualMs: 1 });
    expect(found?.own[0]?.excessMs).toBeCloseTo(399);
    expect(found?.errorOrigin).toMatchObject({
      service: "users",
      name: "db.pool.acquire",
      share: 1,
    });
  });

  it("say so when traces cannot be read, and go on without", async () => {
    const warnings: string[] = [];
    const broken: TraceQueries = {
      ...engineOf({}, () => []),
      search: () => Promise.reject(new Error("no store")),
    };
    expect(await inspectSpans(broken, "shop/users", window, warnings)).toBeUndefined();
    expect(warnings).toEqual(["traces of shop/users could not be read: no store"]);
  });
});
