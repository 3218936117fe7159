/** LogQL over a log reader: leading line filters go down to the store, the rest runs on the lines that come back. */
import {
  type DetectedFieldsRequest,
  LimitError,
  type LogEngine,
  type LogLine,
  type LogQuery,
  type LogReader,
  type LogResult,
  SkoposError,
} from "@skopos/model";
import { detectFields, toDetectedFields } from "./engine/detect.ts";
import { readTail } from "./engine/tail.ts";
import { readVolume } from "./engine/volume.ts";
import { evaluateMetric, rangeOf, toValue } from "./metric.ts";
import { compileStages, type Entry, entryOf, splitFilters } from "./stages.ts";
import type { LogSelector, MetricExpr } from "./syntax/ast.ts";
import { parse, parseSelector } from "./syntax/parse.ts";

/** Lines one metric query may read. */
const metricLinesMax = 200_000;
/** When stages drop lines after the store returned them, more are fetched, at most this many times over. */
const refetchMax = 20;
const stepsMax = 11_000;
const patternsMax = 1000;

export function createLogEngine(reader: LogReader): LogEngine {
  const query = async (query: LogQuery): Promise<LogResult> => {
    const expr = parse(query.query);
    const plan = { selections: [] };
    if (expr.type === "log")
      return { type: "lines", records: await readLines(reader, expr, query), plan };
    return { type: "metric", value: await readMetric(reader, expr, query), plan };
  };
  const selector = (text: string) => (text.trim() === "" ? [] : parseSelector(text));
  const fields = async (request: DetectedFieldsRequest) => {
    const result = await query({
      query: request.query,
      startNs: BigInt(Math.floor(request.startMs)) * 1_000_000n,
      endNs: BigInt(Math.ceil(request.endMs)) * 1_000_000n,
      limit: request.lineLimit,
      direction: "backward",
      ...(request.signal ? { signal: request.signal } : {}),
    });
    if (result.type !== "lines")
      throw new SkoposError(
        "bad-query",
        'fields are found in lines: ask with a log query, like {app="x"}',
      );
    return detectFields(result.records);
  };
  return {
    query,
    stats: (scope) => reader.stats(parseSelector(scope.query), scope),
    volume: (request) => readVolume(reader, request),
    detectedFields: async (request) => toDetectedFields(await fields(request), request.limit),
    async detectedFieldValues(field, request) {
      const counts = (await fields(request)).get(field)?.counts ?? [];
      return [...counts]
        .sort(([, a], [, b]) => b - a)
        .slice(0, request.limit)
        .map(([value]) => value);
    },
    async detectedLabels({ query: text, startMs, endMs }) {
      const values = new Map<string, Set<string>>();
      for (const labels of await reader.streams([selector(text)], startMs, endMs))
        for (const [name, value] of Object.entries(labels))
          values.set(name, (values.get(name) ?? new Set()).add(value));
      return [...values]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([label, { size }]) => ({ label, cardinality: size }));
    },
    patterns: (request) =>
      reader.patterns(parseSelector(request.query), { ...request, limit: patternsMax }),
    tail: (request) =>
      readTail(
        (startNs, endNs, limit) =>
          query({
            query: request.query,
            startNs,
            endNs,
            limit,
            direction: "forward",
            ...(request.signal ? { signal: request.signal } : {}),
          }),
        request,
      ),
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
): Promise<LogLine[]> {
  const { filters, rest } = splitFilters(selector);
  const keep = compileStages(rest);
  const found: LogLine[] = [];
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
      found.push({ ...record, parsed: extracted(entry) });
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
    Object.entries(entry.labels).filter(
      ([name]) => !(name in entry.record.labels || name in entry.record.metadata),
    ),
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
