/**
 * A Prometheus-compatible server (Prometheus, Thanos, Mimir, VictoriaMetrics) as an engine: the query's text goes there, the
 * result comes back. What its PromQL means is its own affair. Native histograms are left out, with a warning.
 */
import type { InstantQuery, MetricEngine, MetricResult, RangeQuery } from "@skopos/model";
import type { RemoteServer } from "./connection.ts";
import { PrometheusHttp, type RemoteAnswer, secondsText } from "./http.ts";
import { metricValueOf } from "./values.ts";

export function createPrometheusEngine(remote: RemoteServer): MetricEngine {
  const http = new PrometheusHttp(remote);
  return {
    async instant({ query, timeMs, timeoutMs, signal }: InstantQuery) {
      const parameters = [
        ["query", query],
        ["time", secondsText(timeMs)],
      ] as const;
      return resultOf(await http.post("/query", parameters, { signal, timeoutMs }));
    },
    async range({ query, startMs, endMs, stepMs, timeoutMs, signal }: RangeQuery) {
      const parameters = [
        ["query", query],
        ["start", secondsText(startMs)],
        ["end", secondsText(endMs)],
        ["step", secondsText(stepMs)],
      ] as const;
      return resultOf(await http.post("/query_range", parameters, { signal, timeoutMs }));
    },
  };
}

function resultOf({ data, warnings, infos }: RemoteAnswer): MetricResult {
  const { value, left } = metricValueOf(data);
  const more =
    left > 0 ? [`${left} series of native histograms are left out of a remote answer`] : [];
  return { value, warnings: [...warnings, ...more], infos };
}
