/**
 * Reads traces from the table `spans`: by id, by what must hold on one span or on several of a trace, and counted.
 * A span that was sent twice is one span; a client and a server that share an id (Zipkin) are two.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import {
  type AttributeValue,
  type CandidateSearch,
  type CandidateTrace,
  type FieldValuesRequest,
  type FirstText,
  type FoundTrace,
  LimitError,
  type Span,
  type SpanAggregation,
  type SpanAggregationResult,
  type SpanColumns,
  type SpanField,
  type SpanParts,
  type SpanPredicate,
  type TagNamesRequest,
  type TraceReader,
  type TraceSearch,
  type TraceSummary,
  type TraceTimeRange,
} from "@skopos/model";
import { attributeOf } from "./attribute-text.ts";
import { readTraceColumns } from "./trace-columns.ts";
import { leanExpressions, type SpanRow, spanExpressions, spanOf } from "./span-rows.ts";
import { fieldSql, fieldTextsSql, numberFieldSql, predicateSql } from "./span-sql.ts";
import {
  anyLeafSql,
  betweenSql,
  firstSpansSql,
  havingSql,
  indexedSql,
  joinedTimes,
  matchingSql,
  nsPerMs,
  once,
  placeSql,
  rangeSql,
  timeSpanOf,
  type TracePlace,
  traceSpansSql,
} from "./trace-sql.ts";
import { allOf, Bindings, defaultQueryLimits, type QueryLimits, selectRows } from "./sql.ts";

/** No trace is read further than this. */
const traceSpansMax = 100_000;
const searchTracesMax = 5000;
const candidatesMax = 20_000;
const namesMax = 10_000;
/** Spans sent twice are told apart among so many; beyond it they are counted, and a warning says so. */
const distinctSpansMax = 2_000_000;
/** The newest part of a range that is searched first, and what it is not worth cutting smaller than. */
const firstWindows = 16n;
const windowMinNs = 10_000_000_000n;

type MatchRow = [traceId: string, count: number, matched: string[]];
type SummaryRow = [
  traceId: string,
  rootService: string,
  rootName: string,
  startNs: string,
  durationNs: number,
  spanCount: number,
  errorCount: number,
  services: [string[], number[]],
  serviceErrors: [string[], number[]],
];
type AggregateRow = [
  step: number,
  count: number,
  sum: number,
  min: number,
  max: number,
  exponent: number,
  ...by: (string | null)[],
];

class ClickHouseTraceReader implements TraceReader {
  readonly #client: ClickHouseClient;
  readonly #limits: QueryLimits;

  constructor(client: ClickHouseClient, limits: QueryLimits) {
    this.#client = client;
    this.#limits = limits;
  }

  async trace(
    traceId: string,
    signal?: AbortSignal,
    within?: TraceTimeRange,
    parts: SpanParts = {},
  ): Promise<Span[]> {
    const id = fullTraceId(traceId);
    if (id === undefined) return [];
    return this.#spansOf([id], traceSpansMax, within, signal, parts);
  }

  columns(
    traceId: string,
    firstTexts: readonly FirstText[],
    signal?: AbortSignal,
  ): Promise<SpanColumns> {
    return readTraceColumns(this.#client, this.#limits, {
      traceId: fullTraceId(traceId),
      firstTexts,
      spansMax: traceSpansMax,
      signal,
    });
  }

  async traces(
    traceIds: readonly string[],
    options: { spansMax: number; signal?: AbortSignal; within?: TraceTimeRange },
  ): Promise<Span[][]> {
    const ids = traceIds.flatMap((id) => fullTraceId(id) ?? []);
    if (ids.length === 0) return [];
    const spans = await this.#spansOf(ids, options.spansMax + 1, options.within, options.signal);
    if (spans.length > options.spansMax)
      throw new LimitError(`${ids.length} traces have more than ${options.spansMax} spans`);
    const byId = byTrace(spans);
    return ids.flatMap((id) => {
      const spans = byId.get(id);
      return spans ? [spans] : [];
    });
  }

  async search(search: TraceSearch): Promise<FoundTrace[]> {
    const limit = Math.max(0, Math.min(Math.trunc(search.limit), searchTracesMax));
    const newest = await this.#newest(search.where, search, limit, search.signal);
    if (newest.length === 0) return [];
    const ids = newest.map(({ traceId }) => traceId);
    const place = await this.#placeOf(ids, extentOf(newest), search.signal);
    if (!place) return [];
    const [summaries, matches, spans] = await Promise.all([
      this.#summaries(ids, place, search.signal),
      this.#matches(ids, place, search),
      this.#matchingSpans(ids, place, search),
    ]);
    return ids.flatMap((traceId) => {
      const summary = summaries.get(traceId);
      const match = matches.get(traceId);
      if (!summary || !match) return [];
      const { count, matched } = match;
      return [
        { summary: { ...summary, matched }, matchedCount: count, spans: spans.get(traceId) ?? [] },
      ];
    });
  }

  async candidates(search: CandidateSearch): Promise<CandidateTrace[]> {
    const limit = Math.max(0, Math.min(Math.trunc(search.limit), candidatesMax));
    if (search.where.type === "has")
      return this.#newest(search.where.where, search, limit, search.signal);
    const bindings = new Bindings();
    const within = timeSpanOf(search);
    const where = allOf([rangeSql(bindings, search), anyLeafSql(bindings, search.where, within)]);
    const query = `SELECT lower(hex(trace_id)), toString(max(start_ns) AS newest) FROM spans
      WHERE ${where} GROUP BY trace_id HAVING ${havingSql(bindings, search.where, within)}
      ORDER BY newest DESC, trace_id LIMIT ${limit}`;
    const rows = await this.#rows<[string, string]>(query, bindings, search.signal);
    return rows.map(([traceId, newestNs]) => ({ traceId, newestNs: BigInt(newestNs) }));
  }

  async aggregate(request: SpanAggregation): Promise<SpanAggregationResult> {
    const quick = await this.#aggregated(request, false);
    const total = quick.reduce((sum, [, count]) => sum + count, 0);
    if (total > distinctSpansMax)
      return {
        rows: quick.map((row) => aggregationRow(row, request)),
        warnings: [
          "spans that were sent twice are counted twice: there are too many to tell apart",
        ],
      };
    const distinct = await this.#aggregated(request, true);
    return { rows: distinct.map((row) => aggregationRow(row, request)), warnings: [] };
  }

  async tagNames(request: TagNamesRequest): Promise<string[]> {
    const bindings = new Bindings();
    const keys = {
      span: "mapKeys(attributes)",
      resource: "mapKeys(resource)",
      event: "arrayFlatten(arrayMap(e -> JSONExtractKeys(e, 3), JSONExtractArrayRaw(events)))",
      link: "arrayFlatten(arrayMap(e -> JSONExtractKeys(e, 3), JSONExtractArrayRaw(links)))",
      instrumentation: "mapKeys(scope_attributes)",
    }[request.scope];
    const query = `SELECT DISTINCT toString(arrayJoin(${keys})) AS key FROM spans
      WHERE ${rangeSql(bindings, request)} ORDER BY key LIMIT ${Math.min(request.limit, namesMax)}`;
    return (await this.#rows<[string]>(query, bindings, request.signal)).map(([key]) => key);
  }

  async fieldValues(request: FieldValuesRequest): Promise<AttributeValue[]> {
    const bindings = new Bindings();
    const texts = fieldTextsSql(bindings, request.field);
    const where = allOf([
      rangeSql(bindings, request),
      predicateSql(bindings, request.where, timeSpanOf(request)),
    ]);
    const query = `SELECT toString(arrayJoin(${texts})) AS text FROM spans WHERE ${where}
      GROUP BY text ORDER BY count() DESC, text LIMIT ${Math.min(request.limit, namesMax)}`;
    const rows = await this.#rows<[string]>(query, bindings, request.signal);
    return rows.map(([text]) => fieldValue(request.field, text));
  }

  async services(startMs: number, endMs: number): Promise<string[]> {
    const bindings = new Bindings();
    const query = `SELECT DISTINCT service FROM spans WHERE ${rangeSql(bindings, { startMs, endMs })}
      ORDER BY service LIMIT ${namesMax}`;
    return (await this.#rows<[string]>(query, bindings)).map(([service]) => service);
  }

  async operations(service: string, startMs: number, endMs: number): Promise<string[]> {
    const bindings = new Bindings();
    const query = `SELECT DISTINCT name FROM spans
      WHERE service = ${bindings.text(service)} AND ${rangeSql(bindings, { startMs, endMs })}
      ORDER BY name LIMIT ${namesMax}`;
    return (await this.#rows<[string]>(query, bindings)).map(([name]) => name);
  }

  /** Spans of traces by start time. Where they lie the index of traces tells, in the same query. */
  async #spansOf(
    ids: readonly string[],
    spansMax: number,
    within: TraceTimeRange | undefined,
    signal: AbortSignal | undefined,
    { attributes, spanIds }: SpanParts = {},
  ): Promise<Span[]> {
    const bindings = new Bindings();
    const { place, where } = traceSpansSql(bindings, ids, within);
    const chosen = spanIds
      ? `lower(hex(span_id)) IN (${bindings.bind("Array(String)", spanIds)})`
      : "1";
    const wanted =
      attributes === undefined
        ? spanExpressions
        : leanExpressions(bindings.bind("Array(String)", attributes));
    const query = `WITH (${place}) AS place SELECT ${wanted} FROM spans WHERE ${where} AND ${chosen}
      ${firstSpansSql(spansMax)}`;
    return (await this.#rows<SpanRow>(query, bindings, signal)).map(spanOf);
  }

  /** Where in `spans` the traces lie. Undefined when none is known. */
  async #placeOf(
    ids: readonly string[],
    within: TraceTimeRange | undefined,
    signal: AbortSignal | undefined,
  ): Promise<TracePlace | undefined> {
    const bindings = new Bindings();
    const query = `SELECT toString(min(first_ns)), toString(max(last_ns)), groupUniqArrayArray(services)
      FROM trace_index WHERE ${indexedSql(bindings, ids, within)} GROUP BY trace_id`;
    const rows = await this.#rows<[string, string, string[]]>(query, bindings, signal);
    if (rows.length === 0) return undefined;
    return {
      times: joinedTimes(rows.map(([from, to]) => ({ fromNs: BigInt(from), toNs: BigInt(to) }))),
      services: [...new Set(rows.flatMap(([, , services]) => services))],
    };
  }

  async #aggregated(request: SpanAggregation, distinct: boolean): Promise<AggregateRow[]> {
    const bindings = new Bindings();
    const by = request.by.map((field, i) => `${fieldSql(bindings, field)} AS by${i}`);
    const names = request.by.map((_, i) => `, by${i}`).join("");
    const value = request.value ? numberFieldSql(bindings, request.value) : "toNullable(0.0)";
    const stepNs = bindings.bind("Int64", BigInt(Math.trunc(request.stepMs)) * nsPerMs);
    const originNs = bindings.bind("Int64", BigInt(Math.trunc(request.startMs)) * nsPerMs);
    const where = allOf([
      rangeSql(bindings, request),
      `start_ns > ${originNs}`,
      predicateSql(bindings, request.where, timeSpanOf(request)),
    ]);
    const exponent = request.exponents ? "toInt32(ceil(log2(v)))" : "toInt32(0)";
    const query = `SELECT intDiv(start_ns - ${originNs} + ${stepNs} - 1, ${stepNs}) AS t,
        sum(weight), sum(assumeNotNull(v) * weight), min(assumeNotNull(v)), max(assumeNotNull(v)),
        assumeNotNull(${exponent}) AS exponent${names}
      FROM (
        SELECT start_ns, toFloat64(weight) AS weight, ${[`${value} AS v`, ...by].join(", ")} FROM spans WHERE ${where} ${distinct ? once : ""}
      ) WHERE isNotNull(v) AND isFinite(v)${request.exponents ? " AND v > 0" : ""}
      GROUP BY t, exponent${names} ORDER BY t, exponent${names} LIMIT ${Math.trunc(request.rowsMax) + 1}`;
    const rows = await this.#rows<AggregateRow>(query, bindings, request.signal);
    if (rows.length > request.rowsMax)
      throw new LimitError(
        `more than ${request.rowsMax} values: group by less, or by longer steps`,
      );
    return rows;
  }

  /**
   * Traces with the newest matching spans. The range is searched from its end in windows, each four times as long as the
   * one before, since mostly the first holds enough; where it holds nothing, the rest is searched at once.
   */
  async #newest(
    where: SpanPredicate,
    range: TraceTimeRange,
    limit: number,
    signal: AbortSignal | undefined,
  ): Promise<CandidateTrace[]> {
    const found = new Map<string, CandidateTrace>();
    const startNs = BigInt(Math.floor(range.startMs)) * nsPerMs;
    let toNs = BigInt(Math.ceil(range.endMs)) * nsPerMs;
    let windowNs = (toNs - startNs) / firstWindows;
    if (windowNs < windowMinNs) windowNs = windowMinNs;
    while (found.size < limit && toNs >= startNs) {
      const fromNs = toNs - windowNs > startNs ? toNs - windowNs : startNs;
      const bindings = new Bindings();
      const between = betweenSql(bindings, fromNs, toNs);
      const matches = predicateSql(bindings, where, { fromNs, toNs });
      const query = `SELECT lower(hex(trace_id)), toString(max(start_ns) AS newest) FROM spans
        WHERE ${allOf([between, matches])}
        GROUP BY trace_id ORDER BY newest DESC, trace_id LIMIT ${limit}`;
      for (const [traceId, ns] of await this.#rows<[string, string]>(query, bindings, signal))
        if (!found.has(traceId)) found.set(traceId, { traceId, newestNs: BigInt(ns) });
      toNs = fromNs - 1n;
      windowNs = found.size === 0 ? toNs - startNs : windowNs * 4n;
    }
    return [...found.values()].slice(0, limit);
  }

  /** How many spans of each trace match, and the ids of some. */
  async #matches(
    ids: readonly string[],
    place: TracePlace,
    search: TraceSearch,
  ): Promise<Map<string, { count: number; matched: string[] }>> {
    const bindings = new Bindings();
    const query = `SELECT lower(hex(trace_id)), uniqExact(span_id, kind, service),
        arraySort(groupUniqArray(3)(lower(hex(span_id))))
      FROM spans WHERE ${matchingSql(bindings, ids, place, search)} GROUP BY trace_id`;
    const rows = await this.#rows<MatchRow>(query, bindings, search.signal);
    return new Map(rows.map(([traceId, count, matched]) => [traceId, { count, matched }]));
  }

  async #matchingSpans(
    ids: readonly string[],
    place: TracePlace,
    search: TraceSearch,
  ): Promise<Map<string, Span[]>> {
    if (search.spansMax < 1) return new Map();
    const bindings = new Bindings();
    const query = `SELECT ${spanExpressions} FROM (
        SELECT * FROM spans WHERE ${matchingSql(bindings, ids, place, search)}
        ORDER BY start_ns, duration_ns DESC ${once}
      ) ORDER BY start_ns, duration_ns DESC LIMIT ${Math.trunc(search.spansMax)} BY trace_id`;
    const rows = await this.#rows<SpanRow>(query, bindings, search.signal);
    return byTrace(rows.map(spanOf));
  }

  /** Whole traces, which may begin before and end after the spans that matched. */
  async #summaries(
    ids: readonly string[],
    place: TracePlace,
    signal: AbortSignal | undefined,
  ): Promise<Map<string, Omit<TraceSummary, "matched">>> {
    const bindings = new Bindings();
    const query = `SELECT lower(hex(trace_id)),
        argMin(service, (parent_span_id != toFixedString('', 8), start_ns)),
        argMin(name, (parent_span_id != toFixedString('', 8), start_ns)),
        toString(min(start_ns)), max(start_ns + duration_ns) - min(start_ns), count(), countIf(status = 'error'),
        sumMap([service], [1]), sumMap([service], [toUInt64(status = 'error')])
      FROM (
        SELECT trace_id, span_id, parent_span_id, service, name, kind, status, start_ns, duration_ns FROM spans
        WHERE ${placeSql(bindings, ids, place)} ${once}
      ) GROUP BY trace_id`;
    const rows = await this.#rows<SummaryRow>(query, bindings, signal);
    return new Map(rows.map((row) => [row[0], summaryOf(row)]));
  }

  #rows<Row>(query: string, bindings: Bindings, signal?: AbortSignal): Promise<Row[]> {
    return selectRows<Row>(this.#client, this.#limits, query, bindings, signal);
  }
}

function summaryOf(row: SummaryRow): Omit<TraceSummary, "matched"> {
  const [traceId, rootService, rootName, startNs, durationNs, spanCount, errorCount, ...maps] = row;
  const [services, serviceErrors] = maps;
  return {
    traceId,
    rootService,
    rootName,
    startNs: BigInt(startNs),
    durationNs,
    spanCount,
    errorCount,
    services: countsBy(services),
    serviceErrors: countsBy(serviceErrors),
  };
}

/** Zeros are left out. */
function countsBy([names, counts]: [string[], number[]]): Record<string, number> {
  const pairs = names.map((name, i) => [name, counts[i] ?? 0] as const);
  return Object.fromEntries(pairs.filter(([, count]) => count > 0));
}

/** 32 hex digits; undefined when it is no trace id. */
function fullTraceId(traceId: string): string | undefined {
  return /^[0-9a-fA-F]{1,32}$/.test(traceId) ? traceId.toLowerCase().padStart(32, "0") : undefined;
}

function byTrace(all: readonly Span[]): Map<string, Span[]> {
  const traces = new Map<string, Span[]>();
  for (const span of all) {
    const spans = traces.get(span.traceId);
    if (spans) spans.push(span);
    else traces.set(span.traceId, [span]);
  }
  return traces;
}

function extentOf(traces: readonly CandidateTrace[]): TraceTimeRange {
  let startMs = Infinity;
  let endMs = 0;
  for (const { newestNs } of traces) {
    startMs = Math.min(startMs, Number(newestNs / nsPerMs));
    endMs = Math.max(endMs, Number(newestNs / nsPerMs));
  }
  return { startMs, endMs };
}

/** What the texts of `fieldSql` and `fieldTextsSql` stand for. */
function fieldValue(field: SpanField, text: string): AttributeValue {
  if (field.scope !== "intrinsic") return attributeOf(text);
  return field.name.endsWith("Ns") ? Number(text) : text;
}

function aggregationRow(row: AggregateRow, request: SpanAggregation) {
  const [step, count, sum, min, max, exponent, ...texts] = row;
  const timeMs = Math.trunc(request.startMs) + step * Math.trunc(request.stepMs);
  const by = request.by.map((field, i) => {
    const text = texts[i];
    return text === null || text === undefined ? undefined : fieldValue(field, text);
  });
  return { timeMs, by, count, sum, min, max, exponent };
}

/** Errors: "bad-query", "limit", "cancelled", "unavailable". */
export function createTraceReader(
  client: ClickHouseClient,
  limits: QueryLimits = defaultQueryLimits,
): TraceReader {
  return new ClickHouseTraceReader(client, limits);
}
