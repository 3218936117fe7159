import type { Span } from "@skopos/model";
import { blankSpan } from "@skopos/testkit";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Relation, StructuralOp } from "../syntax/ast.ts";
import { relate } from "./structure.ts";
import { plantTrace } from "./trace-tree.ts";

const id = (index: number) => (index + 1).toString(16).padStart(16, "0");

function span(index: number, parent: number | undefined, more: Partial<Span> = {}): Span {
  return blankSpan({
    traceId: "1".repeat(32),
    spanId: id(index),
    parentSpanId: parent === undefined ? "" : id(parent),
    service: "s",
    name: `n${index}`,
    kind: "internal",
    startNs: BigInt(index),
    durationNs: 1,
    ...more,
  });
}

/** By following parents one at a time. */
function isRelated(spans: readonly Span[], relation: Relation, a: Span, b: Span): boolean {
  const parentOf = (of: Span) => spans.find(({ spanId }) => spanId === of.parentSpanId);
  const isBelow = (below: Span, above: Span) => {
    for (let up = parentOf(below); up; up = parentOf(up)) if (up === above) return true;
    return false;
  };
  switch (relation) {
    case ">":
      return parentOf(b) === a;
    case "<":
      return parentOf(a) === b;
    case ">>":
      return isBelow(b, a);
    case "<<":
      return isBelow(a, b);
    case "~":
      return a !== b && a.parentSpanId !== "" && a.parentSpanId === b.parentSpanId;
  }
}

function naive(
  spans: readonly Span[],
  op: StructuralOp,
  left: number[],
  right: number[],
): number[] {
  const relation = op.replace(/^[!&]/, "") as Relation;
  const of = (indexes: number[]) => indexes.flatMap((i) => spans[i] ?? []);
  const [a, b] = [of(left), of(right)];
  const positive = b.filter((y) => a.some((x) => isRelated(spans, relation, x, y)));
  const negative = b.filter((y) => !positive.includes(y));
  const both = [...positive, ...a.filter((x) => b.some((y) => isRelated(spans, relation, x, y)))];
  const found = op.startsWith("!") ? negative : op.startsWith("&") ? both : positive;
  return [...new Set(found.map((each) => spans.indexOf(each)))].sort((x, y) => x - y);
}

const marksOf = (size: number, indexes: number[]) => {
  const marks = new Uint8Array(size);
  for (const i of indexes) marks[i] = 1;
  return marks;
};

/** Trees in any order of spans; some parents are missing. */
const world = fc.integer({ min: 1, max: 14 }).chain((size) =>
  fc.record({
    parents: fc.tuple(
      ...Array.from({ length: size }, (_, i) =>
        fc.option(
          fc.oneof(
            { weight: 8, arbitrary: fc.nat(Math.max(0, i - 1)) },
            { weight: 1, arbitrary: fc.constant(99) },
          ),
          {
            nil: undefined,
            freq: 6,
          },
        ),
      ),
    ),
    order: fc.shuffledSubarray(
      Array.from({ length: size }, (_, i) => i),
      {
        minLength: size,
        maxLength: size,
      },
    ),
    left: fc.subarray(Array.from({ length: size }, (_, i) => i)),
    right: fc.subarray(Array.from({ length: size }, (_, i) => i)),
  }),
);
const ops = ([">", ">>", "<", "<<", "~"] as const).flatMap(
  (relation) => [relation, `!${relation}`, `&${relation}`] as const,
);

describe("structural operators", () => {
  it("select what following parents one at a time selects", () => {
    let selected = 0;
    fc.assert(
      fc.property(world, fc.constantFrom(...ops), ({ parents, order, left, right }, op) => {
        const spans = order.map((i) => span(i, parents[i] === i ? undefined : parents[i]));
        const found = relate(
          plantTrace(spans),
          op,
          marksOf(spans.length, left),
          marksOf(spans.length, right),
        );
        const indexes = [...found.keys()].filter((i) => found[i] === 1);
        selected += indexes.length;
        expect(indexes).toEqual(naive(spans, op, left, right));
      }),
      { numRuns: 3000 },
    );
    expect(selected).toBeGreaterThan(1000);
  });
});

describe("a trace", () => {
  it("hangs a server's span below the client's of the same id, and its children below it", () => {
    const tree = plantTrace([
      span(0, undefined, { kind: "client" }),
      span(0, undefined, { kind: "server" }),
      span(1, 0),
    ]);
    expect([...tree.parent]).toEqual([-1, 0, 1]);
    expect([...tree.left]).toEqual([1, 2, 3]);
    expect([...tree.right]).toEqual([6, 5, 4]);
  });

  it("cuts a circle of parents, and keeps every span", () => {
    const tree = plantTrace([span(0, 2), span(1, 0), span(2, 1)]);
    expect([...tree.parent].filter((parent) => parent < 0)).toHaveLength(1);
    expect([...tree.order].sort()).toEqual([0, 1, 2]);
  });
});
