/** Runs LogQL test scripts over lines in memory. Every eval also runs with counting pushed down, which must agree. */
import { type LogCountRequest, type LogEngine, messageOf, type MetricValue } from "@skopos/model";
import { countLines } from "../engine/count-lines.ts";
import { createLogEngine } from "../engine/engine.ts";
import { SeriesLabels } from "../engine/series.ts";
import { MemoryLogReader } from "./memory-reader.ts";
import { type EvalCommand, type ExpectedSeries, parseScript } from "./script.ts";

export interface EvalOutcome {
  readonly line: number;
  readonly query: string;
  /** Undefined: passed. */
  readonly failure: string | undefined;
}

const epsilon = 1e-6;

/** A reader that counts by itself, as a store does. */
class CountingReader extends MemoryLogReader {
  counts(request: LogCountRequest) {
    return countLines(this, request);
  }
}

/** Runs every eval, whatever became of the ones before. Throws `bad-script` when the text is not a script. */
export async function runScript(text: string): Promise<EvalOutcome[]> {
  const outcomes: EvalOutcome[] = [];
  let readers = [new MemoryLogReader(), new CountingReader()];
  for (const command of parseScript(text)) {
    if (command.type === "clear") readers = [new MemoryLogReader(), new CountingReader()];
    else if (command.type === "load")
      for (const record of command.records) for (const reader of readers) reader.add(record);
    else {
      let failure: string | undefined;
      for (const [i, reader] of readers.entries())
        try {
          await runEval(createLogEngine(reader), command);
        } catch (error) {
          failure ??= `${i === 1 ? "pushed down: " : ""}${messageOf(error)}`;
        }
      outcomes.push({ line: command.line, query: command.query, failure });
    }
  }
  return outcomes;
}

async function runEval(engine: LogEngine, command: EvalCommand): Promise<void> {
  const { query, startMs, range, fails } = command;
  let value: MetricValue;
  try {
    const result = await engine.query({
      query,
      startNs: nsOf(startMs),
      endNs: nsOf(range?.endMs ?? startMs),
      limit: 100,
      direction: "backward",
      ...(range ? { stepMs: range.stepMs } : {}),
    });
    if (result.type !== "metric") throw new Error("not a metric query");
    ({ value } = result);
  } catch (error) {
    if (fails?.(messageOf(error))) return;
    throw error;
  }
  if (fails) throw new Error("expected to fail, but did not");
  compare(command, value);
}

function nsOf(ms: number): bigint {
  return BigInt(Math.round(ms * 1e3)) * 1000n;
}

interface Found {
  readonly key: string;
  readonly values: ReadonlyMap<number, number>;
}

function compare(command: EvalCommand, value: MetricValue): void {
  if (command.scalar !== undefined) {
    if (value.type !== "scalar") throw new Error(`expected a scalar, got a ${value.type}`);
    if (!almostEqual(value.value, command.scalar))
      throw new Error(`expected ${command.scalar}, got ${value.value}`);
    return;
  }
  const found = foundIn(value);
  const wanted = command.series.filter(({ values }) => values.some((one) => one !== undefined));
  for (const series of wanted) compareSeries(command, series, found);
  const keys = wanted.map(({ labels }) => SeriesLabels.fromMap(labels).key);
  for (const { key } of found)
    if (!keys.includes(key)) throw new Error(`unexpected series ${shown(key)}`);
  if (command.ordered && keys.join("\n") !== found.map(({ key }) => key).join("\n"))
    throw new Error(`wrong order: ${found.map(({ key }) => shown(key)).join(" ")}`);
  if (command.empty && found.length > 0) throw new Error("expected nothing");
}

function compareSeries(
  { startMs, range }: EvalCommand,
  { labels, values }: ExpectedSeries,
  found: readonly Found[],
): void {
  const { key } = SeriesLabels.fromMap(labels);
  const series = found.find((one) => one.key === key);
  if (!series) throw new Error(`missing series ${shown(key)}`);
  for (const [i, wanted] of values.entries()) {
    const timeMs = startMs + i * (range?.stepMs ?? 0);
    const got = series.values.get(timeMs);
    if (wanted === undefined ? got !== undefined : got === undefined || !almostEqual(got, wanted))
      throw new Error(`${shown(key)} at step ${i}: expected ${wanted ?? "_"}, got ${got ?? "_"}`);
  }
  if (series.values.size > values.filter((value) => value !== undefined).length)
    throw new Error(`${shown(key)} has more samples than expected`);
}

function shown(key: string): string {
  return `{${key.split("\u0000").join(" ")}}`;
}

function foundIn(value: MetricValue): Found[] {
  if (value.type === "vector")
    return value.samples.map(({ labels, timeMs, value: sample }) => ({
      key: SeriesLabels.fromMap(labels).key,
      values: new Map([[timeMs, sample]]),
    }));
  if (value.type !== "matrix") throw new Error(`expected series, got a ${value.type}`);
  return value.series.map(({ labels, times, values }) => ({
    key: SeriesLabels.fromMap(labels).key,
    values: new Map(Array.from(times, (timeMs, i) => [timeMs, values[i] ?? Number.NaN])),
  }));
}

/** Source: upstream's test runner. */
function almostEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b);
  if (a === b) return true;
  const difference = Math.abs(a - b);
  const smallest = 2 ** -1022;
  if (a === 0 || b === 0 || difference < smallest) return difference < epsilon * smallest;
  return difference / Math.min(Math.abs(a) + Math.abs(b), Number.MAX_VALUE) < epsilon;
}
