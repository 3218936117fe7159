import { assert, double, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { onsetOf } from "./onset.ts";

describe("the onset", () => {
  it("is the first point of a lasting rise, whatever the noise below it", () => {
    assert(
      property(
        integer({ min: 5, max: 60 }),
        integer({ min: 3, max: 30 }),
        integer({ min: 1, max: 1e6 }),
        double({ min: 1.5, max: 50, noNaN: true }),
        (normal, after, seed, factor) => {
          const noise = (i: number) => 1 + (((seed + i * 7919) % 100) / 100 - 0.5) * 0.1;
          const values = Array.from({ length: normal + after }, (_, i) =>
            i < normal ? noise(i) : factor * noise(i),
          );
          const times = values.map((_, i) => i * 5000);
          expect(onsetOf({ times, values })).toBe(normal * 5000);
        },
      ),
    );
  });

  it("is not seen in a flat signal or in too few points", () => {
    expect(onsetOf({ times: [0, 1, 2, 3, 4], values: [1, 1, 1, 1, 1] })).toBeUndefined();
    expect(onsetOf({ times: [0, 1], values: [1, 9] })).toBeUndefined();
  });
});
