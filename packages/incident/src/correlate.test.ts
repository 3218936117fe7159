import type { Graph, GraphEdge, Traffic } from "@skopos/api";
import { describe, expect, it } from "vitest";
import { disturbedGraph, rootsOf, serviceOfAlert, victimsOf } from "./correlate.ts";

const traffic = (errorRatio: number, p95Ms: number): Traffic => ({
  requestsPerSecond: 10,
  errorRatio,
  p50Ms: null,
  p95Ms,
  p99Ms: null,
  sentBytesPerSecond: null,
  receivedBytesPerSecond: null,
});

function graphOf(edges: Record<string, Traffic>): Graph {
  return {
    at: 0,
    windowMs: 20_000,
    nodes: [],
    warnings: [],
    edges: Object.entries(edges).map(([id, measured]): GraphEdge => {
      const [source = "", target = ""] = id.split("->");
      return {
        id,
        source,
        target,
        protocol: "http",
        traffic: measured,
        destinationP95Ms: null,
        flags: {},
        codes: {},
        mtlsRatio: null,
        health: { state: "healthy", reasons: [] },
      };
    }),
  };
}

const calm = {
  "gw->web": traffic(0, 50),
  "web->a": traffic(0, 20),
  "web->b": traffic(0, 20),
  "a->c": traffic(0, 10),
};

describe("roots", () => {
  it("lie at the end of the disturbed path, by errors or by latency", () => {
    const slow = {
      ...calm,
      "gw->web": traffic(0, 400),
      "web->a": traffic(0, 300),
      "a->c": traffic(0.2, 10),
    };
    const graph = disturbedGraph(graphOf(slow), graphOf(calm));
    expect(rootsOf(graph, "gw")).toEqual(["c"]);
    expect(victimsOf(graph, "c")).toEqual(new Set(["c", "a", "web", "gw"]));
  });

  it("of two faults below one caller do not meet, the caller's hold both", () => {
    const both = { ...calm, "web->a": traffic(0.2, 20), "web->b": traffic(0.3, 20) };
    const graph = disturbedGraph(graphOf(both), graphOf(calm));
    expect([rootsOf(graph, "a"), rootsOf(graph, "b"), rootsOf(graph, "web")]).toEqual([
      ["a"],
      ["b"],
      ["a", "b"],
    ]);
  });

  it("are not found in trouble that was there before", () => {
    const failing = { ...calm, "web->a": traffic(0.05, 20) };
    expect(rootsOf(disturbedGraph(graphOf(failing), graphOf(failing)), "web")).toEqual(["web"]);
  });
});

describe("the service of an alert", () => {
  const services = new Map([["shop/users-svc", "shop/users"]]);
  it("is the workload behind the Kubernetes Service that rules name", () => {
    const labels = { destination_service_namespace: "shop", destination_service_name: "users-svc" };
    expect(serviceOfAlert(labels, services)?.id).toBe("shop/users");
  });
  it("comes from workload labels too, and from none there is none", () => {
    expect(serviceOfAlert({ namespace: "shop", deployment: "posts" }, services)?.id).toBe(
      "shop/posts",
    );
    expect(serviceOfAlert({ instance: "x:1" }, services)).toBeNull();
  });
});
