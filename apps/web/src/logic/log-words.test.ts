import type { LogLine } from "@skopos/api";
import { describe, expect, it } from "vitest";
import { calledBy, isLike, lineWords, requestIdOf } from "./log-words.ts";

function line(metadata: Record<string, string>): LogLine {
  const entity = { kind: "service", id: "shop/front", name: "front", namespace: "shop" } as const;
  return { timeNs: "1", line: "{}", labels: {}, metadata, level: "error", traceId: null, entity };
}

const refused = line({
  method: "GET",
  path: "/users/7",
  status: "503",
  response_flags: "UO",
  response_code_details: "upstream_reset_before_response_started{overflow}",
  upstream_cluster: "outbound|80|v1|users.shop.svc.cluster.local",
  duration_ms: "2",
});

describe("an access log line in words", () => {
  it("tells who called whom, the flag and the time", () => {
    expect(lineWords(refused)).toEqual([
      { term: "Request", text: "GET /users/7" },
      { term: "Answer", text: "503: unavailable" },
      { term: "Flag", text: "UO: connection pool overflow; the proxy itself ended the request" },
      { term: "Detail", text: "upstream reset before response started (overflow)" },
      {
        term: "Who calls whom",
        text: "front calls users; this is what the caller's proxy saw",
        path: "/mesh?edge=shop%2Ffront-%3Eshop%2Fusers",
      },
      { term: "Called service", text: "users", path: "/mesh/services/shop/users" },
      { term: "Time", text: "2 ms; no answer came from the callee" },
    ]);
    expect(calledBy(refused)?.id).toBe("shop/users");
  });

  it("tells a received request from a sent one", () => {
    const received = line({
      method: "GET",
      path: "/",
      status: "200",
      upstream_cluster: "inbound|8080||",
      duration_ms: "12",
      upstream_service_time_ms: "11",
    });
    expect(lineWords(received).map(({ text }) => text)).toEqual([
      "GET /",
      "200: answered",
      "front received it; this is what its own proxy saw",
      "12 ms, of which the callee took 11 ms",
    ]);
    expect(calledBy(received)).toBeNull();
  });

  it("has its request's id, beside it or in it", () => {
    const id = "34e3863d-0089-4290-afe6-0982575baa68";
    expect(requestIdOf(line({ request_id: "r-1" }))).toBe("r-1");
    expect(requestIdOf({ ...refused, line: `… "curl" "${id}" "users:80" …` })).toBe(id);
    expect(requestIdOf({ ...line({}), line: `took ${id}` })).toBeUndefined();
  });

  it("says nothing of other lines", () => {
    expect(lineWords(line({ detected_level: "error" }))).toEqual([]);
  });
});

describe("a line and a pattern", () => {
  it.each([
    ["no user 17 here", "no user <_> here", true],
    ["no user 17", "no user <_>", true],
    ["no user 17", "<_>", true],
    ["say no user 17", "no user <_>", false],
    ["no user 17 here now", "no user <_> here", false],
    ["a b", "a b", true],
    ["a b c", "a b", false],
    ["ab", "ab<_>b", false],
  ])("%s is like %s: %s", (text, pattern, like) => expect(isLike(text, pattern)).toBe(like));
});
