/** A PromQL query's answer over the shown time, asked again while time goes on; and the exemplars of its series. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type Exemplar, exemplarsOf, thinExemplars } from "../logic/exemplars.ts";
import type { MetricView } from "../logic/metric-views.ts";
import { resolveRange, type TimeRange } from "../logic/scope.ts";
import { stepFor } from "../logic/series.ts";
import { useLive } from "./live.tsx";
import { exemplarQuery, instantQuery, rangeQuery } from "./prometheus.ts";

const refreshMs = 10_000;
/** Steps of a graph, and columns of a heat map, whose cells must be wide enough to be seen. */
const points = 240;
const columns = 90;

type Shape = "range" | "columns" | "instant";

function shapeOf(view: MetricView): Shape {
  if (view === "table") return "instant";
  return view === "heat" ? "columns" : "range";
}

export function answerKey(query: string, time: TimeRange, view: MetricView) {
  return ["promql", query, JSON.stringify(time), shapeOf(view)];
}

/** On the step, so that a refresh moves the picture instead of redrawing it differently. */
export function steppedRange(time: TimeRange, nowMs: number, view: MetricView) {
  const { start, end } = resolveRange(time, nowMs);
  const stepMs = stepFor(end - start, view === "heat" ? columns : points);
  return { startMs: Math.ceil(start / stepMs) * stepMs, endMs: Math.round(end), stepMs };
}

export function useAnswer(query: string, time: TimeRange, view: MetricView) {
  const { live } = useLive();
  const shape = shapeOf(view);
  return useQuery({
    queryKey: answerKey(query, time, view),
    queryFn: async ({ signal }) => {
      const now = Date.now();
      const range = steppedRange(time, now, view);
      const answer = await (shape === "instant"
        ? instantQuery(query, range.endMs, signal)
        : rangeQuery(query, range, signal));
      return { ...answer, ...range, shape };
    },
    enabled: query !== "",
    refetchInterval: time.kind === "relative" && live.state !== "paused" ? refreshMs : false,
    placeholderData: keepPreviousData,
  });
}

export type Answer = NonNullable<ReturnType<typeof useAnswer>["data"]>;

const none: readonly Exemplar[] = [];

/** A query that cannot be run has none; the answer itself says why. */
export function useExemplars(query: string, time: TimeRange, wanted: boolean): readonly Exemplar[] {
  const { live } = useLive();
  const { data = none } = useQuery({
    queryKey: ["exemplars", query, JSON.stringify(time)],
    queryFn: async ({ signal }) => {
      const { start, end } = resolveRange(time, Date.now());
      const series = await exemplarQuery(query, { startMs: start, endMs: end }, signal);
      return thinExemplars(exemplarsOf(series));
    },
    enabled: query !== "" && wanted,
    refetchInterval: time.kind === "relative" && live.state !== "paused" ? refreshMs : false,
    retry: false,
  });
  return data;
}
