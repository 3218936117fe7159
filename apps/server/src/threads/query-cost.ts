/** What a query cost, in the shape of Prometheus's `stats`: time, and the samples it read from the store. */
import type {
  Clock,
  LabelSelect,
  LabelSet,
  MetricReader,
  MetricSelect,
  SeriesBlock,
} from "@skopos/model";

/** A reader that counts what goes through it. */
export class QueryCost implements MetricReader {
  readonly #reader: MetricReader;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  #readMs = 0;
  #samples = 0;
  #largestRead = 0;

  constructor(reader: MetricReader, clock: Clock) {
    this.#reader = reader;
    this.#clock = clock;
    this.#startedAtMs = clock.monotonicMs();
  }

  async select(request: MetricSelect): Promise<SeriesBlock> {
    const before = this.#clock.monotonicMs();
    const block = await this.#reader.select(request);
    this.#readMs += this.#clock.monotonicMs() - before;
    this.#samples += block.values.length;
    this.#largestRead = Math.max(this.#largestRead, block.values.length);
    return block;
  }

  series(request: LabelSelect): Promise<LabelSet[]> {
    return this.#reader.series(request);
  }

  labelNames(request: LabelSelect): Promise<string[]> {
    return this.#reader.labelNames(request);
  }

  labelValues(name: string, request: LabelSelect): Promise<string[]> {
    return this.#reader.labelValues(name, request);
  }

  get samplesRead(): number {
    return this.#samples;
  }

  /** Time spent in the store. */
  get readMs(): number {
    return this.#readMs;
  }

  /** Samples count once however many steps look at them; upstream counts each look, by step too. */
  stats(): object {
    const totalMs = this.#clock.monotonicMs() - this.#startedAtMs;
    return {
      timings: {
        evalTotalTime: totalMs / 1000,
        resultSortTime: 0,
        queryPreparationTime: this.#readMs / 1000,
        innerEvalTime: (totalMs - this.#readMs) / 1000,
        execQueueTime: 0,
        execTotalTime: totalMs / 1000,
      },
      samples: { totalQueryableSamples: this.#samples, peakSamples: this.#largestRead },
    };
  }
}
