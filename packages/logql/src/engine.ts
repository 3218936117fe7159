/** LogQL over a log reader: leading line filters go down to the store, the rest runs on the lines that come back. */
import {
  LimitError,
  type LogEngine,
  type LogQuery,
  type LogReader,
  type LogRecord,
  type LogResult,
  SkoposError,
} from "@skopos/model";
import { evaluateMetric, rangeOf, toValue } from "./metric.ts";
import { compileStages, type Entry, entryOf, splitFilters } from "./stages.ts";
import type { LogSelector, MetricExpr } from "./syntax/ast.ts";
import { parse, parseSelector } from "./syntax/parse.ts";

/** Lines one metric query may read. */
const metricLinesMax = 200_000;
/** When stages drop lines after the store returned them, more are fetched, at most this many times over. */
const refetchMax = 20;
const stepsMax = 11_000;

export function createLogEngine(reader: LogReader): LogEngine {
  return {
    async query(query): Promise<LogResult> {
      const expr = parse(query.query);
      if (expr.type === "log")
        return { type: "lines", records: await readLines(reader, expr, query) };
      return { type: "metric", value: await readMetric(reader, expr, query) };
    },
    labelNames: (startMs, endMs) => reader.labelNames(startMs, endMs),
    labelValues: (name, query, startMs, endMs) =>
      reader.labelValues(name, query ? parseSelector(query) : [], startMs, endMs),
    streams: (match, startMs, endMs) => reader.streams(match.map(parseSelector), startMs, endMs),
  };
}

async function readLines(
  reader: LogReader,
  selector: LogSelector,
  query: LogQuery,
): Promise<LogRecord[]> {
  const { filters, rest } = splitFilters(selector);
  const keep = compileStages(rest);
  const found: LogRecord[] = [];
  let { startNs, endNs } = query;
  const batch = rest.length === 0 ? query.limit : Math.max(query.limit, 1000);
  for (let round = 0; round < refetchMax; round++) {
    const records = await reader.select({
      ...query,
      matchers: selector.matchers,
      filters,
      startNs,
      endNs,
      limit: batch,
    });
    for (const record of records) {
      const entry = entryOf(record);
      if (!keep(entry)) continue;
      found.push({ ...record, metadata: extracted(entry) });
      if (found.length >= query.limit) return found;
    }
    const last = records.at(-1);
    if (!last || records.length < batch) return found;
    // The next page begins beyond the last line; lines of the same nanosecond on the border are the price.
    if (query.direction === "backward") endNs = last.timeNs;
    else startNs = last.timeNs + 1n;
  }
  return found;
}

function extracted(entry: Entry): Record<string, string> {
  return Object.fromEntries(
    Object.entries(entry.labels).filter(([name]) => !(name in entry.record.labels)),
  );
}

async function readMetric(reader: LogReader, expr: MetricExpr, query: LogQuery) {
  const range = rangeOf(expr);
  const endMs = Number(query.endNs / 1_000_000n);
  const startMs = query.stepMs === undefined ? endMs : Number(query.startNs / 1_000_000n);
  const stepMs = query.stepMs ?? 1;
  const count = Math.floor((endMs - startMs) / stepMs) + 1;
  if (stepMs <= 0 || count < 1)
    throw new SkoposError(
      "bad-query",
      "the step must be positive and the end not before the start",
    );
  if (count > stepsMax) throw new LimitError(`more than ${stepsMax} steps: use a larger step`);
  const steps = Array.from({ length: count }, (_, i) => startMs + i * stepMs);
  const { filters, rest } = splitFilters(range.selector);
  const records = await reader.select({
    matchers: range.selector.matchers,
    filters,
    startNs: BigInt(startMs - range.rangeMs - range.offsetMs) * 1_000_000n + 1n,
    endNs: BigInt(endMs - range.offsetMs) * 1_000_000n + 1n,
    limit: metricLinesMax + 1,
    direction: "forward",
    ...(query.signal ? { signal: query.signal } : {}),
  });
  if (records.length > metricLinesMax)
    throw new LimitError(
      `the query reads more than ${metricLinesMax} lines: narrow the selector or the range`,
    );
  const keep = compileStages(rest);
  const entries = records.map(entryOf).filter(keep);
  return toValue(evaluateMetric(expr, entries, steps), steps, query.stepMs === undefined);
}
