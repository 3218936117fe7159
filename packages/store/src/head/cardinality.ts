/**
 * Which metrics and labels make how many series, counted in the columns of an index: per base, not per series, and without
 * making a label set. For `/api/v1/status/tsdb`.
 */
import { GrowingColumn } from "./cells.ts";
import { endOfList, type LabelIndex } from "./label-index.ts";

interface NamedCount {
  readonly name: string;
  readonly value: number;
}

export interface HeadCardinality {
  readonly series: number;
  /** Distinct pairs of label name and value. */
  readonly labelPairs: number;
  readonly seriesByMetric: readonly NamedCount[];
  /** Distinct values. */
  readonly valuesByLabel: readonly NamedCount[];
  /** Of values, once per series that has them. */
  readonly bytesByLabel: readonly NamedCount[];
  /** Names are `label=value`. */
  readonly seriesByPair: readonly NamedCount[];
}

/** The `limit` largest of each kind. */
export function cardinalityOf(index: LabelIndex, limit: number): HeadCardinality {
  const byName = new Map<number, number>();
  const byBucket = new Map<number, number>();
  const byPair = new GrowingColumn(index.pairName.length);
  for (let base = 0; base < index.baseCount; base++) {
    const live = liveSeries(index, base, byName, byBucket);
    if (live === 0) continue;
    const end = index.baseStart.at(base + 1);
    for (let at = index.baseStart.at(base); at < end; at++) {
      const pair = index.basePairs.at(at);
      byPair.set(pair, (pair < byPair.length ? byPair.at(pair) : 0) + live);
    }
  }
  const counted = new Counted(index);
  for (const [name, series] of byName) counted.add(index.nameSymbol, name, series);
  for (const [bucket, series] of byBucket) counted.add(index.bucketSymbol, bucket, series);
  for (let pair = 0; pair < byPair.length; pair++)
    counted.add(index.pairName.at(pair), index.pairValue.at(pair), byPair.at(pair));
  const metrics = Array.from(byName, ([name, value]) => ({ name: index.symbol(name), value }));
  return {
    series: index.seriesCount - index.deadCount,
    labelPairs: counted.pairs.length,
    seriesByMetric: largest(metrics, limit),
    valuesByLabel: largest(counted.named(counted.values), limit),
    bytesByLabel: largest(counted.named(counted.bytes), limit),
    seriesByPair: largest(counted.pairs, limit).map(({ label, text, value }) => ({
      name: `${label}=${text}`,
      value,
    })),
  };
}

/** How many series a base has; counts their names and buckets. */
function liveSeries(
  index: LabelIndex,
  base: number,
  byName: Map<number, number>,
  byBucket: Map<number, number>,
): number {
  let live = 0;
  for (let id = index.baseSeries.at(base); id !== endOfList; id = index.seriesNextOfBase.at(id)) {
    if (index.isDead(id)) continue;
    live++;
    const name = index.seriesName.at(id);
    const bucket = index.seriesBucket.at(id);
    if (name !== 0) byName.set(name, (byName.get(name) ?? 0) + 1);
    if (bucket !== 0) byBucket.set(bucket, (byBucket.get(bucket) ?? 0) + 1);
  }
  return live;
}

class Counted {
  readonly #index: LabelIndex;
  /** By symbol of a label name. */
  readonly values = new Map<number, number>();
  readonly bytes = new Map<number, number>();
  readonly pairs: { readonly label: string; readonly text: string; readonly value: number }[] = [];

  constructor(index: LabelIndex) {
    this.#index = index;
  }

  add(label: number, value: number, series: number): void {
    if (series === 0) return;
    const text = this.#index.symbol(value);
    this.values.set(label, (this.values.get(label) ?? 0) + 1);
    this.bytes.set(label, (this.bytes.get(label) ?? 0) + series * text.length);
    this.pairs.push({ label: this.#index.symbol(label), text, value: series });
  }

  named(counts: ReadonlyMap<number, number>): NamedCount[] {
    return Array.from(counts, ([label, value]) => ({ name: this.#index.symbol(label), value }));
  }
}

function largest<T extends { readonly value: number }>(counts: readonly T[], limit: number): T[] {
  return counts.toSorted((a, b) => b.value - a.value).slice(0, limit);
}
