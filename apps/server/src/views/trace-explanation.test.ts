import type { Change } from "@skopos/api";
import type { Span } from "@skopos/model";
import { buildForest } from "@skopos/traces";
import { spansOf, traceOriginMs } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { explainedAttributes, explainTrace } from "./trace-explanation.ts";
import { toTraceOutline } from "./trace-outline.ts";

const span = spansOf("posts.social");

function change(name: string, serviceId: string, agoMs: number): Change {
  return {
    id: `c-${name}`,
    at: traceOriginMs - agoMs,
    kind: "config-updated",
    object: { kind: "config", id: `social/${name}`, name, objectKind: "DestinationRule" },
    serviceId,
    summary: `${name}: maxConnections 100 → 1`,
    diff: "",
    by: null,
    resourceVersion: "1",
  };
}

/** As they are read for it: what is not named among the attributes is not there. */
function asRead(span: Span): Span {
  const kept = (attributes: Span["attributes"]) =>
    Object.fromEntries(
      Object.entries(attributes).filter(([key]) => explainedAttributes.includes(key)),
    );
  return { ...span, attributes: kept(span.attributes), resource: kept(span.resource) };
}

function explain(whole: readonly Span[], changes: readonly Change[] = [], usualMs = 1000) {
  const spans = whole.map(asRead);
  const outline = toTraceOutline("t", spans, 1000);
  const peers = buildForest(spans).spans.map(({ service, name, kind }, row) => ({
    service,
    name,
    kind,
    row,
    durationMs: 0,
    p50Ms: usualMs,
    p95Ms: usualMs * 2,
    p99Ms: usualMs * 3,
    text: "",
  }));
  const joins = { changes: [...changes], at: traceOriginMs };
  return explainTrace({ outline, spans: buildForest(spans).spans, peers, joins });
}

describe("what a trace says", () => {
  const refused = [
    span("root", "", 0, 20, { status: "error" }),
    span("call", "root", 5, 2, {
      kind: "client",
      status: "error",
      name: "users.social.svc.cluster.local:8080/*",
      attributes: {
        response_flags: "UO",
        "http.status_code": 503,
        upstream_cluster: "outbound|8080||users.social.svc.cluster.local",
      },
    }),
  ];

  it("names the flag of a refused call, whom it was for, and the change before on that service", () => {
    const [failure, changed, ...others] = explain(refused, [
      change("users", "social/users", 120_000),
      change("mail", "social/mail", 60_000),
    ]);
    expect(failure).toMatchObject({
      kind: "error",
      row: 1,
      entity: { id: "social/users" },
      text: expect.stringContaining("flag UO: connection pool overflow, calling users"),
    });
    expect(changed).toMatchObject({
      kind: "change",
      text: "2 min before it, DestinationRule users changed: users: maxConnections 100 → 1.",
      path: expect.stringContaining("c-users"),
    });
    expect(others).toEqual([]);
  });

  it("says a code once that is the message of its span too", () => {
    const attributes = { "http.status_code": 503 };
    const failed = span("root", "", 0, 20, { status: "error", statusMessage: "503", attributes });
    expect(explain([failed])[0]?.text).toMatch(/ in “root” with 503\.$/);
  });

  it("does not blame a change that came after", () => {
    const statements = explain(refused, [change("users", "social/users", -1000)]);
    expect(statements.map(({ kind }) => kind)).toEqual(["error"]);
  });

  it("tells a wait for a pooled resource from work, and what is usual", () => {
    const waiting = [
      span("root", "", 0, 500),
      span("wait", "root", 1, 450, { kind: "internal", name: "db.pool.acquire" }),
      span("query", "root", 455, 5, { kind: "client", name: "SELECT" }),
    ];
    const [slow] = explain(waiting, [], 2);
    expect(slow).toMatchObject({ kind: "slow", row: 1 });
    expect(slow?.text).toMatch(
      /spent 450 ms in “db.pool.acquire” itself; .* usually takes 2\.0 ms/,
    );
    expect(slow?.text).toContain("a wait for something that the process has too little of");
  });

  it("says nothing of a trace like all others", () => {
    expect(explain([span("root", "", 0, 20), span("a", "root", 1, 10)])).toEqual([]);
  });
});
