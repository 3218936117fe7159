import { describe, expect, it } from "vitest";
import { boxAround, harmEdges, layoutGraph, noLayout, placeGraph } from "./graph-layout.ts";

const ids = ["gateway", "frontend", "users", "posts", "db"];
const edges = [
  { source: "gateway", target: "frontend" },
  { source: "frontend", target: "users" },
  { source: "frontend", target: "posts" },
  { source: "users", target: "db" },
];

describe("layout of the graph", () => {
  it("puts callers left of callees, or above them", () => {
    const right = layoutGraph(ids, edges).places;
    const down = layoutGraph(ids, edges, "down").places;
    for (const { source, target } of edges) {
      expect(right.get(source)!.x).toBeLessThan(right.get(target)!.x);
      expect(down.get(source)!.y).toBeLessThan(down.get(target)!.y);
    }
  });

  it("does not depend on the order things arrive in", () => {
    const other = layoutGraph(ids.toReversed(), edges.toReversed());
    for (const [id, place] of layoutGraph(ids, edges).places)
      expect(other.places.get(id)).toEqual(place);
  });

  it("leads a long edge around the nodes between", () => {
    const long = { source: "gateway", target: "db" };
    const { ways } = layoutGraph(ids, [...edges, long]);
    expect(ways.get("gateway>db")?.length).toBeGreaterThan(0);
    expect(ways.has("gateway>frontend")).toBe(false);
  });

  it("lays out anew what was placed before its calls were known", () => {
    const unconnected = placeGraph(noLayout, ids, []);
    const connected = placeGraph(unconnected, ids, edges);
    expect(connected.places).toEqual(layoutGraph(ids, edges).places);
  });

  it("moves nobody when a node comes or goes", () => {
    const before = placeGraph(noLayout, ids, edges);
    const after = placeGraph(
      before,
      [...ids.filter((id) => id !== "posts"), "cache"],
      [...edges, { source: "users", target: "cache" }],
    ).places;
    for (const id of ["gateway", "frontend", "users", "db"])
      expect(after.get(id)).toEqual(before.places.get(id));
    expect(after.has("posts")).toBe(false);
    expect(after.get("cache")!.x).toBeGreaterThan(before.places.get("users")!.x);
    expect(after.get("cache")).not.toEqual(before.places.get("db"));
  });

  it("bears loops, strangers and edges that name nobody", () => {
    const { places } = layoutGraph(
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
    const layout = layoutGraph(ids, edges);
    const box = boxAround(layout);
    for (const { x, y } of layout.places.values()) {
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
