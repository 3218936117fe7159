/**
 * Runs PromQL test scripts. Every instant eval is also run as upstream's second check: the same expression pinned with `@`
 * at other evaluation times, and as the middle point of a short range.
 */
import {
  type LabelMap,
  LabelSet,
  type MetricResult,
  type MetricValue,
  type NativeHistogram,
  messageOf,
  systemClock,
} from "@skopos/model";
import { almostEqual } from "../engine/histogram-quantile.ts";
import { histogramsAlmostEqual } from "../engine/native-histogram.ts";
import { createMetricEngine, type PromqlEngine } from "../engine/engine.ts";
import { formatExpr, parse, PromqlSyntaxError } from "../syntax/index.ts";
import { MemoryReader, type MemorySample } from "./memory-reader.ts";
import { customBucketSeries, type ScriptSeries } from "./custom-buckets.ts";
import { pinnedAt } from "./pin.ts";
import { type EvalCommand, type Expectation, type LoadCommand, parseScript } from "./script.ts";
import { type NotedValue, parseSeries } from "./series-notation.ts";

export interface EvalOutcome {
  readonly line: number;
  readonly query: string;
  /** Undefined: passed. */
  readonly failure: string | undefined;
}

const allFeatures = {
  experimentalFunctions: true,
  durationExpressions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
  delayedNameRemoval: true,
};
const epsilon = 1e-6;

/** Runs every eval, whatever became of the ones before. Throws `bad-script` when the text is not a script. */
export async function runScript(text: string): Promise<EvalOutcome[]> {
  const outcomes: EvalOutcome[] = [];
  let store = new MemoryReader();
  for (const command of parseScript(text)) {
    if (command.kind === "clear") {
      store = new MemoryReader();
    } else if (command.kind === "load") {
      load(store, command);
    } else {
      const engine = createMetricEngine({
        reader: store,
        clock: systemClock,
        features: allFeatures,
      });
      let failure: string | undefined;
      try {
        await runEval(engine, command);
      } catch (error) {
        failure = messageOf(error);
      }
      outcomes.push({ line: command.line, query: command.query, failure });
    }
  }
  return outcomes;
}

function load(store: MemoryReader, command: LoadCommand): void {
  // Within one load the last line of a series stands.
  const bySeries = new Map<string, ScriptSeries>();
  for (const line of command.series) {
    const { labels, values, startTimes } = parseSeries(line);
    // Start times are not kept: the read interface has no place for them.
    if (startTimes) continue;
    const samples = values.flatMap((value, i) => toSample(value, i * command.stepMs));
    bySeries.set(labels.key, { labels, samples });
  }
  const loaded = [...bySeries.values()];
  if (command.withCustomBuckets) loaded.push(...customBucketSeries(loaded));
  for (const { labels, samples } of loaded) store.add(labels, samples);
}

function toSample(value: NotedValue, timeMs: number): MemorySample[] {
  switch (value.kind) {
    case "gap":
      return [];
    case "stale":
      return [{ timeMs, value: "stale" }];
    case "float":
      return [{ timeMs, value: value.value }];
    case "histogram":
      return [{ timeMs, value: value.histogram }];
  }
}

async function runEval(engine: PromqlEngine, command: EvalCommand): Promise<void> {
  const { query, startMs, range } = command;
  if (range) {
    await check(command, () => engine.range({ query, startMs, ...range }), "");
    return;
  }
  await check(command, () => engine.instant({ query, timeMs: startMs }), "");
  const fails = command.expectations.some(({ kind }) => kind === "fail");
  const expr = fails ? undefined : parse(query, allFeatures);
  const pinned = expr && pinnedAt(expr, startMs);
  if (pinned) {
    const text = formatExpr(pinned);
    for (const timeMs of otherTimes(startMs))
      await check(
        command,
        () => engine.instant({ query: text, timeMs }),
        `as ${text} at ${timeMs}ms: `,
        true,
      );
  }
  if (!fails) await checkAsRange(engine, command);
}

function otherTimes(timeMs: number): number[] {
  if (timeMs === 0) return [-1000, 0, 1000];
  return [-10 * timeMs, 0, Math.trunc(timeMs / 5), timeMs, 10 * timeMs];
}

/** start(), end(), step() and range(), in durations too, differ between an instant and a range. */
function dependsOnGrid(query: string): boolean {
  return /\b(start|end|step|range)\s*\(\s*\)/.test(query);
}

async function checkAsRange(engine: PromqlEngine, command: EvalCommand): Promise<void> {
  const ordered = command.expectations.some(({ kind }) => kind === "ordered");
  const { query, startMs } = command;
  if (
    ordered ||
    dependsOnGrid(command.query) ||
    command.expectedString !== undefined ||
    command.expectedMatrix
  )
    return;
  const minute = 60_000;
  const bounds = { startMs: startMs - minute, endMs: startMs + minute, stepMs: minute };
  const result = await engine.range({ query, ...bounds });
  if (result.value.type !== "matrix") throw new Error("as range: not a matrix");
  const samples = result.value.series.flatMap(({ labels, times, values, histograms }) => {
    const i = times.indexOf(startMs);
    if (i < 0) return [];
    const histogram = histograms?.get(i);
    return [{ labels, timeMs: startMs, value: values[i] ?? NaN, ...(histogram && { histogram }) }];
  });
  const isScalar = command.results.length === 1 && isNumber(command.results[0] ?? "");
  const value: MetricValue = isScalar
    ? { type: "scalar", timeMs: startMs, value: samples[0]?.value ?? NaN }
    : { type: "vector", samples };
  try {
    compareValue(command, value);
  } catch (error) {
    throw new Error(`as range: ${messageOf(error)}`, { cause: error });
  }
}

/** `pinned`: the positions inside annotations are not those of the script's query. */
async function check(
  command: EvalCommand,
  run: () => Promise<MetricResult>,
  context: string,
  pinned = false,
): Promise<void> {
  const fail = command.expectations.find(({ kind }) => kind === "fail");
  let result: MetricResult;
  try {
    result = await run();
  } catch (error) {
    if (!fail) throw new Error(`${context}${messageOf(error)}`, { cause: error });
    const message = error instanceof PromqlSyntaxError ? error.reason : messageOf(error);
    if (fail.matches && !fail.matches(message))
      throw new Error(`${context}failed with another message: ${message}`, {
        cause: error,
      });
    return;
  }
  if (fail) throw new Error(`${context}expected to fail, but did not`);
  try {
    if (!pinned) checkAnnotations(command.expectations, result);
    compareValue(command, result.value);
  } catch (error) {
    throw new Error(`${context}${messageOf(error)}`, { cause: error });
  }
}

function checkAnnotations(expectations: readonly Expectation[], result: MetricResult): void {
  for (const [kind, texts] of [
    ["warn", result.warnings],
    ["info", result.infos],
  ] as const) {
    const wanted = expectations.filter((expectation) => expectation.kind === kind);
    const none = expectations.some((expectation) => expectation.kind === `no_${kind}`);
    if (none && texts.length > 0) throw new Error(`unexpected ${kind}: ${texts.join(" | ")}`);
    if (wanted.length === 0) continue;
    if (texts.length === 0) throw new Error(`expected a ${kind}, got none`);
    const unmatched = texts.find(
      (text) => !wanted.some(({ matches }) => !matches || matches(text)),
    );
    if (unmatched !== undefined) throw new Error(`unexpected ${kind}: ${unmatched}`);
    if (wanted.some(({ matches }) => matches && !texts.some(matches)))
      throw new Error(`missing ${kind}; got ${texts.join(" | ")}`);
  }
}

function isNumber(line: string): boolean {
  return /^[+-]?(\d|\.\d|inf$|nan$)/i.test(line) && !/\s/.test(line);
}

type Cell = number | NativeHistogram;

/** Series by label key, samples by time. */
type Table = Map<string, Map<number, Cell>>;

function compareValue(command: EvalCommand, value: MetricValue): void {
  if (command.expectedString !== undefined) {
    if (value.type !== "string" || value.value !== command.expectedString)
      throw new Error(`expected string ${JSON.stringify(command.expectedString)}`);
    return;
  }
  if (value.type === "string") throw new Error("unexpected string");
  const [first = ""] = command.results;
  if (command.results.length === 1 && isNumber(first) && !command.range) {
    const wanted = parseSeries(`x ${first}`).values[0];
    if (value.type !== "scalar" || wanted?.kind !== "float")
      throw new Error(`expected scalar ${first}`);
    if (!cellsEqual(value.value, wanted.value))
      throw new Error(`expected ${first}, got ${value.value}`);
    return;
  }
  const got = tableOf(value);
  const wanted = expectedTable(command);
  for (const [key, samples] of wanted) compareSeries(key, samples, got.get(key));
  for (const key of got.keys())
    if (!wanted.has(key)) throw new Error(`unexpected series ${show(key)}`);
  const ordered = command.expectations.some(({ kind }) => kind === "ordered");
  if (ordered && [...wanted.keys()].join("\n") !== [...got.keys()].join("\n"))
    throw new Error(`wrong order: ${[...got.keys()].map(show).join(" ")}`);
}

function compareSeries(
  key: string,
  wanted: Map<number, Cell>,
  got: Map<number, Cell> | undefined,
): void {
  if (!got) throw new Error(`missing series ${show(key)}`);
  for (const [timeMs, cell] of wanted) {
    const other = got.get(timeMs);
    if (other === undefined) throw new Error(`${show(key)}: no sample at ${timeMs}ms`);
    if (!cellsEqual(cell, other))
      throw new Error(
        `${show(key)} at ${timeMs}ms: expected ${showCell(cell)}, got ${showCell(other)}`,
      );
  }
  for (const [timeMs, cell] of got)
    if (!wanted.has(timeMs))
      throw new Error(`${show(key)}: unexpected ${showCell(cell)} at ${timeMs}ms`);
}

function cellsEqual(a: Cell, b: Cell): boolean {
  if (typeof a === "number" && typeof b === "number") return almostEqual(a, b, epsilon);
  if (typeof a === "number" || typeof b === "number") return false;
  // A script that names no counter reset hint leaves it open.
  if (a.counterReset !== "unknown" && a.counterReset !== b.counterReset) return false;
  return histogramsAlmostEqual(a, b, (x, y) => almostEqual(x, y, epsilon));
}

function showCell(cell: Cell): string {
  return typeof cell === "number" ? String(cell) : JSON.stringify(cell);
}

function show(key: string): string {
  return LabelSet.fromSorted(key === "" ? [] : key.split("\u0000")).toString();
}

function expectedTable(command: EvalCommand): Table {
  const table: Table = new Map();
  const { range, expectedMatrix } = command;
  const stepMs = range?.stepMs ?? expectedMatrix?.stepMs ?? 0;
  const startMs = expectedMatrix?.startMs ?? command.startMs;
  for (const line of command.results) {
    const { labels, values } = parseSeries(line);
    const samples = table.get(labels.key) ?? new Map<number, Cell>();
    values.forEach((value, i) => {
      // Instant vectors carry the evaluation time of the run that is compared; the table leaves it out.
      const timeMs = range || expectedMatrix ? startMs + i * stepMs : 0;
      if (value.kind === "float") samples.set(timeMs, value.value);
      if (value.kind === "histogram") samples.set(timeMs, value.histogram);
    });
    if (samples.size > 0) table.set(labels.key, samples);
  }
  return table;
}

const keyOf = (labels: LabelMap): string => LabelSet.fromMap(labels).key;

function tableOf(value: Exclude<MetricValue, { type: "string" }>): Table {
  const table: Table = new Map();
  if (value.type === "scalar") table.set("scalar", new Map([[0, value.value]]));
  else if (value.type === "vector") {
    for (const { labels, value: number, histogram } of value.samples) {
      const key = keyOf(labels);
      if (table.has(key)) throw new Error(`series twice in the result: ${show(key)}`);
      table.set(key, new Map([[0, histogram ?? number]]));
    }
  } else {
    for (const { labels, times, values, histograms } of value.series) {
      const samples = new Map<number, Cell>();
      times.forEach((timeMs, i) => samples.set(timeMs, histograms?.get(i) ?? values[i] ?? NaN));
      table.set(keyOf(labels), samples);
    }
  }
  return table;
}
