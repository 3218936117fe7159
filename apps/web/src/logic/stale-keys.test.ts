import { describe, expect, it } from "vitest";
import { staleKeys } from "./stale-keys.ts";

describe("what an event makes stale", () => {
  it("asks for one incident alone when the event names it", () => {
    expect(staleKeys({ topic: "incident", id: "inc-4", at: 0 })).toEqual([
      ["incident", "inc-4"],
      ["incidents"],
    ]);
    expect(staleKeys({ topic: "incident", at: 0 })).toContainEqual(["incident"]);
  });

  it("refreshes the home page with the graph and with incidents", () => {
    for (const topic of ["graph", "incidents"] as const)
      expect(staleKeys({ topic, at: 0 })).toContainEqual(["now"]);
  });

  it("leaves the graph alone when only rules moved", () => {
    expect(staleKeys({ topic: "alerts", at: 0 })).toEqual([["alerts"]]);
  });
});
