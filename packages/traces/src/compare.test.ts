import { spansOf } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { compareTraces } from "./compare.ts";

const span = spansOf("a");

const request = (i: number, version: string, queryMs: number, failing = false) => [
  span("1", "", 0, queryMs + 10, { attributes: { "request.id": `r${i}` } }),
  span("2", "1", 5, queryMs, {
    service: "db",
    name: "query",
    kind: "client",
    status: failing ? "error" : "unset",
    resource: { version },
  }),
];

describe("comparing two groups of traces", () => {
  const slow = Array.from({ length: 10 }, (_, i) => request(i, i < 9 ? "v2" : "v1", 200, i < 5));
  const usual = Array.from({ length: 40 }, (_, i) => request(100 + i, "v1", 10));
  const found = compareTraces(slow, usual);

  it("names the property that the slow ones share", () => {
    expect(found.attributes[0]).toMatchObject({
      scope: "resource",
      key: "version",
      selectedShare: 0.9,
      restShare: 0,
      value: "v2",
    });
  });

  it("leaves out ids, which differ in every trace", () => {
    expect(found.attributes.map(({ key }) => key)).not.toContain("request.id");
  });

  it("names the operation that takes the time, and how often it fails", () => {
    expect(found.operations[0]).toMatchObject({
      service: "db",
      name: "query",
      selectedMs: 200,
      restMs: 10,
      selectedErrorShare: 0.5,
      restErrorShare: 0,
    });
  });

  it("has nothing to say without a group to compare with", () => {
    expect(compareTraces(slow, []).attributes).toEqual([]);
  });
});
