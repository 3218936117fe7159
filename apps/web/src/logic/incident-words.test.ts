import { mechanisms, type Mechanism } from "@skopos/model";
import type { Action } from "@skopos/api";
import { describe, expect, it } from "vitest";
import { byUrgency, confidenceWord, holdTime, mechanismName } from "./incident-words.ts";

const action: Action = {
  id: "a1",
  incidentId: "i1",
  hypothesisId: "h1",
  kind: "rollout-undo",
  target: { kind: "workload", id: "s/user-service", name: "user-service" },
  title: "Undo the rollout of user-service",
  why: "",
  state: "verifying",
  plan: null,
  criteria: [],
  holdMs: 60_000,
  heldSince: null,
  deadlineAt: null,
  approvedBy: null,
  startedAt: 0,
  endedAt: null,
  outcome: null,
};

describe("incidents in words", () => {
  it("names every mechanism without hyphens", () => {
    for (const key of Object.keys(mechanisms) as Mechanism[])
      expect(mechanismName(key)).toMatch(/^(m?[A-Z])[\w ]+$/);
    expect(mechanismName("mtls-conflict")).toBe("mTLS conflict");
    expect(mechanismName("connection-pool-overflow")).toBe("Connection pool overflow");
  });

  it("does not claim more certainty than there is", () => {
    expect([0.95, 0.7, 0.4, 0.1].map(confidenceWord)).toEqual([
      "very likely",
      "likely",
      "possible",
      "a guess",
    ]);
  });

  it("counts the hold time down only while the criteria hold", () => {
    expect(holdTime(action, 1000)?.done).toBe(0);
    const held = { ...action, heldSince: 10_000 };
    expect(holdTime(held, 40_000)).toMatchObject({ done: 0.5 });
    expect(holdTime(held, 40_000)?.says).toContain("30 s more");
    expect(holdTime({ ...held, state: "succeeded" }, 40_000)).toBeNull();
  });

  it("says when an action will be undone", () => {
    expect(holdTime({ ...action, deadlineAt: 61_000 }, 1000)?.says).toContain(
      "undone if not steady in 1 min",
    );
  });

  it("puts the running action before the open one, and that before the finished", () => {
    const states = (["succeeded", "proposed", "executing"] as const)
      .map((state): Action => ({ ...action, state }))
      .toSorted(byUrgency)
      .map(({ state }) => state);
    expect(states).toEqual(["executing", "proposed", "succeeded"]);
  });
});
