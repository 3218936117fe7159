/**
 * From matchers to series ids. Matchers on ordinary labels narrow the bases (see `label-index.ts`), those on the metric
 * name choose lists of series, those on `le` filter. Equalities and regexes that are sets of literals are looked up,
 * other regexes are tested once per distinct value of their label.
 */
import { type CompiledMatcher, compileMatcher, type Matcher, metricNameLabel } from "@skopos/model";
import { endOfList, type LabelIndex } from "./label-index.ts";

/** Ids that may be kept, all selectors together; about eight bytes each. */
const keptIdsMax = 1_000_000;
const keptSelectorsMax = 2000;

/**
 * What selectors matched in one index, for as long as its series stay the same: dashboards ask the same selectors again.
 * What was not asked for longest goes first.
 */
export class MatchCache {
  #index: LabelIndex | undefined;
  #seriesCount = 0;
  #deadCount = 0;
  #kept = 0;
  readonly #ids = new Map<string, readonly number[]>();

  /** As `matchSeries`. */
  match(index: LabelIndex, matchers: readonly Matcher[]): readonly number[] {
    if (
      index !== this.#index ||
      index.seriesCount !== this.#seriesCount ||
      index.deadCount !== this.#deadCount
    )
      this.#begin(index);
    const key = JSON.stringify(matchers.map(({ op, name, value }) => [op, name, value]));
    const known = this.#ids.get(key);
    if (known) {
      this.#ids.delete(key);
      this.#ids.set(key, known);
      return known;
    }
    const ids = matchSeries(index, matchers);
    if (ids.length <= keptIdsMax) this.#keep(key, ids);
    return ids;
  }

  #begin(index: LabelIndex): void {
    this.#index = index;
    this.#seriesCount = index.seriesCount;
    this.#deadCount = index.deadCount;
    this.#ids.clear();
    this.#kept = 0;
  }

  #keep(key: string, ids: readonly number[]): void {
    this.#ids.set(key, ids);
    this.#kept += ids.length;
    for (const [oldest, { length }] of this.#ids) {
      if (this.#kept <= keptIdsMax && this.#ids.size <= keptSelectorsMax) return;
      this.#ids.delete(oldest);
      this.#kept -= length;
    }
  }
}

/** Ids of live series that satisfy every matcher, in no particular order. Throws `bad-regex`. */
export function matchSeries(index: LabelIndex, matchers: readonly Matcher[]): number[] {
  const compiled = matchers.map(compileMatcher);
  const names = symbolsMatching(index, forLabel(compiled, metricNameLabel), index.countOfName);
  const buckets = symbolsMatching(index, forLabel(compiled, "le"), index.buckets);
  if (names?.size === 0 || buckets?.size === 0) return [];
  const others = compiled.filter(({ name }) => name !== metricNameLabel && name !== "le");
  const bases = matchBases(index, others);
  const collected = names ? byName(index, names, bases) : byBase(index, bases);
  return collected.filter(
    (id) => !index.isDead(id) && (!buckets || buckets.has(index.seriesBucket.at(id))),
  );
}

function forLabel(matchers: readonly CompiledMatcher[], label: string): CompiledMatcher[] {
  return matchers.filter(({ name }) => name === label);
}

/** The symbols among `present` that satisfy all matchers; undefined when there are no matchers. */
function symbolsMatching(
  index: LabelIndex,
  matchers: readonly CompiledMatcher[],
  present: ReadonlyMap<number, number>,
): Set<number> | undefined {
  if (matchers.length === 0) return undefined;
  const exact = matchers.map(literalsOf).find((literals) => literals !== undefined);
  const candidates = exact?.map((text) => index.symbolOf(text)) ?? [...present.keys()];
  const out = new Set<number>();
  for (const symbol of candidates)
    if (symbol !== undefined && present.has(symbol)) {
      const text = index.symbol(symbol);
      if (matchers.every((matcher) => matcher.test(text))) out.add(symbol);
    }
  return out;
}

/** The only values that can match, if they are known. */
function literalsOf(matcher: CompiledMatcher): readonly string[] | undefined {
  if (matcher.op === "=") return [matcher.value];
  return matcher.op === "=~" ? matcher.pattern?.literals : undefined;
}

/** A mark per base that satisfies the matchers; undefined for all bases. */
function matchBases(
  index: LabelIndex,
  matchers: readonly CompiledMatcher[],
): Uint8Array | undefined {
  let marks: Uint8Array | undefined;
  for (const matcher of matchers) {
    const selected = basesOf(index, matcher);
    if (!marks) marks = selected;
    else for (let i = 0; i < selected.length; i++) marks[i] = (marks[i] ?? 0) & (selected[i] ?? 0);
  }
  return marks;
}

/** Bases one matcher selects. A label that a base lacks has the value "". */
function basesOf(index: LabelIndex, matcher: CompiledMatcher): Uint8Array {
  const absentMatches = matcher.test("");
  const marks = new Uint8Array(index.baseCount).fill(absentMatches ? 1 : 0);
  const label = index.symbolOf(matcher.name);
  if (label === undefined) return marks;
  // Where absence matches, the values that do not match are taken out; else those that match are put in.
  const mark = absentMatches ? 0 : 1;
  const literals = absentMatches ? excludedLiterals(matcher) : literalsOf(matcher);
  if (literals) {
    for (const text of literals) {
      const value = index.symbolOf(text);
      if (value !== undefined) markPostings(index, index.postingsOf(label, value), marks, mark);
    }
    return marks;
  }
  let pair = index.firstPair.get(label) ?? endOfList;
  for (; pair !== endOfList; pair = index.pairNext.at(pair))
    if (matcher.test(index.symbol(index.pairValue.at(pair))) !== absentMatches)
      markPostings(index, index.pairPosting.at(pair), marks, mark);
  return marks;
}

/** The only values that cannot match, if they are known. */
function excludedLiterals(matcher: CompiledMatcher): readonly string[] | undefined {
  if (matcher.op === "!=") return [matcher.value];
  return matcher.op === "!~" ? matcher.pattern?.literals : undefined;
}

function markPostings(
  index: LabelIndex,
  first: number | undefined,
  marks: Uint8Array,
  mark: number,
): void {
  let posting = first ?? endOfList;
  for (; posting !== endOfList; posting = index.postingNext.at(posting))
    marks[index.postingBase.at(posting)] = mark;
}

/** Series with one of the names, of the marked bases: along the names' lists or the bases', whichever is shorter. */
function byName(
  index: LabelIndex,
  names: ReadonlySet<number>,
  bases: Uint8Array | undefined,
): number[] {
  const out: number[] = [];
  let named = 0;
  for (const name of names) named += index.countOfName.get(name) ?? 0;
  const average = index.seriesCount / Math.max(1, index.baseCount);
  if (bases && countMarks(bases) * average < named) {
    for (const id of byBase(index, bases)) if (names.has(index.seriesName.at(id))) out.push(id);
    return out;
  }
  for (const name of names) {
    let id = index.firstOfName.get(name) ?? endOfList;
    for (; id !== endOfList; id = index.seriesNextOfName.at(id))
      if (!bases || bases[index.seriesBase.at(id)] === 1) out.push(id);
  }
  return out;
}

function countMarks(marks: Uint8Array): number {
  let count = 0;
  for (const mark of marks) count += mark;
  return count;
}

function byBase(index: LabelIndex, bases: Uint8Array | undefined): number[] {
  const out: number[] = [];
  if (!bases) {
    for (let id = 0; id < index.seriesCount; id++) out.push(id);
    return out;
  }
  for (const [base, mark] of bases.entries()) {
    if (mark === 0) continue;
    let id = index.baseSeries.at(base);
    for (; id !== endOfList; id = index.seriesNextOfBase.at(id)) out.push(id);
  }
  return out;
}
