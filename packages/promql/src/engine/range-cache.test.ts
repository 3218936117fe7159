import * as fc from "fast-check";
import { type Clock, LabelSet, type RangeQuery } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { MemoryReader } from "../testing/memory-reader.ts";
import { Reaches } from "../plan/reach.ts";
import { createMetricEngine } from "./engine.ts";
import { toPrometheusJson } from "./json.ts";
import { finalReach, RangeCache } from "./range-cache.ts";

const settleMs = 60_000;
const originMs = 1_700_000_000_000;

/** A store in which time passes only when it is told to. */
class World {
  nowMs = originMs;
  late = 0;
  evaluatedSteps = 0;
  readonly reader = new MemoryReader();
  readonly clock: Clock = {
    nowMs: () => this.nowMs,
    monotonicMs: () => 0,
    after: () => () => {},
  };
  readonly engine = createMetricEngine({ reader: this.reader, clock: this.clock });
  readonly cache: RangeCache;

  constructor(bytesMax = 1_000_000, heldSinceMs = () => -Infinity) {
    const generation = () => String(this.late);
    this.cache = new RangeCache({ clock: this.clock, bytesMax, settleMs, generation, heldSinceMs });
  }

  add(name: string, k: string, timeMs: number, value: number | "stale"): void {
    this.reader.add(LabelSet.fromMap({ __name__: name, k }), [{ timeMs, value }]);
    if (timeMs <= this.nowMs - settleMs) this.late++;
  }

  async cached(query: RangeQuery): Promise<string> {
    const engine = {
      range: (asked: RangeQuery) => {
        this.evaluatedSteps += Math.floor((asked.endMs - asked.startMs) / asked.stepMs) + 1;
        return this.engine.range(asked);
      },
    };
    return toPrometheusJson(await this.cache.range(engine, query));
  }

  async plain(query: RangeQuery): Promise<string> {
    return toPrometheusJson(await this.engine.range(query));
  }
}

const expressions = [
  "a_total",
  "rate(a_total[1m])",
  "sum by (k) (rate(a_total[45s]))",
  "sum(a_total) / sum(b)",
  "a_total * on (k) b",
  "max_over_time(sum(a_total)[2m:20s])",
  "a_total offset 30s",
  "a_total offset -30s",
  "topk(1, a_total)",
  "absent(a_total)",
  'count_values("v", b)',
  "a_total or b",
  "time()",
  "stddev_over_time(a_total[1m]) + a_total @ 1700000060",
  'label_replace(a_total, "j", "$1", "k", "(.*)")',
];

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("tick" as const),
      seconds: fc.integer({ min: 1, max: 40 }),
      present: fc.integer({ min: 0, max: 255 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("late" as const),
      seconds: fc.integer({ min: 1, max: 400 }),
      series: fc.nat(3),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("ask" as const),
      expression: fc.nat(1),
      length: fc.integer({ min: 0, max: 20 }),
    }),
  },
);

describe("range queries that grow", () => {
  it("get the answer that they would get without what is kept", async () => {
    let reused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 40, maxLength: 100 }),
        fc.tuple(fc.constantFrom(...expressions), fc.constantFrom(...expressions)),
        fc.nat(40_000),
        async (actions, chosen, bytesMax) => {
          const world = new World(bytesMax);
          let steps = 0;
          for (const [i, each] of actions.entries()) {
            if (each.kind === "tick") {
              world.nowMs += each.seconds * 1000;
              for (let s = 0; s < 4; s++) {
                const bits = (each.present >> (2 * s)) & 3;
                if (bits > 0)
                  world.add(
                    s < 2 ? "a_total" : "b",
                    `k${s % 2}`,
                    world.nowMs,
                    bits === 3 ? "stale" : i * 1.1 + s,
                  );
              }
            } else if (each.kind === "late") {
              const name = each.series < 2 ? "a_total" : "b";
              world.add(name, `k${each.series % 2}`, world.nowMs - each.seconds * 1000 + 1, -i);
            } else {
              const stepMs = 15_000;
              const endMs = Math.floor(world.nowMs / stepMs) * stepMs;
              const query = {
                query: chosen[each.expression] ?? "",
                startMs: endMs - each.length * stepMs,
                endMs,
                stepMs,
              };
              steps += each.length + 1;
              expect(await world.cached(query)).toBe(await world.plain(query));
              expect(world.cache.sizeBytes).toBeLessThanOrEqual(bytesMax);
            }
          }
          reused += steps - world.evaluatedSteps;
        },
      ),
      { numRuns: 300 },
    );
    expect(reused).toBeGreaterThan(1000);
  });

  const fill = (world: World) => {
    for (let t = 0; t <= 600; t += 5) {
      world.nowMs = originMs + t * 1000;
      world.add("a_total", "k0", world.nowMs, t);
    }
  };
  const last = (world: World): RangeQuery => ({
    query: "rate(a_total[1m])",
    startMs: world.nowMs - 300_000,
    endMs: world.nowMs,
    stepMs: 10_000,
  });

  it("evaluate only the steps that may have changed", async () => {
    const world = new World();
    fill(world);
    await world.cached(last(world));
    expect(world.evaluatedSteps).toBe(31);
    world.nowMs += 10_000;
    expect(await world.cached(last(world))).toBe(await world.plain(last(world)));
    expect(world.evaluatedSteps).toBe(31 + 7);
  });

  it("are evaluated anew after a late sample", async () => {
    const world = new World();
    fill(world);
    await world.cached(last(world));
    world.add("a_total", "k0", world.nowMs - 121_000, 5);
    expect(await world.cached(last(world))).toBe(await world.plain(last(world)));
    expect(world.evaluatedSteps).toBe(62);
  });

  it("are final when all they look at is settled and held", () => {
    const world = new World();
    const reaches = new Reaches();
    const heldSinceMs = () => originMs - 1_000_000;
    const options = { clock: world.clock, settleMs, heldSinceMs, reaches };
    const endMs = originMs - settleMs;
    const query = { query: "rate(a_total[1m])", startMs: endMs - 10_000, endMs };
    expect(finalReach(query, options)).toEqual({ backMs: 60_000, aheadMs: 0 });
    expect(finalReach({ ...query, endMs: endMs + 1 }, options)).toBeUndefined();
    expect(finalReach({ ...query, query: "a_total offset -1s" }, options)).toBeUndefined();
    expect(finalReach({ ...query, startMs: originMs - 950_000 }, options)).toBeUndefined();
    expect(finalReach({ ...query, query: "a_total @ end()" }, options)).toBeUndefined();
  });
});
