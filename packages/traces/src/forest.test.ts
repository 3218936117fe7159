import * as fc from "fast-check";
import { spansOf } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { buildForest, childrenOf } from "./forest.ts";

const span = spansOf("a");

const idsOf = (spans: readonly { spanId: string }[]) => spans.map(({ spanId }) => spanId);

describe("the forest of a trace", () => {
  it("is depth-first with siblings by start, whatever the order of arrival", () => {
    const forest = buildForest([
      span("c", "a", 50, 10),
      span("b", "a", 10, 30),
      span("d", "b", 12, 5),
      span("a", "", 0, 100),
    ]);
    expect(idsOf(forest.spans)).toEqual(["a", "b", "d", "c"]);
    expect([...forest.depth]).toEqual([0, 1, 2, 1]);
    expect([...forest.descendants]).toEqual([3, 1, 0, 0]);
    expect([...childrenOf(forest, 0)]).toEqual([1, 3]);
    expect(forest.durationNs).toBe(100e6);
  });

  it("keeps orphans and members of cycles, as roots", () => {
    const forest = buildForest([
      span("x", "y", 5, 1),
      span("y", "x", 4, 1),
      span("orphan", "gone", 1, 2),
      span("self", "self", 9, 1),
    ]);
    expect(idsOf(forest.spans).sort()).toEqual(["orphan", "self", "x", "y"]);
    expect([...forest.parent].filter((parent) => parent < 0)).toHaveLength(3);
  });

  it("hangs the server half of a shared id below the client half, and children below the server half", () => {
    const forest = buildForest([
      span("1", "", 0, 100, { name: "root" }),
      span("2", "1", 10, 80, { kind: "client", service: "a", name: "call" }),
      span("2", "1", 20, 60, { kind: "server", service: "b", name: "serve" }),
      span("3", "2", 30, 10, { service: "b", name: "work" }),
    ]);
    expect(forest.spans.map(({ name }) => name)).toEqual(["root", "call", "serve", "work"]);
    expect([...forest.depth]).toEqual([0, 1, 2, 3]);
  });

  it("holds every span once and every parent before its children", () => {
    const arbitrary = fc.array(
      fc.record({ id: fc.nat(12), parent: fc.nat(14), start: fc.nat(50), length: fc.nat(50) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(arbitrary, (drawn) => {
        const spans = drawn.map(({ id, parent, start, length }, i) =>
          span(`${id}`, `${parent}`, start, length, { kind: i % 3 === 0 ? "client" : "server" }),
        );
        const forest = buildForest(spans);
        expect(new Set(forest.spans)).toEqual(new Set(spans));
        expect(forest.spans).toHaveLength(spans.length);
        forest.parent.forEach((parent, index) => expect(parent).toBeLessThan(index));
        const roots = [...forest.parent.keys()].filter((index) => (forest.parent[index] ?? 0) < 0);
        const below = roots.reduce((sum, root) => sum + 1 + (forest.descendants[root] ?? 0), 0);
        expect(below).toBe(spans.length);
      }),
    );
  });
});
