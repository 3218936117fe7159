import {
  type AppendOutcome,
  type GroupRef,
  isStale,
  LabelSet,
  type SampleSink,
  type SeriesRef,
} from "@skopos/model";
import type { MemoryReader } from "@skopos/promql/testing";

/** A sample sink over a `MemoryReader`. */
export class MemorySink implements SampleSink {
  readonly reader: MemoryReader;
  readonly #series: LabelSet[] = [];

  constructor(reader: MemoryReader) {
    this.reader = reader;
  }

  openGroup(): GroupRef {
    return 0;
  }

  series(_group: GroupRef, labels: LabelSet): SeriesRef {
    return this.#series.push(labels) - 1;
  }

  appendPage(
    _group: GroupRef,
    timeMs: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
  ): AppendOutcome {
    for (let i = 0; i < count; i++) {
      const value = values[i] ?? 0;
      const labels = this.#series[refs[i] ?? 0] ?? LabelSet.empty;
      this.reader.add(labels, [{ timeMs, value: isStale(value) ? "stale" : value }]);
    }
    return { appended: count, tooOld: 0, duplicates: 0, conflicting: 0 };
  }

  closeGroup(): void {
    // Series of a memory reader do not age.
  }

  durable(): Promise<void> {
    return Promise.resolve();
  }
}
