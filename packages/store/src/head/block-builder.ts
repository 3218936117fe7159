/** Collects series into the columns of a `SeriesBlock`, growing one values buffer. */
import { LimitError, type SeriesBlock } from "@skopos/model";
import { u32, wordsOf } from "./cells.ts";

/** `Series` is what its user calls a series. */
export class BlockBuilder<Series> {
  /** In the order of their columns. */
  readonly series: Series[] = [];
  readonly #times: Float64Array[] = [];
  readonly #timesOf: number[] = [];
  readonly #offsets: number[] = [0];
  readonly #seriesMax: number;
  readonly #samplesMax: number;
  values: Float64Array;
  /** Of the same buffer as `values`. */
  words: Uint32Array;
  /** Doubles in use: where the next series goes. */
  length = 0;
  #samples = 0;

  constructor(capacity: number, seriesMax: number, samplesMax: number) {
    this.#seriesMax = seriesMax;
    this.#samplesMax = samplesMax;
    this.values = new Float64Array(capacity);
    this.words = wordsOf(this.values);
  }

  /** Makes room for `count` doubles from `length` on. `values` and `words` may be other arrays afterwards. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.values.length) return;
    const grown = new Float64Array(Math.max(needed, this.values.length * 2));
    const words = wordsOf(grown);
    words.set(this.words.subarray(0, 2 * this.length));
    this.values = grown;
    this.words = words;
  }

  addTimes(times: Float64Array): number {
    return this.#times.push(times) - 1;
  }

  /** Takes over `rows` doubles at `from`, at or behind `length`, as the next series. Throws `limit`. */
  add(series: Series, times: number, from: number, rows: number, samples: number): void {
    this.#samples += samples;
    if (this.series.length >= this.#seriesMax)
      throw new LimitError(`the selector matches more than ${this.#seriesMax} series`);
    if (this.#samples > this.#samplesMax)
      throw new LimitError(`the selector matches more than ${this.#samplesMax} samples`);
    if (from !== this.length) this.words.copyWithin(2 * this.length, 2 * from, 2 * (from + rows));
    this.length += rows;
    this.series.push(series);
    this.#timesOf.push(times);
    this.#offsets.push(this.length);
  }

  /** As `add`, from a column of its own. */
  addPiece(series: Series, times: number, values: Float64Array, samples: number): void {
    this.reserve(values.length);
    const words = wordsOf(values);
    for (let i = 0; i < words.length; i++) this.words[2 * this.length + i] = u32(words, i);
    this.add(series, times, this.length, values.length, samples);
  }

  /** The block but for its labels. */
  columns(): Omit<SeriesBlock, "labels" | "names" | "histograms"> {
    return {
      times: this.#times,
      timesOf: Uint32Array.from(this.#timesOf),
      values: this.values.subarray(0, this.length),
      offsets: Uint32Array.from(this.#offsets),
      warnings: [],
    };
  }
}
