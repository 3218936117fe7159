/**
 * What decides which lines are read, as SQL. Matchers are tried against `streams`; a condition on a label that only some
 * streams have is one on streams or on metadata, by what is known of the streams (`LabelPlaces`).
 *
 * Positive filters of text also name the words or ids that a line with that text must have, so that indexes serve them; see
 * schema.ts. An id counts as found where it stands as one: not where further hex digits are written right before it.
 */
import type { LabelCondition, LineFilter, LogFilter, Matcher } from "@skopos/model";
import { needSql, patternSql } from "./line-sql.ts";
import { allOf, type Bindings, matcherSql, regex } from "./sql.ts";

const dayNs = 86_400_000_000_000n;
/** Days of ClickHouse's type Date. */
const daysMax = 65_535n;

export interface TimeBounds {
  /** startNs ≤ t < endNs. */
  readonly startNs: bigint;
  readonly endNs: bigint;
}

function dayOf(timeNs: bigint): bigint {
  const day = timeNs / dayNs;
  return day < 0n ? 0n : day > daysMax ? daysMax : day;
}

/** Streams that had lines in the time, whole days taken roughly. */
export function streamsSql(
  bindings: Bindings,
  matchers: readonly Matcher[],
  { startNs, endNs }: TimeBounds,
): string {
  const firstDay = bindings.bind("UInt16", dayOf(startNs));
  const lastDay = bindings.bind("UInt16", dayOf(endNs));
  return allOf([
    `day BETWEEN toDate(${firstDay}) AND toDate(${lastDay})`,
    `last_ns >= ${bindings.bind("Int64", startNs)}`,
    `first_ns < ${bindings.bind("Int64", endNs)}`,
    ...matchers.map((matcher) => matcherSql(bindings, matcher)),
  ]);
}

/** Where a label's value is for the streams in question: in their labels, in metadata, or that depends on the stream. */
export type LabelPlace = "stream" | "metadata" | "either";
export type LabelPlaces = ReadonlyMap<string, LabelPlace>;

export function conditionNames(conditions: readonly LabelCondition[]): string[] {
  return conditions.flatMap((condition) =>
    condition.type === "match" ? [condition.matcher.name] : conditionNames(condition.conditions),
  );
}

/** The whole of what a line must satisfy. */
export function linesSql(
  bindings: Bindings,
  { matchers, filters, conditions = [], needs = [] }: LogFilter,
  bounds: TimeBounds,
  places: LabelPlaces,
  words: WordLookups = new Map(),
): string {
  const inStreams = (more: readonly Matcher[]) =>
    `stream IN (SELECT stream FROM streams WHERE ${streamsSql(bindings, more, bounds)})`;
  const conditionSql = (condition: LabelCondition): string => {
    if (condition.type !== "match") {
      const parts = condition.conditions.map(conditionSql);
      return `(${parts.join(condition.type === "and" ? " AND " : " OR ")})`;
    }
    const { matcher } = condition;
    const place = places.get(matcher.name) ?? "either";
    const inMetadata = () => matcherSql(bindings, matcher, "metadata");
    if (place === "metadata") return inMetadata();
    const named: Matcher = { op: "!=", name: matcher.name, value: "" };
    const ofStream = inStreams([...matchers, named, matcher]);
    if (place === "stream") return ofStream;
    return `(${ofStream} OR NOT ${inStreams([...matchers, named])} AND ${inMetadata()})`;
  };
  return allOf([
    inStreams(matchers),
    `time_ns >= ${bindings.bind("Int64", bounds.startNs)}`,
    `time_ns < ${bindings.bind("Int64", bounds.endNs)}`,
    ...conditions.map(conditionSql),
    ...needs
      .filter(({ name }) => places.get(name) === "metadata")
      .map((need) => needSql(bindings, need)),
    ...filters.flatMap((filter) => [
      ...indexSql(bindings, filter, words),
      filterSql(bindings, filter),
    ]),
  ]);
}

function filterSql(bindings: Bindings, { op, values }: LineFilter): string {
  const tests = values.map((value) => {
    if (op === "|=" || op === "!=")
      return `line LIKE ${bindings.text(likePattern(value, "%", "%"))}`;
    if (op === "|>" || op === "!>") return patternSql(bindings, value);
    return `match(line, ${regex(bindings, value, false)})`;
  });
  const any = tests.length === 0 ? "0" : tests.join(" OR ");
  return op.startsWith("|") ? `(${any})` : `NOT (${any})`;
}

function likePattern(text: string, before: string, after: string): string {
  return before + text.replaceAll(/[\\%_]/g, "\\$&") + after;
}

/** A run of letters that every line with some text has in one of its words; as a pattern of LIKE on that word. */
export interface WordNeed {
  readonly pattern: string;
  readonly length: number;
}

/** Words of the index that satisfy a need, where they are few enough to be worth looking for; by the need's pattern. */
export type WordLookups = ReadonlyMap<string, readonly string[]>;

const wordLengthMin = 4;
const idPattern =
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])/;

/** The longest run of letters of a text; undefined when none is long enough to be a word. */
function wordNeed(text: string): WordNeed | undefined {
  let best: WordNeed | undefined;
  for (const match of text.matchAll(/[A-Za-z]+/g)) {
    const [run] = match;
    if (run.length < wordLengthMin || (best && best.length >= run.length)) continue;
    // Inside the text a run ends where the word does; at its ends the word may go on.
    const before = match.index === 0 ? "%" : "";
    const after = match.index + run.length === text.length ? "%" : "";
    best = { pattern: before + run + after, length: run.length };
  }
  return best;
}

/** What may be looked up for filters: one need for each text of a positive filter. */
export function wordNeeds(filters: readonly LineFilter[]): WordNeed[] {
  return filters.flatMap(({ op, values }) => {
    if (op !== "|=") return [];
    const needs = values.map((value) => (idPattern.test(value) ? undefined : wordNeed(value)));
    return needs.flatMap((need) => need ?? []);
  });
}

/** Conditions that follow from a filter and that an index knows; none unless every alternative has one. */
function indexSql(bindings: Bindings, { op, values }: LineFilter, words: WordLookups): string[] {
  if (op !== "|=" || values.length === 0) return [];
  const tests = values.map((value) => {
    const id = idPattern.exec(value)?.[0];
    if (id !== undefined) return `has(ids, ${bindings.text(id)})`;
    const need = wordNeed(value);
    const found = need && words.get(need.pattern);
    // No word can hold it: no line has it.
    if (found?.length === 0) return "0";
    return found && `hasAny(words, ${bindings.bind("Array(String)", found)})`;
  });
  if (tests.some((test) => test === undefined)) return [];
  return [`(${tests.join(" OR ")})`];
}
