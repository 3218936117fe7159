/**
 * Writes the names of living series anew, without the dead, a piece at a time: into an index, places and a definition log that
 * nobody sees before they take the place of what is there. Series are taken in their order; what happens to one that was
 * taken already happens to both. Appends, and queries of any thread, go on with what is there meanwhile.
 */
import { GrowingColumn } from "./cells.ts";
import { type Catalog, type DefinitionLog, Members } from "./definitions.ts";
import { LabelIndex } from "./label-index.ts";

export class IndexRebuild {
  readonly catalog: Catalog = { index: new LabelIndex(), members: new Members() };
  readonly log: DefinitionLog;
  /** Numbers of series by the numbers they had. */
  readonly renumbered: GrowingColumn;
  readonly #from: Catalog;
  /** By the old number: the new one plus one, 0 for what was not needed yet. */
  readonly #symbolOf = new GrowingColumn();
  readonly #baseOf = new GrowingColumn();
  #taken = 0;

  /** `log` is empty. */
  constructor(from: Catalog, log: DefinitionLog) {
    this.#from = from;
    this.log = log;
    this.renumbered = new GrowingColumn(from.index.seriesCount);
  }

  get sizeBytes(): number {
    const { index, members } = this.catalog;
    const columns = [this.renumbered, this.#symbolOf, this.#baseOf];
    const own = columns.reduce((total, column) => total + column.sizeBytes, 0);
    return own + index.sizeBytes + members.sizeBytes + this.log.length;
  }

  /** Takes up to `count` series; returns whether there are no more. */
  step(count: number): boolean {
    const { index, members } = this.#from;
    const end = Math.min(this.#taken + count, index.seriesCount);
    for (let old = this.#taken; old < end; old++) {
      if (index.isDead(old)) continue;
      const series = this.#takeSeries(old);
      this.renumbered.set(old, series);
      for (const { family, column } of members.places(old)) this.#place(series, family, column);
    }
    this.#taken = end;
    this.log.store();
    return end === index.seriesCount;
  }

  /** The family is the group's from now on. */
  family(family: number, group: number): void {
    this.log.family(family, group);
    this.catalog.members.familyGroup.set(family, group);
  }

  /** As with the others: `series` is the old number. */
  member(series: number, family: number, column: number): void {
    if (series < this.#taken) this.#place(this.renumbered.at(series), family, column);
  }

  leave(series: number, family: number): void {
    if (series >= this.#taken) return;
    const own = this.renumbered.at(series);
    this.log.leave(own, family);
    this.catalog.members.leave(own, family);
  }

  forget(series: number): void {
    if (series >= this.#taken) return;
    const own = this.renumbered.at(series);
    this.log.forget(own);
    this.catalog.index.forget(own);
    this.catalog.members.forget(own);
  }

  #place(series: number, family: number, column: number): void {
    this.log.member(series, family, column);
    this.catalog.members.add(series, family, column);
  }

  /** Numbers are translated, so no text is looked up twice. */
  #takeSeries(old: number): number {
    const { index } = this.#from;
    const base = this.#base(index.seriesBase.at(old));
    const name = this.#symbol(index.seriesName.at(old));
    const bucket = this.#symbol(index.seriesBucket.at(old));
    this.log.series(base, name, bucket);
    return this.catalog.index.addSeries(base, name, bucket);
  }

  #symbol(old: number): number {
    const known = old < this.#symbolOf.length ? this.#symbolOf.at(old) : 0;
    if (known !== 0) return known - 1;
    const text = this.#from.index.symbol(old);
    const { index } = this.catalog;
    let own = index.symbolOf(text);
    if (own === undefined) {
      this.log.symbol(text);
      own = index.addSymbol(text);
    }
    this.#symbolOf.set(old, own + 1);
    return own;
  }

  #base(old: number): number {
    const known = old < this.#baseOf.length ? this.#baseOf.at(old) : 0;
    if (known !== 0) return known - 1;
    const { index } = this.#from;
    const symbols: number[] = [];
    for (let i = index.baseStart.at(old); i < index.baseStart.at(old + 1); i++) {
      const pair = index.basePairs.at(i);
      symbols.push(this.#symbol(index.pairName.at(pair)), this.#symbol(index.pairValue.at(pair)));
    }
    const own = this.catalog.index.addBase(symbols);
    this.log.base(symbols);
    this.#baseOf.set(old, own + 1);
    return own;
  }
}
