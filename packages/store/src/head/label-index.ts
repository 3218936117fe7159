/**
 * Which series there are, and which of them a selector names. Built for mesh telemetry, where one label set of a proxy's
 * traffic is 67 series: a series is a *base* (its labels without `__name__` and `le`), a name and an `le`. Postings lead
 * from a label pair to bases and from a metric name to series, so that 67 series cost one entry per label, and a matcher
 * is tested once per distinct value, never once per series.
 *
 * Everything is numbers in columns: symbols (strings, 0 = ""), pairs (label name, label value), bases (pairs), series.
 * Numbers are given in order and never reused; `forget` marks a series dead, and the owner of the index rebuilds it when
 * too much of it is dead. Lists are linked through columns, newest first.
 *
 * The writer adds through `intern…`, which find or make; a view adds the same things in the same order by folding the
 * definition log, so that numbers agree. Bounded by the series limit of the head that feeds it; a symbol or base goes
 * only with a rebuild.
 */
import { LabelSet, metricNameLabel } from "@skopos/model";
import { GrowingColumn } from "./cells.ts";
import { IdTable, mix } from "./id-table.ts";

const bucketLabel = "le";
const none = 0xffff_ffff;
/** Label sets kept for the next query. */
const labelSetsMax = 50_000;

/** Receives what is new, in the order in which it must be folded. */
export interface DefinitionSink {
  symbol(text: string): void;
  base(symbols: readonly number[]): void;
  series(base: number, name: number, bucket: number): void;
}

export class LabelIndex {
  /** The first are the same in every index. */
  readonly symbols: string[] = ["", metricNameLabel, bucketLabel];
  readonly nameSymbol = 1;
  readonly bucketSymbol = 2;
  readonly #symbolIds = new Map<string, number>(this.symbols.map((text, id) => [text, id]));

  /** By pair: name and value symbols, first posting, next pair of the same label name. */
  readonly pairName = new GrowingColumn();
  readonly pairValue = new GrowingColumn();
  readonly pairPosting = new GrowingColumn();
  readonly pairNext = new GrowingColumn();
  readonly #pairTable = new IdTable();
  /** First pair of a label name, by its symbol. */
  readonly firstPair = new Map<number, number>();
  /** Postings: base, and the next posting of the pair. */
  readonly postingBase = new GrowingColumn();
  readonly postingNext = new GrowingColumn();

  /** By base: where its pairs begin in `basePairs` (one more than bases), and its first series. */
  readonly baseStart = new GrowingColumn();
  readonly basePairs = new GrowingColumn();
  readonly baseSeries = new GrowingColumn();
  readonly #baseTable = new IdTable();

  readonly seriesBase = new GrowingColumn();
  readonly seriesName = new GrowingColumn();
  readonly seriesBucket = new GrowingColumn();
  readonly seriesNextOfBase = new GrowingColumn();
  readonly seriesNextOfName = new GrowingColumn();
  readonly #seriesTable = new IdTable();
  readonly #dead = new GrowingColumn();
  #deadCount = 0;
  /** First series of a metric name, and how many there are, by symbol. */
  readonly firstOfName = new Map<number, number>();
  readonly countOfName = new Map<number, number>();
  /** Whether any series has the label `le`, by symbol of its value. */
  readonly buckets = new Map<number, number>();

  readonly #labelSets = new Map<number, LabelSet>();
  /** The base that was looked for last, or `none`, and its labels: name, value, … */
  #lastBase = none;
  readonly #lastFlat: string[] = [];

  constructor() {
    this.baseStart.push(0);
  }

  get seriesCount(): number {
    return this.seriesBase.length;
  }

  get deadCount(): number {
    return this.#deadCount;
  }

  get baseCount(): number {
    return this.baseSeries.length;
  }

  /** Bytes of the columns; strings are estimated. */
  get sizeBytes(): number {
    const columns = [
      this.pairName,
      this.pairValue,
      this.pairPosting,
      this.pairNext,
      this.postingBase,
      this.postingNext,
      this.baseStart,
      this.basePairs,
      this.baseSeries,
      this.seriesBase,
      this.seriesName,
      this.seriesBucket,
      this.seriesNextOfBase,
      this.seriesNextOfName,
      this.#dead,
    ];
    const tables = [this.#pairTable, this.#baseTable, this.#seriesTable];
    let bytes = this.symbols.length * 80;
    for (const part of [...columns, ...tables]) bytes += part.sizeBytes;
    return bytes;
  }

  symbolOf(text: string): number | undefined {
    return this.#symbolIds.get(text);
  }

  symbol(id: number): string {
    return this.symbols[id] ?? "";
  }

  isDead(series: number): boolean {
    return series < this.#dead.length && this.#dead.at(series) === 1;
  }

  addSymbol(text: string): number {
    const id = this.symbols.length;
    this.symbols.push(text);
    this.#symbolIds.set(text, id);
    return id;
  }

  /** Finds or makes the series of `labels`; `sink` hears of what was made. */
  internSeries(labels: LabelSet, sink: DefinitionSink): number {
    const same = this.#isLastBase(labels);
    const name = this.#internSymbol(labels.get(metricNameLabel), sink);
    const bucket = this.#internSymbol(labels.get(bucketLabel), sink);
    if (same) return this.#internOfBase(this.#lastBase, name, bucket, sink);
    const symbols: number[] = [];
    for (const text of this.#lastFlat) symbols.push(this.#internSymbol(text, sink));
    const series = this.#internParts(symbols, name, bucket, sink);
    this.#lastBase = this.seriesBase.at(series);
    return series;
  }

  /**
   * Whether the labels without name and bucket are those of the call before; notes them. Series that follow one another
   * mostly are parts of one histogram.
   */
  #isLastBase(labels: LabelSet): boolean {
    const last = this.#lastFlat;
    let same = this.#lastBase !== none;
    let length = 0;
    for (let i = 0; i < labels.flat.length; i += 2) {
      const label = labels.flat[i] ?? "";
      if (label === metricNameLabel || label === bucketLabel) continue;
      const value = labels.flat[i + 1] ?? "";
      if (same && last[length] === label && last[length + 1] === value) length += 2;
      else {
        same = false;
        last[length++] = label;
        last[length++] = value;
      }
    }
    if (length !== last.length) same = false;
    last.length = length;
    if (!same) this.#lastBase = none;
    return same;
  }

  /** From symbols: name, value, … without `__name__` and `le`. */
  #internParts(
    symbols: readonly number[],
    name: number,
    bucket: number,
    sink: DefinitionSink,
  ): number {
    let base = this.#findBase(symbols);
    if (base === undefined) {
      base = this.addBase(symbols);
      sink.base(symbols);
    }
    return this.#internOfBase(base, name, bucket, sink);
  }

  #internOfBase(base: number, name: number, bucket: number, sink: DefinitionSink): number {
    const found = this.findSeries(base, name, bucket);
    if (found !== undefined) return found;
    sink.series(base, name, bucket);
    return this.addSeries(base, name, bucket);
  }

  #internSymbol(text: string, sink: DefinitionSink): number {
    const known = this.#symbolIds.get(text);
    if (known !== undefined) return known;
    sink.symbol(text);
    return this.addSymbol(text);
  }

  /** Finds the series without making anything. */
  lookup(labels: LabelSet): number | undefined {
    const name = this.#symbolIds.get(labels.get(metricNameLabel));
    const bucket = this.#symbolIds.get(labels.get(bucketLabel));
    if (name === undefined || bucket === undefined) return undefined;
    if (!this.#isLastBase(labels)) {
      const symbols: number[] = [];
      for (const text of this.#lastFlat) {
        const symbol = this.#symbolIds.get(text);
        if (symbol === undefined) return undefined;
        symbols.push(symbol);
      }
      const base = this.#findBase(symbols);
      if (base === undefined) return undefined;
      this.#lastBase = base;
    }
    return this.findSeries(this.#lastBase, name, bucket);
  }

  findSeries(base: number, name: number, bucket: number): number | undefined {
    const table = this.#seriesTable;
    let slot = table.first(mix(mix(base, name), bucket));
    for (let id = table.at(slot); id !== undefined; id = table.at((slot = table.next(slot))))
      if (
        this.seriesBase.at(id) === base &&
        this.seriesName.at(id) === name &&
        this.seriesBucket.at(id) === bucket &&
        !this.isDead(id)
      )
        return id;
    return undefined;
  }

  #pairOf(name: number, value: number): number | undefined {
    const table = this.#pairTable;
    let slot = table.first(mix(name, value));
    for (let id = table.at(slot); id !== undefined; id = table.at((slot = table.next(slot))))
      if (this.pairName.at(id) === name && this.pairValue.at(id) === value) return id;
    return undefined;
  }

  /** The first posting of a label pair; undefined when no base has it. */
  postingsOf(name: number, value: number): number | undefined {
    const pair = this.#pairOf(name, value);
    return pair === undefined ? undefined : this.pairPosting.at(pair);
  }

  #findBase(symbols: readonly number[]): number | undefined {
    const table = this.#baseTable;
    let slot = table.first(hashOf(symbols));
    for (let id = table.at(slot); id !== undefined; id = table.at((slot = table.next(slot))))
      if (this.#baseEquals(id, symbols)) return id;
    return undefined;
  }

  #baseEquals(base: number, symbols: readonly number[]): boolean {
    const start = this.baseStart.at(base);
    if (2 * (this.baseStart.at(base + 1) - start) !== symbols.length) return false;
    for (let i = 0; i < symbols.length; i += 2) {
      const pair = this.basePairs.at(start + i / 2);
      if (this.pairName.at(pair) !== symbols[i] || this.pairValue.at(pair) !== symbols[i + 1])
        return false;
    }
    return true;
  }

  addBase(symbols: readonly number[]): number {
    const base = this.baseSeries.push(none);
    for (let i = 0; i < symbols.length; i += 2) {
      const pair = this.#internPair(symbols[i] ?? 0, symbols[i + 1] ?? 0);
      this.basePairs.push(pair);
      this.postingBase.push(base);
      this.postingNext.push(this.pairPosting.at(pair));
      this.pairPosting.set(pair, this.postingBase.length - 1);
    }
    this.baseStart.push(this.basePairs.length);
    this.#baseTable.insert(hashOf(symbols), base);
    return base;
  }

  #internPair(name: number, value: number): number {
    const known = this.#pairOf(name, value);
    if (known !== undefined) return known;
    const pair = this.pairName.push(name);
    this.pairValue.push(value);
    this.pairPosting.push(none);
    this.pairNext.push(this.firstPair.get(name) ?? none);
    this.firstPair.set(name, pair);
    this.#pairTable.insert(mix(name, value), pair);
    return pair;
  }

  addSeries(base: number, name: number, bucket: number): number {
    const id = this.seriesBase.push(base);
    this.seriesName.push(name);
    this.seriesBucket.push(bucket);
    this.seriesNextOfBase.push(this.baseSeries.at(base));
    this.baseSeries.set(base, id);
    this.seriesNextOfName.push(this.firstOfName.get(name) ?? none);
    this.firstOfName.set(name, id);
    this.countOfName.set(name, (this.countOfName.get(name) ?? 0) + 1);
    this.buckets.set(bucket, (this.buckets.get(bucket) ?? 0) + 1);
    this.#seriesTable.insert(mix(mix(base, name), bucket), id);
    return id;
  }

  forget(series: number): void {
    if (this.isDead(series)) return;
    this.#dead.set(series, 1);
    this.#deadCount++;
    this.#labelSets.delete(series);
  }

  /** The symbols of a series' label names, in no particular order. */
  labelSymbols(series: number): number[] {
    const base = this.seriesBase.at(series);
    const out: number[] = [];
    if (this.seriesName.at(series) !== 0) out.push(this.nameSymbol);
    if (this.seriesBucket.at(series) !== 0) out.push(this.bucketSymbol);
    for (let i = this.baseStart.at(base); i < this.baseStart.at(base + 1); i++)
      out.push(this.pairName.at(this.basePairs.at(i)));
    return out;
  }

  /** The symbol of a label's value, 0 when the series lacks it. `label` is a symbol. */
  valueSymbol(series: number, label: number): number {
    if (label === this.nameSymbol) return this.seriesName.at(series);
    if (label === this.bucketSymbol) return this.seriesBucket.at(series);
    const base = this.seriesBase.at(series);
    for (let i = this.baseStart.at(base); i < this.baseStart.at(base + 1); i++) {
      const pair = this.basePairs.at(i);
      if (this.pairName.at(pair) === label) return this.pairValue.at(pair);
    }
    return 0;
  }

  /** The text of a label's value; "" when the series lacks it. */
  value(series: number, label: string): string {
    if (label === metricNameLabel) return this.symbol(this.seriesName.at(series));
    if (label === bucketLabel) return this.symbol(this.seriesBucket.at(series));
    const symbol = this.#symbolIds.get(label);
    return symbol === undefined ? "" : this.symbol(this.valueSymbol(series, symbol));
  }

  labels(series: number): LabelSet {
    const known = this.#labelSets.get(series);
    if (known) return known;
    const made = this.#makeLabels(series);
    if (this.#labelSets.size >= labelSetsMax) this.#labelSets.clear();
    this.#labelSets.set(series, made);
    return made;
  }

  #makeLabels(series: number): LabelSet {
    const base = this.seriesBase.at(series);
    const name = this.seriesName.at(series);
    const bucket = this.seriesBucket.at(series);
    const flat: string[] = [];
    let nameDue = name !== 0;
    let bucketDue = bucket !== 0;
    for (let i = this.baseStart.at(base); i < this.baseStart.at(base + 1); i++) {
      const pair = this.basePairs.at(i);
      const label = this.symbol(this.pairName.at(pair));
      if (nameDue && label > metricNameLabel) {
        flat.push(metricNameLabel, this.symbol(name));
        nameDue = false;
      }
      if (bucketDue && label > bucketLabel) {
        if (nameDue) flat.push(metricNameLabel, this.symbol(name));
        nameDue = false;
        flat.push(bucketLabel, this.symbol(bucket));
        bucketDue = false;
      }
      flat.push(label, this.symbol(this.pairValue.at(pair)));
    }
    if (nameDue) flat.push(metricNameLabel, this.symbol(name));
    if (bucketDue) flat.push(bucketLabel, this.symbol(bucket));
    return LabelSet.fromSorted(flat);
  }
}

/** "No more" in the linked lists. */
export const endOfList = none;

function hashOf(symbols: readonly number[]): number {
  let hash = symbols.length;
  for (const symbol of symbols) hash = mix(hash, symbol);
  return hash;
}
