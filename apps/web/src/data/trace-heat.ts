/** Durations of spans over time, through Tempo's metrics API: the only call of it that the page makes. */
import { SkoposError } from "@skopos/model";
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { z } from "zod";
import { type Heat, heatOfPowers } from "../logic/heat.ts";
import { resolveRange, type TimeRange } from "../logic/scope.ts";
import { stepFor } from "../logic/series.ts";

const columns = 60;
/** The label that holds a bucket's upper end, in seconds. */
const bucketLabel = "__bucket";

const answer = z.object({
  series: z.array(
    z.object({
      labels: z.array(
        z.object({ key: z.string(), value: z.object({ stringValue: z.string().optional() }) }),
      ),
      samples: z.array(z.object({ timestampMs: z.string(), value: z.number() })),
    }),
  ),
});

/** Reads an answer of `histogram_over_time(duration)`: bounds become milliseconds. */
export function readDurations(
  body: unknown,
  range: { startMs: number; endMs: number; stepMs: number },
): Heat | null {
  const series = answer.parse(body).series.map(({ labels, samples }) => {
    const bound = labels.find(({ key }) => key === bucketLabel)?.value.stringValue;
    return {
      upper: Number(bound) * 1000,
      points: samples.map(({ timestampMs, value }) => [Number(timestampMs), value] as const),
    };
  });
  // A step is named by its end.
  return heatOfPowers(series, { ...range, startMs: range.startMs + range.stepMs });
}

export function traceHeatQuery(query: string | null, time: TimeRange) {
  return queryOptions({
    queryKey: ["trace-heat", query, JSON.stringify(time)],
    queryFn: async ({ signal }) => {
      const { start, end } = resolveRange(time, Date.now());
      const stepMs = stepFor(end - start, columns);
      const startMs = Math.floor(start / stepMs) * stepMs;
      const endMs = Math.ceil(end / stepMs) * stepMs;
      const parameters = new URLSearchParams({
        q: query ?? "",
        start: `${startMs / 1000}`,
        end: `${endMs / 1000}`,
        step: `${stepMs / 1000}s`,
      });
      const response = await fetch(`/tempo/api/metrics/query_range?${parameters.toString()}`, {
        credentials: "same-origin",
        signal,
      });
      if (!response.ok) throw new SkoposError("bad-query", await response.text());
      return readDurations(await response.json(), { startMs, endMs, stepMs });
    },
    enabled: query !== null,
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: 15_000,
  });
}
