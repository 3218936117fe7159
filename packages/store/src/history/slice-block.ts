/** Collects rows of a slices table, ordered by series and slice, into the columns of a `SeriesBlock`. */
import {
  LabelSet,
  metricNameLabel,
  type MetricSelect,
  type NativeHistogram,
  type SeriesBlock,
} from "@skopos/model";
import { BlockBuilder } from "../head/block-builder.ts";
import { f64 } from "../head/cells.ts";
import { histogramRows } from "./histogram-text.ts";
import type { BinaryRows } from "./row-binary.ts";
import { bucketLabel, sliceMs } from "./schema.ts";
import { decodeTimes, decodeValues } from "./slice-codec.ts";

/** Encoded times by slice and id. */
export type SliceTimes = Map<number, Map<string, Buffer>>;

/** The times of a slice, and which of them the select asks for. */
interface Times {
  readonly times: Float64Array;
  readonly skip: number;
  readonly take: number;
}

interface Row {
  readonly slice: number;
  readonly timesId: string;
  readonly times: Times;
  readonly data: Uint8Array;
  readonly histograms: string;
}

interface Series {
  readonly name: string;
  readonly base: string;
  readonly le: string;
  readonly rows: Row[];
}

const noTimes: Times = { times: new Float64Array(), skip: 0, take: 0 };

export class BlockOfRows {
  readonly #request: MetricSelect;
  readonly #builder: BlockBuilder<LabelSet>;
  readonly #histograms = new Map<number, NativeHistogram>();
  readonly #times = new Map<string, Times>();
  /** Joined time columns, by the times they are joined of. */
  readonly #columns = new Map<string, number>();
  #series: Series | undefined;
  #nameless = 0;

  constructor(request: MetricSelect) {
    this.#request = request;
    this.#builder = new BlockBuilder<LabelSet>(0, request.seriesMax, request.samplesMax);
  }

  /** Takes the next row: name, base, le, slice, times, data, histograms, version. Throws `limit`. */
  row(rows: BinaryRows, times: SliceTimes, labels: ReadonlyMap<string, readonly string[]>): void {
    const name = rows.text();
    const base = rows.id();
    const le = rows.text();
    const slice = rows.u32();
    const timesId = rows.id();
    const data = rows.bytes();
    const histograms = rows.text();
    // Of rows of one slice the last is the newest.
    rows.skip(8);
    const known = this.#series;
    if (!known || known.base !== base || known.le !== le || known.name !== name) {
      this.#emit(labels);
      this.#series = { name, base, le, rows: [] };
    }
    const own = this.#series?.rows ?? [];
    // A later version of the same slice.
    if (own.at(-1)?.slice === slice) own.pop();
    own.push({ slice, timesId, times: this.#timesOf(slice, timesId, times), data, histograms });
  }

  #timesOf(slice: number, id: string, encoded: SliceTimes): Times {
    const key = `${slice} ${id}`;
    const known = this.#times.get(key);
    if (known) return known;
    const bytes = encoded.get(slice)?.get(id);
    const made = bytes ? this.#cut(decodeTimes(bytes, slice * sliceMs)) : noTimes;
    this.#times.set(key, made);
    return made;
  }

  /** The rows with startMs < t ≤ endMs. */
  #cut(times: Float64Array): Times {
    let skip = 0;
    while (skip < times.length && f64(times, skip) <= this.#request.startMs) skip++;
    let end = times.length;
    while (end > skip && f64(times, end - 1) > this.#request.endMs) end--;
    return { times, skip, take: end - skip };
  }

  #emit(labels: ReadonlyMap<string, readonly string[]>): void {
    const series = this.#series;
    if (!series) return;
    const rows = series.rows.filter(({ times }) => times.take > 0);
    let total = 0;
    for (const { times } of rows) total += times.take;
    const builder = this.#builder;
    builder.reserve(total);
    let to = builder.length;
    let samples = 0;
    for (const { times, data } of rows) {
      const { skip, take } = times;
      samples += decodeValues(data, times.times.length, skip, take, builder, to);
      to += take;
    }
    if (samples === 0) return;
    const flat = labels.get(series.base);
    if (!flat) {
      this.#nameless++;
      return;
    }
    const at = builder.length;
    builder.add(labelsOf(series, flat), this.#columnOf(rows), at, total, samples);
    this.#addHistograms(rows, at);
  }

  #columnOf(rows: readonly Row[]): number {
    const key = rows.map(({ slice, timesId }) => `${slice} ${timesId}`).join(" ");
    const known = this.#columns.get(key);
    if (known !== undefined) return known;
    const [only] = rows;
    let joined: Float64Array;
    if (rows.length === 1 && only) joined = cutOf(only.times);
    else {
      joined = new Float64Array(rows.reduce((sum, { times }) => sum + times.take, 0));
      let to = 0;
      for (const { times } of rows) {
        joined.set(cutOf(times), to);
        to += times.take;
      }
    }
    const column = this.#builder.addTimes(joined);
    this.#columns.set(key, column);
    return column;
  }

  #addHistograms(rows: readonly Row[], at: number): void {
    let to = at;
    for (const { times, histograms } of rows) {
      const { skip, take } = times;
      for (const [row, histogram] of histogramRows(histograms))
        if (row >= skip && row < skip + take) this.#histograms.set(to + row - skip, histogram);
      to += take;
    }
  }

  finish(labels: ReadonlyMap<string, readonly string[]> = new Map()): SeriesBlock {
    this.#emit(labels);
    this.#series = undefined;
    const block = { labels: this.#builder.series, ...this.#builder.columns() };
    const warnings =
      this.#nameless > 0 ? [`${this.#nameless} series of the history have lost their labels`] : [];
    if (this.#histograms.size === 0) return { ...block, warnings };
    return { ...block, histograms: this.#histograms, warnings };
  }
}

function cutOf({ times, skip, take }: Times): Float64Array {
  return times.slice(skip, skip + take);
}

function labelsOf({ name, le }: Series, flat: readonly string[]): LabelSet {
  const pairs: [string, string][] = [
    [metricNameLabel, name],
    [bucketLabel, le],
  ];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? "", flat[i + 1] ?? ""]);
  return LabelSet.fromPairs(pairs);
}
