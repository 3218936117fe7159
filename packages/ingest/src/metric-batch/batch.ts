/**
 * Pushed metrics between their protocol and the store: samples in columns, histograms, exemplars and metadata by series.
 * Remote write and OTLP both decode into a batch; what is wrong with single series or points is left out and counted, so that
 * the rest can be stored.
 */
import {
  type Exemplar,
  type LabelSet,
  type MetricMetadata,
  highWord,
  lowWord,
  type NativeHistogram,
  type SeriesRef,
} from "@skopos/model";
import { IngestError } from "../errors.ts";

/** Sample k belongs to `series[seriesOf[k]]`. Values keep their NaN payload. */
export interface MetricBatch {
  /** Labels, or the store's ref where that is known already. */
  readonly series: readonly (LabelSet | SeriesRef)[];
  readonly seriesOf: Uint32Array;
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
  readonly histograms: readonly HistogramSample[];
  readonly exemplars: readonly { readonly series: number; readonly exemplar: Exemplar }[];
  /** By metric family. */
  readonly metadata: ReadonlyMap<string, MetricMetadata>;
  /** Samples, histograms or data points that were left out, and why the first of them were. */
  readonly rejected: number;
  readonly reasons: readonly string[];
}

export interface HistogramSample {
  readonly series: number;
  readonly timeMs: number;
  readonly histogram: NativeHistogram;
}

export interface BatchLimits {
  /** Samples and histograms of one request. */
  readonly samples: number;
  readonly labels: number;
  readonly labelChars: number;
  readonly exemplars: number;
  readonly metadata: number;
}

export const batchLimits: BatchLimits = {
  samples: 1_000_000,
  labels: 64,
  labelChars: 4096,
  exemplars: 20_000,
  metadata: 20_000,
};

const reasonsMax = 5;

export class MetricBatchBuilder {
  readonly limits: BatchLimits;
  readonly #series: (LabelSet | SeriesRef)[] = [];
  #seriesOf = new Uint32Array(256);
  #timesMs = new Float64Array(256);
  #values = new Float64Array(256);
  #words = new Uint32Array(this.#values.buffer);
  #count = 0;
  readonly #histograms: HistogramSample[] = [];
  readonly #exemplars: { series: number; exemplar: Exemplar }[] = [];
  readonly #metadata = new Map<string, MetricMetadata>();
  #rejected = 0;
  readonly #reasons: string[] = [];

  constructor(limits: BatchLimits = batchLimits) {
    this.limits = limits;
  }

  /** Samples and histograms so far. */
  get size(): number {
    return this.#count + this.#histograms.length;
  }

  get rejected(): number {
    return this.#rejected;
  }

  series(labels: LabelSet): number {
    return this.#series.push(labels) - 1;
  }

  /** A series whose ref in the store is known. */
  known(ref: SeriesRef): number {
    return this.#series.push(ref) - 1;
  }

  /** Takes back the series added last, and its samples: what is there beyond `size`. It has no histograms. */
  undoKnown(size: number): void {
    this.#series.pop();
    this.#count = size - this.#histograms.length;
  }

  sample(series: number, timeMs: number, value: number): void {
    const k = this.#next(series, timeMs);
    this.#values[k] = value;
  }

  /** A sample by its bits: a staleness marker must stay one. */
  sampleBits(series: number, timeMs: number, { high, low }: { high: number; low: number }): void {
    this.sampleWords(series, timeMs, low, high);
  }

  sampleWords(series: number, timeMs: number, low: number, high: number): void {
    const k = this.#next(series, timeMs);
    this.#words[2 * k + lowWord] = low;
    this.#words[2 * k + highWord] = high;
  }

  histogram(series: number, timeMs: number, histogram: NativeHistogram): void {
    this.#checkSize();
    this.#histograms.push({ series, timeMs, histogram });
  }

  exemplar(series: number, exemplar: Exemplar): void {
    if (this.#exemplars.length < this.limits.exemplars) this.#exemplars.push({ series, exemplar });
  }

  metadata(family: string, metadata: MetricMetadata): void {
    if (this.#metadata.size < this.limits.metadata) this.#metadata.set(family, metadata);
  }

  reject(count: number, reason: string): void {
    this.#rejected += count;
    if (this.#reasons.length < reasonsMax) this.#reasons.push(reason);
  }

  #checkSize(): void {
    if (this.size >= this.limits.samples)
      throw new IngestError(
        "too-large",
        `more than ${this.limits.samples} samples in one request: send smaller requests`,
      );
  }

  #next(series: number, timeMs: number): number {
    this.#checkSize();
    if (this.#count === this.#values.length) this.#grow();
    this.#seriesOf[this.#count] = series;
    this.#timesMs[this.#count] = timeMs;
    return this.#count++;
  }

  #grow(): void {
    const size = this.#count * 2;
    const seriesOf = new Uint32Array(size);
    const timesMs = new Float64Array(size);
    const values = new Float64Array(size);
    seriesOf.set(this.#seriesOf);
    timesMs.set(this.#timesMs);
    values.set(this.#values);
    this.#seriesOf = seriesOf;
    this.#timesMs = timesMs;
    this.#values = values;
    this.#words = new Uint32Array(values.buffer);
  }

  finish(): MetricBatch {
    return {
      series: this.#series,
      seriesOf: this.#seriesOf.subarray(0, this.#count),
      timesMs: this.#timesMs.subarray(0, this.#count),
      values: this.#values.subarray(0, this.#count),
      histograms: this.#histograms,
      exemplars: this.#exemplars,
      metadata: this.#metadata,
      rejected: this.#rejected,
      reasons: this.#reasons,
    };
  }
}
