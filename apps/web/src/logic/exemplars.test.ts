import { describe, expect, it } from "vitest";
import { type Exemplar, exemplarsOf, heightOf, sharesAxis, thinExemplars } from "./exemplars.ts";

const one = (atMs: number, value: number): Exemplar => ({
  atMs,
  value,
  traceId: `${atMs}`,
  label: "",
});

describe("exemplars", () => {
  it("are those that name a trace, whatever the label is called, in order of time", () => {
    const found = exemplarsOf([
      {
        seriesLabels: { __name__: "x_bucket", job: "shop" },
        exemplars: [
          { labels: { traceID: "b" }, value: 2, timestamp: 20 },
          { labels: { user: "me" }, value: 1, timestamp: 15 },
          { labels: { trace_id: "a" }, value: 1, timestamp: 10 },
        ],
      },
    ]);
    expect(found).toEqual([
      { atMs: 10_000, value: 1, traceId: "a", label: "x_bucket shop" },
      { atMs: 20_000, value: 2, traceId: "b", label: "x_bucket shop" },
    ]);
  });

  it("count once though several series hold them", () => {
    const exemplars = [{ labels: { trace_id: "a" }, value: 1, timestamp: 10 }];
    const series = ["1", "2"].map((le) => ({ seriesLabels: { le }, exemplars }));
    expect(exemplarsOf(series)).toHaveLength(1);
  });

  it("are thinned to the slowest of each stretch", () => {
    const many = Array.from({ length: 1000 }, (_, i) => one(i, i === 500 ? 99 : i % 7));
    const few = thinExemplars(many, 10);
    expect(few).toHaveLength(10);
    expect(few.some(({ value }) => value === 99)).toBe(true);
    expect(thinExemplars(many.slice(0, 5), 10)).toHaveLength(5);
  });

  it("stand at their value only on an axis of the same kind", () => {
    expect(sharesAxis("histogram_quantile(0.9, sum by (le) (rate(x_bucket[1m])))")).toBe(true);
    expect(sharesAxis("rate(x_count[1m])")).toBe(false);
    const axis = { min: 0, max: 100 };
    expect(heightOf(one(0, 25), axis, true)).toBe(0.25);
    expect(heightOf(one(0, 900), axis, true)).toBe(1);
    expect(heightOf(one(0, 25), axis, false)).toBe(0);
  });
});
