import { spansOf } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { compareGraphs, serviceGraph } from "./service-graph.ts";

const span = spansOf("a");

const trace = (ms: number, failing = false) => [
  span("1", "", 0, 100, { service: "web" }),
  span("2", "1", 5, ms + 2, {
    service: "web",
    kind: "client",
    status: failing ? "error" : "unset",
  }),
  span("3", "2", 6, ms, { service: "users", kind: "server" }),
  span("4", "3", 7, 1, { service: "users", kind: "internal" }),
  span("5", "3", 8, 2, {
    service: "users",
    kind: "client",
    attributes: { "db.system": "postgresql" },
  }),
];

describe("the service graph of spans", () => {
  it("counts a call once, from the callee's side, and calls to what sends no spans by their name", () => {
    const edges = serviceGraph([trace(10), trace(30, true), trace(20)]);
    expect(edges).toEqual([
      { source: "users", target: "postgresql", calls: 3, errors: 0, p50Ms: 2, p95Ms: 2 },
      { source: "web", target: "users", calls: 3, errors: 1, p50Ms: 20, p95Ms: 30 },
    ]);
  });

  it("counts a sampled trace as often as it stands for", () => {
    const sampled = trace(10).map((each) => ({ ...each, weight: 8.5 }));
    const [, edge] = serviceGraph([sampled, trace(30, true), trace(40, true)]);
    expect(edge).toMatchObject({ source: "web", calls: 10.5, errors: 2, p50Ms: 10, p95Ms: 40 });
  });

  it("takes the callee from Istio's cluster name when the proxy got no answer", () => {
    const attributes = { "upstream_cluster.name": "outbound|8080||posts.social.svc.cluster.local" };
    const edges = serviceGraph([
      [span("1", "", 0, 5, { service: "web.social", kind: "client", attributes })],
    ]);
    expect(edges).toMatchObject([{ source: "web.social", target: "posts.social", calls: 1 }]);
  });

  it("counts an application's client span and its proxy's as one call", () => {
    const edges = serviceGraph([
      [
        span("1", "", 0, 50, {
          service: "web",
          kind: "client",
          attributes: { "peer.service": "users" },
        }),
        span("2", "1", 1, 40, {
          service: "web",
          kind: "client",
          attributes: { "peer.service": "users" },
        }),
        span("3", "2", 2, 30, { service: "users", kind: "server" }),
      ],
    ]);
    expect(edges).toMatchObject([{ source: "web", target: "users", calls: 1 }]);
  });
});

describe("spans against metrics", () => {
  const edge = (source: string, target: string, calls: number) => ({
    source,
    target,
    calls,
    errors: 0,
    p50Ms: 1,
    p95Ms: 1,
  });
  const rate = (source: string, target: string, requestsPerSecond: number) => ({
    source,
    target,
    requestsPerSecond,
  });
  const reporting = new Set(["a", "b", "c"]);

  it("agree when the same share is sampled everywhere", () => {
    const { sampledShare, edges } = compareGraphs(
      [edge("a", "b", 60), edge("b", "c", 120)],
      [rate("a", "b", 10), rate("b", "c", 20)],
      60,
      reporting,
    );
    expect(sampledShare).toBeCloseTo(0.1);
    expect(edges.map(({ verdict }) => verdict)).toEqual(["agrees", "agrees"]);
  });

  it("say why an edge is in one graph alone", () => {
    const { edges } = compareGraphs(
      [edge("a", "b", 60), edge("b", "c", 60), edge("c", "d", 60)],
      [rate("a", "b", 1), rate("b", "c", 1), rate("x", "a", 1), rate("a", "y", 1)],
      60,
      reporting,
    );
    const verdicts = new Map(edges.map((it) => [`${it.source}->${it.target}`, it.verdict]));
    expect(verdicts.get("c->d")).toContain("only spans show it");
    expect(verdicts.get("x->a")).toBe("only metrics show it: x sends no spans");
    expect(verdicts.get("a->y")).toContain("headers are not propagated");
  });

  it("name the connection that metrics count in bytes alone", () => {
    const bytes = (source: string, target: string) => ({ source, target, requestsPerSecond: null });
    const { edges } = compareGraphs(
      [edge("a", "b", 60), edge("b", "postgresql", 60), edge("c", "cache", 60)],
      [rate("a", "b", 1), bytes("b", "shop/orders-db"), bytes("c", "cache"), bytes("a", "queue")],
      60,
      reporting,
    );
    expect(edges.map(({ target, verdict }) => [target, verdict])).toEqual([
      ["b", "agrees"],
      ["cache", expect.stringContaining("it is TCP, bytes without requests")],
      ["postgresql", expect.stringContaining("from b to shop/orders-db, which may be the same")],
    ]);
  });

  it("tell a service that drops most of its spans", () => {
    const { edges } = compareGraphs(
      [edge("a", "b", 600), edge("b", "c", 600), edge("c", "a", 60)],
      [rate("a", "b", 10), rate("b", "c", 10), rate("c", "a", 10)],
      60,
      reporting,
    );
    expect(edges.map(({ verdict }) => verdict)).toEqual([
      "agrees",
      "agrees",
      expect.stringContaining("fewer calls than the metrics' rate explains (0.1 times)"),
    ]);
  });
});
