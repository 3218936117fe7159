import { expect, it } from "vitest";
import { amountWriter, boundWriter, guessUnit } from "./query-unit.ts";

it("guesses units from names and functions", () => {
  expect(guessUnit("histogram_quantile(0.9, sum by (le) (x_milliseconds_bucket))")).toBe("ms");
  expect(guessUnit("sum(rate(a[1m])) / sum(rate(b[1m]))")).toBe("ratio");
  expect(guessUnit("rate(a_bytes_total[1m])")).toBe("bytes-per-second");
  expect(guessUnit("up")).toBe("count");
});

it("writes bounds and amounts of histograms in their units", () => {
  expect(boundWriter("x_milliseconds_bucket")(2500)).toBe("2.5 s");
  expect(boundWriter("x_seconds_bucket")(0.25)).toBe("250 ms");
  expect(boundWriter("x_bytes_bucket")(2048)).toBe("2 KiB");
  expect(boundWriter("x_bucket")(2.5)).toBe("2.5");
  expect(amountWriter("rate(x_bucket[1m])")(2)).toBe("2/s");
  expect(amountWriter("increase(x_bucket[1m])")(2)).toBe("2");
});
