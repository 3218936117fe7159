/**
 * The head and the history as one reader. The border between them is what the head says it holds: later samples come from
 * the head, earlier ones from the history, none from both; a series that has both is one series. The head is read first
 * and asked again afterwards, so that samples that leave it meanwhile are not missed.
 *
 * While the history does not answer, the head does alone, and a warning says what is missing.
 */
import {
  CancelledError,
  type LabelSelect,
  type LabelSet,
  LimitError,
  messageOf,
  type MetricReader,
  type MetricSelect,
  type NativeHistogram,
  type SeriesBlock,
  SkoposError,
} from "@skopos/model";
import { isAbsent, wordsOf } from "../head/cells.ts";
import type { HeadMarks } from "../head/marks.ts";

const attemptsMax = 10;
const comingBack =
  "the head is being read back after a start: samples that were not carried yet may be missing";

export interface MetricReaderParts {
  readonly head: MetricReader;
  readonly marks: Pick<HeadMarks, "heldSinceMs" | "droppedBeforeMs">;
  readonly history: MetricReader;
}

/** A part of a range; undefined when it is empty. */
type Part = { readonly startMs: number; readonly endMs: number } | undefined;

class JoinedReader implements MetricReader {
  readonly #parts: MetricReaderParts;

  constructor(parts: MetricReaderParts) {
    this.#parts = parts;
  }

  /** The newest time that is the history's. */
  #borderMs(): number {
    return this.#parts.marks.heldSinceMs - 1;
  }

  /** Answers from the head about times after the border, and about which border that was. */
  async #recent<T>(
    range: { readonly startMs: number; readonly endMs: number },
    ask: (part: Part) => Promise<T>,
  ): Promise<{ answer: T; older: Part }> {
    const { startMs, endMs } = range;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const borderMs = this.#borderMs();
      const fromMs = Math.max(startMs, borderMs);
      const answer = await ask(endMs > fromMs ? { startMs: fromMs, endMs } : undefined);
      if (this.#borderMs() !== borderMs && fromMs < endMs && startMs < this.#borderMs()) continue;
      const older = startMs < borderMs ? { startMs, endMs: Math.min(endMs, borderMs) } : undefined;
      return { answer, older };
    }
    throw new SkoposError("unavailable", "the head drops samples faster than it can be read");
  }

  async select(request: MetricSelect): Promise<SeriesBlock> {
    const { answer: recent, older } = await this.#recent(request, (part) =>
      part ? this.#parts.head.select({ ...request, ...part }) : Promise.resolve(undefined),
    );
    if (!older) return recent ?? emptyBlock([]);
    if (request.cancelled?.()) throw new CancelledError();
    const before = await this.#older(
      (history) => history.select({ ...request, ...older }),
      (warning) => emptyBlock([warning]),
    );
    const block = recent ? joinBlocks(before, recent, request) : before;
    return this.#isComingBack(older)
      ? { ...block, warnings: [...block.warnings, comingBack] }
      : block;
  }

  /** Whether the head, after a start, does not have all of the part yet that it will have. */
  #isComingBack(part: NonNullable<Part>): boolean {
    const { heldSinceMs, droppedBeforeMs } = this.#parts.marks;
    return heldSinceMs > droppedBeforeMs && part.endMs >= droppedBeforeMs;
  }

  async #older<T>(
    ask: (history: MetricReader) => Promise<T>,
    without: (warning: string) => T,
  ): Promise<T> {
    try {
      return await ask(this.#parts.history);
    } catch (error) {
      if (!(error instanceof SkoposError) || error.code !== "unavailable") throw error;
      return without(`older samples are missing: ${messageOf(error)}`);
    }
  }

  async series(request: LabelSelect): Promise<LabelSet[]> {
    const found = await this.#labels(request, (reader, part) => reader.series(part));
    const seen = new Map(found.flat().map((labels) => [labels.key, labels]));
    return [...seen.values()].slice(0, request.limit);
  }

  async labelNames(request: LabelSelect): Promise<string[]> {
    const found = await this.#labels(request, (reader, part) => reader.labelNames(part));
    return joinTexts(found, request.limit);
  }

  async labelValues(name: string, request: LabelSelect): Promise<string[]> {
    const found = await this.#labels(request, (reader, part) => reader.labelValues(name, part));
    return joinTexts(found, request.limit);
  }

  async #labels<T>(
    request: LabelSelect,
    ask: (reader: MetricReader, part: LabelSelect) => Promise<T[]>,
  ): Promise<T[][]> {
    const { head } = this.#parts;
    const { answer, older } = await this.#recent(request, (part) =>
      part ? ask(head, { ...request, ...part }) : Promise.resolve([]),
    );
    if (!older) return [answer];
    const before = await this.#older<T[]>(
      (history) => ask(history, { ...request, ...older }),
      () => [],
    );
    return [answer, before];
  }
}

function joinTexts(found: readonly (readonly string[])[], limit: number): string[] {
  return [...new Set(found.flat())].sort().slice(0, limit);
}

function emptyBlock(warnings: readonly string[]): SeriesBlock {
  return {
    labels: [],
    times: [],
    timesOf: new Uint32Array(),
    values: new Float64Array(),
    offsets: new Uint32Array(1),
    warnings,
  };
}

/** Where a series lies in the two blocks; -1 where it does not. */
interface Both {
  readonly labels: LabelSet;
  before: number;
  after: number;
}

function match(before: SeriesBlock, after: SeriesBlock): Both[] {
  const series = new Map<string, Both>();
  for (const [i, labels] of before.labels.entries())
    series.set(labels.key, { labels, before: i, after: -1 });
  for (const [i, labels] of after.labels.entries()) {
    const known = series.get(labels.key);
    if (known) known.after = i;
    else series.set(labels.key, { labels, before: -1, after: i });
  }
  return [...series.values()];
}

/** Two blocks of which every sample of the first is older than every sample of the second. Throws `limit`. */
function joinBlocks(
  before: SeriesBlock,
  after: SeriesBlock,
  limits: { readonly seriesMax: number; readonly samplesMax: number },
): SeriesBlock {
  const warnings = [...new Set([...before.warnings, ...after.warnings])];
  if (before.offsets.length <= 1) return { ...after, warnings };
  if (after.offsets.length <= 1) return { ...before, warnings };
  const series = match(before, after);
  if (series.length > limits.seriesMax)
    throw new LimitError(`the selector matches more than ${limits.seriesMax} series`);
  const values = new Float64Array(before.values.length + after.values.length);
  // Holes count too: each block alone was held against the limit without them.
  if (values.length > 8 * limits.samplesMax + 1_000_000)
    throw new LimitError(
      `the selector matches more than ${limits.samplesMax} samples, holes included`,
    );
  const words = wordsOf(values);
  const times = new JoinedTimes(before.times, after.times);
  const timesOf = new Uint32Array(series.length);
  const offsets = new Uint32Array(series.length + 1);
  const histograms = new Map<number, NativeHistogram>();
  let at = 0;
  for (const [i, both] of series.entries()) {
    const first = both.before < 0 ? -1 : (before.timesOf[both.before] ?? 0);
    const second = both.after < 0 ? -1 : (after.timesOf[both.after] ?? 0);
    timesOf[i] = times.of(first, second);
    at = copySeries(before, both.before, words, at, histograms);
    at = copySeries(after, both.after, words, at, histograms);
    offsets[i + 1] = at;
  }
  const labels = series.map((both) => both.labels);
  const block = { labels, times: times.columns, timesOf, values, offsets, warnings };
  checkSamples(block, limits.samplesMax);
  return histograms.size > 0 ? { ...block, histograms } : block;
}

function copySeries(
  block: SeriesBlock,
  index: number,
  out: Uint32Array,
  at: number,
  histograms: Map<number, NativeHistogram>,
): number {
  if (index < 0) return at;
  const from = block.offsets[index] ?? 0;
  const end = block.offsets[index + 1] ?? 0;
  out.set(wordsOf(block.values).subarray(2 * from, 2 * end), 2 * at);
  if (block.histograms)
    for (let k = from; k < end; k++) {
      const histogram = block.histograms.get(k);
      if (histogram) histograms.set(at + k - from, histogram);
    }
  return at + end - from;
}

/** Time columns of two blocks joined, each pair once. */
class JoinedTimes {
  readonly columns: Float64Array[] = [];
  readonly #before: readonly Float64Array[];
  readonly #after: readonly Float64Array[];
  readonly #known = new Map<string, number>();

  constructor(before: readonly Float64Array[], after: readonly Float64Array[]) {
    this.#before = before;
    this.#after = after;
  }

  of(first: number, second: number): number {
    const key = `${first} ${second}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const before = this.#before[first] ?? new Float64Array();
    const after = this.#after[second] ?? new Float64Array();
    const joined = new Float64Array(before.length + after.length);
    joined.set(before);
    joined.set(after, before.length);
    this.#known.set(key, this.columns.length);
    return this.columns.push(joined) - 1;
  }
}

function checkSamples(block: SeriesBlock, samplesMax: number): void {
  if (block.values.length <= samplesMax) return;
  let samples = 0;
  const words = wordsOf(block.values);
  for (let i = 0; i < block.values.length; i++) if (!isAbsent(words, i)) samples++;
  if (samples > samplesMax)
    throw new LimitError(`the selector matches more than ${samplesMax} samples`);
}

/** Errors: those of the parts; an unavailable history is a warning. */
export function createMetricReader(parts: MetricReaderParts): MetricReader {
  return new JoinedReader(parts);
}
