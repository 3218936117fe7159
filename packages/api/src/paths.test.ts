import { describe, expect, it } from "vitest";
import { entityPath, webPaths } from "./paths.ts";

describe("paths of the web", () => {
  it("keeps the slash between namespace and name and escapes the rest", () => {
    expect(webPaths.service("social stream/user-service", "logs")).toBe(
      "/mesh/services/social%20stream/user-service?tab=logs",
    );
  });

  it("carries a query and the moment it is about", () => {
    expect(webPaths.metrics('up{job="a"}', { from: 1.4, to: 2 })).toBe(
      "/query?q=up%7Bjob%3D%22a%22%7D&from=1&to=2",
    );
  });

  it("gives an edge a home on the graph", () => {
    const path = entityPath({ kind: "edge", id: "a/b->a/c", name: "b to c" });
    expect(new URL(path, "http://x").searchParams.get("edge")).toBe("a/b->a/c");
  });

  it("sends a node without a namespace to the graph", () => {
    expect(entityPath({ kind: "node", id: "unknown", name: "unknown" })).toBe("/mesh");
  });
});
