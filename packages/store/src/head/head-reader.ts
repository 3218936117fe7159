/**
 * Answers selects from shared memory, in the writer's thread or any other; never changes anything there.
 *
 * A select folds new names, matches, notes how many rows every family shows, and then makes sure that no name came up
 * meanwhile: so the rows of a page and the series it brought along are seen together or not at all. Then group by group
 * it reads under the group's sequence lock. A group that changed shape is read again; one whose names moved, or that
 * shows newer rows than the rest, makes the select start over. A select does not wait for a writer that is slow, only
 * for one in the middle of a page.
 */
import {
  CancelledError,
  compileMatcher,
  type ExemplarReader,
  type ExemplarSeries,
  type LabelSelect,
  type LabelSet,
  LimitError,
  matchesAll,
  type Matcher,
  type MetricReader,
  type MetricSelect,
  type SeriesBlock,
  SkoposError,
} from "@skopos/model";
import { BlockBuilder } from "./block-builder.ts";
import { f64, isAbsent, wordsOf } from "./cells.ts";
import type { Catalog } from "./definitions.ts";
import { ExemplarRing } from "./exemplars.ts";
import { type FamilyPlan, FamilyReader } from "./family-read.ts";
import { HistogramReader } from "./histograms.ts";
import { namedBlock } from "./label-groups.ts";
import { endOfList } from "./label-index.ts";
import { MatchCache, matchSeries } from "./match.ts";
import { groupWord, groupWords, type HeadShare } from "./memory.ts";
import { mergePieces, type Piece } from "./merge.ts";

export interface CatalogSource {
  catalog(): Catalog;
  /** Whether the catalog knows what was defined up to a group's `definedAt`. */
  covers(definedAt: number): boolean;
  /** Whether there are newer definitions. Read again at each use. */
  readonly behind: () => boolean;
}

/** Starting over more often than this means that something other than bad luck is at work. */
const attemptsMax = 100;
/** After so many attempts, rows without the newest series are better than no answer. */
const strictAttempts = 20;
/** About a second: a writer that holds a group for longer has died inside. */
const spinsMax = 100_000_000;
/** Holes a result may have for each sample it may have, before it is refused as too large. */
const holesPerSample = 8;

/** The columns to read of one family: position of the series in the match, and column. */
interface FamilyRequest {
  readonly family: number;
  readonly positions: number[];
  readonly columns: number[];
  openRows: number;
}

interface GroupRequest {
  readonly group: number;
  readonly families: FamilyRequest[];
  sequence: number;
}

/** A piece and, when it may stand alone, the shared time column it belongs to. */
type FamilyPiece = Piece & { readonly unordered: boolean; readonly shared: () => number };

const startOver = Symbol("start over");

export class HeadReader implements MetricReader, ExemplarReader {
  readonly #groups: Int32Array;
  readonly #source: CatalogSource;
  readonly #families: FamilyReader;
  readonly #histograms: HistogramReader;
  readonly #exemplars: ExemplarRing;
  readonly #matches = new MatchCache();

  constructor(share: HeadShare, source: CatalogSource) {
    this.#groups = new Int32Array(share.groups);
    this.#source = source;
    this.#families = new FamilyReader(share);
    this.#histograms = new HistogramReader(share);
    this.#exemplars = new ExemplarRing(share);
  }

  /** Throws `limit`, `cancelled`, `bad-regex`; `unavailable` when the head changes faster than it can be read. */
  async select(request: MetricSelect): Promise<SeriesBlock> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const block = this.#trySelect(request, attempt < strictAttempts);
      if (block !== startOver) return block;
    }
    throw unreadable();
  }

  /**
   * Every series with samples in the range, `seriesPerPiece` names at a time, in the order in which they came. Begins anew
   * when the names are rebuilt meanwhile: the caller must not mind what comes twice.
   */
  async *scan(startMs: number, endMs: number, seriesPerPiece: number): AsyncGenerator<SeriesBlock> {
    const matchers: readonly Matcher[] = [];
    const request = { matchers, startMs, endMs, seriesMax: Infinity, samplesMax: 2 ** 31 };
    let { index } = this.#source.catalog();
    let attempts = 0;
    for (let from = 0; from < index.seriesCount; from += seriesPerPiece) {
      const catalog = this.#source.catalog();
      if (catalog.index !== index) {
        index = catalog.index;
        from = -seriesPerPiece;
        continue;
      }
      const ids: number[] = [];
      const end = Math.min(from + seriesPerPiece, index.seriesCount);
      for (let id = from; id < end; id++) if (!index.isDead(id)) ids.push(id);
      const block = this.#tryRead(catalog, ids, request, false);
      if (block === startOver) {
        if (++attempts >= attemptsMax) throw unreadable();
        from -= seriesPerPiece;
        continue;
      }
      attempts = 0;
      if (block.offsets.length > 1) yield block;
    }
  }

  #trySelect(request: MetricSelect, strict: boolean): SeriesBlock | typeof startOver {
    const catalog = this.#source.catalog();
    const ids = this.#matches.match(catalog.index, request.matchers);
    return this.#tryRead(catalog, ids, request, strict);
  }

  #tryRead(
    catalog: Catalog,
    ids: readonly number[],
    request: MetricSelect,
    strict: boolean,
  ): SeriesBlock | typeof startOver {
    const epoch = this.#histograms.epoch();
    const groups = this.#requests(catalog, ids);
    if (strict && this.#source.behind()) return startOver;
    const pieces = new Map<number, FamilyPiece[]>();
    const { seriesMax, samplesMax } = request;
    const builder = new BlockBuilder<number>(
      this.#estimate(groups, request),
      seriesMax,
      samplesMax,
    );
    for (const group of groups) {
      if (request.cancelled?.()) throw new CancelledError();
      if (!this.#readGroup(catalog, ids, group, request, strict, builder, pieces)) return startOver;
    }
    this.#addMerged(ids, pieces, request, builder);
    const block = namedBlock(catalog.index, builder.series, builder.columns());
    return this.#histograms.resolve(block, epoch) ?? startOver;
  }

  /** Which columns of which families hold the series, by group, with the rows each family shows now. */
  #requests(catalog: Catalog, ids: readonly number[]): GroupRequest[] {
    const { members } = catalog;
    const byFamily = new Map<number, FamilyRequest>();
    for (const [position, id] of ids.entries()) {
      let member = members.first(id);
      for (; member !== endOfList; member = members.next.at(member)) {
        const family = members.family.at(member);
        let request = byFamily.get(family);
        if (!request) {
          request = { family, positions: [], columns: [], openRows: 0 };
          byFamily.set(family, request);
        }
        request.positions.push(position);
        request.columns.push(members.column.at(member));
      }
    }
    const byGroup = new Map<number, GroupRequest>();
    for (const request of byFamily.values()) {
      const group = members.familyGroup.at(request.family);
      const known = byGroup.get(group);
      if (known) known.families.push(request);
      else byGroup.set(group, { group, families: [request], sequence: 0 });
    }
    for (const group of byGroup.values()) this.#note(group);
    return [...byGroup.values()];
  }

  /** Notes the rows the families of a group show, all of one moment. */
  #note(group: GroupRequest): void {
    do {
      group.sequence = this.#stableSequence(group.group);
      for (const family of group.families) family.openRows = this.#families.openRows(family.family);
    } while (!this.#unchanged(group));
  }

  #stableSequence(group: number): number {
    for (let i = 0; i < spinsMax; i++) {
      const sequence = Atomics.load(this.#groups, group * groupWords + groupWord.sequence);
      if ((sequence & 1) === 0) return sequence;
    }
    throw unreadable();
  }

  #unchanged(group: GroupRequest): boolean {
    const at = group.group * groupWords + groupWord.sequence;
    return Atomics.add(this.#groups, at, 0) === group.sequence;
  }

  /** Doubles the result will take, more or less: the first group stands for the rest. */
  #estimate(groups: readonly GroupRequest[], request: MetricSelect): number {
    const [first] = groups;
    const sample = first?.families[0];
    if (!first || !sample) return 0;
    const plan = this.#families.plan(
      sample.family,
      request.startMs,
      request.endMs,
      sample.openRows,
      first,
    );
    let columns = 0;
    for (const group of groups)
      for (const family of group.families) columns += family.columns.length;
    return Math.min(1.1 * plan.rows * columns, request.samplesMax + 1024) | 0;
  }

  /** Reads one group until it held still. False when the select must start over. */
  #readGroup(
    catalog: Catalog,
    ids: readonly number[],
    group: GroupRequest,
    request: MetricSelect,
    strict: boolean,
    builder: BlockBuilder<number>,
    pieces: Map<number, FamilyPiece[]>,
  ): boolean {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const definedAt = Atomics.load(this.#groups, group.group * groupWords + groupWord.definedAt);
      if (!this.#source.covers(definedAt)) return false;
      const plans = group.families.map(({ family, openRows }) =>
        this.#families.plan(family, request.startMs, request.endMs, openRows, group),
      );
      if (this.#unchanged(group)) {
        const samples = this.#decode(group, plans, request, builder);
        if (this.#unchanged(group)) {
          this.#emit(catalog, ids, group, plans, samples, builder, pieces);
          return true;
        }
      }
      this.#note(group);
      if (strict && this.#source.behind()) return false;
    }
    throw unreadable();
  }

  /** Decodes all the group's columns behind the builder's end. */
  #decode(
    group: GroupRequest,
    plans: readonly FamilyPlan[],
    request: MetricSelect,
    builder: BlockBuilder<number>,
  ): DecodedFamily[] {
    let doubles = 0;
    for (const [i, plan] of plans.entries())
      doubles += plan.rows * (group.families[i]?.columns.length ?? 0);
    if (builder.length + doubles > holesPerSample * request.samplesMax + 1_000_000)
      throw new LimitError(
        `the selector matches more than ${request.samplesMax} samples, holes included`,
      );
    builder.reserve(doubles);
    const out: DecodedFamily[] = [];
    let at = builder.length;
    for (const [i, plan] of plans.entries()) {
      const columns = group.families[i]?.columns ?? [];
      const samples = new Uint32Array(columns.length);
      this.#families.read(plan, columns, builder, at, samples);
      out.push({ at, samples, times: this.#families.times(plan) });
      at += plan.rows * columns.length;
    }
    return out;
  }

  /** Hands decoded columns to the builder, or, for series with several places, puts them aside. */
  #emit(
    catalog: Catalog,
    ids: readonly number[],
    group: GroupRequest,
    plans: readonly FamilyPlan[],
    decoded: readonly DecodedFamily[],
    builder: BlockBuilder<number>,
    pieces: Map<number, FamilyPiece[]>,
  ): void {
    const { members } = catalog;
    for (const [i, plan] of plans.entries()) {
      const { at, samples, times } = decoded[i] ?? {
        at: 0,
        samples: new Uint32Array(),
        times: new Float64Array(),
      };
      const positions = group.families[i]?.positions ?? [];
      let column = -1;
      const shared = () => (column < 0 ? (column = builder.addTimes(times)) : column);
      for (const [k, position] of positions.entries()) {
        const count = samples[k] ?? 0;
        if (count === 0) continue;
        const id = ids[position] ?? 0;
        const from = at + k * plan.rows;
        const alone = members.next.at(members.first(id)) === endOfList && !plan.unordered;
        if (alone) {
          builder.add(id, shared(), from, plan.rows, count);
          continue;
        }
        const values = new Float64Array(plan.rows);
        wordsOf(values).set(builder.words.subarray(2 * from, 2 * (from + plan.rows)));
        const piece = { times, values, unordered: plan.unordered, shared };
        const known = pieces.get(position);
        if (known) known.push(piece);
        else pieces.set(position, [piece]);
      }
    }
  }

  #addMerged(
    ids: readonly number[],
    pieces: ReadonlyMap<number, readonly FamilyPiece[]>,
    request: MetricSelect,
    builder: BlockBuilder<number>,
  ): void {
    for (const [position, parts] of pieces) {
      const id = ids[position] ?? 0;
      const [only] = parts;
      if (parts.length === 1 && only && !only.unordered) {
        builder.addPiece(id, only.shared(), only.values, samplesIn(only.values));
        continue;
      }
      const { times, values } = mergePieces(parts, request.startMs, request.endMs);
      if (times.length > 0) builder.addPiece(id, builder.addTimes(times), values, times.length);
    }
  }

  async series(request: LabelSelect): Promise<LabelSet[]> {
    const catalog = this.#source.catalog();
    const out: LabelSet[] = [];
    for (const id of this.#present(catalog, request)) {
      if (out.length >= request.limit) break;
      out.push(catalog.index.labels(id));
    }
    return out;
  }

  /** Throws `unavailable` when exemplars come faster than they can be read. */
  async exemplars(request: LabelSelect): Promise<ExemplarSeries[]> {
    const sets = request.matcherSets.map((matchers) => matchers.map(compileMatcher));
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const { index } = this.#source.catalog();
      const known = new Map<number, boolean>();
      let taken = 0;
      const isWanted = (id: number) => {
        if (id >= index.seriesCount || index.isDead(id)) return false;
        const labels = index.labels(id);
        return sets.length === 0 || sets.some((set) => matchesAll(set, labels));
      };
      const wanted = (id: number) => {
        const before = known.get(id);
        if (before !== undefined) return before;
        const now = taken < request.limit && isWanted(id);
        known.set(id, now);
        if (now) taken++;
        return now;
      };
      const found = this.#exemplars.select(request.startMs, request.endMs, wanted);
      // Rewritten names may have given the series other numbers meanwhile.
      if (!found || !this.#source.covers(0)) continue;
      return Array.from(found, ([id, exemplars]) => ({
        labels: index.labels(id).toMap(),
        exemplars: exemplars.sort((a, b) => a.timeMs - b.timeMs),
      }));
    }
    throw unreadable();
  }

  async labelNames(request: LabelSelect): Promise<string[]> {
    const catalog = this.#source.catalog();
    const { index } = catalog;
    const names = new Set<string>();
    const isNews = (id: number) =>
      index.labelSymbols(id).some((symbol) => !names.has(index.symbol(symbol)));
    for (const id of this.#present(catalog, request, isNews))
      for (const symbol of index.labelSymbols(id)) names.add(index.symbol(symbol));
    return [...names].sort().slice(0, request.limit);
  }

  async labelValues(name: string, request: LabelSelect): Promise<string[]> {
    const catalog = this.#source.catalog();
    const { index } = catalog;
    const label = index.symbolOf(name);
    const values = new Set<number>();
    if (label === undefined) return [];
    const isNews = (id: number) => {
      const value = index.valueSymbol(id, label);
      return value !== 0 && !values.has(value);
    };
    for (const id of this.#present(catalog, request, isNews))
      values.add(index.valueSymbol(id, label));
    const texts = Array.from(values, (value) => index.symbol(value));
    return texts.sort().slice(0, request.limit);
  }

  /**
   * Series that match any of the sets and have a sample in the range. Those for which `isNews` is false are passed over
   * before their samples are looked at: most series say nothing new about names and values.
   */
  *#present(
    catalog: Catalog,
    request: LabelSelect,
    isNews?: (id: number) => boolean,
  ): Generator<number> {
    const sets: readonly (readonly Matcher[])[] =
      request.matcherSets.length === 0 ? [[]] : request.matcherSets;
    const seen = new Set<number>();
    for (const matchers of sets)
      for (const id of matchSeries(catalog.index, matchers)) {
        if (seen.has(id) || isNews?.(id) === false) continue;
        seen.add(id);
        if (this.#hasSamples(catalog, id, request)) yield id;
      }
  }

  #hasSamples(catalog: Catalog, id: number, request: LabelSelect): boolean {
    const { members } = catalog;
    for (let member = members.first(id); member !== endOfList; member = members.next.at(member)) {
      const family = members.family.at(member);
      const group: GroupRequest = {
        group: members.familyGroup.at(family),
        families: [{ family, positions: [0], columns: [members.column.at(member)], openRows: 0 }],
        sequence: 0,
      };
      if (this.#familyHasSamples(group, request)) return true;
    }
    return false;
  }

  #familyHasSamples(group: GroupRequest, request: LabelSelect): boolean {
    const [wanted] = group.families;
    if (!wanted) return false;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      this.#note(group);
      const definedAt = Atomics.load(this.#groups, group.group * groupWords + groupWord.definedAt);
      // Its names have moved since: the series it had has gone.
      if (!this.#source.covers(definedAt)) return false;
      const { startMs, endMs } = request;
      const plan = this.#families.plan(wanted.family, startMs, endMs, wanted.openRows, group);
      if (!this.#unchanged(group)) continue;
      const values = new Float64Array(plan.rows);
      this.#families.read(
        plan,
        wanted.columns,
        { values, words: wordsOf(values) },
        0,
        new Uint32Array(1),
      );
      const times = this.#families.times(plan);
      if (!this.#unchanged(group)) continue;
      return hasSampleIn(times, values, startMs, endMs);
    }
    throw unreadable();
  }
}

interface DecodedFamily {
  readonly at: number;
  readonly samples: Uint32Array;
  readonly times: Float64Array;
}

function hasSampleIn(
  times: Float64Array,
  values: Float64Array,
  startMs: number,
  endMs: number,
): boolean {
  const words = wordsOf(values);
  for (let row = 0; row < times.length; row++) {
    const timeMs = f64(times, row);
    if (timeMs > startMs && timeMs <= endMs && !isAbsent(words, row)) return true;
  }
  return false;
}

function samplesIn(values: Float64Array): number {
  const words = wordsOf(values);
  let count = 0;
  for (let i = 0; i < values.length; i++) if (!isAbsent(words, i)) count++;
  return count;
}

function unreadable(): SkoposError {
  return new SkoposError(
    "unavailable",
    "the metrics head changes faster than it can be read; try again",
  );
}
