/**
 * Reads log lines from `logs`. Label matchers are tried against `streams`, the label sets of the days in question; the
 * streams that pass and the time range are then the key of `logs`.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import type {
  LabelMap,
  LogPattern,
  LogRange,
  LogReader,
  LogRecord,
  LogSelect,
  LogStats,
  Matcher,
} from "@skopos/model";
import {
  allOf,
  Bindings,
  defaultQueryLimits,
  filterSql,
  matcherSql,
  type QueryLimits,
  selectRows,
} from "./sql.ts";

const linesMax = 100_000;
const namesMax = 50_000;
const streamsMax = 50_000;
const dayNs = 86_400_000_000_000n;
/** Days of ClickHouse's type Date. */
const daysMax = 65_535n;

function dayOf(timeNs: bigint): bigint {
  const day = timeNs / dayNs;
  return day < 0n ? 0n : day > daysMax ? daysMax : day;
}

/** Streams that had lines between `startNs` and `endNs`, whole days taken roughly. */
function streamsSql(
  bindings: Bindings,
  matchers: readonly Matcher[],
  startNs: bigint,
  endNs: bigint,
) {
  const firstDay = bindings.bind("UInt16", dayOf(startNs));
  const lastDay = bindings.bind("UInt16", dayOf(endNs));
  return allOf([
    `day BETWEEN toDate(${firstDay}) AND toDate(${lastDay})`,
    `last_ns >= ${bindings.bind("Int64", startNs)}`,
    `first_ns < ${bindings.bind("Int64", endNs)}`,
    ...matchers.map((matcher) => matcherSql(bindings, matcher)),
  ]);
}

function nsOf(timeMs: number): bigint {
  return BigInt(Math.round(timeMs)) * 1_000_000n;
}

type LineRow = [timeNs: string, labels: LabelMap, metadata: LabelMap, line: string];

class ClickHouseLogReader implements LogReader {
  readonly #client: ClickHouseClient;
  readonly #limits: QueryLimits;

  constructor(client: ClickHouseClient, limits: QueryLimits) {
    this.#client = client;
    this.#limits = limits;
  }

  async select(select: LogSelect): Promise<LogRecord[]> {
    const { startNs, endNs, matchers, filters, signal } = select;
    const bindings = new Bindings();
    const limit = Math.max(0, Math.min(Math.trunc(select.limit), linesMax));
    const conditions = [
      ...this.#lines(bindings, matchers, startNs, endNs),
      ...filters.map((filter) => filterSql(bindings, filter)),
    ];
    const query = `SELECT toString(time_ns), labels, metadata, line FROM logs WHERE ${allOf(conditions)}
      ORDER BY time_ns ${select.direction === "backward" ? "DESC" : "ASC"} LIMIT ${limit}`;
    const rows = await this.#rows<LineRow>(query, bindings, signal);
    return rows.map(([timeNs, labels, metadata, line]) => ({
      timeNs: BigInt(timeNs),
      labels,
      metadata,
      line,
    }));
  }

  async stats(matchers: readonly Matcher[], range: LogRange): Promise<LogStats> {
    const bindings = new Bindings();
    const startNs = nsOf(range.startMs);
    const endNs = nsOf(range.endMs);
    const query = `SELECT uniqExact(stream), uniqExact(_part), count(), sum(length(line)) FROM logs WHERE
      ${allOf(this.#lines(bindings, matchers, startNs, endNs))}`;
    const rows = await this.#rows<[number, number, number, number]>(query, bindings, range.signal);
    const [streams = 0, chunks = 0, entries = 0, bytes = 0] = rows[0] ?? [];
    return { streams, chunks, entries, bytes };
  }

  patterns(): Promise<LogPattern[]> {
    return Promise.resolve([]);
  }

  #lines(
    bindings: Bindings,
    matchers: readonly Matcher[],
    startNs: bigint,
    endNs: bigint,
  ): string[] {
    return [
      `stream IN (SELECT stream FROM streams WHERE ${streamsSql(bindings, matchers, startNs, endNs)})`,
      `time_ns >= ${bindings.bind("Int64", startNs)}`,
      `time_ns < ${bindings.bind("Int64", endNs)}`,
    ];
  }

  async labelNames(startMs: number, endMs: number): Promise<string[]> {
    const bindings = new Bindings();
    const where = streamsSql(bindings, [], nsOf(startMs), nsOf(endMs));
    const query = `SELECT DISTINCT arrayJoin(mapKeys(labels)) AS name FROM streams WHERE ${where}
      ORDER BY name LIMIT ${namesMax}`;
    return (await this.#rows<[string]>(query, bindings)).map(([name]) => name);
  }

  async labelValues(
    name: string,
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
  ): Promise<string[]> {
    const bindings = new Bindings();
    const where = streamsSql(bindings, matchers, nsOf(startMs), nsOf(endMs));
    const query = `SELECT DISTINCT labels[${bindings.text(name)}] AS value FROM streams
      WHERE ${where} AND value != '' ORDER BY value LIMIT ${namesMax}`;
    return (await this.#rows<[string]>(query, bindings)).map(([value]) => value);
  }

  async streams(
    matcherSets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
  ): Promise<LabelMap[]> {
    const bindings = new Bindings();
    const sets = (matcherSets.length === 0 ? [[]] : matcherSets).map(
      (matchers) => `(${streamsSql(bindings, matchers, nsOf(startMs), nsOf(endMs))})`,
    );
    const query = `SELECT any(labels) FROM streams WHERE ${sets.join(" OR ")}
      GROUP BY stream ORDER BY stream LIMIT ${streamsMax}`;
    return (await this.#rows<[LabelMap]>(query, bindings)).map(([labels]) => labels);
  }

  #rows<Row>(query: string, bindings: Bindings, signal?: AbortSignal): Promise<Row[]> {
    return selectRows<Row>(this.#client, this.#limits, query, bindings, signal);
  }
}

/** Errors: "bad-query", "limit", "cancelled", "unavailable". */
export function createLogReader(
  client: ClickHouseClient,
  limits: QueryLimits = defaultQueryLimits,
): LogReader {
  return new ClickHouseLogReader(client, limits);
}
