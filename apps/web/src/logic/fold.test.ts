import type { GraphEdge, GraphNode, HealthState } from "@skopos/api";
import { describe, expect, it } from "vitest";
import { foldGraph, groupNamespace, joinTraffic } from "./fold.ts";

const none = {
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  sentBytesPerSecond: null,
  receivedBytesPerSecond: null,
};

function node(namespace: string, name: string, state: HealthState = "healthy"): GraphNode {
  return {
    id: `${namespace}/${name}`,
    name,
    namespace,
    kind: "service",
    traffic: { ...none, requestsPerSecond: 2, errorRatio: 0 },
    health: { state, reasons: [] },
    replicas: null,
    versions: [],
    workloads: [],
    alerts: 0,
    incidentId: null,
  };
}

function edge(source: string, target: string): GraphEdge {
  return {
    id: `${source}->${target}`,
    source,
    target,
    protocol: "http",
    traffic: { ...none, requestsPerSecond: 3, errorRatio: 0.5 },
    destinationP95Ms: null,
    flags: {},
    codes: {},
    mtlsRatio: 1,
    health: { state: "healthy", reasons: [] },
  };
}

const names = (space: string, count: number) =>
  Array.from({ length: count }, (_, i) => node(space, `s${i}`));
const big = [...names("a", 40), ...names("b", 40)];

describe("folding by namespace", () => {
  it("leaves a small mesh alone", () => {
    const small = names("a", 10);
    expect(foldGraph(small, [], new Set())).toEqual({ nodes: small, edges: [], folded: [] });
  });

  it("makes one node of a namespace without trouble and joins its edges", () => {
    const edges = [edge("a/s0", "b/s1"), edge("a/s2", "b/s3"), edge("a/s0", "a/s1")];
    const { nodes, edges: out, folded } = foldGraph(big, edges, new Set());
    expect(folded).toEqual(["a", "b"]);
    expect(nodes.map(({ id }) => id)).toEqual(["ns:a", "ns:b"]);
    expect(out).toHaveLength(1);
    expect(out[0]?.traffic.requestsPerSecond).toBe(6);
    expect(groupNamespace("ns:a")).toBe("a");
    expect(groupNamespace("a/s0")).toBeNull();
  });

  it("keeps trouble and chosen namespaces in sight", () => {
    const ill = [
      ...names("a", 40),
      node("a", "ill", "failing"),
      ...names("b", 40),
      ...names("c", 40),
    ];
    const { nodes, folded } = foldGraph(ill, [], new Set(["b"]));
    expect(folded).toEqual(["c"]);
    expect(nodes.some(({ id }) => id === "a/ill")).toBe(true);
    expect(nodes.filter(({ namespace }) => namespace === "b")).toHaveLength(40);
  });

  it("weighs errors by rate and leaves absent absent", () => {
    const joined = joinTraffic([
      { ...none, requestsPerSecond: 9, errorRatio: 0 },
      { ...none, requestsPerSecond: 1, errorRatio: 1 },
    ]);
    expect(joined.errorRatio).toBeCloseTo(0.1);
    expect(joinTraffic([{ ...none, requestsPerSecond: null, errorRatio: null }])).toMatchObject({
      requestsPerSecond: null,
      errorRatio: null,
    });
  });
});
