/** Series as a reader merges them with those of other sources: with external labels, in the order of all labels. */
import { type LabelMap, LabelSet, type SeriesBlock } from "@skopos/model";

export interface LabelledSeries {
  /** Among the block's. */
  readonly index: number;
  readonly labels: LabelSet;
}

/** A label that a series has itself wins over an external one. */
export function seriesInOrder(block: SeriesBlock, external: LabelMap): LabelledSeries[] {
  return block.labels
    .map((own, index) => ({
      index,
      labels: LabelSet.fromMap({ ...external, ...own.toMap() }),
    }))
    .sort((a, b) => compareSets(a.labels.flat, b.labels.flat));
}

function compareSets(a: readonly string[], b: readonly string[]): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const left = a[i] ?? "";
    const right = b[i] ?? "";
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}
