import { describe, expect, it } from "vitest";
import { boxAround, harmEdges, layoutGraph, placeGraph } from "./graph-layout.ts";

const ids = ["gateway", "frontend", "users", "posts", "db"];
const edges = [
  { source: "gateway", target: "frontend" },
  { source: "frontend", target: "users" },
  { source: "frontend", target: "posts" },
  { source: "users", target: "db" },
];

describe("layout of the graph", () => {
  it("puts callers left of callees", () => {
    const places = layoutGraph(ids, edges);
    for (const { source, target } of edges)
      expect(places.get(source)!.x).toBeLessThan(places.get(target)!.x);
  });

  it("does not depend on the order things arrive in", () => {
    const other = layoutGraph(ids.toReversed(), edges.toReversed());
    for (const [id, place] of layoutGraph(ids, edges)) expect(other.get(id)).toEqual(place);
  });

  it("moves nobody when a node comes or goes", () => {
    const before = layoutGraph(ids, edges);
    const after = placeGraph(
      before,
      [...ids.filter((id) => id !== "posts"), "cache"],
      [...edges, { source: "users", target: "cache" }],
    );
    for (const id of ["gateway", "frontend", "users", "db"])
      expect(after.get(id)).toEqual(before.get(id));
    expect(after.has("posts")).toBe(false);
    expect(after.get("cache")!.x).toBeGreaterThan(before.get("users")!.x);
    expect(after.get("cache")).not.toEqual(before.get("db"));
  });

  it("bears loops, strangers and edges that name nobody", () => {
    const places = layoutGraph(
      ["a", "b", "c"],
      [
        { source: "a", target: "b" },
        { source: "b", target: "a" },
        { source: "a", target: "a" },
        { source: "a", target: "nobody" },
      ],
    );
    expect([...places.keys()]).toEqual(["a", "b", "c"]);
  });

  it("makes room around everything", () => {
    const places = layoutGraph(ids, edges);
    const box = boxAround(places);
    for (const { x, y } of places.values()) {
      expect(x).toBeGreaterThan(box.x);
      expect(y).toBeLessThan(box.y + box.height);
    }
  });
});

describe("the way of harm", () => {
  it("leads from the cause to its callers, and on to theirs", () => {
    const ways = harmEdges(edges, "users").map(({ source, target }) => `${source}>${target}`);
    expect(ways).toEqual(["frontend>gateway", "users>frontend", "frontend>posts", "users>db"]);
  });

  it("goes from callee to caller when no cause is known", () => {
    expect(harmEdges(edges.slice(0, 1), null)[0]).toMatchObject({
      source: "frontend",
      target: "gateway",
    });
  });
});
