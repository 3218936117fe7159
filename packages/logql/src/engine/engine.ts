/** LogQL over a log reader: what is exact goes down to the store, the rest runs on the lines that come back. */
import {
  type DetectedFieldsRequest,
  LimitError,
  type LogEngine,
  type LogQuery,
  type LogReader,
  type LogResult,
  type LogSelectionPlan,
  readTail,
  SkoposError,
} from "@skopos/model";
import type { MetricExpr } from "../syntax/ast.ts";
import { parse, parseSelector } from "../syntax/parse.ts";
import { detectFields, toDetectedFields } from "./detect.ts";
import { evaluate, toValue } from "./evaluate.ts";
import { defaultLimits, type QueryLimits } from "./limits.ts";
import { readLines } from "./lines.ts";
import type { Grid } from "./series.ts";
import { readVolume } from "./volume.ts";

const patternsMax = 1000;

export function createLogEngine(reader: LogReader, limits: QueryLimits = defaultLimits): LogEngine {
  const query = async (request: LogQuery): Promise<LogResult> => {
    const expr = parse(request.query);
    if (expr.type === "log") return readLines(reader, expr, request, limits);
    return readMetric(reader, expr, request, limits);
  };
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
    labelNames: (startMs, endMs) => reader.labelNames(startMs, endMs),
    labelValues: (name, text, startMs, endMs) =>
      reader.labelValues(name, text ? parseSelector(text) : [], startMs, endMs),
    streams: (match, startMs, endMs) => reader.streams(match.map(parseSelector), startMs, endMs),
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
      const matchers = text.trim() === "" ? [] : parseSelector(text);
      for (const labels of await reader.streams([matchers], startMs, endMs))
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
  };
}

async function readMetric(
  reader: LogReader,
  expr: MetricExpr,
  query: LogQuery,
  limits: QueryLimits,
): Promise<LogResult> {
  const grid = gridOf(query, limits);
  const plan: LogSelectionPlan[] = [];
  const series = await evaluate(expr, {
    reader,
    grid,
    limits,
    nowNs: query.endNs,
    signal: query.signal,
    plan,
    ranges: new Map(),
  });
  const value = toValue(expr, series, grid, query.stepMs === undefined);
  return { type: "metric", value, plan: { selections: plan } };
}

function msOf(timeNs: bigint): number {
  return Number(timeNs / 1000n) / 1000;
}

function gridOf({ startNs, endNs, stepMs }: LogQuery, { stepsMax }: QueryLimits): Grid {
  const endMs = msOf(endNs);
  if (stepMs === undefined) return { startMs: endMs, stepMs: 1, count: 1 };
  const startMs = msOf(startNs);
  if (!(stepMs > 0) || endMs < startMs)
    throw new SkoposError(
      "bad-query",
      "the step must be positive and the end not before the start",
    );
  const count = Math.floor((endMs - startMs) / stepMs) + 1;
  if (count > stepsMax) throw new LimitError(`more than ${stepsMax} steps: use a larger step`);
  return { startMs, stepMs, count };
}
