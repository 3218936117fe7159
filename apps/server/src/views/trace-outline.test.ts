import { routes } from "@skopos/api";
import { spansOf } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { toTraceOutline } from "./trace-outline.ts";

const span = spansOf("posts.social");

describe("a trace's outline", () => {
  const spans = [
    span("root", "", 0, 100, { attributes: { "guid:x-request-id": "r-1" } }),
    span("call", "root", 10, 80, { kind: "client", status: "error" }),
    span("serve", "call", 15, 60, { service: "users.social", status: "error" }),
  ];
  const outline = toTraceOutline("t", spans, 1000);

  it("is what the API promises", () => {
    expect(routes.traceOutline.reply.parse(outline)).toEqual(outline);
    expect(outline.truncated).toBe(false);
    expect(toTraceOutline("t", spans, 3).truncated).toBe(true);
  });

  it("says where the time went and where the error began", () => {
    expect(outline.byService.map(({ service, criticalMs }) => [service, criticalMs])).toEqual([
      [1, 60],
      [0, 40],
    ]);
    expect(outline.errorOrigin).toBe(2);
    expect(outline.services[1]).toEqual({
      name: "users.social",
      entity: { kind: "service", id: "social/users", name: "users", namespace: "social" },
    });
    expect(outline.requestId).toBe("r-1");
  });

  it("puts call patterns into words", () => {
    const calls = Array.from({ length: 8 }, (_, i) =>
      span(`GET /users/${i}`, "root", 5 + i * 11, 10, { kind: "client" }),
    );
    const [pattern] = toTraceOutline("t", [span("root", "", 0, 100), ...calls], 1000).patterns;
    expect(pattern?.text).toBe(
      "posts.social calls “GET /users/0” 8 times, one after the other: as one call it could take 70 ms less",
    );
  });
});
