/**
 * Reads lines page by page, either way. After the first page the range is read slice by slice, so that each page touches
 * only its own part of the store; slices grow and shrink with how many lines they hold. The last moment of a full page may
 * be incomplete, and is read again from its beginning with the next: no line is lost or given twice.
 */
import {
  LimitError,
  type LogFilter,
  type LogReader,
  type LogRecord,
  type LogScan,
} from "@skopos/model";

/** A page reads a piece of every stream, so that small pages read most of the store again and again. */
const pageLinesMax = 50_000;
const pageGrowth = 8;
/** Lines of one nanosecond that a page may have to hold. */
const momentLinesMax = 100_000;
const slicesAtFirst = 8n;

export interface PageRequest {
  readonly filter: LogFilter;
  /** startNs ≤ t < endNs. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly direction: "backward" | "forward";
  /** How many lines the first page has, which is taken from the whole range; absent: slices from the beginning. */
  readonly firstPageLines?: number;
  readonly signal?: AbortSignal;
}

export async function* linePages(
  reader: LogReader,
  { filter, startNs, endNs, direction, firstPageLines, signal }: PageRequest,
): AsyncGenerator<readonly LogRecord[]> {
  const isForward = direction === "forward";
  let from = startNs;
  let to = endNs;
  let width = firstPageLines ? to - from : (to - from) / slicesAtFirst + 1n;
  let pageLines = Math.min(firstPageLines ?? pageLinesMax, pageLinesMax);
  let limit = pageLines;
  while (from < to) {
    const isLast = to - from <= width;
    const sliceFrom = isForward || isLast ? from : to - width;
    const sliceTo = isForward && !isLast ? from + width : to;
    const found = await reader.select({
      ...filter,
      startNs: sliceFrom,
      endNs: sliceTo,
      limit,
      direction,
      ...(signal ? { signal } : {}),
    });
    const isFull = found.length >= limit;
    pageLines = Math.min(pageLines * pageGrowth, pageLinesMax);
    const border = found.at(-1)?.timeNs;
    if (!isFull || border === undefined) {
      if (found.length > 0) yield found;
      if (isForward) from = sliceTo;
      else to = sliceFrom;
      if (found.length < pageLines / 4) width *= 2n;
      limit = pageLines;
      continue;
    }
    const whole = found.filter(({ timeNs }) => timeNs !== border);
    if (whole.length === 0) {
      if (limit >= momentLinesMax)
        throw new LimitError(
          `more than ${momentLinesMax} lines have the same time: add a line filter or a matcher`,
        );
      limit = Math.min(limit * 4, momentLinesMax);
      continue;
    }
    yield whole;
    // The next page needs about as much time for each line as this one did.
    const spent = isForward ? border - from : to - border;
    width = (spent * BigInt(pageLines)) / BigInt(whole.length) + 1n;
    if (isForward) from = border;
    else to = border + 1n;
    limit = pageLines;
  }
}

export interface LineRange extends LogScan {
  readonly linesMax: number;
}

/** Every line, in any order. Throws `LimitError` when there are more than `linesMax` lines. */
export async function* lineBatches(
  reader: LogReader,
  { linesMax, ...scan }: LineRange,
): AsyncGenerator<readonly LogRecord[]> {
  const { startNs, endNs, signal, ...filter } = scan;
  let read = 0;
  const batches = reader.scan
    ? reader.scan(scan)
    : linePages(reader, {
        filter,
        startNs,
        endNs,
        direction: "forward",
        ...(signal ? { signal } : {}),
      });
  for await (const batch of batches) {
    read += batch.length;
    if (read > linesMax)
      throw new LimitError(
        `the query has to read more than ${linesMax} lines, since its stages cannot be counted in the store: ` +
          "narrow the range, add matchers or a line filter, or aggregate without parsing",
      );
    yield batch;
  }
}
