/**
 * What the page asks the server, with the keys that live updates invalidate. Relative ranges are resolved when asked,
 * so a key stays the same while time goes on.
 */
import type { QueryOf } from "@skopos/api";
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { resolveRange, type TimeRange } from "../logic/scope.ts";
import { client } from "./client.ts";

const rangeKey = (time: TimeRange) =>
  time.kind === "absolute" ? `${time.from}-${time.to}` : `last-${time.lengthMs}`;

function wholeRange(time: TimeRange): { start: number; end: number } {
  const { start, end } = resolveRange(time, Date.now());
  return { start: Math.round(start), end: Math.round(end) };
}

export const statusQuery = queryOptions({
  queryKey: ["status"],
  queryFn: ({ signal }) => client.call("status", { signal }),
});

export const nowQuery = queryOptions({
  queryKey: ["now"],
  queryFn: ({ signal }) => client.call("now", { signal }),
});

/** The picture as of the end of an absolute range, else of now. */
export function graphQuery(time: TimeRange) {
  const fixed = time.kind === "absolute" ? { at: Math.round(time.to) } : {};
  return queryOptions({
    queryKey: ["graph", fixed],
    queryFn: ({ signal }) => client.call("graph", { query: fixed, signal }),
    placeholderData: keepPreviousData,
  });
}

export function serviceQuery(namespace: string, name: string, time: TimeRange) {
  return queryOptions({
    queryKey: ["service", namespace, name, rangeKey(time)],
    queryFn: ({ signal }) =>
      client.call("service", { params: { namespace, name }, query: wholeRange(time), signal }),
    placeholderData: (previous, query) =>
      query?.queryKey[1] === namespace && query.queryKey[2] === name ? previous : undefined,
  });
}

export function changesQuery(time: TimeRange, service?: string) {
  return queryOptions({
    queryKey: ["changes", rangeKey(time), service ?? ""],
    queryFn: ({ signal }) =>
      client.call("changes", {
        query: { ...wholeRange(time), ...(service ? { service } : {}) },
        signal,
      }),
    placeholderData: keepPreviousData,
  });
}

export function incidentsQuery(state: "open" | "resolved" | "all") {
  return queryOptions({
    queryKey: ["incidents", state],
    queryFn: ({ signal }) => client.call("incidents", { query: { state }, signal }),
    placeholderData: keepPreviousData,
  });
}

export function incidentQuery(id: string) {
  return queryOptions({
    queryKey: ["incident", id],
    queryFn: ({ signal }) => client.call("incident", { params: { id }, signal }),
  });
}

export function tracesQuery(time: TimeRange, query: string, limit = 300) {
  return queryOptions({
    queryKey: ["traces", rangeKey(time), query, limit],
    queryFn: ({ signal }) =>
      client.call("traces", {
        query: { ...wholeRange(time), limit, ...(query ? { query } : {}) },
        signal,
      }),
    placeholderData: keepPreviousData,
  });
}

export function traceOutlineQuery(id: string) {
  return queryOptions({
    queryKey: ["trace", id, "outline"],
    queryFn: ({ signal }) => client.call("traceOutline", { params: { id }, signal }),
    staleTime: 60_000,
  });
}

/** `row` tells spans apart that share an id. */
export function traceSpanQuery(id: string, spanId: string, row: number) {
  return queryOptions({
    queryKey: ["trace", id, "span", spanId, row],
    queryFn: ({ signal }) =>
      client.call("traceSpan", { params: { id, spanId: `${spanId}:${row}` }, signal }),
    staleTime: 60_000,
  });
}

export function traceExplanationQuery(id: string) {
  return queryOptions({
    queryKey: ["trace", id, "explanation"],
    queryFn: ({ signal }) => client.call("traceExplanation", { params: { id }, signal }),
    staleTime: 60_000,
  });
}

export function tracePeersQuery(id: string) {
  return queryOptions({
    queryKey: ["trace", id, "peers"],
    queryFn: ({ signal }) => client.call("tracePeers", { params: { id }, signal }),
    staleTime: 300_000,
  });
}

export function joinsQuery(trace: string, span: string) {
  return queryOptions({
    queryKey: ["trace", trace, "joins", span],
    queryFn: ({ signal }) => client.call("joins", { query: { trace, span }, signal }),
    staleTime: 60_000,
  });
}

export function traceComparisonQuery(time: TimeRange, query: string, baseline: string) {
  return queryOptions({
    queryKey: ["trace-comparison", rangeKey(time), query, baseline],
    queryFn: ({ signal }) =>
      client.call("traceComparison", {
        query: { ...wholeRange(time), query, ...(baseline === "" ? {} : { baseline }) },
        signal,
      }),
    staleTime: 60_000,
  });
}

export function traceGraphQuery(time: TimeRange) {
  return queryOptions({
    queryKey: ["trace-graph", rangeKey(time)],
    queryFn: ({ signal }) => client.call("traceGraph", { query: wholeRange(time), signal }),
    staleTime: 30_000,
    placeholderData: keepPreviousData,
  });
}

export function traceRedQuery(time: TimeRange) {
  return queryOptions({
    queryKey: ["trace-red", rangeKey(time)],
    queryFn: ({ signal }) => client.call("traceRed", { query: wholeRange(time), signal }),
    staleTime: 30_000,
    placeholderData: keepPreviousData,
  });
}

/** What server spans tell of a service. */
export function serviceSpansQuery(namespace: string, name: string, time: TimeRange) {
  return queryOptions({
    queryKey: ["service-spans", namespace, name, rangeKey(time)],
    queryFn: ({ signal }) =>
      client.call("serviceSpans", { params: { namespace, name }, query: wholeRange(time), signal }),
    staleTime: 15_000,
    placeholderData: (previous, query) =>
      query?.queryKey[1] === namespace && query.queryKey[2] === name ? previous : undefined,
  });
}

export function traceServicesQuery(time: TimeRange) {
  return queryOptions({
    queryKey: ["trace-services", rangeKey(time)],
    queryFn: ({ signal }) => client.call("traceServices", { query: wholeRange(time), signal }),
    staleTime: 60_000,
  });
}

export function logsQuery(time: TimeRange, query: string, limit: number) {
  return queryOptions({
    queryKey: ["logs", rangeKey(time), query, limit],
    queryFn: ({ signal }) => {
      const ask: QueryOf<"logs"> = { ...wholeRange(time), query, limit, direction: "backward" };
      return client.call("logs", { query: ask, signal });
    },
    placeholderData: keepPreviousData,
  });
}

/** Lines of a moment, without counting the whole range. */
export function logMomentQuery(
  query: string,
  range: { readonly start: number; readonly end: number },
  direction: "backward" | "forward",
  limit: number,
) {
  return queryOptions({
    queryKey: ["log-moment", query, range, direction, limit],
    queryFn: ({ signal }) =>
      client.call("logs", {
        query: { ...range, query, limit, direction, histogram: "none" },
        signal,
      }),
    staleTime: 60_000,
  });
}

export function logExplanationQuery(time: TimeRange, query: string) {
  return queryOptions({
    queryKey: ["log-explanation", rangeKey(time), query],
    queryFn: ({ signal }) =>
      client.call("logExplanation", { query: { ...wholeRange(time), query }, signal }),
    staleTime: 10_000,
    placeholderData: (previous, asked) => (asked?.queryKey[2] === query ? previous : undefined),
  });
}

export function logPatternsQuery(time: TimeRange, query: string, newSince?: number) {
  return queryOptions({
    queryKey: ["log-patterns", rangeKey(time), query, newSince],
    queryFn: ({ signal }) =>
      client.call("logPatterns", {
        query: { ...wholeRange(time), query, ...(newSince !== undefined && { newSince }) },
        signal,
      }),
    staleTime: 10_000,
    placeholderData: keepPreviousData,
  });
}

export function logFieldsQuery(time: TimeRange, query: string) {
  return queryOptions({
    queryKey: ["log-fields", rangeKey(time), query],
    queryFn: ({ signal }) =>
      client.call("logFields", { query: { ...wholeRange(time), query }, signal }),
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });
}

/** What belongs to the moment of a log line. */
export function lineJoinsQuery(ask: QueryOf<"joins">) {
  return queryOptions({
    queryKey: ["line-joins", ask],
    queryFn: ({ signal }) => client.call("joins", { query: ask, signal }),
    staleTime: 60_000,
  });
}

export const alertsQuery = queryOptions({
  queryKey: ["alerts"],
  queryFn: ({ signal }) => client.call("alerts", { signal }),
});

export const practiceQuery = queryOptions({
  queryKey: ["practice"],
  queryFn: ({ signal }) => client.call("practice", { signal }),
  refetchInterval: 5000,
});

export function searchQuery(q: string) {
  return queryOptions({
    queryKey: ["search", q],
    queryFn: ({ signal }) => client.call("search", { query: { q }, signal }),
    enabled: q.trim() !== "",
    placeholderData: keepPreviousData,
  });
}
