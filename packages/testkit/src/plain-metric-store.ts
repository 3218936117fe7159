/**
 * The plainest store of samples that can be right: a map per series. Slow, obvious, and the measure of the others: what
 * families, chunks and windows do must not show next to it.
 */
import {
  absentNaN,
  compileMatcher,
  type LabelSelect,
  type LabelSet,
  LimitError,
  matchesAll,
  type Matcher,
  type MetricReader,
  type MetricSelect,
  type SeriesBlock,
  writeNaN,
} from "@skopos/model";

interface PlainSeries {
  readonly labels: LabelSet;
  /** The bits of the value by time. */
  readonly samples: Map<number, bigint>;
}

const double = new Float64Array(1);
const bits = new BigUint64Array(double.buffer);
writeNaN(double, 0, absentNaN);
const absentBits = bits[0];

/** Bits of a double, NaN payload included. */
export function bitsOf(values: Float64Array, index: number): bigint {
  return new BigUint64Array(values.buffer, values.byteOffset, values.length)[index] ?? 0n;
}

export class PlainMetricStore implements MetricReader {
  readonly #series = new Map<string, PlainSeries>();

  /** Adds a sample unless there is one at that time. Returns whether it was added. */
  add(labels: LabelSet, timeMs: number, value: bigint): boolean {
    let series = this.#series.get(labels.key);
    if (!series) {
      series = { labels, samples: new Map() };
      this.#series.set(labels.key, series);
    }
    if (value === absentBits || series.samples.has(timeMs)) return false;
    series.samples.set(timeMs, value);
    return true;
  }

  /** The bits at a time. */
  get(labels: LabelSet, timeMs: number): bigint | undefined {
    return this.#series.get(labels.key)?.samples.get(timeMs);
  }

  async select(request: MetricSelect): Promise<SeriesBlock> {
    const labels: LabelSet[] = [];
    const times: Float64Array[] = [];
    const values: bigint[] = [];
    const offsets = [0];
    for (const series of this.#matching([request.matchers], request.startMs, request.endMs)) {
      const own = this.#timesIn(series, request.startMs, request.endMs);
      labels.push(series.labels);
      times.push(Float64Array.from(own));
      for (const time of own) values.push(series.samples.get(time) ?? 0n);
      offsets.push(values.length);
    }
    if (labels.length > request.seriesMax) throw new LimitError("too many series");
    if (values.length > request.samplesMax) throw new LimitError("too many samples");
    return {
      labels,
      times,
      timesOf: Uint32Array.from(labels.keys()),
      values: new Float64Array(BigUint64Array.from(values).buffer),
      offsets: Uint32Array.from(offsets),
      warnings: [],
    };
  }

  #timesIn(series: PlainSeries, startMs: number, endMs: number): number[] {
    const own = [...series.samples.keys()].filter((t) => t > startMs && t <= endMs);
    return own.sort((a, b) => a - b);
  }

  #matching(sets: readonly (readonly Matcher[])[], startMs: number, endMs: number): PlainSeries[] {
    const compiled = sets.map((matchers) => matchers.map(compileMatcher));
    return [...this.#series.values()].filter(
      (series) =>
        (compiled.length === 0 || compiled.some((set) => matchesAll(set, series.labels))) &&
        this.#timesIn(series, startMs, endMs).length > 0,
    );
  }

  async series(request: LabelSelect): Promise<LabelSet[]> {
    const found = this.#matching(request.matcherSets, request.startMs, request.endMs);
    return found.map(({ labels }) => labels).slice(0, request.limit);
  }

  async labelNames(request: LabelSelect): Promise<string[]> {
    const found = this.#matching(request.matcherSets, request.startMs, request.endMs);
    const names = found.flatMap(({ labels }) => Object.keys(labels.toMap()));
    return [...new Set(names)].sort().slice(0, request.limit);
  }

  async labelValues(name: string, request: LabelSelect): Promise<string[]> {
    const found = this.#matching(request.matcherSets, request.startMs, request.endMs);
    const values = found.map(({ labels }) => labels.get(name)).filter((value) => value !== "");
    return [...new Set(values)].sort().slice(0, request.limit);
  }
}
