import { describe, expect, it } from "vitest";
import { filterRules, groupRows, readRuleState, ruleRows, type WireRule } from "./rules.ts";

const rule = (name: string, more: Partial<WireRule> = {}): WireRule => ({
  name,
  query: `${name} > 1`,
  type: "alerting",
  state: "inactive",
  health: "ok",
  evaluationTime: 0.002,
  lastEvaluation: "2026-01-01T00:00:00Z",
  ...more,
});
const group = {
  name: "mesh",
  file: "rules.yml",
  interval: 10,
  evaluationTime: 2.5,
  lastEvaluation: "0001-01-01T00:00:00Z",
  rules: [
    rule("Slow", { state: "firing" }),
    rule("Broken", { health: "err", lastError: "many-to-many" }),
    rule("job:up", { type: "recording", state: undefined }),
  ],
};

describe("rules", () => {
  it("say first that they cannot be evaluated, then what they find", () => {
    expect(ruleRows([group]).map(({ state }) => state)).toEqual(["firing", "failing", "recording"]);
  });

  it("are found by words of name, query and error, and by state", () => {
    const rows = ruleRows([group]);
    expect(filterRules(rows, "MANY to", null).map(({ name }) => name)).toEqual(["Broken"]);
    expect(filterRules(rows, "", "firing").map(({ name }) => name)).toEqual(["Slow"]);
    expect(filterRules(rows, "slow", "recording")).toEqual([]);
    expect(readRuleState("pending")).toBe("pending");
    expect(readRuleState("?")).toBeNull();
  });

  it("take their group's share of the interval, and no moment before the first", () => {
    expect(groupRows([group])).toMatchObject([
      { rules: 3, failing: 1, intervalMs: 10_000, tookMs: 2500, load: 0.25, evaluatedAt: null },
    ]);
  });
});
