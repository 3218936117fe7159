import type { LogRecord, PatternCount, Span } from "@skopos/model";
import { FakeClock } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { Masker } from "../masking/masker.ts";
import { SignalIntake, type SignalIntakeOptions } from "./signal-intake.ts";

const nowMs = 1_767_225_600_000;
const nowNs = BigInt(nowMs) * 1_000_000n;
const dayNs = 86_400_000_000_000n;

function start(options: Partial<SignalIntakeOptions> = {}) {
  const clock = new FakeClock(nowMs);
  const spans: Span[] = [];
  const lines: LogRecord[] = [];
  const patterns: PatternCount[] = [];
  const intake = new SignalIntake({
    clock,
    masker: new Masker({ defaults: true, rules: [] }),
    spans: { append: async (more) => void spans.push(...more) },
    logs: { append: async (more) => void lines.push(...more) },
    patterns: { append: async (more) => void patterns.push(...more) },
    ...options,
  });
  return { intake, clock, spans, lines, patterns };
}

function span(service: string, startNs = nowNs): Span {
  return {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    parentSpanId: "",
    service,
    name: "GET /cart?token=abc",
    kind: "server",
    startNs,
    durationNs: 1,
    status: "unset",
    statusMessage: "",
    attributes: { "http.request.header.cookie": "a=b", "http.method": "GET" },
    resource: {},
    scopeName: "",
    scopeVersion: "",
    events: [],
    links: [],
  };
}
const traces = (...spans: Span[]) => ({ spans, rejected: 0, cut: 0 });
const logs = (line: string, labels: Record<string, string> = { app: "cart" }, timeNs = nowNs) => ({
  records: [{ timeNs, labels, metadata: {}, line }],
  rejected: 0,
  cut: 0,
});

describe("spans coming in", () => {
  it("are masked", async () => {
    const { intake, spans } = start();
    await intake.takeSpans(traces(span("cart")), "partial");
    expect(spans).toMatchObject([
      {
        name: "GET /cart?token=***",
        attributes: { "http.request.header.cookie": "***", "http.method": "GET" },
      },
    ]);
  });

  it("are masked in what their instrumentation scope says, too", async () => {
    const { intake, spans } = start();
    const scopeAttributes = { "app.api_key": "abc", channel: "beta" };
    await intake.takeSpans(traces({ ...span("cart"), scopeAttributes }), "partial");
    expect(spans[0]?.scopeAttributes).toEqual({ "app.api_key": "***", channel: "beta" });
  });

  it("from a clock far ahead are refused with the reason, late ones are kept", async () => {
    const { intake, spans } = start();
    const outcome = await intake.takeSpans(
      traces(span("cart", nowNs + 2n * dayNs), span("old", nowNs - 90n * dayNs), span("now")),
      "partial",
    );
    expect(outcome).toEqual({
      taken: 2,
      rejected: 1,
      error: "span b7ad6b7169203331 starts more than a day in the future: check the clock of cart",
    });
    expect(spans.map(({ service }) => service)).toEqual(["old", "now"]);
    expect(intake.counts).toMatchObject({ spans: 2, spansRejected: 1 });
  });

  it("of a service above its limit are reported, those of others taken", async () => {
    const { intake, clock, spans } = start({ spansPerSecond: 1 });
    const burst = Array.from({ length: 12 }, () => span("loud"));
    expect(await intake.takeSpans(traces(...burst), "partial")).toEqual({ taken: 12, rejected: 0 });
    const outcome = await intake.takeSpans(traces(span("loud"), span("quiet")), "partial");
    expect(outcome).toMatchObject({ taken: 1, rejected: 1 });
    expect(outcome.error).toBe("loud: above the limit of spans per service and second");
    expect(spans).toHaveLength(13);
    await clock.advance(5000);
    expect(await intake.takeSpans(traces(span("loud")), "partial")).toMatchObject({ rejected: 0 });
  });
});

describe("lines coming in", () => {
  it("of an access log bring their fields and a level; secrets are masked in both", async () => {
    const { intake, lines } = start();
    const line = `[2020-11-25T21:26:18.409Z] "GET /a?api_key=s3cr3t HTTP/2" 503 UH - - "-" 0 19 4 - "-" "curl" "r-1" "a:80" "-" outbound|80||a.b.svc.cluster.local - 10.0.0.1:80 10.0.0.2:1 - default`;
    await intake.takeLogs(logs(line), "whole");
    expect(lines[0]?.line).toBe(line.replace("s3cr3t", "***"));
    expect(lines[0]?.metadata).toMatchObject({
      path: "/a?api_key=***",
      status: "503",
      response_flags: "UH",
      detected_level: "error",
    });
  });

  it.each([
    ["level=warn msg=x", "warn"],
    ['{"a":1,"level":"ERROR"}', "error"],
    ["E0102 15:04:05.000000 broken", "error"],
    ["2026-01-01 12:00:00 INFO started", "info"],
    ["nothing said of it", undefined],
  ])("say their level: %s", async (line, level) => {
    const { intake, lines } = start();
    await intake.takeLogs(logs(line), "whole");
    expect(lines[0]?.metadata["detected_level"]).toBe(level);
  });

  it("take the level that the sender gave", async () => {
    const { intake, lines } = start();
    await intake.takeLogs(logs("ERROR?", { app: "cart", level: "Warning" }), "whole");
    expect(lines[0]?.metadata["detected_level"]).toBe("warn");
  });

  it("are mined for templates, which are handed on when asked for, without secrets", async () => {
    const { intake, patterns } = start();
    for (const user of ["alice", "bob"])
      await intake.takeLogs(logs(`user ${user} logged in with password=x${user}`), "whole");
    expect(patterns).toEqual([]);
    await intake.flushPatterns();
    expect(patterns).toMatchObject([
      { labels: { app: "cart" }, template: "user <*> logged in with password=***", count: 2 },
    ]);
  });

  it("are refused as a whole where the sender can only repeat, and nothing is written", async () => {
    const { intake, lines } = start({ linesPerSecond: 1 });
    for (let i = 0; i < 10; i++) await intake.takeLogs(logs("x"), "whole");
    await expect(intake.takeLogs(logs("x"), "whole")).rejects.toMatchObject({ code: "overloaded" });
    expect(lines).toHaveLength(10);
    expect(await intake.takeLogs(logs("x", { app: "other" }), "whole")).toMatchObject({ taken: 1 });
  });

  it("too new are refused in Loki's words", async () => {
    const { intake } = start();
    const outcome = await intake.takeLogs(logs("x", { app: "a" }, nowNs + 2n * dayNs), "whole");
    expect(outcome.error).toBe(
      `entry for stream '{"app":"a"}' has timestamp too new: more than a day in the future`,
    );
  });
});
