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
  type FoundTrace,
  LimitError,
  type Span,
  type SpanAggregation,
  type SpanAggregationResult,
  type SpanField,
  type SpanPredicate,
  type TagNamesRequest,
  type TracePredicate,
  type TraceReader,
  type TraceSearch,
  type TraceSummary,
  type TraceTimeRange,
} from "@skopos/model";
import { attributeOf } from "./attribute-text.ts";
import { type SpanRow, spanExpressions, spanOf } from "./span-rows.ts";
import { fieldSql, fieldTextsSql, numberFieldSql, predicateSql } from "./span-sql.ts";
import { allOf, Bindings, defaultQueryLimits, type QueryLimits, selectRows } from "./sql.ts";

/** No trace is read further than this. */
const traceSpansMax = 100_000;
const searchTracesMax = 5000;
const candidatesMax = 20_000;
const namesMax = 10_000;
/** Spans sent twice are told apart among so many; beyond it they are counted, and a warning says so. */
const distinctSpansMax = 2_000_000;
const dayMs = 86_400_000;
const nsPerMs = 1_000_000n;
const once = "LIMIT 1 BY trace_id, span_id, kind, service";

type MatchRow = [traceId: string, newestNs: string, count: number, matched: string[]];
type SummaryRow = [
  traceId: string,
  rootService: string,
  rootName: string,
  startNs: string,
  durationNs: number,
  spanCount: number,
  errorCount: number,
  services: [string[], number[]],
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

  async trace(traceId: string, signal?: AbortSignal, within?: TraceTimeRange): Promise<Span[]> {
    const id = fullTraceId(traceId);
    if (id === undefined) return [];
    const bindings = new Bindings();
    const conditions = [`trace_id = toFixedString(unhex(${bindings.text(id)}), 16)`];
    if (within) conditions.push(reachSql(bindings, within));
    const query = `SELECT ${spanExpressions} FROM spans WHERE ${allOf(conditions)}
      ORDER BY start_ns, duration_ns DESC ${once} LIMIT ${traceSpansMax}`;
    return (await this.#rows<SpanRow>(query, bindings, signal)).map(spanOf);
  }

  async traces(
    traceIds: readonly string[],
    options: { spansMax: number; signal?: AbortSignal; within?: TraceTimeRange },
  ): Promise<Span[][]> {
    const ids = traceIds.flatMap((id) => fullTraceId(id) ?? []);
    if (ids.length === 0) return [];
    const bindings = new Bindings();
    const conditions = [idsSql(bindings, ids)];
    if (options.within) conditions.push(reachSql(bindings, options.within));
    const query = `SELECT ${spanExpressions} FROM spans WHERE ${allOf(conditions)}
      ORDER BY start_ns, duration_ns DESC ${once} LIMIT ${Math.trunc(options.spansMax) + 1}`;
    const rows = await this.#rows<SpanRow>(query, bindings, options.signal);
    if (rows.length > options.spansMax)
      throw new LimitError(`${ids.length} traces have more than ${options.spansMax} spans`);
    const byId = byTrace(rows);
    return ids.flatMap((id) => {
      const spans = byId.get(id);
      return spans ? [spans] : [];
    });
  }

  async search(search: TraceSearch): Promise<FoundTrace[]> {
    const bindings = new Bindings();
    const limit = Math.max(0, Math.min(Math.trunc(search.limit), searchTracesMax));
    const where = allOf([rangeSql(bindings, search), predicateSql(bindings, search.where)]);
    const query = `SELECT lower(hex(trace_id)), toString(max(start_ns) AS newest),
        uniqExact(span_id, kind, service), arraySort(groupUniqArray(3)(lower(hex(span_id))))
      FROM spans WHERE ${where}
      GROUP BY trace_id ORDER BY newest DESC, trace_id LIMIT ${limit}`;
    const matches = await this.#rows<MatchRow>(query, bindings, search.signal);
    if (matches.length === 0) return [];
    const [summaries, spans] = await Promise.all([
      this.#summaries(matches, search.signal),
      this.#matchingSpans(matches, search),
    ]);
    return matches.flatMap(([traceId, , matchedCount, matched]) => {
      const summary = summaries.get(traceId);
      if (!summary) return [];
      return [{ summary: { ...summary, matched }, matchedCount, spans: spans.get(traceId) ?? [] }];
    });
  }

  async candidates(search: CandidateSearch): Promise<CandidateTrace[]> {
    const bindings = new Bindings();
    const limit = Math.max(0, Math.min(Math.trunc(search.limit), candidatesMax));
    const where = allOf([rangeSql(bindings, search), anyLeafSql(bindings, search.where)]);
    const query = `SELECT lower(hex(trace_id)), toString(max(start_ns) AS newest) FROM spans
      WHERE ${where} GROUP BY trace_id HAVING ${havingSql(bindings, search.where)}
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
      instrumentation: "CAST([], 'Array(String)')",
    }[request.scope];
    const query = `SELECT DISTINCT toString(arrayJoin(${keys})) AS key FROM spans
      WHERE ${rangeSql(bindings, request)} ORDER BY key LIMIT ${Math.min(request.limit, namesMax)}`;
    return (await this.#rows<[string]>(query, bindings, request.signal)).map(([key]) => key);
  }

  async fieldValues(request: FieldValuesRequest): Promise<AttributeValue[]> {
    const bindings = new Bindings();
    const texts = fieldTextsSql(bindings, request.field);
    const where = allOf([rangeSql(bindings, request), predicateSql(bindings, request.where)]);
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
      predicateSql(bindings, request.where),
    ]);
    const exponent = request.exponents ? "toInt32(ceil(log2(v)))" : "toInt32(0)";
    const query = `SELECT intDiv(start_ns - ${originNs} + ${stepNs} - 1, ${stepNs}) AS t,
        count(), sum(assumeNotNull(v)), min(assumeNotNull(v)), max(assumeNotNull(v)),
        assumeNotNull(${exponent}) AS exponent${names}
      FROM (
        SELECT start_ns, ${[`${value} AS v`, ...by].join(", ")} FROM spans WHERE ${where} ${distinct ? once : ""}
      ) WHERE isNotNull(v) AND isFinite(v)${request.exponents ? " AND v > 0" : ""}
      GROUP BY t, exponent${names} ORDER BY t, exponent${names} LIMIT ${Math.trunc(request.rowsMax) + 1}`;
    const rows = await this.#rows<AggregateRow>(query, bindings, request.signal);
    if (rows.length > request.rowsMax)
      throw new LimitError(
        `more than ${request.rowsMax} values: group by less, or by longer steps`,
      );
    return rows;
  }

  async #matchingSpans(
    matches: readonly MatchRow[],
    search: TraceSearch,
  ): Promise<Map<string, Span[]>> {
    if (search.spansMax < 1) return new Map();
    const bindings = new Bindings();
    const conditions = [
      idsSql(
        bindings,
        matches.map(([traceId]) => traceId),
      ),
      rangeSql(bindings, search),
      predicateSql(bindings, search.where),
    ];
    const query = `SELECT ${spanExpressions} FROM (
        SELECT * FROM spans WHERE ${allOf(conditions)} ORDER BY start_ns, duration_ns DESC ${once}
      ) ORDER BY start_ns, duration_ns DESC LIMIT ${Math.trunc(search.spansMax)} BY trace_id`;
    const rows = await this.#rows<SpanRow>(query, bindings, search.signal);
    return byTrace(rows);
  }

  /** Whole traces, which may begin before and end after the spans that matched. */
  async #summaries(
    matches: readonly MatchRow[],
    signal?: AbortSignal,
  ): Promise<Map<string, Omit<TraceSummary, "matched">>> {
    const bindings = new Bindings();
    const times = matches.map(([, newestNs]) => Number(BigInt(newestNs) / nsPerMs));
    const within = {
      startMs: times.reduce((a, b) => Math.min(a, b), Infinity),
      endMs: times.reduce((a, b) => Math.max(a, b), 0),
    };
    const ids = matches.map(([traceId]) => traceId);
    const query = `SELECT lower(hex(trace_id)),
        argMin(service, (parent_span_id != toFixedString('', 8), start_ns)),
        argMin(name, (parent_span_id != toFixedString('', 8), start_ns)),
        toString(min(start_ns)), max(start_ns + duration_ns) - min(start_ns), count(), countIf(status = 'error'),
        sumMap([service], [1])
      FROM (
        SELECT trace_id, span_id, parent_span_id, service, name, kind, status, start_ns, duration_ns FROM spans
        WHERE ${idsSql(bindings, ids)} AND ${reachSql(bindings, within)} ${once}
      ) GROUP BY trace_id`;
    const rows = await this.#rows<SummaryRow>(query, bindings, signal);
    return new Map(
      rows.map(
        ([traceId, rootService, rootName, startNs, durationNs, spanCount, errors, services]) => [
          traceId,
          {
            traceId,
            rootService,
            rootName,
            startNs: BigInt(startNs),
            durationNs,
            spanCount,
            errorCount: errors,
            services: Object.fromEntries(services[0].map((name, i) => [name, services[1][i] ?? 0])),
          },
        ],
      ),
    );
  }

  #rows<Row>(query: string, bindings: Bindings, signal?: AbortSignal): Promise<Row[]> {
    return selectRows<Row>(this.#client, this.#limits, query, bindings, signal);
  }
}

/** 32 hex digits; undefined when it is no trace id. */
function fullTraceId(traceId: string): string | undefined {
  return /^[0-9a-fA-F]{1,32}$/.test(traceId) ? traceId.toLowerCase().padStart(32, "0") : undefined;
}

function byTrace(rows: readonly SpanRow[]): Map<string, Span[]> {
  const traces = new Map<string, Span[]>();
  for (const row of rows) {
    const spans = traces.get(row[0]);
    if (spans) spans.push(spanOf(row));
    else traces.set(row[0], [spanOf(row)]);
  }
  return traces;
}

function idsSql(bindings: Bindings, ids: readonly string[]): string {
  const bound = bindings.bind("Array(String)", ids);
  return `trace_id IN (SELECT toFixedString(unhex(arrayJoin(${bound})), 16))`;
}

function rangeSql(bindings: Bindings, { startMs, endMs }: TraceTimeRange): string {
  const from = bindings.bind("Int64", BigInt(Math.floor(startMs)) * nsPerMs);
  const to = bindings.bind("Int64", BigInt(Math.ceil(endMs)) * nsPerMs);
  return `start_ns BETWEEN ${from} AND ${to}`;
}

/** As far as spans of a trace may lie from one that is in the range. */
function reachSql(bindings: Bindings, { startMs, endMs }: TraceTimeRange): string {
  return rangeSql(bindings, { startMs: startMs - dayMs, endMs: endMs + dayMs });
}

function leaves(predicate: TracePredicate): SpanPredicate[] {
  return predicate.type === "has" ? [predicate.where] : predicate.of.flatMap(leaves);
}

/** Spans that say anything of a trace. */
function anyLeafSql(bindings: Bindings, predicate: TracePredicate): string {
  const all = leaves(predicate);
  if (all.length === 0) return "1";
  return predicateSql(bindings, { type: "any", of: all });
}

function havingSql(bindings: Bindings, predicate: TracePredicate): string {
  if (predicate.type === "has") return `max(${predicateSql(bindings, predicate.where)}) = 1`;
  const parts = predicate.of.map((part) => havingSql(bindings, part));
  if (parts.length === 0) return predicate.type === "all" ? "1" : "0";
  return `(${parts.join(predicate.type === "all" ? " AND " : " OR ")})`;
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
