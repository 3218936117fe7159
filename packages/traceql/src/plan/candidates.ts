/** Reads, newest first and in bounded pieces, the traces that may match. */
import {
  type CandidateTrace,
  LimitError,
  type Span,
  type TracePredicate,
  type TraceReader,
  type TraceTimeRange,
} from "@skopos/model";

/** Spans of one trace may lie so far from each other, for a question about several of them to see it whole. */
const reachMs = 15 * 60_000;
const pageSize = 2000;
const batchSize = 64;
const batchSpansMax = 200_000;
/** What one query reads before it gives up. */
const spansReadMax = 2_000_000;

export interface CandidateReading {
  readonly reader: TraceReader;
  readonly where: TracePredicate;
  readonly range: TraceTimeRange;
  readonly signal?: AbortSignal | undefined;
}

/** What was read when a reading ended early. */
export interface ReadingState {
  spansRead: number;
  /** More may match: the limit of spans was reached. */
  cut: boolean;
  /** Traces left out, since they alone are larger than is read at once. */
  tooLarge: number;
}

export function newReadingState(): ReadingState {
  return { spansRead: 0, cut: false, tooLarge: 0 };
}

export function readingWarnings(state: ReadingState): string[] {
  const warnings: string[] = [];
  if (state.cut)
    warnings.push(
      `stopped after ${spansReadMax} spans, older traces were not looked at: narrow the query or its time`,
    );
  if (state.tooLarge > 0)
    warnings.push(`${state.tooLarge} traces of more than ${batchSpansMax} spans were left out`);
  return warnings;
}

export async function* readCandidates(
  reading: CandidateReading,
  state: ReadingState,
): AsyncGenerator<readonly Span[]> {
  for await (const page of candidatePages(reading)) {
    for (let i = 0; i < page.length; i += batchSize) {
      const batch = page.slice(i, i + batchSize);
      for (const trace of await readBatch(reading, batch, state)) {
        state.spansRead += trace.length;
        yield trace;
      }
      if (state.spansRead < spansReadMax) continue;
      state.cut = i + batchSize < page.length || page.length === pageSize;
      return;
    }
  }
}

async function* candidatePages(reading: CandidateReading): AsyncGenerator<CandidateTrace[]> {
  const { reader, where, range, signal } = reading;
  const seen = new Set<string>();
  const reach = where.type === "has" ? 0 : reachMs;
  const startMs = range.startMs - reach;
  let endMs = range.endMs + reach;
  for (;;) {
    const found = await reader.candidates({
      where,
      startMs,
      endMs,
      limit: pageSize,
      ...(signal ? { signal } : {}),
    });
    const fresh = found.filter(({ traceId }) => !seen.has(traceId));
    for (const { traceId } of fresh) seen.add(traceId);
    if (fresh.length > 0) yield fresh;
    const oldest = found.at(-1);
    if (found.length < pageSize || !oldest) return;
    const oldestMs = Number(oldest.newestNs / 1_000_000n) + 1;
    // A page of one millisecond would come again and again.
    endMs = oldestMs < endMs ? oldestMs : endMs - 1;
  }
}

/** Halves a batch that is too large, down to single traces. */
async function readBatch(
  reading: CandidateReading,
  batch: readonly CandidateTrace[],
  state: ReadingState,
): Promise<Span[][]> {
  const { reader, signal } = reading;
  try {
    return await reader.traces(
      batch.map(({ traceId }) => traceId),
      { spansMax: batchSpansMax, within: extent(batch), ...(signal ? { signal } : {}) },
    );
  } catch (error) {
    if (!(error instanceof LimitError)) throw error;
    if (batch.length === 1) {
      state.tooLarge += 1;
      return [];
    }
    const half = Math.ceil(batch.length / 2);
    const first = await readBatch(reading, batch.slice(0, half), state);
    return [...first, ...(await readBatch(reading, batch.slice(half), state))];
  }
}

function extent(batch: readonly CandidateTrace[]): TraceTimeRange {
  const times = batch.map(({ newestNs }) => Number(newestNs / 1_000_000n));
  return { startMs: Math.min(...times), endMs: Math.max(...times) + 1 };
}
