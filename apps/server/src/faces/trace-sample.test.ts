import type { Span, TraceEngine, TraceMatch } from "@skopos/model";
import { spansOf } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { sampleTraces } from "./trace-sample.ts";

const span = spansOf("web");
const minute = 60_000;

/** An engine over traces of two spans each, which begin at these times. */
function engineOf(startsMs: readonly number[], weight = 1) {
  const traces = new Map(
    startsMs.map((startMs, i): [string, Span[]] => {
      const startNs = BigInt(startMs) * 1_000_000n;
      const spans = [span("1", "", 0, 5), span("2", "1", 1, 3)];
      return [`${i}`, spans.map((each) => ({ ...each, startNs, weight }))];
    }),
  );
  const engine: Pick<TraceEngine, "search" | "traces" | "metrics"> = {
    search: (_query, { startMs, endMs, limit }) => {
      const within = startsMs.flatMap((at, i) => (at >= startMs && at <= endMs ? [`${i}`] : []));
      const found = within
        .reverse()
        .slice(0, limit)
        .map((traceId) => ({ traceId, spanCount: 2 }) as TraceMatch);
      return Promise.resolve({ traces: found, warnings: [], spansRead: 0 });
    },
    traces: (ids) => Promise.resolve(ids.flatMap((id) => [traces.get(id) ?? []])),
    metrics: (_query, { endMs }) =>
      Promise.resolve({
        value: {
          type: "matrix",
          series: [
            {
              labels: {},
              times: Float64Array.of(endMs),
              values: Float64Array.of(startsMs.length * 2 * weight),
            },
          ],
        },
        warnings: [],
        infos: [],
      }),
  };
  return engine;
}

const sample = async (startsMs: readonly number[], tracesMax: number, weight?: number) => {
  const { traces, share } = await sampleTraces(
    engineOf(startsMs, weight),
    { startMs: 0, endMs: 12 * minute, tracesMax, spansPerTraceMax: 100 },
    new AbortController().signal,
  );
  const times = traces.map(([first]) => Number((first?.startNs ?? 0n) / 1_000_000n));
  return { times: times.sort((a, b) => a - b), share };
};

const evenly = (count: number) => Array.from({ length: count }, (_, i) => i * 1000 + 500);

describe("a sample of traces", () => {
  it("is all of them where they are few", async () => {
    expect(await sample(evenly(100), 200)).toEqual({ times: evenly(100), share: 1 });
    expect(await sample([], 200)).toEqual({ times: [], share: 1 });
  });

  it("is drawn from the whole range, and knows its share by weight", async () => {
    const { times, share } = await sample(evenly(720), 72, 8);
    expect(share).toBeCloseTo(0.1, 9);
    expect(times).toHaveLength(72);
    const quarters = times.map((at) => Math.floor(at / (3 * minute)));
    expect([0, 1, 2, 3].map((one) => quarters.filter((q) => q === one).length)).toEqual([
      18, 18, 18, 18,
    ]);
  });

  it("gives what quiet times leave to busy ones", async () => {
    const busy = Array.from({ length: 100 }, (_, i) => 5 * minute + i);
    expect(await sample(busy, 120)).toEqual({ times: busy, share: 1 });
    const { times, share } = await sample([...evenly(12), ...busy], 60);
    expect(times.length).toBeGreaterThan(40);
    expect(times.length).toBeLessThanOrEqual(60);
    expect(share).toBeCloseTo(times.length / 112, 9);
  });
});
