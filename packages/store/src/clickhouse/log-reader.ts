/**
 * Reads log lines from `logs`. Label matchers are tried against `streams`, the label sets of the days in question; the
 * streams that pass and the time range are then the key of `logs`. Lines are counted where they lie, and text is looked for
 * by the words and ids that indexes know.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import {
  type LabelMap,
  LimitError,
  type LineFilter,
  type LogCountRequest,
  type LogCountSeries,
  type LogFilter,
  type LogPattern,
  type LogRange,
  type LogReader,
  type LogRecord,
  type LogScan,
  type LogSelect,
  type LogStats,
  type Matcher,
} from "@skopos/model";
import { boundsOf, countsBySql, CountSeries, countsWithoutSql } from "./log-counts.ts";
import {
  conditionNames,
  type LabelPlace,
  type LabelPlaces,
  linesSql,
  streamsSql,
  type TimeBounds,
  type WordLookups,
  wordNeeds,
} from "./log-sql.ts";
import {
  allOf,
  Bindings,
  defaultQueryLimits,
  type QueryLimits,
  selectRows,
  streamRows,
} from "./sql.ts";

const linesMax = 100_000;
const namesMax = 50_000;
const streamsMax = 50_000;
/** Words of the index that are looked for instead of a part of a word; more of them are slower than reading the lines. */
const wordsMax = 100;
/** Part of all lines beyond which looking words up is not worth it. */
const rareShare = 0.05;
/** How many lines there are; none when a part, of an earlier release, lacks the index: its words would not be found. */
const known = `(SELECT if(countIf(secondary_indices_compressed_bytes = 0) > 0, 0, sum(rows)) FROM system.parts
  WHERE active AND database = currentDatabase() AND table = 'logs')`;
/** Lines whose length is taken for that of all. */
const sampleLines = 10_000;
/** Ranges longer than this are read from the wanted end in growing parts. */
const partedNs = 600_000_000_000n;
const partGrowth = 8;
const parts = [64n, 8n] as const;
/** Comparing every line with the limit's last so far, to spare reading more of it, costs a sixth where few lines are found. */
const everyLineRead = " SETTINGS use_top_k_dynamic_filtering = 0";

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
    const { direction, signal } = select;
    const limit = Math.max(0, Math.min(Math.trunc(select.limit), linesMax));
    if (limit === 0 || select.endNs <= select.startNs) return [];
    const places = await this.#places(select, select, [], signal);
    const words = await this.#words(select.filters, signal);
    const found: LogRecord[] = [];
    let waiting = partsOf(select);
    let settings = "";
    for (let bounds = waiting.shift(); bounds; bounds = waiting.shift()) {
      const bindings = new Bindings();
      const query = `SELECT toString(time_ns), labels, metadata, line FROM logs
        WHERE ${linesSql(bindings, select, bounds, places, words)}
        ORDER BY time_ns ${direction === "backward" ? "DESC" : "ASC"} LIMIT ${limit - found.length}${settings}`;
      for (const row of await this.#rows<LineRow>(query, bindings, signal))
        found.push(recordOf(row));
      if (found.length >= limit) break;
      if (found.length * partGrowth >= limit) continue;
      // The next part would not fill the limit either, and each of them reads whole granules of every stream.
      waiting = joined(waiting);
      if (select.filters.length > 0) settings = everyLineRead;
    }
    return found;
  }

  /** In the order of the table, which needs no sorting. */
  async *scan(scan: LogScan): AsyncGenerator<readonly LogRecord[]> {
    const { signal } = scan;
    if (scan.endNs <= scan.startNs) return;
    const places = await this.#places(scan, scan, [], signal);
    const words = await this.#words(scan.filters, signal);
    const bindings = new Bindings();
    const query = `SELECT toString(time_ns), labels, metadata, line FROM logs
      WHERE ${linesSql(bindings, scan, scan, places, words)}`;
    const batches = streamRows<LineRow>(this.#client, this.#limits, query, bindings, signal);
    for await (const rows of batches) yield rows.map(recordOf);
  }

  async counts(request: LogCountRequest): Promise<LogCountSeries[]> {
    const { grouping, seriesMax, signal, filters } = request;
    const bounds = boundsOf(request);
    if (bounds.endNs <= bounds.startNs) return [];
    const isBy = grouping.type === "by";
    const places = await this.#places(request, bounds, grouping.names, signal);
    const words = await this.#words(filters, signal);
    const bindings = new Bindings();
    const { query, keys } = (isBy ? countsBySql : countsWithoutSql)(
      bindings,
      request,
      places,
      words,
    );
    const series = new CountSeries();
    for (const row of await this.#rows<unknown[]>(query, bindings, signal)) {
      series.add(
        isBy ? labelsBy(grouping.names, row) : labelsWithout(grouping.names, row),
        row[keys] as number[],
        row[keys + 1] as number[],
      );
      if (series.size > seriesMax)
        throw new LimitError(
          `the query makes more than ${seriesMax} series: aggregate with sum by (…), or drop labels`,
        );
    }
    return series.toSeries();
  }

  async stats(matchers: readonly Matcher[], range: LogRange): Promise<LogStats> {
    const bindings = new Bindings();
    const bounds = { startNs: nsOf(range.startMs), endNs: nsOf(range.endMs) };
    const where = linesSql(bindings, { matchers, filters: [] }, bounds, new Map());
    const query = `SELECT uniqExact(stream), uniqExact(_part), count(),
      (SELECT avg(length(line)) FROM (SELECT line FROM logs WHERE ${where} LIMIT ${sampleLines}))
      FROM logs WHERE ${where}`;
    type Row = [streams: number, chunks: number, entries: number, lineBytes: number | null];
    const [row] = await this.#rows<Row>(query, bindings, range.signal);
    const [streams = 0, chunks = 0, entries = 0, lineBytes = 0] = row ?? [];
    return { streams, chunks, entries, bytes: Math.round(entries * (lineBytes ?? 0)) };
  }

  async patterns(
    matchers: readonly Matcher[],
    range: LogRange & { readonly stepMs: number; readonly limit: number },
  ): Promise<LogPattern[]> {
    const bindings = new Bindings();
    const bounds = { startNs: nsOf(range.startMs), endNs: nsOf(range.endMs) };
    const names = await this.#patternLabels(range);
    // Templates are mined by some labels of a stream: those of the matching streams that are among these.
    const mined = bindings.bind("Array(String)", names);
    const sources = `SELECT DISTINCT mapFilter((name, value) -> has(${mined}, name), labels)
      FROM streams WHERE ${streamsSql(bindings, matchers, bounds)}`;
    const step = bindings.bind("Int64", Math.max(1, Math.round(range.stepMs)));
    const query = `SELECT any(template), any(sample), groupArray((at, total)) FROM (
        SELECT template_id, any(template) AS template, any(sample) AS sample, intDiv(bucket_ms, ${step}) * ${step} AS at, sum(count) AS total
        FROM log_patterns WHERE bucket_ms >= ${bindings.bind("Int64", Math.floor(range.startMs))}
          AND bucket_ms <= ${bindings.bind("Int64", Math.ceil(range.endMs))}
          AND mapFilter((name, value) -> has(${mined}, name), labels)::Map(String, String) IN (${sources})
        GROUP BY template_id, at)
      GROUP BY template_id ORDER BY sum(total) DESC LIMIT ${Math.trunc(range.limit)}`;
    const rows = await this.#rows<[string, string, [number, number][]]>(
      query,
      bindings,
      range.signal,
    );
    return rows.map(([template, sample, samples]) => ({
      pattern: template.replaceAll("<*>", "<_>"),
      sample,
      samples: samples.sort(([a], [b]) => a - b),
    }));
  }

  /** Names of the labels that templates of the time were mined by. */
  async #patternLabels({ startMs, endMs, signal }: LogRange): Promise<string[]> {
    const bindings = new Bindings();
    const query = `SELECT DISTINCT arrayJoin(mapKeys(labels)) AS name FROM log_patterns
      WHERE bucket_ms >= ${bindings.bind("Int64", Math.floor(startMs))}
        AND bucket_ms <= ${bindings.bind("Int64", Math.ceil(endMs))} LIMIT ${namesMax}`;
    return (await this.#rows<[string]>(query, bindings, signal)).map(([name]) => name);
  }

  /** Whether the labels of conditions and needs, and those of `more`, are found in streams or in metadata. */
  async #places(
    { matchers, conditions = [], needs = [] }: LogFilter,
    bounds: TimeBounds,
    more: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<LabelPlaces> {
    const names = [
      ...new Set([...conditionNames(conditions), ...needs.map(({ name }) => name), ...more]),
    ];
    if (names.length === 0) return new Map();
    const bindings = new Bindings();
    const having = names.map((name) => `countIf(mapContains(labels, ${bindings.text(name)}))`);
    const query = `SELECT count(), ${having.join(", ")} FROM streams
      WHERE ${streamsSql(bindings, matchers, bounds)}`;
    const [row = []] = await this.#rows<number[]>(query, bindings, signal);
    const [all = 0, ...counts] = row;
    return new Map(
      names.map((name, i): [string, LabelPlace] => {
        const count = counts[i] ?? 0;
        return [name, count === 0 ? "metadata" : count === all ? "stream" : "either"];
      }),
    );
  }

  /** Looks up in the index which words can hold a text, where that helps. */
  async #words(
    filters: readonly LineFilter[],
    signal: AbortSignal | undefined,
  ): Promise<WordLookups> {
    const lookups = new Map<string, readonly string[]>();
    for (const { pattern } of wordNeeds(filters)) {
      if (lookups.has(pattern)) continue;
      const bindings = new Bindings();
      const query = `SELECT groupUniqArray(${wordsMax + 1})(token), sum(cardinality), ${known}
        FROM mergeTreeTextIndex(currentDatabase(), 'logs', 'line_words')
        WHERE token LIKE ${bindings.text(pattern)}`;
      const [row] = await this.#rows<[string[], number, number]>(query, bindings, signal);
      const [words = [], lines = 0, all = 0] = row ?? [];
      if (all > 0 && words.length <= wordsMax && lines <= all * rareShare)
        lookups.set(pattern, words);
    }
    return lookups;
  }

  async labelNames(startMs: number, endMs: number): Promise<string[]> {
    const bindings = new Bindings();
    const bounds = { startNs: nsOf(startMs), endNs: nsOf(endMs) };
    const query = `SELECT DISTINCT arrayJoin(mapKeys(labels)) AS name FROM streams
      WHERE ${streamsSql(bindings, [], bounds)} ORDER BY name LIMIT ${namesMax}`;
    return (await this.#rows<[string]>(query, bindings)).map(([name]) => name);
  }

  async labelValues(
    name: string,
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
  ): Promise<string[]> {
    const bindings = new Bindings();
    const where = streamsSql(bindings, matchers, { startNs: nsOf(startMs), endNs: nsOf(endMs) });
    const query = `SELECT DISTINCT labels[${bindings.text(name)}] AS value FROM streams
      WHERE ${allOf([where, "value != ''"])} ORDER BY value LIMIT ${namesMax}`;
    return (await this.#rows<[string]>(query, bindings)).map(([value]) => value);
  }

  async streams(
    matcherSets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
  ): Promise<LabelMap[]> {
    const bindings = new Bindings();
    const bounds = { startNs: nsOf(startMs), endNs: nsOf(endMs) };
    const sets = (matcherSets.length === 0 ? [[]] : matcherSets).map(
      (matchers) => `(${streamsSql(bindings, matchers, bounds)})`,
    );
    const query = `SELECT any(labels) FROM streams WHERE ${sets.join(" OR ")}
      GROUP BY stream ORDER BY stream LIMIT ${streamsMax}`;
    return (await this.#rows<[LabelMap]>(query, bindings)).map(([labels]) => labels);
  }

  #rows<Row>(query: string, bindings: Bindings, signal?: AbortSignal): Promise<Row[]> {
    return selectRows<Row>(this.#client, this.#limits, query, bindings, signal);
  }
}

function recordOf([timeNs, labels, metadata, line]: LineRow): LogRecord {
  return { timeNs: BigInt(timeNs), labels, metadata, line };
}

/** The newest lines of a long range, or the oldest, are mostly in a small part of it, which is read first. */
function partsOf({ startNs, endNs, direction }: LogSelect): TimeBounds[] {
  const whole = endNs - startNs;
  if (whole <= partedNs) return [{ startNs, endNs }];
  const bounds: TimeBounds[] = [];
  let from = startNs;
  let to = endNs;
  for (const part of parts) {
    const size = whole / part;
    const next =
      direction === "backward"
        ? { startNs: endNs - size, endNs: to }
        : { startNs: from, endNs: startNs + size };
    bounds.push(next);
    if (direction === "backward") to = next.startNs;
    else from = next.endNs;
  }
  return [...bounds, { startNs: from, endNs: to }];
}

/** Parts that follow one another, in time or against it, as one. */
function joined(bounds: readonly TimeBounds[]): TimeBounds[] {
  const [first, ...others] = bounds;
  if (!first) return [];
  return [
    others.reduce(
      ({ startNs, endNs }, next) => ({
        startNs: next.startNs < startNs ? next.startNs : startNs,
        endNs: next.endNs > endNs ? next.endNs : endNs,
      }),
      first,
    ),
  ];
}

function labelsBy(names: readonly string[], row: readonly unknown[]): LabelMap {
  const pairs = names.map((name, i) => [name, String(row[i])] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== ""));
}

function labelsWithout(names: readonly string[], row: readonly unknown[]): LabelMap {
  // As the query asks for them: maps of texts.
  const [stream, metadata] = row as [LabelMap, LabelMap];
  const labels: Record<string, string> = { ...stream };
  for (const [name, value] of Object.entries(metadata))
    labels[Object.hasOwn(stream, name) ? `${name}_extracted` : name] = value;
  for (const name of names) delete labels[name];
  return labels;
}

/** Errors: "bad-query", "limit", "cancelled", "unavailable". */
export function createLogReader(
  client: ClickHouseClient,
  limits: QueryLimits = defaultQueryLimits,
): LogReader {
  return new ClickHouseLogReader(client, limits);
}
