import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joinedTimes } from "./trace-sql.ts";

const second = 1_000_000_000n;
const time = (from: number, to: number) => ({
  fromNs: BigInt(from) * second,
  toNs: BigInt(to) * second,
});

describe("the times of traces", () => {
  it("that overlap are one, those apart are left so", () => {
    expect(joinedTimes([time(50, 51), time(1, 5), time(2, 3), time(4, 9)])).toEqual([
      time(1, 9),
      time(50, 51),
    ]);
  });

  it("are few, in order, and leave none out", () => {
    const times = fc.array(
      fc.tuple(fc.nat(1_000_000), fc.nat(100)).map(([from, size]) => time(from, from + size)),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(times, (given) => {
        const joined = joinedTimes(given);
        expect(joined.length).toBeLessThanOrEqual(64);
        for (const [i, { fromNs }] of joined.entries())
          expect(fromNs > (joined[i - 1]?.toNs ?? -1n)).toBe(true);
        for (const { fromNs, toNs } of given)
          expect(joined.some((span) => span.fromNs <= fromNs && span.toNs >= toNs)).toBe(true);
      }),
    );
  });
});
