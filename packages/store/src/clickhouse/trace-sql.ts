/** Pieces of the trace reader's queries: which spans of the table `spans` to look at, and what traces must have. */
import type { SpanPredicate, TracePredicate, TraceSearch, TraceTimeRange } from "@skopos/model";
import { predicateSql } from "./span-sql.ts";
import { allOf, type Bindings } from "./sql.ts";
import type { TimeSpan } from "./whole-trace-sql.ts";

export const nsPerMs = 1_000_000n;
const dayMs = 86_400_000;

/** Where in `spans` some traces lie. */
export interface TracePlace {
  /** Ascending, and apart from one another: traces far apart are not read together with all that lies between. */
  readonly times: readonly TimeSpan[];
  readonly services: readonly string[];
}

/** A granule spans about as much: times nearer to each other are read at once anyway. */
const gapMinNs = 100_000_000n;
const timesMax = 64;

/** The times as few spans of time, at most `timesMax`. */
export function joinedTimes(times: readonly TimeSpan[]): TimeSpan[] {
  const ordered = [...times].sort((a, b) => (a.fromNs < b.fromNs ? -1 : 1));
  for (let gapNs = gapMinNs; ; gapNs *= 4n) {
    const joined: TimeSpan[] = [];
    for (const time of ordered) {
      const last = joined.at(-1);
      if (!last || time.fromNs - last.toNs > gapNs) joined.push(time);
      else if (time.toNs > last.toNs)
        joined[joined.length - 1] = { fromNs: last.fromNs, toNs: time.toNs };
    }
    if (joined.length <= timesMax) return joined;
  }
}

function idsSql(bindings: Bindings, ids: readonly string[]): string {
  const [only] = ids;
  if (only !== undefined && ids.length === 1)
    return `trace_id = toFixedString(unhex(${bindings.text(only)}), 16)`;
  const bound = bindings.bind("Array(String)", ids);
  return `trace_id IN (SELECT toFixedString(unhex(arrayJoin(${bound})), 16))`;
}

/** Rows of `trace_index` for the traces. */
export function indexedSql(
  bindings: Bindings,
  ids: readonly string[],
  within: TraceTimeRange | undefined,
): string {
  if (!within) return idsSql(bindings, ids);
  const from = bindings.bind("Int64", Math.floor((within.startMs - dayMs) / dayMs));
  const to = bindings.bind("Int64", Math.floor((within.endMs + dayMs) / dayMs));
  return allOf([idsSql(bindings, ids), `day BETWEEN toDate(${from}) AND toDate(${to})`]);
}

/**
 * The spans of some traces: `where`, beside the scalar `place` that the index of traces gives in the same query. ClickHouse
 * has it as constants by the time that it looks for granules.
 */
export function traceSpansSql(
  bindings: Bindings,
  ids: readonly string[],
  within?: TraceTimeRange,
): { place: string; where: string } {
  return {
    place: `SELECT (min(first_ns), max(last_ns), groupUniqArrayArray(services)) FROM trace_index
      WHERE ${indexedSql(bindings, ids, within)}`,
    where: allOf([
      "has(place.3, service)",
      "start_ns BETWEEN place.1 AND place.2",
      idsSql(bindings, ids),
    ]),
  };
}

/** Of spans that were sent twice one. */
export const once = "LIMIT 1 BY trace_id, span_id, kind, service";

/** The first ones by start time, each once. */
export function firstSpansSql(spansMax: number): string {
  return `ORDER BY start_ns, duration_ns DESC ${once} LIMIT ${Math.trunc(spansMax)}`;
}

/** Spans of the traces that the search is for. */
export function matchingSql(
  bindings: Bindings,
  ids: readonly string[],
  place: TracePlace,
  search: TraceSearch,
): string {
  return allOf([
    placeSql(bindings, ids, place),
    rangeSql(bindings, search),
    predicateSql(bindings, search.where, timeSpanOf(search)),
  ]);
}

export function betweenSql(bindings: Bindings, fromNs: bigint, toNs: bigint): string {
  return `start_ns BETWEEN ${bindings.bind("Int64", fromNs)} AND ${bindings.bind("Int64", toNs)}`;
}

export function timeSpanOf({ startMs, endMs }: TraceTimeRange): TimeSpan {
  return {
    fromNs: BigInt(Math.floor(startMs)) * nsPerMs,
    toNs: BigInt(Math.ceil(endMs)) * nsPerMs,
  };
}

export function rangeSql(bindings: Bindings, range: TraceTimeRange): string {
  const { fromNs, toNs } = timeSpanOf(range);
  return betweenSql(bindings, fromNs, toNs);
}

function leaves(predicate: TracePredicate): SpanPredicate[] {
  return predicate.type === "has" ? [predicate.where] : predicate.of.flatMap(leaves);
}

/** Spans that say anything of a trace. */
export function anyLeafSql(
  bindings: Bindings,
  predicate: TracePredicate,
  within: TimeSpan,
): string {
  const all = leaves(predicate);
  if (all.length === 0) return "1";
  return predicateSql(bindings, { type: "any", of: all }, within);
}

export function havingSql(bindings: Bindings, predicate: TracePredicate, within: TimeSpan): string {
  if (predicate.type === "has")
    return `max(${predicateSql(bindings, predicate.where, within)}) = 1`;
  const parts = predicate.of.map((part) => havingSql(bindings, part, within));
  if (parts.length === 0) return predicate.type === "all" ? "1" : "0";
  return `(${parts.join(predicate.type === "all" ? " AND " : " OR ")})`;
}

/** Through the order of `spans`, which is that of service and time. */
export function placeSql(bindings: Bindings, ids: readonly string[], place: TracePlace): string {
  const { times, services } = place;
  const within = times.map(({ fromNs, toNs }) => betweenSql(bindings, fromNs, toNs));
  return allOf([
    `service IN (${bindings.bind("Array(String)", services)})`,
    `(${within.join(" OR ")})`,
    idsSql(bindings, ids),
  ]);
}
