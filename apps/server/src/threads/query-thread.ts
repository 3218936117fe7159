/** A thread that answers questions: metrics from the head's shared memory, traces and logs from ClickHouse. */
import { parentPort, workerData } from "node:worker_threads";
import { createLogEngine } from "@skopos/logql";
import { invariant, systemClock } from "@skopos/model";
import { createMetricEngine, defaultLimits, toPrometheusJson } from "@skopos/promql";
import { format, parse } from "@skopos/promql/syntax";
import { createLogReader, createTraceReader, HeadView, openClickHouse } from "@skopos/store";
import { createTraceEngine } from "@skopos/traceql";
import type { QueryCalls, QueryThreadData } from "./query-calls.ts";
import { type CallContext, serveCalls } from "./rpc.ts";

invariant(parentPort, "the query thread has a parent");
const data = workerData as QueryThreadData;
const head = new HeadView(data.head);
const client = openClickHouse(data.clickhouse);
const traces = createTraceEngine(createTraceReader(client));
const logs = createLogEngine(createLogReader(client));
const encoder = new TextEncoder();
const answerBytesMax = 256 * 2 ** 20;

const engine = ({ cancelled }: CallContext) =>
  createMetricEngine({
    reader: head,
    clock: systemClock,
    cancelled,
    limits: { ...defaultLimits, timeoutMs: data.timeoutMs },
  });

serveCalls<QueryCalls>(parentPort, {
  instant: (query, context) => engine(context).instant(query),
  range: (query, context) => engine(context).range(query),
  instantJson: async (query, context) =>
    encoder.encode(toPrometheusJson(await engine(context).instant(query), answerBytesMax)),
  rangeJson: async (query, context) =>
    encoder.encode(toPrometheusJson(await engine(context).range(query), answerBytesMax)),
  formatQuery: ({ query }) => format(parse(query)),
  series: async (request) => (await head.series(request)).map((labels) => labels.toMap()),
  labelNames: (request) => head.labelNames(request),
  labelValues: ({ name, ...request }) => head.labelValues(name, request),

  trace: ({ traceId, within }, { signal }) => traces.trace(traceId, signal, within),
  traces: ({ traceIds, within }, { signal }) => traces.traces(traceIds, signal, within),
  searchTraces: ({ query, spansPerSet, ...range }, { signal }) =>
    traces.search(query, {
      ...range,
      ...(spansPerSet === undefined ? {} : { spansPerSet }),
      signal,
    }),
  traceMetrics: ({ query, ...request }, { signal }) =>
    traces.metrics(query, { ...request, signal }),
  traceTags: ({ scope, ...range }, { signal }) =>
    traces.tags({ ...range, ...(scope === undefined ? {} : { scope }), signal }),
  traceTagValues: ({ tag, query, limit, ...range }, { signal }) =>
    traces.tagValues(tag, {
      ...range,
      ...(query === undefined ? {} : { query }),
      ...(limit === undefined ? {} : { limit }),
      signal,
    }),
  traceServices: ({ startMs, endMs }) => traces.services(startMs, endMs),
  traceOperations: ({ service, startMs, endMs }) => traces.operations(service, startMs, endMs),

  logs: (query, { signal }) => logs.query({ ...query, signal }),
  logLabelNames: ({ startMs, endMs }) => logs.labelNames(startMs, endMs),
  logLabelValues: ({ name, query, startMs, endMs }) =>
    logs.labelValues(name, query, startMs, endMs),
  logStreams: ({ match, startMs, endMs }) => logs.streams(match, startMs, endMs),
});
