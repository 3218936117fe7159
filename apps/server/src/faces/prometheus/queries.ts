/** `/query`, `/query_range`, `/query_exemplars`: checked here, evaluated in a query thread, sent on as they come. */
import { type ExemplarSeries, SkoposError } from "@skopos/model";
import type { QueryOptions } from "../../threads/query-calls.ts";
import { durationOf, limitOf, one, type Parameters, required, timeOf } from "./parameters.ts";

const pointsMax = 11_000;

/** Times in milliseconds; `timeoutMsMax` caps what the client asks for. */
export function instantQueryOf(parameters: Parameters, nowMs: number, timeoutMsMax: number) {
  return {
    query: required(parameters, "query"),
    timeMs: timeOf(parameters, "time") ?? nowMs,
    ...optionsOf(parameters, timeoutMsMax),
  };
}

export function rangeQueryOf(parameters: Parameters, timeoutMsMax: number) {
  const query = required(parameters, "query");
  const startMs = timeOf(parameters, "start");
  const endMs = timeOf(parameters, "end");
  if (startMs === undefined || endMs === undefined)
    throw new SkoposError("bad-request", "start and end are required");
  const stepMs = durationOf(parameters, "step");
  if (stepMs === undefined) throw new SkoposError("bad-request", 'parameter "step" is missing');
  if (stepMs <= 0)
    throw new SkoposError(
      "bad-request",
      "zero or negative query resolution step widths are not accepted; try a positive integer",
    );
  if (endMs < startMs)
    throw new SkoposError("bad-request", "end timestamp must not be before start time");
  if ((endMs - startMs) / stepMs > pointsMax) {
    throw new SkoposError(
      "bad-request",
      `exceeded maximum resolution of ${pointsMax} points per timeseries: use a larger step`,
    );
  }
  return { query, startMs, endMs, stepMs, ...optionsOf(parameters, timeoutMsMax) };
}

function optionsOf(parameters: Parameters, timeoutMsMax: number): QueryOptions {
  const lookbackMs = durationOf(parameters, "lookback_delta");
  if (lookbackMs !== undefined && lookbackMs <= 0)
    throw new SkoposError("bad-request", 'invalid parameter "lookback_delta": it must be positive');
  return {
    timeoutMs: Math.min(durationOf(parameters, "timeout") ?? timeoutMsMax, timeoutMsMax),
    lookbackMs,
    seriesLimit: limitOf(parameters),
    stats: one(parameters, "stats") !== undefined,
  };
}

export function exemplarSeriesJson({ labels, exemplars }: ExemplarSeries): object {
  return {
    seriesLabels: labels,
    exemplars: exemplars.map((exemplar) => ({
      labels: exemplar.labels,
      value: String(exemplar.value),
      timestamp: exemplar.timeMs / 1000,
    })),
  };
}
