/**
 * Reads every line of a range of time in batches, for what a store cannot count itself. The range is read slice by slice, so
 * that each batch touches only its own part of the store; slices grow and shrink with how many lines they hold.
 */
import { LimitError, type LogFilter, type LogReader, type LogRecord } from "@skopos/model";

const batchLines = 20_000;
/** Lines of one nanosecond that a batch may have to hold. */
const momentLinesMax = 100_000;
const slicesAtFirst = 8n;

export interface LineRange {
  readonly filter: LogFilter;
  /** startNs ≤ t < endNs. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly linesMax: number;
  readonly signal?: AbortSignal;
}

/** Batches in ascending order of time. Throws `LimitError` when there are more than `linesMax` lines. */
export async function* lineBatches(
  reader: LogReader,
  { filter, startNs, endNs, linesMax, signal }: LineRange,
): AsyncGenerator<readonly LogRecord[]> {
  let read = 0;
  let from = startNs;
  let width = (endNs - startNs) / slicesAtFirst + 1n;
  let limit = batchLines;
  while (from < endNs) {
    const to = from + width < endNs ? from + width : endNs;
    const records = await reader.select({
      ...filter,
      startNs: from,
      endNs: to,
      limit,
      direction: "forward",
      ...(signal ? { signal } : {}),
    });
    const isFull = records.length >= limit;
    // The last moment of a full batch may be incomplete: it is read again from its beginning.
    const border = isFull ? (records.at(-1)?.timeNs ?? to) : to;
    const whole = isFull ? records.filter(({ timeNs }) => timeNs < border) : records;
    if (isFull && whole.length === 0) {
      if (limit >= momentLinesMax)
        throw new LimitError(
          `more than ${momentLinesMax} lines have the same time: add a line filter or a matcher`,
        );
      limit = Math.min(limit * 4, momentLinesMax);
      continue;
    }
    read += whole.length;
    if (read > linesMax)
      throw new LimitError(
        `the query has to read more than ${linesMax} lines, since its stages cannot be counted in the store: ` +
          "narrow the range, add matchers or a line filter, or aggregate without parsing",
      );
    if (whole.length > 0) yield whole;
    from = border;
    limit = batchLines;
    if (isFull) width = width / 2n + 1n;
    else if (records.length < batchLines / 4) width *= 2n;
  }
}
