/**
 * Series grouped by their labels as numbers. What a group's labels are is settled once per base (see `label-index.ts`) and
 * not once per series: the parts of a histogram differ in name and `le` alone.
 */
import type { LabelSet, SeriesBlock, SeriesGroups, SeriesNames } from "@skopos/model";
import { u32 } from "./cells.ts";
import type { LabelIndex } from "./label-index.ts";

/** Symbols and pairs are fewer: the definition log that they come from ends before. */
const numbersMax = 2 ** 26;

/** Gives equal sequences of numbers one number: a tree of (the sequence before, its last number). */
class Sequences {
  readonly #next = new Map<number, number>();

  /** The sequence that is one longer; 0 is the empty one. */
  after(before: number, last: number): number {
    const key = before * numbersMax + last;
    let number = this.#next.get(key);
    if (number === undefined) {
      number = this.#next.size + 1;
      this.#next.set(key, number);
    }
    return number;
  }
}

/** What of a base's labels makes groups differ. */
class BaseGroups {
  readonly #index: LabelIndex;
  readonly #by: boolean;
  /** Of the labels that were named, without name and `le`. */
  readonly #labels: ReadonlySet<number>;
  readonly #sequences = new Sequences();
  readonly #known = new Map<number, number>();

  constructor(index: LabelIndex, by: boolean, labels: ReadonlySet<number>) {
    this.#index = index;
    this.#by = by;
    this.#labels = labels;
  }

  of(base: number): number {
    let group = this.#known.get(base);
    if (group === undefined) {
      group = this.#make(base);
      this.#known.set(base, group);
    }
    return group;
  }

  /** Labels that are absent leave no trace, so the sequence names its labels: by the numbers of whole pairs. */
  #make(base: number): number {
    const { baseStart, basePairs, pairName } = this.#index;
    let group = 0;
    if (this.#by && this.#labels.size === 0) return group;
    const end = baseStart.at(base + 1);
    for (let i = baseStart.at(base); i < end; i++) {
      const pair = basePairs.at(i);
      if (this.#labels.has(pairName.at(pair)) === this.#by)
        group = this.#sequences.after(group, pair);
    }
    return group;
  }
}

/** Groups as `SeriesNames.group` has them. */
function groupSeries(
  index: LabelIndex,
  ids: Uint32Array,
  by: boolean,
  labels: readonly string[],
): SeriesGroups {
  const symbols = new Set<number>();
  for (const label of labels) {
    const symbol = index.symbolOf(label);
    if (symbol !== undefined) symbols.add(symbol);
  }
  const byName = by && symbols.delete(index.nameSymbol);
  const byBucket = symbols.delete(index.bucketSymbol) === by;
  const bases = new BaseGroups(index, by, symbols);
  const members = new Sequences();
  const numbers = new Map<number, number>();
  const of = new Uint32Array(ids.length);
  const first: number[] = [];
  let lastBase = -1;
  let ofBase = 0;
  for (let s = 0; s < ids.length; s++) {
    const id = u32(ids, s);
    const base = index.seriesBase.at(id);
    if (base !== lastBase) {
      lastBase = base;
      ofBase = bases.of(base);
    }
    let key = ofBase;
    if (byName) key = members.after(key, index.seriesName.at(id));
    if (byBucket) key = members.after(key, index.seriesBucket.at(id));
    let group = numbers.get(key);
    if (group === undefined) {
      group = first.length;
      numbers.set(key, group);
      first.push(s);
    }
    of[s] = group;
  }
  return { of, count: first.length, first };
}

/** The names of series of an index. They stay what they are when the index grows. */
class HeadNames implements SeriesNames {
  readonly #index: LabelIndex;
  readonly #ids: Uint32Array;

  constructor(index: LabelIndex, ids: Uint32Array) {
    this.#index = index;
    this.#ids = ids;
  }

  get length(): number {
    return this.#ids.length;
  }

  labels(series: number): LabelSet {
    return this.#index.labels(u32(this.#ids, series));
  }

  value(series: number, label: string): string {
    return this.#index.value(u32(this.#ids, series), label);
  }

  group(by: boolean, labels: readonly string[]): SeriesGroups {
    return groupSeries(this.#index, this.#ids, by, labels);
  }
}

/** Gives columns the labels of these series of an index. */
export function namedBlock(
  index: LabelIndex,
  ids: readonly number[],
  columns: Omit<SeriesBlock, "labels" | "names">,
): SeriesBlock {
  const names = new HeadNames(index, Uint32Array.from(ids));
  let labels: readonly LabelSet[] | undefined;
  return {
    ...columns,
    names,
    get labels() {
      labels ??= Array.from(ids, (id) => index.labels(id));
      return labels;
    },
  };
}
