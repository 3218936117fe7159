import * as fc from "fast-check";
import { spansOf } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { criticalPath } from "./critical-path.ts";
import { exclusiveTimes } from "./exclusive.ts";
import { buildForest } from "./forest.ts";

const span = spansOf("a");

function pathOf(...spans: Parameters<typeof buildForest>[0]): string[] {
  const forest = buildForest(spans);
  return criticalPath(forest).map(
    ({ index, fromNs, toNs }) =>
      `${forest.spans[index]?.spanId ?? ""} ${fromNs / 1e6}-${toNs / 1e6}`,
  );
}

describe("the critical path", () => {
  it("takes of two parallel children only the one that finished last", () => {
    const path = pathOf(span("a", "", 0, 100), span("b", "a", 10, 40), span("c", "a", 10, 80));
    expect(path).toEqual(["a 0-10", "c 10-90", "a 90-100"]);
  });

  it("goes through children one after the other, with the parent's own work between", () => {
    const path = pathOf(span("a", "", 0, 100), span("b", "a", 10, 20), span("c", "a", 50, 50));
    expect(path).toEqual(["a 0-10", "b 10-30", "a 30-50", "c 50-100"]);
  });

  it("passes over a child that outlives its parent", () => {
    expect(pathOf(span("a", "", 0, 100), span("b", "a", 90, 50))).toEqual(["a 0-100"]);
  });

  it("is empty without spans", () => {
    expect(pathOf()).toEqual([]);
  });

  it("covers the root without gaps or overlaps, and own times never exceed durations", () => {
    const arbitrary = fc.array(
      fc.record({ parent: fc.nat(30), start: fc.nat(90), length: fc.integer({ min: 1, max: 60 }) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(arbitrary, (drawn) => {
        const spans = [
          span("0", "", 0, 100),
          ...drawn.map(({ parent, start, length }, i) =>
            span(`${i + 1}`, `${Math.min(parent, i)}`, start, length),
          ),
        ];
        const forest = buildForest(spans);
        let reached = 0;
        for (const { fromNs, toNs } of criticalPath(forest)) {
          expect(fromNs).toBe(reached);
          reached = toNs;
        }
        expect(reached).toBe(100e6);
        exclusiveTimes(forest).forEach((own, index) => {
          expect(own).toBeGreaterThanOrEqual(0);
          expect(own).toBeLessThanOrEqual(forest.spans[index]?.durationNs ?? 0);
        });
      }),
    );
  });
});
