/**
 * The seam between metric stores and PromQL: a reader turns matchers and a time range into columns, an engine turns query
 * text into a result. Stores and remote Prometheis implement them, languages and the rooms above consume them.
 */
import type { LabelMap, LabelSet } from "./labels.ts";
import type { Matcher } from "./matcher.ts";

/** Prometheus's staleness marker, as the two 32-bit halves of its NaN. */
export const staleNaN = { high: 0x7ff00000, low: 0x00000002 } as const;
/** "No sample here": fills the holes of a series that shares a time column with others. Never leaves a reader as a sample. */
export const absentNaN = { high: 0x7ff00000, low: 0x00000003 } as const;

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);
const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
/** Index of the low and the high word of a double in a Uint32Array over the same buffer. */
export const lowWord = littleEndian ? 0 : 1;
export const highWord = littleEndian ? 1 : 0;

/** Writes a NaN with the given bits to `values[index]`; plain assignment may lose the payload. */
export function writeNaN(
  values: Float64Array,
  index: number,
  bits: { high: number; low: number },
): void {
  const words = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  words[lowWord] = bits.low;
  words[highWord] = bits.high;
}

/** Whether a value read from a column is the staleness marker. In loops compare words instead. */
export function isStale(value: number): boolean {
  scratch[0] = value;
  return (
    value !== value &&
    scratchWords[highWord] === staleNaN.high &&
    scratchWords[lowWord] === staleNaN.low
  );
}

/** A native histogram sample, in Prometheus's terms; spans and buckets absolute, not deltas. */
export interface NativeHistogram {
  readonly schema: number;
  readonly count: number;
  readonly sum: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly positiveSpans: readonly { readonly offset: number; readonly length: number }[];
  readonly positiveBuckets: readonly number[];
  readonly negativeSpans: readonly { readonly offset: number; readonly length: number }[];
  readonly negativeBuckets: readonly number[];
  /** Upper bounds of custom buckets (schema −53). */
  readonly customValues: readonly number[];
  readonly counterReset: "unknown" | "reset" | "not-reset" | "gauge";
}

/** One observation behind a sample, as OpenMetrics, remote write and OTLP carry it; usually names a trace. */
export interface Exemplar {
  readonly labels: LabelMap;
  readonly value: number;
  /** Unix milliseconds. */
  readonly timeMs: number;
}

export interface ExemplarSeries {
  readonly labels: LabelMap;
  /** Ascending by time. */
  readonly exemplars: readonly Exemplar[];
}

export interface ExemplarReader {
  /** Series that match any of the selectors and have exemplars with startMs ≤ t ≤ endMs. */
  exemplars(request: LabelSelect): Promise<ExemplarSeries[]>;
}

/** What a metric family says of itself. `type` is one of OpenMetrics's: counter, gauge, histogram… */
export interface MetricMetadata {
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

export interface MetricSelect {
  readonly matchers: readonly Matcher[];
  /** Left-open, right-closed: samples with startMs < t ≤ endMs. Unix milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  /** Over either limit the reader throws `LimitError`. */
  readonly seriesMax: number;
  readonly samplesMax: number;
  /**
   * The narrowest window the samples are looked at through, where that is known: a store that keeps long ranges coarsely
   * may answer with fewer samples when it is wide.
   */
  readonly resolutionMs?: number;
  /** Polled between pieces of work; true makes the reader throw `CancelledError`. */
  readonly cancelled?: () => boolean;
}

/**
 * Selected series as columns. Series that were sampled together (one target's page) share one time column, so that an
 * engine finds the window of a step once per column, not once per series.
 *
 * Series i: times `times[timesOf[i]]` (ascending unix ms), values `values.subarray(offsets[i], offsets[i + 1])`, of equal
 * length. A value with the bits of `absentNaN` is no sample. The buffers belong to the caller and are not written again.
 */
export interface SeriesBlock {
  readonly labels: readonly LabelSet[];
  /** The same label sets where the reader knows them by number: to look at without making them. */
  readonly names?: SeriesNames;
  readonly times: readonly Float64Array[];
  readonly timesOf: Uint32Array;
  readonly values: Float64Array;
  /** One more than there are series. */
  readonly offsets: Uint32Array;
  /** Where set, sample k (an index into `values`) is this histogram and `values[k]` is to be ignored. */
  readonly histograms?: ReadonlyMap<number, NativeHistogram>;
  readonly warnings: readonly string[];
}

/** The label sets of a block's series, whose texts are put together only for who asks. */
export interface SeriesNames {
  readonly length: number;
  labels(series: number): LabelSet;
  /** "" when absent. */
  value(series: number, label: string): string;
  /**
   * Series with equal values of `labels`, or (`by` false) with equal values of all but `labels` and the metric name.
   * Groups are numbered in the order of their first series.
   */
  group(by: boolean, labels: readonly string[]): SeriesGroups;
}

export interface SeriesGroups {
  /** Group of each series. */
  readonly of: Uint32Array;
  readonly count: number;
  /** The first series of each group. */
  readonly first: readonly number[];
}

export interface LabelSelect {
  /** Any of these selectors; none means every series. */
  readonly matcherSets: readonly (readonly Matcher[])[];
  readonly startMs: number;
  readonly endMs: number;
  readonly limit: number;
}

export interface MetricReader {
  select(request: MetricSelect): Promise<SeriesBlock>;
  /** Label sets of series with samples in the range. */
  series(request: LabelSelect): Promise<LabelSet[]>;
  /** Sorted. */
  labelNames(request: LabelSelect): Promise<string[]>;
  /** Sorted. */
  labelValues(name: string, request: LabelSelect): Promise<string[]>;
}

export interface InstantQuery {
  readonly query: string;
  readonly timeMs: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface RangeQuery {
  readonly query: string;
  /** Inclusive, unix milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface VectorSample {
  readonly labels: LabelMap;
  readonly timeMs: number;
  readonly value: number;
  readonly histogram?: NativeHistogram;
}

export interface MatrixSeries {
  readonly labels: LabelMap;
  /** Ascending unix ms; only the steps that have a value. */
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** By index into `values`. */
  readonly histograms?: ReadonlyMap<number, NativeHistogram>;
}

export type MetricValue =
  | { readonly type: "scalar"; readonly timeMs: number; readonly value: number }
  | { readonly type: "string"; readonly timeMs: number; readonly value: string }
  | { readonly type: "vector"; readonly samples: readonly VectorSample[] }
  | { readonly type: "matrix"; readonly series: readonly MatrixSeries[] };

export interface MetricResult {
  readonly value: MetricValue;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/** Errors: `SkoposError` with code "bad-query" (parse and type errors), "execution", "limit", "cancelled", "unavailable". */
export interface MetricEngine {
  instant(query: InstantQuery): Promise<MetricResult>;
  range(query: RangeQuery): Promise<MetricResult>;
}
