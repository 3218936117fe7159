import * as fc from "fast-check";
import { expect, it } from "vitest";
import { exponentOf, quantileOf } from "./buckets.ts";

it("a quantile of buckets is within a factor of two of the quantile of the values", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 1e9 }), { minLength: 1, maxLength: 50 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (values, q) => {
        const buckets = new Map<number, number>();
        for (const value of values) {
          const exponent = exponentOf(value);
          expect(value).toBeLessThanOrEqual(2 ** exponent);
          expect(value).toBeGreaterThan(2 ** (exponent - 1));
          buckets.set(exponent, (buckets.get(exponent) ?? 0) + 1);
        }
        const sorted = values.sort((a, b) => a - b);
        const exact = sorted[Math.ceil(q * sorted.length) - 1] ?? 0;
        const found = quantileOf(q, buckets) ?? 0;
        expect(found / exact).toBeLessThanOrEqual(2);
        expect(found / exact).toBeGreaterThanOrEqual(0.5);
      },
    ),
  );
});

it("nothing has no quantile", () => {
  expect(quantileOf(0.5, new Map([[3, 0]]))).toBeUndefined();
});
