/**
 * A series of floats together with its points as they stand in an answer: what is asked again is cut and lengthened, not
 * made text again, which costs more than evaluating it.
 */
import type { LabelMap, MatrixSeries } from "@skopos/model";
import { formatPoint } from "./value-text.ts";

/** Besides labels and text. */
const pointBytes = 20;
const seriesBytes = 400;

export class WrittenSeries implements MatrixSeries {
  readonly labels: LabelMap;
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** The points with commas between. */
  readonly text: string;
  /** Where point i ends in the text, plus `#begin`. */
  readonly #ends: Uint32Array;
  readonly #begin: number;

  private constructor(
    { labels, times, values }: MatrixSeries,
    text: string,
    ends: Uint32Array,
    begin: number,
  ) {
    this.labels = labels;
    this.times = times;
    this.values = values;
    this.text = text;
    this.#ends = ends;
    this.#begin = begin;
  }

  /** Undefined when it holds histograms. */
  static of(series: MatrixSeries): WrittenSeries | undefined {
    if (series instanceof WrittenSeries) return series;
    if (series.histograms) return undefined;
    const { times, values } = series;
    const ends = new Uint32Array(times.length);
    let text = "";
    for (let i = 0; i < times.length; i++) {
      if (i > 0) text += ",";
      text += formatPoint(times[i] ?? NaN, values[i] ?? NaN);
      ends[i] = text.length;
    }
    return new WrittenSeries(series, text, ends, 0);
  }

  get sizeBytes(): number {
    return seriesBytes + this.text.length + this.times.length * pointBytes;
  }

  /** Points `from` to `to`, exclusive; of the same memory. */
  part(from: number, to: number): WrittenSeries {
    const [before, last] = [this.#endOf(from - 1), this.#endOf(to - 1)];
    const begin = from > 0 && from < to ? before + 1 : before;
    const points = {
      labels: this.labels,
      times: this.times.subarray(from, to),
      values: this.values.subarray(from, to),
    };
    const text = this.text.slice(begin - this.#begin, last - this.#begin);
    return new WrittenSeries(points, text, this.#ends.subarray(from, to), begin);
  }

  /** This and then the later points of another. */
  followedBy(next: WrittenSeries): WrittenSeries {
    if (this.times.length === 0) return next;
    if (next.times.length === 0) return this;
    const offset = this.times.length;
    const times = new Float64Array(offset + next.times.length);
    times.set(this.times);
    times.set(next.times, offset);
    const values = new Float64Array(times.length);
    values.set(this.values);
    values.set(next.values, offset);
    const ends = new Uint32Array(times.length);
    for (let i = 0; i < offset; i++) ends[i] = this.#endOf(i) - this.#begin;
    const moved = this.text.length + 1 - next.#begin;
    for (let i = 0; i < next.times.length; i++) ends[offset + i] = next.#endOf(i) + moved;
    const text = `${this.text},${next.text}`;
    return new WrittenSeries({ labels: this.labels, times, values }, text, ends, 0);
  }

  #endOf(point: number): number {
    return point < 0 ? this.#begin : (this.#ends[point] ?? this.#begin);
  }
}
