/**
 * Refs: what appenders hold for a series of a group, in columns by ref. A series has one ref in each of its groups,
 * linked from the newest. Refs of released groups and of forgotten series are given out again.
 */
import type { GroupRef, SeriesRef } from "@skopos/model";
import { GrowingColumn } from "./cells.ts";

/** The family of a ref that names nothing: to append to it is an error that shows. */
const noFamily = 0xffff_ffff;

export class SeriesRefs {
  readonly seriesOf = new GrowingColumn();
  /** Where the ref's samples go when they come in order. */
  readonly familyOf = new GrowingColumn();
  readonly columnOf = new GrowingColumn();
  /** The how manieth ref of its group it is, counting forgotten ones: ascending in the order in which they were made. */
  readonly bornOf = new GrowingColumn();
  readonly #groupOf = new GrowingColumn();
  /** Next ref of the same series, plus one. */
  readonly #next = new GrowingColumn();
  /** By series: its newest ref plus one. */
  #newest = new GrowingColumn();
  readonly #free: number[] = [];
  #live = 0;

  /** Refs by family. */
  readonly #inFamily = new GrowingColumn();

  get live(): number {
    return this.#live;
  }

  get sizeBytes(): number {
    const { seriesOf, familyOf, columnOf, bornOf } = this;
    const columns = [seriesOf, familyOf, columnOf, bornOf, this.#groupOf, this.#next, this.#newest];
    return columns.reduce((total, column) => total + column.sizeBytes, 0);
  }

  add(group: GroupRef, born: number, series: number, family: number, column: number): SeriesRef {
    const ref = this.#free.pop() ?? this.seriesOf.length;
    this.seriesOf.set(ref, series);
    this.familyOf.set(ref, family);
    this.columnOf.set(ref, column);
    this.#inFamily.set(family, this.countIn(family) + 1);
    this.#groupOf.set(ref, group);
    this.bornOf.set(ref, born);
    this.#next.set(ref, this.#newestOf(series));
    this.#newest.set(series, ref + 1);
    this.#live++;
    return ref;
  }

  groupOf(ref: SeriesRef): GroupRef {
    return this.#groupOf.at(ref);
  }

  /** From now on the ref's samples go elsewhere. */
  move(ref: SeriesRef, family: number, column: number): void {
    const before = this.familyOf.at(ref);
    this.#inFamily.set(before, this.countIn(before) - 1);
    this.#inFamily.set(family, this.countIn(family) + 1);
    this.familyOf.set(ref, family);
    this.columnOf.set(ref, column);
  }

  /** How many refs' samples go to a family. */
  countIn(family: number): number {
    return family < this.#inFamily.length ? this.#inFamily.at(family) : 0;
  }

  find(group: GroupRef, series: number): SeriesRef | undefined {
    for (let next = this.#newestOf(series); next !== 0; next = this.#next.at(next - 1))
      if (this.#groupOf.at(next - 1) === group) return next - 1;
    return undefined;
  }

  /** Gives the ref back. Returns whether its series has no other. */
  remove(ref: SeriesRef): boolean {
    const series = this.seriesOf.at(ref);
    const after = this.#next.at(ref);
    if (this.#newestOf(series) === ref + 1) this.#newest.set(series, after);
    else {
      let at = this.#newestOf(series) - 1;
      while (this.#next.at(at) !== ref + 1) at = this.#next.at(at) - 1;
      this.#next.set(at, after);
    }
    const family = this.familyOf.at(ref);
    this.#inFamily.set(family, this.countIn(family) - 1);
    this.familyOf.set(ref, noFamily);
    this.#free.push(ref);
    this.#live--;
    return this.#newestOf(series) === 0;
  }

  /** Gives every series the number it has in `renumbered` (indexed by the old one). */
  renumber(renumbered: GrowingColumn): void {
    const newest = new GrowingColumn(renumbered.length);
    for (let old = 0; old < renumbered.length; old++) {
      const first = this.#newestOf(old);
      if (first === 0) continue;
      const series = renumbered.at(old);
      newest.set(series, first);
      for (let next = first; next !== 0; next = this.#next.at(next - 1))
        this.seriesOf.set(next - 1, series);
    }
    this.#newest = newest;
  }

  #newestOf(series: number): number {
    return series < this.#newest.length ? this.#newest.at(series) : 0;
  }
}
