/** A thread that answers questions: metrics from the head's shared memory, traces and logs from ClickHouse. */
import { parentPort, workerData } from "node:worker_threads";
import { createLogEngine } from "@skopos/logql";
import {
  invariant,
  type MetricEngine,
  type MetricReader,
  type MetricResult,
  systemClock,
} from "@skopos/model";
import { createMetricEngine, createPlanCache, defaultLimits, RangeCache } from "@skopos/promql";
import { exprJson, format, parse, selectorsOf } from "@skopos/promql/syntax";
import {
  createHistoryReader,
  createLogReader,
  createMaskedReader,
  createMetricReader,
  createTraceReader,
  HeadMarks,
  HeadView,
  openClickHouse,
  settledAfterMs,
  Tombstones,
} from "@skopos/store";
import { createTraceEngine } from "@skopos/traceql";
import { readTraceOutline } from "../views/trace-outline.ts";
import { federate } from "./federation.ts";
import { giveWayToPaging } from "./give-way.ts";
import { limitSeries, sendJson, sendText } from "./json-answer.ts";
import type { QueryCalls, QueryOptions, QueryThreadData } from "./query-calls.ts";
import { QueryCost } from "./query-cost.ts";
import { practise } from "./query-practice.ts";
import { answerRead } from "./remote-read.ts";
import { type CallContext, serveCalls } from "./rpc.ts";

/** Settled steps of range queries, kept for when they are asked again. */
const rangeCacheBytesMax = 64 * 2 ** 20;
const catchUpEveryMs = 500;

invariant(parentPort, "the query thread has a parent");
giveWayToPaging();
const data = workerData as QueryThreadData;
const head = new HeadView(data.head);
// Names that came up are folded between questions, so that no question waits for thousands of them.
setInterval(() => head.catchUp(), catchUpEveryMs).unref();
const client = openClickHouse(data.clickhouse);
const marks = new HeadMarks(data.head);
/** Metrics of every time: head and history, without what was deleted. */
const metrics = createMaskedReader(
  createMetricReader({
    head,
    marks,
    history: createHistoryReader(client, { clock: systemClock }),
  }),
  new Tombstones(data.tombstonesFile, marks),
);
const traceReader = createTraceReader(client);
const traces = createTraceEngine(traceReader);
const logs = createLogEngine(createLogReader(client));
const plans = createPlanCache();
const rangeCache = new RangeCache({
  clock: systemClock,
  bytesMax: rangeCacheBytesMax,
  settleMs: settledAfterMs,
  generation: () => marks.settledVersion,
  heldSinceMs: () => marks.heldSinceMs,
  plans,
});

const engine = ({ cancelled }: CallContext, reader: MetricReader = metrics, lookbackMs?: number) =>
  createMetricEngine({
    reader,
    clock: systemClock,
    cancelled,
    plans,
    limits: { ...defaultLimits, timeoutMs: data.timeoutMs },
    ...(lookbackMs !== undefined && { lookbackMs }),
  });

/** Answers with bytes, and with what the query cost where that is asked for. */
async function answerJson(
  options: QueryOptions,
  context: CallContext,
  run: (engine: MetricEngine) => Promise<MetricResult>,
): Promise<Uint8Array<ArrayBuffer>> {
  const cost = new QueryCost(metrics, systemClock);
  const result = await run(engine(context, cost, options.lookbackMs));
  const stats = options.stats ? cost.stats() : undefined;
  return sendJson(limitSeries(result, options.seriesLimit), stats, context);
}

serveCalls<QueryCalls>(parentPort, {
  instant: (query, context) => engine(context).instant(query),
  range: (query, context) => engine(context).range(query),
  instantJson: ({ query, timeMs, ...options }, context) =>
    answerJson(options, context, (at) =>
      at.instant({ query, timeMs, timeoutMs: options.timeoutMs }),
    ),
  rangeJson: ({ query, startMs, endMs, stepMs, ...options }, context) =>
    answerJson(options, context, (at) =>
      rangeCache.range(
        at,
        { query, startMs, endMs, stepMs, timeoutMs: options.timeoutMs },
        options.lookbackMs,
      ),
    ),
  explain: async (query, context) => {
    const cost = new QueryCost(metrics, systemClock);
    const startedMs = systemClock.monotonicMs();
    const { result, operators } = await engine(context, cost).explain(query);
    const totalMs = systemClock.monotonicMs() - startedMs;
    const { readMs, samplesRead } = cost;
    const notes = [...result.warnings, ...result.infos];
    return { operators, totalMs, readMs, samplesRead, notes };
  },
  formatQuery: ({ query }) => format(parse(query)),
  parseQuery: ({ query }) => exprJson(parse(query)),
  federate: (request, { cancelled, emit }) => sendText(federate(metrics, request, cancelled), emit),
  remoteRead: ({ externalLabels, ...request }, context) =>
    answerRead(metrics, request, externalLabels, context),
  cardinality: ({ limit }) => head.cardinality(limit),
  exemplars: ({ query, ...range }) => {
    const matcherSets = selectorsOf(parse(query)).map(({ matchers }) => matchers);
    return matcherSets.length === 0 ? [] : head.exemplars({ ...range, matcherSets });
  },
  series: async (request) => (await metrics.series(request)).map((labels) => labels.toMap()),
  labelNames: (request) => metrics.labelNames(request),
  labelValues: ({ name, ...request }) => metrics.labelValues(name, request),

  trace: ({ traceId, within, parts }, { signal }) => traces.trace(traceId, signal, within, parts),
  traceOutline: ({ traceId }, { signal }) => readTraceOutline(traceReader, traceId, signal),
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
  logStats: (scope, { signal }) => logs.stats({ ...scope, signal }),
  logVolume: (request, { signal }) => logs.volume({ ...request, signal }),
  logFields: (request, { signal }) => logs.detectedFields({ ...request, signal }),
  logFieldValues: ({ field, ...request }, { signal }) =>
    logs.detectedFieldValues(field, { ...request, signal }),
  logLabels: (scope, { signal }) => logs.detectedLabels({ ...scope, signal }),
  logPatterns: (request, { signal }) => logs.patterns({ ...request, signal }),
  logTail: (request, { signal }) => logs.tail({ ...request, signal }),
});

const pause = () =>
  new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
// Without practice the thread is slower, and otherwise the same.
practise(systemClock, pause).catch(() => {});
