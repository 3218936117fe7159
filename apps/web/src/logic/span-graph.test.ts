import { describe, expect, it } from "vitest";
import {
  agreementSays,
  drawnGraph,
  estimatedPerSecond,
  type SpanEdge,
  standingOf,
} from "./span-graph.ts";

const edge = (source: string, target: string, more: Partial<SpanEdge> = {}): SpanEdge => ({
  source,
  target,
  calls: 20,
  errors: 1,
  p50Ms: 5,
  p95Ms: 50,
  metricsPerSecond: 10,
  spansPerSecond: 1,
  verdict: "agrees",
  ...more,
});

const edges = [
  edge("shop/web", "shop/cart"),
  edge("shop/cart", "postgresql", { metricsPerSecond: null, verdict: "only spans show it: …" }),
  edge("shop/web", "shop/ads", { spansPerSecond: null, calls: 0, verdict: "only metrics …" }),
  edge("shop/web", "shop/pay", { spansPerSecond: 9, verdict: "spans show more calls …" }),
];

describe("the graph of spans", () => {
  it("says of each connection how it stands to the metrics", () => {
    expect(edges.map(standingOf)).toEqual(["agrees", "spans only", "metrics only", "differs"]);
    expect(agreementSays(edges)).toBe(
      "1 of 4 connections agree with the metrics; the others say why not.",
    );
    expect(agreementSays(edges.slice(0, 1))).toContain("agrees");
  });

  it("is drawn with estimated rates, and marks what metrics do not know", () => {
    const drawn = drawnGraph(edges, 0.1);
    expect(drawn.edges.map(({ traffic }) => traffic.requestsPerSecond)).toEqual([10, 10, 10, 90]);
    expect(drawn.edges.map(({ traffic }) => traffic.errorRatio)).toEqual([0.05, 0.05, null, 0.05]);
    expect(drawn.nodes.map(({ name, kind, health }) => [name, kind, health.state])).toEqual([
      ["web", "gateway", "healthy"],
      ["cart", "service", "healthy"],
      ["postgresql", "external", "unknown"],
      ["ads", "service", "healthy"],
      ["pay", "service", "healthy"],
    ]);
  });

  it("estimates nothing where the sampled share is not known", () => {
    expect(estimatedPerSecond(edge("a", "b"), null)).toBeNull();
    expect(estimatedPerSecond(edge("a", "b", { spansPerSecond: null }), 0.5)).toBeNull();
  });
});
