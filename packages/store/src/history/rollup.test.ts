import { staleNaN, writeNaN } from "@skopos/model";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { wordsOf } from "../head/cells.ts";
import { isPlain, plainRows, rollupMs, RowChooser } from "./rollup.ts";

function chosen(times: Float64Array, values: Float64Array): number[] {
  const words = wordsOf(values);
  return isPlain(values, words, 0, times.length)
    ? [...plainRows(times)]
    : [...new RowChooser().rows(times, values, words, 0)];
}

/** What the counter counted from its first to its last sample, resets included. */
function increase(values: readonly number[]): number {
  let sum = 0;
  for (let i = 1; i < values.length; i++) {
    const before = values[i - 1]!;
    const value = values[i]!;
    sum += value < before ? value : value - before;
  }
  return sum;
}

const timesEvery = (stepMs: number, count: number) =>
  Float64Array.from({ length: count }, (_, i) => (i + 1) * stepMs);

describe("a roll-up", () => {
  test("has the last sample of every minute, and the first", () => {
    const times = timesEvery(15_000, 12);
    expect(chosen(times, times)).toEqual([0, 3, 7, 11]);
  });

  test("keeps every increase of a counter, whatever its resets", () => {
    // A reset in more than one sample of sixteen is what gauges have.
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.nat(40)), {
      minLength: 2,
      maxLength: 240,
    });
    fc.assert(
      fc.property(steps, (given) => {
        let total = 0;
        let sinceReset = 0;
        const values = Float64Array.from(given, ([step, chance]) => {
          const reset = chance === 0 && ++sinceReset > 20;
          if (reset) sinceReset = 0;
          else sinceReset++;
          total = reset ? step : total + step;
          return total;
        });
        const rows = chosen(timesEvery(15_000, values.length), values);
        expect(increase(rows.map((row) => values[row]!))).toBe(increase([...values]));
      }),
    );
  });

  test("sees a reset that the counter outgrew within the minute", () => {
    const values = Float64Array.from([100, 5, 200, 300, 310, 320, 330, 340]);
    const rows = chosen(timesEvery(15_000, values.length), values);
    expect(increase(rows.map((row) => values[row]!))).toBe(5 + 195 + 140);
  });

  test("of a gauge has its extremes and few others", () => {
    const times = timesEvery(15_000, 240);
    const values = Float64Array.from(times, (_, i) => Math.sin(i) + (i === 101 ? 50 : 0));
    const kept = chosen(times, values).map((row) => values[row]!);
    expect(kept.length).toBeLessThan(240 / (rollupMs / 15_000) + 4);
    expect(Math.max(...kept)).toBe(Math.max(...values));
    expect(Math.min(...kept)).toBe(Math.min(...values));
  });

  test("has staleness markers, and what stood before them", () => {
    const values = Float64Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    writeNaN(values, 5, staleNaN);
    expect(chosen(timesEvery(15_000, 8), values)).toEqual([0, 3, 4, 5, 7]);
  });
});
