/**
 * The label sets of many series. Where the reader knows them by number they are grouped and looked at that way, and made
 * only for an operator that needs them whole: an aggregation of thousands of series reads a few labels of each.
 */
import { LabelSet, metricNameLabel, type SeriesBlock, type SeriesNames } from "@skopos/model";

export class SeriesLabels {
  readonly length: number;
  /** Undefined where there are only label sets. */
  readonly names: SeriesNames | undefined;
  #sets: readonly LabelSet[] | undefined;

  private constructor(sets: readonly LabelSet[] | undefined, names: SeriesNames | undefined) {
    this.#sets = sets;
    this.names = names;
    this.length = names?.length ?? sets?.length ?? 0;
  }

  static of(sets: readonly LabelSet[]): SeriesLabels {
    return new SeriesLabels(sets, undefined);
  }

  static ofBlock(block: SeriesBlock): SeriesLabels {
    return block.names ? new SeriesLabels(undefined, block.names) : SeriesLabels.of(block.labels);
  }

  /** All of them. */
  get sets(): readonly LabelSet[] {
    const { names } = this;
    this.#sets ??= Array.from(
      { length: this.length },
      (_, s) => names?.labels(s) ?? LabelSet.empty,
    );
    return this.#sets;
  }

  at(series: number): LabelSet {
    return this.#sets?.[series] ?? this.names?.labels(series) ?? LabelSet.empty;
  }

  /** "" when absent. */
  value(series: number, label: string): string {
    return this.names ? this.names.value(series, label) : this.at(series).get(label);
  }

  /** Whether every series has the same metric name, so that dropping it cannot make two alike. */
  get haveOneName(): boolean {
    const first = this.length > 0 ? this.value(0, metricNameLabel) : "";
    for (let s = 1; s < this.length; s++)
      if (this.value(s, metricNameLabel) !== first) return false;
    return true;
  }
}
