/**
 * Counts of lines by label and bucket of time. Lines are counted by stream, so that their labels are looked up once for
 * each stream, and by what of their metadata is asked for.
 */
import type { LabelMap, LogCountRequest, LogCountSeries } from "@skopos/model";
import {
  linesSql,
  streamsSql,
  type LabelPlaces,
  type TimeBounds,
  type WordLookups,
} from "./log-sql.ts";
import type { Bindings } from "./sql.ts";

export function boundsOf({ startNs, endNs }: LogCountRequest): TimeBounds {
  return { startNs: startNs + 1n, endNs: endNs + 1n };
}

function bucketSql(bindings: Bindings, { startNs, stepNs, splitNs }: LogCountRequest): string {
  const x = `(time_ns - ${bindings.bind("Int64", startNs + 1n)})`;
  const step = bindings.bind("Int64", stepNs);
  const whole = `intDiv(${x}, ${step})`;
  if (splitNs === 0n) return `toUInt32(${whole})`;
  return `toUInt32(${whole} * 2 + (${x} % ${step} >= ${bindings.bind("Int64", splitNs)}))`;
}

export interface CountQuery {
  readonly query: string;
  /** How many columns stand before `buckets` and `counts`. */
  readonly keys: number;
}

/** Values of the named labels, then buckets and counts: one row for each series. */
export function countsBySql(
  bindings: Bindings,
  request: LogCountRequest,
  places: LabelPlaces,
  words: WordLookups,
): CountQuery {
  const { names } = request.grouping;
  const placeOf = (name: string) => places.get(name) ?? "either";
  const needsStream = names.some((name) => placeOf(name) !== "metadata");
  const bounds = boundsOf(request);
  const inner = names.flatMap((name, i) =>
    placeOf(name) === "stream" ? [] : [`metadata[${bindings.text(name)}] AS m${i}`],
  );
  const innerKeys = [
    ...(needsStream ? ["stream"] : []),
    ...names.flatMap((name, i) => (placeOf(name) === "stream" ? [] : [`m${i}`])),
    "bucket",
  ];
  const outer = names.map((name, i) => {
    const place = placeOf(name);
    if (place === "metadata") return `m${i} AS k${i}`;
    const value = `s.stream_labels[${bindings.text(name)}]`;
    return place === "stream"
      ? `${value} AS k${i}`
      : `if(${value} != '', ${value}, m${i}) AS k${i}`;
  });
  const keys = names.map((_, i) => `k${i}`);
  const counted = `SELECT ${[...inner, needsStream ? "stream" : "", `${bucketSql(bindings, request)} AS bucket`, `${amountSql(request)} AS amount`].filter((column) => column !== "").join(", ")}
    FROM logs WHERE ${linesSql(bindings, request, bounds, places, words)} GROUP BY ${innerKeys.join(", ")}`;
  const joined = needsStream
    ? `(${counted}) AS c INNER JOIN (SELECT stream, any(labels) AS stream_labels FROM streams
        WHERE ${streamsSql(bindings, request.matchers, bounds)} GROUP BY stream) AS s ON c.stream = s.stream`
    : `(${counted}) AS c`;
  const summed = `SELECT ${[...outer, "bucket", "sum(amount) AS total"].join(", ")} FROM ${joined}
    GROUP BY ${[...keys, "bucket"].join(", ")}`;
  const query = `SELECT ${[...keys, "groupArray(bucket)", "groupArray(total)"].join(", ")} FROM (${summed})
    ${keys.length > 0 ? `GROUP BY ${keys.join(", ")}` : "HAVING count() > 0"} LIMIT ${request.seriesMax + 1}`;
  return { query, keys: keys.length };
}

function amountSql({ measure }: LogCountRequest): string {
  return measure === "lines" ? "toFloat64(count())" : "toFloat64(sum(length(line)))";
}

/** Labels and metadata whole, then buckets and counts; names of "without" are left out. */
export function countsWithoutSql(
  bindings: Bindings,
  request: LogCountRequest,
  places: LabelPlaces,
  words: WordLookups,
): CountQuery {
  const { type, names } = request.grouping;
  const bounds = boundsOf(request);
  // Where a stream has the name too, the metadata's value goes by another one and stays.
  const left = names.filter((name) => places.get(name) === "metadata");
  const metadata =
    left.length === 0
      ? "metadata"
      : `mapFilter((name, value) -> NOT has(${bindings.bind("Array(String)", left)}, name), metadata)`;
  const own = type === "stream" ? "map()::Map(String, String)" : metadata;
  const counted = `SELECT stream, ${own} AS own, ${bucketSql(bindings, request)} AS bucket, ${amountSql(request)} AS amount
    FROM logs WHERE ${linesSql(bindings, request, bounds, places, words)} GROUP BY stream, own, bucket`;
  const grouped = `SELECT stream, own, groupArray(bucket) AS buckets, groupArray(amount) AS amounts
    FROM (${counted}) GROUP BY stream, own`;
  const query = `SELECT s.stream_labels, c.own, c.buckets, c.amounts FROM (${grouped}) AS c
    INNER JOIN (SELECT stream, any(labels) AS stream_labels FROM streams
      WHERE ${streamsSql(bindings, request.matchers, bounds)} GROUP BY stream) AS s ON c.stream = s.stream`;
  return { query, keys: 2 };
}

/** Adds up series by their labels; their buckets come in any order. */
export class CountSeries {
  readonly #byKey = new Map<string, { labels: LabelMap; totals: Map<number, number> }>();

  get size(): number {
    return this.#byKey.size;
  }

  add(labels: LabelMap, buckets: readonly number[], amounts: readonly number[]): void {
    const key = JSON.stringify(Object.entries(labels).sort());
    let series = this.#byKey.get(key);
    if (!series) {
      series = { labels, totals: new Map() };
      this.#byKey.set(key, series);
    }
    for (const [i, bucket] of buckets.entries())
      series.totals.set(bucket, (series.totals.get(bucket) ?? 0) + (amounts[i] ?? 0));
  }

  toSeries(): LogCountSeries[] {
    return [...this.#byKey.values()].map(({ labels, totals }) => {
      const buckets = Uint32Array.from(totals.keys()).sort();
      return { labels, buckets, counts: Float64Array.from(buckets, (b) => totals.get(b) ?? 0) };
    });
  }
}
