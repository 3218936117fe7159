/** Conditions on the history's tables: which slices, which bases, which rows. */
import { type CompiledMatcher, compileMatcher, type Matcher, metricNameLabel } from "@skopos/model";
import { allOf, type Bindings, matcherSql, regex } from "../clickhouse/sql.ts";
import { bucketLabel, sliceMs, slicesPerDay } from "./schema.ts";

/** Slices, first and last included. */
export interface SliceRange {
  readonly first: number;
  readonly last: number;
}

const sliceMax = 2 ** 32 - 1;

/** The slices that may have samples with startMs < t ≤ endMs; undefined when there are none. */
export function slicesIn(startMs: number, endMs: number): SliceRange | undefined {
  const first = Math.max(0, Math.floor(startMs / sliceMs));
  const last = Math.min(sliceMax, Math.ceil(endMs / sliceMs) - 1);
  return last >= first ? { first, last } : undefined;
}

export function rangeSql(bindings: Bindings, { first, last }: SliceRange): string {
  return `slice BETWEEN ${bindings.bind("UInt32", first)} AND ${bindings.bind("UInt32", last)}`;
}

export function daysSql(bindings: Bindings, { first, last }: SliceRange): string {
  const day = (slice: number) => bindings.bind("UInt32", Math.floor(slice / slicesPerDay));
  return `day BETWEEN ${day(first)} AND ${day(last)}`;
}

/** A matcher on a column that is "" where the label is absent. Literals are looked up along the key. */
function columnSql(bindings: Bindings, column: string, matcher: CompiledMatcher): string {
  const { op, value, pattern } = matcher;
  if (op === "=" || op === "!=") return `${column} ${op} ${bindings.text(value)}`;
  const not = op === "!~" ? "NOT " : "";
  if (pattern?.literals) {
    const texts = bindings.bind("Array(String)", pattern.literals);
    return `${not}has(${texts}, toString(${column}))`;
  }
  return `${not}match(${column}, ${regex(bindings, value, true)})`;
}

/** Rows of a slices table in the range that satisfy every matcher. Throws "bad-regex". */
export function rowsSql(
  bindings: Bindings,
  matchers: readonly Matcher[],
  range: SliceRange,
): string {
  const conditions = [rangeSql(bindings, range)];
  const ordinary: Matcher[] = [];
  for (const matcher of matchers.map(compileMatcher))
    if (matcher.name === metricNameLabel) conditions.push(columnSql(bindings, "name", matcher));
    else if (matcher.name === bucketLabel) conditions.push(columnSql(bindings, "le", matcher));
    else ordinary.push(matcher);
  if (ordinary.length > 0) {
    const tests = ordinary.map((matcher) => matcherSql(bindings, matcher));
    const where = allOf([daysSql(bindings, range), ...tests]);
    conditions.push(`base IN (SELECT base FROM metric_bases WHERE ${where})`);
  }
  return allOf(conditions);
}

/** As `rowsSql`, of any of the sets, and only rows whose first or last sample is in the range, or that span it. */
export function presentSql(
  bindings: Bindings,
  matcherSets: readonly (readonly Matcher[])[],
  startMs: number,
  endMs: number,
  range: SliceRange,
): string {
  const sets = matcherSets.length === 0 ? [[]] : matcherSets;
  const any = sets.map((matchers) => `(${rowsSql(bindings, matchers, range)})`).join(" OR ");
  // Over all slices but those that the range cuts the times need no look.
  const edge = (ms: number) => bindings.bind("Int64", Math.trunc(ms));
  return allOf([
    `(${any})`,
    `toInt64(slice) * ${sliceMs} + last_ms > ${edge(Math.max(0, Math.floor(startMs)))}`,
    `toInt64(slice) * ${sliceMs} + first_ms <= ${edge(endMs)}`,
  ]);
}
