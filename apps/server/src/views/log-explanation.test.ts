import type { Change, EntityRef } from "@skopos/api";
import { describe, expect, it } from "vitest";
import {
  type CallCounts,
  changeText,
  explainLogs,
  type LogFacts,
  withoutIds,
} from "./log-explanation.ts";

const startMs = 1_700_000_000_000;
const stepMs = 10_000;
const buckets = 60;
/** Trouble begins here. */
const onset = 48;

function service(name: string): EntityRef {
  return { kind: "service", id: `shop/${name}`, name, namespace: "shop" };
}

/** `before` lines a bucket, then `after`. */
function counts(before: number, after: number): Float64Array {
  return Float64Array.from({ length: buckets }, (_, i) => (i < onset ? before : after));
}

function call(from: string, to: string, before: number, after: number, more = {}): CallCounts {
  return {
    reporter: service(from),
    target: service(to),
    inbound: from === to,
    status: 200,
    flags: "",
    counts: counts(before, after),
    ...more,
  };
}

function change(name: string, beforeMs: number, more: Partial<Change> = {}): Change {
  return {
    id: `c-${name}`,
    at: startMs + onset * stepMs - beforeMs,
    kind: "config-updated",
    object: { kind: "config", id: `shop/${name}`, name, objectKind: "DestinationRule" },
    serviceId: `shop/${name}`,
    summary: `${name}: maxConnections 100 → 1`,
    diff: "",
    by: null,
    resourceVersion: "1",
    ...more,
  };
}

function explain(facts: Partial<LogFacts>) {
  return explainLogs({
    startMs,
    stepMs,
    buckets,
    rangeStartMs: startMs + 30 * stepMs,
    endMs: startMs + buckets * stepMs,
    calls: [],
    allCalls: facts.calls ?? [],
    slow: [],
    trouble: [],
    troubleLines: [],
    changes: [],
    ...facts,
  });
}

const healthy = [
  call("front", "front", 50, 50),
  call("front", "users", 50, 20),
  call("users", "users", 50, 20),
];

describe("what log lines say", () => {
  it("names the service that proxies refuse to call, the flag, since when, and its change", () => {
    const statements = explain({
      calls: [
        ...healthy,
        call("front", "users", 0, 30, { status: 503, flags: "UO" }),
        call("feed", "users", 0, 10, { status: 503, flags: "UO" }),
        call("front", "front", 0, 30, { status: 500 }),
      ],
      changes: [change("mail", 30_000), change("users", 60_000)],
    });
    expect(statements.map(({ kind, entity }) => [kind, entity?.name])).toEqual([
      ["error", "users"],
      ["change", "users"],
      ["error", "front"],
    ]);
    const [failure, changed, following] = statements;
    expect(failure).toMatchObject({ at: startMs + onset * stepMs, until: null });
    expect(failure?.text).toBe(
      "67 % of the requests to users end with 503 and the flag UO (connection pool overflow); none otherwise. The proxies of front, feed say so.",
    );
    expect(changed?.text).toBe(
      "60 s before, DestinationRule users changed: users: maxConnections 100 → 1.",
    );
    expect(following?.text).toBe("front follows: whom it calls fails or is slow.");
  });

  it("names an application that fails by itself, and what it writes", () => {
    const timeMs = startMs + 50 * stepMs;
    const line = (message: string) =>
      ({ serviceId: "shop/users", level: "error", timeMs, message }) as const;
    const statements = explain({
      calls: [...healthy, call("users", "users", 1, 30, { status: 500 })],
      trouble: [
        { service: service("users"), level: "error", counts: counts(0, 30) },
        { service: service("front"), level: "error", counts: counts(0, 30) },
      ],
      troubleLines: [line("no user 17"), line("no user 18"), line("broken")],
      changes: [
        change("users", 5000, { kind: "rollout", summary: "users: image v1 → v2" }),
        change("users", 4000, { kind: "config-created" }),
      ],
    });
    expect(statements.map(({ text }) => text)).toEqual([
      "60 % of the requests to users end with 500; 2 % otherwise.",
      "users writes 180 errors a minute, none otherwise: “no user #”, “broken”.",
      "Just before, DestinationRule users changed: users: image v1 → v2.",
    ]);
  });

  it("tells a change before any of what began, not of the first alone", () => {
    const early = Float64Array.from({ length: buckets }, (_, i) => (i < 30 ? 0 : 20));
    const statements = explain({
      calls: [...healthy, call("users", "users", 0, 30, { status: 500 })],
      slow: [{ ...call("users", "users", 0, 0), atLeastMs: 100, counts: early }],
      changes: [change("users", 2000)],
    });
    expect(statements.map(({ kind }) => kind)).toEqual(["error", "slow", "change"]);
  });

  it("compares lines that a query picks with those that it leaves out", () => {
    const refused = call("front", "users", 0, 30, { status: 503, flags: "UO" });
    expect(explain({ calls: [refused] })).toEqual([]);
    expect(explain({ calls: [refused], allCalls: [...healthy, refused] })).toMatchObject([
      { kind: "error", entity: { name: "users" } },
    ]);
  });

  it("blames the last of a chain that became slow", () => {
    const slow = { status: 200, flags: "", atLeastMs: 300 };
    const statements = explain({
      calls: healthy,
      slow: [
        { ...call("front", "front", 0, 40), ...slow },
        { ...call("front", "users", 1, 18), ...slow },
        { ...call("users", "users", 1, 18), ...slow },
      ],
    });
    expect(statements.map(({ text }) => text)).toEqual([
      "90 % of the requests to users take 300 ms or longer; 2 % otherwise. Whom it calls is not as slow.",
      "front follows: whom it calls fails or is slow.",
    ]);
  });

  it("says nothing of what was always so, nor of what was over before the range", () => {
    const over = Float64Array.from({ length: buckets }, (_, i) => (i > 5 && i < 15 ? 30 : 0));
    expect(
      explain({
        calls: [
          ...healthy,
          call("users", "users", 5, 2, { status: 404 }),
          call("front", "users", 0, 0, { status: 503, counts: over }),
        ],
        changes: [change("users", 1000)],
      }),
    ).toEqual([]);
  });
});

it("names a changed object once", () => {
  const object = { kind: "config", id: "shop/a", name: "a", objectKind: "Gateway" } as const;
  expect(changeText({ object, summary: "Gateway a: port 80 → 81" })).toBe(
    "Gateway a changed: port 80 → 81",
  );
});

describe("a message without ids", () => {
  it.each([
    ["GET /users/17/posts/3 answered 503", "GET /users/#/posts/# answered #"],
    ["trace 0af7651916cd43dd8448eb211c80319c lost", "trace # lost"],
    ["v2 of http2 on user-db", "v2 of http2 on user-db"],
  ])("of %s keeps what it says", (message, says) => {
    expect(withoutIds(message)).toBe(says);
  });
});
