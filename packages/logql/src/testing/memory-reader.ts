/** A reader over lines in memory, doing in the plainest way what the interface says. It has no `counts`. */
import {
  compileMatcher,
  compileRegex,
  type LabelCondition,
  type LabelMap,
  LabelSet,
  type LineFilter,
  type LogPattern,
  type LogReader,
  type LogRecord,
  type LogSelect,
  type LogStats,
  type LogRange,
  type Matcher,
} from "@skopos/model";
import { compileLineFilter } from "../pipeline/line-filter.ts";
import { byteLength, labelsOf } from "../engine/count-lines.ts";

export class MemoryLogReader implements LogReader {
  readonly #records: LogRecord[] = [];

  add(record: LogRecord): void {
    this.#records.push(record);
  }

  async select(select: LogSelect): Promise<LogRecord[]> {
    const { matchers, filters, conditions = [], startNs, endNs, limit, direction } = select;
    const tests = [
      ...matchers.map(matcherTest),
      ...filters.map(filterTest),
      ...conditions.map(conditionTest),
    ];
    const found = this.#records.filter(
      (record) =>
        record.timeNs >= startNs && record.timeNs < endNs && tests.every((test) => test(record)),
    );
    found.sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0));
    if (direction === "backward") found.reverse();
    return Promise.resolve(found.slice(0, limit));
  }

  async stats(matchers: readonly Matcher[], range: LogRange): Promise<LogStats> {
    const found = this.#within(matchers, range.startMs, range.endMs);
    const streams = new Set(found.map(({ labels }) => LabelSet.fromMap(labels).key)).size;
    const bytes = found.reduce((sum, { line }) => sum + byteLength(line), 0);
    return Promise.resolve({ streams, chunks: 1, entries: found.length, bytes });
  }

  patterns(): Promise<LogPattern[]> {
    return Promise.resolve([]);
  }

  async labelNames(startMs: number, endMs: number): Promise<string[]> {
    const names = this.#within([], startMs, endMs).flatMap(({ labels }) => Object.keys(labels));
    return Promise.resolve([...new Set(names)].sort());
  }

  async labelValues(
    name: string,
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
  ): Promise<string[]> {
    const values = this.#within(matchers, startMs, endMs).map(({ labels }) => labels[name] ?? "");
    return Promise.resolve([...new Set(values)].filter((value) => value !== "").sort());
  }

  async streams(
    matcherSets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
  ): Promise<LabelMap[]> {
    const sets = matcherSets.length === 0 ? [[]] : matcherSets;
    const found = sets.flatMap((matchers) => this.#within(matchers, startMs, endMs));
    const byKey = new Map(found.map(({ labels }) => [LabelSet.fromMap(labels).key, labels]));
    return Promise.resolve([...byKey.values()]);
  }

  #within(matchers: readonly Matcher[], startMs: number, endMs: number): LogRecord[] {
    const tests = matchers.map(matcherTest);
    return this.#records.filter(({ timeNs, ...record }) => {
      const timeMs = Number(timeNs / 1000n) / 1000;
      return (
        timeMs >= startMs && timeMs < endMs && tests.every((test) => test({ timeNs, ...record }))
      );
    });
  }
}

type Test = (record: LogRecord) => boolean;

function matcherTest(matcher: Matcher): Test {
  const compiled = compileMatcher(matcher);
  return ({ labels }) => compiled.test(labels[matcher.name] ?? "");
}

function filterTest({ op, values }: LineFilter): Test {
  const wanted = op.startsWith("|");
  if (op === "|=" || op === "!=")
    return ({ line }) => values.some((value) => line.includes(value)) === wanted;
  if (op === "|>" || op === "!>") {
    const operands = values.map((value) => ({ type: "text", value }) as const);
    const test = compileLineFilter({ type: "line", op, operands });
    return ({ line }) => test(line);
  }
  const patterns = values.map(compileRegex);
  return ({ line }) => patterns.some((pattern) => pattern.matcher(line).find()) === wanted;
}

function conditionTest(condition: LabelCondition): Test {
  if (condition.type === "match") {
    const compiled = compileMatcher(condition.matcher);
    return (record) => compiled.test(labelsOf(record)[condition.matcher.name] ?? "");
  }
  const tests = condition.conditions.map(conditionTest);
  return condition.type === "and"
    ? (record) => tests.every((test) => test(record))
    : (record) => tests.some((test) => test(record));
}
