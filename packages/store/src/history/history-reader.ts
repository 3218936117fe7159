/**
 * Reads metrics from ClickHouse. A select is three queries side by side: the rows of the series, in the order of their
 * key, so that a series' slices come one behind the other; the times that they share; the labels of their bases. Slices
 * of one target have the same times, so series come back with shared time columns, as from the head.
 *
 * Samples are read whole as long as they are kept, and from roll-ups before that. A select that says that its finest
 * window is wide (`resolutionMs`) over a day or more is answered from roll-ups throughout: `rollup.ts` tells what is exact then.
 *
 * Labels, names and values are those of series with a slice whose first and last sample enclose a part of the range.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import {
  CancelledError,
  type Clock,
  compileMatcher,
  type LabelSelect,
  LabelSet,
  metricNameLabel,
  type MetricReader,
  type MetricSelect,
  type SeriesBlock,
} from "@skopos/model";
import {
  allOf,
  Bindings,
  defaultQueryLimits,
  matcherSql,
  type QueryLimits,
  selectRows,
} from "../clickhouse/sql.ts";
import { bucketLabel } from "./schema.ts";
import { BlockOfRows, type SliceTimes } from "./slice-block.ts";
import { type BinaryQuery, queryBinary } from "./row-binary.ts";
import { daysSql, presentSql, rangeSql, rowsSql, type SliceRange, slicesIn } from "./slice-sql.ts";

/** Seen through windows at least this wide, a roll-up is as good as the samples. */
const rollupResolutionMs = 3_600_000;
/** Shorter ranges are read whole: that costs little. */
const rollupRangeMs = 86_400_000;
const namesMax = 100_000;
/** How long what is known of the oldest slice stays good. */
const oldestMsMax = 60_000;

export interface HistoryReaderOptions {
  readonly clock: Clock;
  readonly limits?: QueryLimits;
}

export class HistoryReader implements MetricReader {
  readonly #client: ClickHouseClient;
  readonly #clock: Clock;
  readonly #limits: QueryLimits;
  #oldest: { readonly slice: number; readonly atMs: number } | undefined;

  constructor(client: ClickHouseClient, options: HistoryReaderOptions) {
    this.#client = client;
    this.#clock = options.clock;
    this.#limits = options.limits ?? defaultQueryLimits;
  }

  async select(request: MetricSelect): Promise<SeriesBlock> {
    if (request.cancelled?.()) throw new CancelledError();
    for (const matcher of request.matchers) compileMatcher(matcher);
    const builder = new BlockOfRows(request);
    const range = slicesIn(request.startMs, request.endMs);
    if (!range) return builder.finish();
    const split = await this.#split(request, range);
    const query: BinaryQuery = {
      client: this.#client,
      clock: this.#clock,
      limits: this.#limits,
      cancelled: request.cancelled,
    };
    const [rows, times, labels] = await Promise.all([
      this.#rows(query, request, range, split),
      this.#times(query, request, range, split),
      this.#labels(query, request, range),
    ]);
    while (rows.more) {
      builder.row(rows, times, labels);
      if (request.cancelled?.()) throw new CancelledError();
    }
    return builder.finish(labels);
  }

  /** The first slice that is read from samples rather than roll-ups. */
  async #split(request: MetricSelect, range: SliceRange): Promise<number> {
    const { startMs, endMs, resolutionMs = 0 } = request;
    const isCoarse = resolutionMs >= rollupResolutionMs && endMs - startMs >= rollupRangeMs;
    return isCoarse ? range.last + 1 : this.rawSince();
  }

  /** The oldest slice of which the samples themselves are kept. */
  async rawSince(): Promise<number> {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#oldest || nowMs - this.#oldest.atMs > oldestMsMax) {
      const query = "SELECT toUInt32(min(slice)) FROM metric_slices";
      const [row] = await this.#json<[number]>(query, new Bindings());
      this.#oldest = { slice: row?.[0] ?? 0, atMs: nowMs };
    }
    return this.#oldest.slice;
  }

  /** The columns of rows in the range, of roll-ups before `split` and of samples from there on. */
  #sources(
    bindings: Bindings,
    columns: string,
    { matchers }: MetricSelect,
    { first, last }: SliceRange,
    split: number,
  ): string[] {
    const part = (table: string, range: SliceRange) =>
      `SELECT ${columns} FROM ${table} WHERE ${rowsSql(bindings, matchers, range)}`;
    if (split <= first) return [part("metric_slices", { first, last })];
    if (split > last) return [part("metric_rollups", { first, last })];
    return [
      part("metric_rollups", { first, last: split - 1 }),
      part("metric_slices", { first: split, last }),
    ];
  }

  #rows(query: BinaryQuery, request: MetricSelect, range: SliceRange, split: number) {
    const bindings = new Bindings();
    const columns = "name, base, le, slice, times, data, histograms";
    const order = "ORDER BY name, base, le, slice, version";
    const [only, ...more] = this.#sources(bindings, `${columns}, version`, request, range, split);
    // One table is read along its key; two must be sorted.
    const all =
      more.length === 0 ? `${only}` : `SELECT * FROM (${[only, ...more].join(" UNION ALL ")})`;
    const ordered = `${all} ${order}`;
    return queryBinary(query, ordered, bindings);
  }

  async #times(
    query: BinaryQuery,
    request: MetricSelect,
    range: SliceRange,
    split: number,
  ): Promise<SliceTimes> {
    const bindings = new Bindings();
    const wanted = this.#sources(bindings, "times", request, range, split).join(" UNION ALL ");
    const where = allOf([rangeSql(bindings, range), `times IN (${wanted})`]);
    const rows = await queryBinary(
      query,
      `SELECT slice, times, data FROM metric_times WHERE ${where}`,
      bindings,
    );
    const out: SliceTimes = new Map();
    while (rows.more) {
      const slice = rows.u32();
      const id = rows.id();
      const ofSlice = out.get(slice) ?? new Map<string, Buffer>();
      out.set(slice, ofSlice);
      ofSlice.set(id, rows.bytes());
    }
    return out;
  }

  async #labels(query: BinaryQuery, request: MetricSelect, range: SliceRange) {
    const bindings = new Bindings();
    const ordinary = request.matchers.filter(({ name }) => !isColumn(name));
    const which =
      ordinary.length > 0
        ? ordinary.map((matcher) => matcherSql(bindings, matcher))
        : [
            `base IN (SELECT base FROM metric_rollups WHERE ${rowsSql(bindings, request.matchers, range)})`,
          ];
    const where = allOf([daysSql(bindings, range), ...which]);
    const rows = await queryBinary(
      query,
      `SELECT base, any(labels) FROM metric_bases WHERE ${where} GROUP BY base`,
      bindings,
    );
    const out = new Map<string, readonly string[]>();
    while (rows.more) out.set(rows.id(), rows.map());
    return out;
  }

  async series(request: LabelSelect): Promise<LabelSet[]> {
    const range = slicesIn(request.startMs, request.endMs);
    if (!range) return [];
    const bindings = new Bindings();
    const { matcherSets, startMs, endMs } = request;
    const present = presentSql(bindings, matcherSets, startMs, endMs, range);
    const limit = Math.max(0, Math.min(Math.trunc(request.limit), 2 ** 31));
    // A join rather than a second look: the labels of just these.
    const query = `SELECT name, le, labels FROM
      (SELECT DISTINCT name, base, le FROM metric_rollups WHERE ${present} LIMIT ${limit}) AS found
      INNER JOIN
      (SELECT base, any(labels) AS labels FROM metric_bases WHERE ${daysSql(bindings, range)} GROUP BY base) AS named
      USING base`;
    const rows = await this.#json<[string, string, Record<string, string>]>(query, bindings);
    return rows.map(([name, le, labels]) =>
      LabelSet.fromMap({ ...labels, [metricNameLabel]: name, [bucketLabel]: le }),
    );
  }

  async labelNames(request: LabelSelect): Promise<string[]> {
    const range = slicesIn(request.startMs, request.endMs);
    if (!range) return [];
    const bindings = new Bindings();
    const { matcherSets, startMs, endMs } = request;
    const present = presentSql(bindings, matcherSets, startMs, endMs, range);
    const query = `SELECT DISTINCT arrayJoin(mapKeys(labels)) FROM metric_bases
        WHERE ${daysSql(bindings, range)} AND base IN (SELECT base FROM metric_rollups WHERE ${present}) LIMIT ${namesMax}
      UNION ALL SELECT '${metricNameLabel}' FROM (SELECT 1 FROM metric_rollups WHERE name != '' AND ${present} LIMIT 1)
      UNION ALL SELECT '${bucketLabel}' FROM (SELECT 1 FROM metric_rollups WHERE le != '' AND ${present} LIMIT 1)`;
    return this.#texts(query, bindings, request.limit);
  }

  async labelValues(name: string, request: LabelSelect): Promise<string[]> {
    const range = slicesIn(request.startMs, request.endMs);
    if (!range) return [];
    const bindings = new Bindings();
    const { matcherSets, startMs, endMs } = request;
    const present = presentSql(bindings, matcherSets, startMs, endMs, range);
    if (isColumn(name)) {
      const column = name === bucketLabel ? "le" : "name";
      const query = `SELECT DISTINCT ${column} FROM metric_rollups WHERE ${column} != '' AND ${present} LIMIT ${namesMax}`;
      return this.#texts(query, bindings, request.limit);
    }
    const query = `SELECT DISTINCT labels[${bindings.text(name)}] AS value FROM metric_bases
      WHERE value != '' AND ${daysSql(bindings, range)}
        AND base IN (SELECT base FROM metric_rollups WHERE ${present}) LIMIT ${namesMax}`;
    return this.#texts(query, bindings, request.limit);
  }

  async #texts(query: string, bindings: Bindings, limit: number): Promise<string[]> {
    const rows = await this.#json<[string]>(query, bindings);
    return rows
      .map(([text]) => text)
      .sort()
      .slice(0, limit);
  }

  #json<Row>(query: string, bindings: Bindings): Promise<Row[]> {
    return selectRows<Row>(this.#client, this.#limits, query, bindings);
  }
}

function isColumn(label: string): boolean {
  return label === metricNameLabel || label === bucketLabel;
}

/** Errors: "bad-regex", "limit", "cancelled", "unavailable", "corrupt-history". */
export function createHistoryReader(
  client: ClickHouseClient,
  options: HistoryReaderOptions,
): HistoryReader {
  return new HistoryReader(client, options);
}
