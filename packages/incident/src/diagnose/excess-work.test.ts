import { describe, expect, it } from "vitest";
import { rankByEdgeGap } from "./edge-gap.ts";
import { rankByExcessWork } from "./excess-work.ts";

const graphOf = (excess: Record<string, number>, edges: [string, string, number?][]) => ({
  excessOf: (node: string) => excess[node],
  edges: edges.map(([source, target, own]) => ({
    source,
    target,
    excess: own ?? excess[target],
  })),
});

describe("exclusive excess work", () => {
  it("belongs to the deepest service that does more, not to those that wait for it", () => {
    const graph = graphOf({ web: 100, users: 98, db: 96, posts: 0 }, [
      ["web", "users"],
      ["users", "db"],
      ["web", "posts"],
    ]);
    const ranked = rankByExcessWork(graph, ["web"]);
    expect(ranked[0]?.node).toBe("db");
    expect(ranked[0]?.share).toBeGreaterThan(0.9);
  });

  it("counts per edge what a shared callee costs each caller", () => {
    const graph = graphOf({ a: 50, b: 5, shared: 10 }, [
      ["a", "shared", 1],
      ["b", "shared", 9],
    ]);
    expect(rankByExcessWork(graph, ["a", "b"])[0]).toMatchObject({ node: "a", own: 49 });
  });

  it("looks only below the alerting service, and leaves out what is not measured", () => {
    const graph = graphOf({ web: 10, elsewhere: 1000 }, [
      ["web", "silent"],
      ["elsewhere", "web"],
    ]);
    expect(rankByExcessWork(graph, ["web"]).map(({ node }) => node)).toEqual(["web"]);
  });

  it("survives calls in a circle", () => {
    const graph = graphOf({ a: 10, b: 4 }, [
      ["a", "b"],
      ["b", "a"],
    ]);
    expect(rankByExcessWork(graph, ["a"]).map(({ node }) => node)).toEqual(["a", "b"]);
  });
});

describe("edge gaps", () => {
  it("point at the service whose edges all widen", () => {
    const ranked = rankByEdgeGap([
      { source: "web", target: "slow", excessMs: 100 },
      { source: "slow", target: "db", excessMs: 90 },
      { source: "web", target: "fine", excessMs: 0 },
    ]);
    expect(ranked[0]?.node).toBe("slow");
  });
});
