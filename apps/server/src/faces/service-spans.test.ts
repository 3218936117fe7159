import type { MatrixSeries, TraceEngine } from "@skopos/model";
import { parse } from "@skopos/traceql/syntax";
import { describe, expect, it } from "vitest";
import { serviceSpans } from "./service-spans.ts";

const endMs = 1_700_000_000_000;
const range = { startMs: endMs - 45_000, endMs };
const at = (step: number) => range.startMs + (step + 1) * 15_000;

function series(values: readonly (readonly [atMs: number, value: number])[], p?: string) {
  return {
    labels: p === undefined ? {} : { p },
    times: Float64Array.from(values, ([time]) => time),
    values: Float64Array.from(values, ([, value]) => value),
  } satisfies MatrixSeries;
}

/** Answers as an engine would that saw six calls in the first step and three in the third, of which two failed. */
function engineOf(asked: string[], silent = false): TraceEngine {
  const answer = (query: string): MatrixSeries[] => {
    const failed = query.includes("status = error");
    if (silent) return [];
    if (query.includes("count_over_time")) return [series([[endMs, failed ? 2 : 9]])];
    if (query.includes("quantile"))
      return ["0.5", "0.95", "0.99"].map((p) => series([[at(0), Number(p) / 10]], p));
    return failed
      ? [series([[at(2), 2 / 15]])]
      : [
          series([
            [at(0), 6 / 15],
            [at(1), 0],
            [at(2), 3 / 15],
          ]),
        ];
  };
  const engine: Pick<TraceEngine, "metrics"> = {
    metrics: (query) => {
      asked.push(query);
      const value = { type: "matrix", series: answer(query) } as const;
      return Promise.resolve({ value, warnings: [], infos: [] });
    },
  };
  return engine as TraceEngine;
}

const told = (engine: TraceEngine, id = "shop/payments") =>
  serviceSpans(engine, id, range, new AbortController().signal);

describe("a service told by its server spans", () => {
  it("has rates, errors and durations, and a gap where no span came", async () => {
    const found = await told(engineOf([]));
    expect([found.callsPerSecond, found.errorRatio]).toEqual([0.2, 2 / 9]);
    expect(found.p95Ms).toBeCloseTo(95);
    expect(found.series.requestsPerSecond.map(([time]) => time)).toEqual([at(0), at(2)]);
    expect(found.series.errorRatio).toEqual([
      [at(0), 0],
      [at(2), expect.closeTo(2 / 3)],
    ]);
  });

  it("is unknown, not zero, without spans", async () => {
    const found = await told(engineOf([], true));
    expect([found.callsPerSecond, found.errorRatio, found.p50Ms]).toEqual([null, null, null]);
    expect(found.series.requestsPerSecond).toEqual([]);
  });

  it("is asked for by names that stay texts, whatever is in them", async () => {
    const asked: string[] = [];
    await told(engineOf(asked), 'sh"op/pay" || true');
    expect(asked).toHaveLength(6);
    for (const query of asked) expect(() => parse(query)).not.toThrow();
    expect(asked[0]).toContain(String.raw`"pay\" || true.sh\"op"`);
  });
});
