import { describe, expect, it } from "vitest";
import { toPracticeState } from "./practice.ts";

const load = {
  wantedRps: 20,
  shape: "steady",
  recentRps: 19.8,
  codes: { "200": 90, "404": 2, "503": 6, "-1": 2 },
  latency: { p50Ms: 12, p95Ms: 80 },
};

describe("the practice mesh's state", () => {
  it("is told in our API's words", () => {
    const state = toPracticeState([], {
      broken: { name: "bad-rollout", since: "2026-11-21T04:59:29.307Z" },
      load,
    });
    expect(state).toMatchObject({
      attached: true,
      broken: { name: "bad-rollout", since: Date.UTC(2026, 10, 21, 4, 59, 29, 307) },
      load: { requestsPerSecond: 20, achievedPerSecond: 19.8, errorRatio: 0.08, p95Ms: 80 },
      shape: "steady",
    });
  });

  it("does not take nothing sent for nothing failed", () => {
    const { latency: _, ...early } = { ...load, codes: {} };
    expect(toPracticeState([], { broken: null, load: early }).load).toMatchObject({
      errorRatio: null,
      p50Ms: null,
    });
    expect(toPracticeState([], { broken: null, load: null })).toMatchObject({
      broken: null,
      load: null,
      shape: null,
    });
  });
});
