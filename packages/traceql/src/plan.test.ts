import { describe, expect, it } from "vitest";
import { planSearches } from "./plan.ts";
import { parse } from "./syntax/parse.ts";

const plan = (query: string) => planSearches(parse(query));

describe("TraceQL", () => {
  it("reads scopes, intrinsics, durations and words", () => {
    expect(
      plan(
        '{ resource.service.name = "user-service.socialstream" && duration > 1.5s && status = error && span.http.status_code >= 500 }',
      ),
    ).toMatchObject([
      [
        { field: { name: "service" }, op: "=", value: "user-service.socialstream" },
        { field: { name: "durationNs" }, op: ">", value: 1.5e9 },
        { field: { name: "status" }, op: "=", value: "error" },
        { field: { scope: "span", name: "http.status_code" }, op: ">=", value: 500 },
      ],
    ]);
  });

  it("spreads alternatives into searches of their own", () => {
    expect(
      plan('{ (name = "a" || name = "b") && .x = true }').map((c) => c.map((x) => x.value)),
    ).toEqual([
      ["a", true],
      ["b", true],
    ]);
  });

  it("finds every span with an empty filter", () => {
    expect(plan("{}")).toEqual([[]]);
  });

  it.each([
    ["{ name = }", 10],
    ["{ foo = 1 }", 3],
    ['{ name = "a" ', 14],
    ['{ name = "a" } >> { name = "b" }', 16],
    ["{ duration > 5 }", 3],
    ["name", 1],
  ])("refuses %s and says where", (query, column) => {
    expect(() => plan(query)).toThrow(expect.objectContaining({ code: "bad-query", column }));
  });
});
