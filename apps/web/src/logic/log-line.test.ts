import { describe, expect, it } from "vitest";
import { lineKeys, lineSays } from "./log-line.ts";

describe("a log line in short", () => {
  it("reads an access log as a request", () => {
    const line = JSON.stringify({
      method: "GET",
      path: "/users/7",
      response_code: 503,
      response_flags: "UO",
      duration: 2,
      upstream_cluster: "outbound|80||user-service.socialstream.svc.cluster.local",
    });
    expect(lineSays(line)).toBe(
      "GET /users/7 → 503 UO (connection pool overflow) 2 ms to user-service.socialstream",
    );
  });

  it("tells received requests from sent ones", () => {
    const line = { method: "GET", path: "/", response_code: 200, upstream_cluster: "inbound|80||" };
    expect(lineSays(JSON.stringify(line))).toBe("GET / → 200 (received)");
  });

  it("puts the message first and leaves out what other columns show", () => {
    expect(lineSays('{"level":"error","msg":"lookup failed","user":42}')).toBe(
      "lookup failed  user=42",
    );
  });

  it.each(["plain text", '{"cut": ', '{"no":"message"}', "[1,2]"])("leaves %s as it is", (line) =>
    expect(lineSays(line)).toBe(line),
  );
});

describe("lines in a list", () => {
  it("are told apart within one nanosecond", () => {
    const line = { line: "", labels: {}, metadata: {}, level: "info", traceId: null } as const;
    const lines = ["3", "3", "3", "2"].map((timeNs) => ({ ...line, timeNs, entity: null }));
    expect(lineKeys(lines)).toEqual(["3-0", "3-1", "3-2", "2-0"]);
  });
});
