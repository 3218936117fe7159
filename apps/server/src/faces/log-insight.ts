/** What is understood of log lines, over the log engine: lines with their histogram, what they say, patterns, fields. */
import type { Change, LogLine, ReplyOf } from "@skopos/api";
import type { ClusterWatch } from "@skopos/mesh";
import {
  CancelledError,
  type LogEngine,
  messageOf,
  type MatrixSeries,
  SkoposError,
} from "@skopos/model";
import { format, type LogSelector, parse } from "@skopos/logql/syntax";
import {
  type CallCounts,
  explainLogs,
  type SlowCounts,
  type TroubleCounts,
  type TroubleLine,
} from "../views/log-explanation.ts";
import { calledServiceOf } from "../views/span-entity.ts";
import { entityOf, levelNames, toHistogram, toLogLine } from "../views/log-view.ts";
import { patternStages } from "../views/pattern-lines.ts";

export interface LogInsightParts {
  readonly logs: LogEngine;
  readonly cluster: ClusterWatch;
}

interface Asked {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly signal: AbortSignal;
}

const histogramBuckets = 60;
const metricPoints = 240;
const metricSeriesMax = 100;
const patternsMax = 200;
const fieldsMax = 100;
const fieldLinesMax = 500;
const troubleLinesMax = 300;
/** How much time before the range is compared with it. */
const beforeMaxMs = 3_600_000;
const changesBeforeMs = 6 * 3_600_000;
/** Ranges of patterns up to this long are read by the minute. */
const minutesMaxMs = 6 * 3_600_000;
/** A pattern is told as coming after a change that was made this long before. */
const afterChangeMs = 10 * 60_000;
/** Calls that take long, by how Envoy writes their milliseconds: a store compares texts, not numbers. */
const slowSteps: readonly (readonly [atLeastMs: number, pattern: string])[] = [
  [100, "[0-9]{3,}"],
  [300, "[3-9][0-9]{2}|[0-9]{4,}"],
  [1000, "[0-9]{4,}"],
];
const streamNames = "namespace, k8s_namespace_name, app, service_name";
/** Labels by which a selector names one service. */
const serviceLabels = new Set(["app", "service_name"]);

const nsOf = (ms: number) => BigInt(Math.floor(ms)) * 1_000_000n;

export class LogInsight {
  readonly #parts: LogInsightParts;

  constructor(parts: LogInsightParts) {
    this.#parts = parts;
  }

  async lines(
    asked: Asked,
    options: { limit: number; direction: "backward" | "forward"; histogram: boolean },
  ): Promise<ReplyOf<"logs">> {
    if (parse(asked.query).type !== "log") return this.#metric(asked);
    const { query, startMs, endMs, signal } = asked;
    const { limit, direction } = options;
    const warnings: string[] = [];
    const [result, counted] = await Promise.all([
      this.#parts.logs.query({
        query,
        startNs: nsOf(startMs),
        endNs: nsOf(endMs),
        limit: limit + 1,
        direction,
        signal,
      }),
      options.histogram ? this.#histogram(asked, warnings) : [],
    ]);
    const records = result.type === "lines" ? result.records : [];
    const lines = records.slice(0, limit).map(toLogLine);
    const histogram = counted ?? toHistogram(lines, startMs, endMs, histogramBuckets);
    return { lines, histogram, metric: null, more: records.length > limit, warnings };
  }

  /** Lines by level over the whole range, counted where they are stored; undefined when that failed. */
  async #histogram(asked: Asked, warnings: string[]) {
    const { startMs, endMs } = asked;
    const stepMs = Math.max(1, Math.ceil((endMs - startMs) / histogramBuckets));
    try {
      const series = await this.#counts(asked, "", "detected_level", { startMs, endMs, stepMs });
      const buckets = Math.ceil((endMs - startMs) / stepMs);
      const bars = Array.from({ length: buckets }, (_, i) => ({
        at: startMs + i * stepMs,
        counts: {} as Record<string, number>,
      }));
      for (const { labels, counts } of series) {
        const level = levelNames[labels["detected_level"] ?? ""] ?? "unknown";
        counts.forEach((count, i) => {
          const bar = bars[i];
          if (bar && count > 0) bar.counts[level] = (bar.counts[level] ?? 0) + count;
        });
      }
      return bars;
    } catch (error) {
      if (error instanceof CancelledError) throw error;
      warnings.push(`the bars count the lines below alone: ${messageOf(error)}`);
      return undefined;
    }
  }

  async #metric({ query, startMs, endMs, signal }: Asked): Promise<ReplyOf<"logs">> {
    const stepMs = Math.max(1000, Math.ceil((endMs - startMs) / metricPoints / 1000) * 1000);
    const result = await this.#parts.logs.query({
      query,
      startNs: nsOf(startMs),
      endNs: nsOf(endMs),
      limit: metricSeriesMax,
      direction: "backward",
      stepMs,
      signal,
    });
    const all = result.type === "metric" ? seriesOf(result.value) : [];
    const warnings =
      all.length > metricSeriesMax
        ? [`${metricSeriesMax} of ${all.length} series are shown: aggregate, or use topk`]
        : [];
    const series = all.slice(0, metricSeriesMax).map(({ labels, times, values }) => ({
      labels: { ...labels },
      points: [...times].map((at, i): [number, number | null] => {
        const value = values[i] ?? NaN;
        return [at, Number.isFinite(value) ? value : null];
      }),
    }));
    return { lines: [], histogram: [], metric: { stepMs, series }, more: false, warnings };
  }

  /** Lines in buckets, by labels. `stage` narrows the query. */
  async #counts(
    { query, signal }: Pick<Asked, "query" | "signal">,
    stage: string,
    by: string,
    range: { startMs: number; endMs: number; stepMs: number },
  ): Promise<Counted[]> {
    const { startMs, endMs, stepMs } = range;
    const buckets = Math.ceil((endMs - startMs) / stepMs);
    const result = await this.#parts.logs.query({
      // A comment at the end of the query must not swallow what follows.
      query: `sum by (${by}) (count_over_time(${query}\n${stage} [${stepMs}ms]))`,
      startNs: nsOf(startMs + stepMs),
      endNs: nsOf(startMs + buckets * stepMs),
      limit: metricSeriesMax,
      direction: "backward",
      stepMs,
      signal,
    });
    const series = result.type === "metric" ? seriesOf(result.value) : [];
    return series.map(({ labels, times, values }) => {
      const counts = new Float64Array(buckets);
      times.forEach((at, i) => {
        counts[Math.round((at - startMs) / stepMs) - 1] = values[i] ?? 0;
      });
      return { labels, counts };
    });
  }

  async explanation(asked: Asked): Promise<ReplyOf<"logExplanation">> {
    const selector = selectorOf(asked.query);
    const { startMs, endMs } = asked;
    const stepMs = Math.max(1000, Math.ceil((endMs - startMs) / histogramBuckets));
    const before = Math.ceil(Math.min(endMs - startMs, beforeMaxMs) / stepMs);
    const range = { startMs: startMs - before * stepMs, endMs, stepMs };
    const warnings: string[] = [];
    const callers = callersQuery(selector);
    const count = async (query: string, stage: string, by: string) => {
      try {
        return await this.#counts({ ...asked, query }, stage, by, range);
      } catch (error) {
        if (error instanceof CancelledError) throw error;
        const what = `lines could not be counted: ${messageOf(error)}`;
        if (!warnings.includes(what)) warnings.push(what);
        return [];
      }
    };
    const queries = [asked.query, ...(callers === undefined ? [] : [callers])];
    const by = `${streamNames}, upstream_cluster`;
    const picks = selector.stages.length > 0;
    const whole = picks ? count(format({ ...selector, stages: [] }), '| method!=""', by) : [];
    const [all, calls, slow, trouble, troubleLines] = await Promise.all([
      whole,
      Promise.all(
        queries.map((query) => count(query, '| method!=""', `${by}, status, response_flags`)),
      ),
      Promise.all(
        queries.flatMap((query) =>
          slowSteps.map(async ([atLeastMs, pattern]) => {
            const stage = `| method!="" | duration_ms=~${JSON.stringify(pattern)}`;
            return (await count(query, stage, by)).map((series) => ({ ...series, atLeastMs }));
          }),
        ),
      ),
      count(
        asked.query,
        '| method="" | detected_level=~"warn|error|critical|fatal"',
        `${streamNames}, detected_level`,
      ),
      this.#troubleLines(asked, warnings),
    ]);
    const picked = calls.flat().map(callOf);
    // What callers say is of all their calls already.
    const others = calls.slice(1).flat().map(callOf);
    const statements = explainLogs({
      ...range,
      buckets: Math.ceil((endMs - range.startMs) / stepMs),
      rangeStartMs: startMs,
      calls: picked,
      allCalls: picks ? [...all.map(callOf), ...others] : picked,
      slow: slow.flat().map(({ labels, counts, atLeastMs }): SlowCounts => ({
        ...endsOf(labels),
        atLeastMs,
        counts,
      })),
      trouble: trouble.map(({ labels, counts }): TroubleCounts => ({
        service: entityOf(labels),
        level: labels["detected_level"] === "warn" ? "warning" : "error",
        counts,
      })),
      troubleLines,
      changes: this.#changes(range.startMs - changesBeforeMs, endMs),
    });
    return { statements, warnings };
  }

  async #troubleLines(asked: Asked, warnings: string[]): Promise<TroubleLine[]> {
    try {
      const { lines } = await this.lines(
        {
          ...asked,
          query: `${asked.query}\n| method="" | detected_level=~"warn|error|critical|fatal"`,
        },
        { limit: troubleLinesMax, direction: "backward", histogram: false },
      );
      return lines.flatMap((line): TroubleLine[] => {
        if (!line.entity || (line.level !== "error" && line.level !== "warning")) return [];
        const timeMs = Number(BigInt(line.timeNs) / 1_000_000n);
        const { level } = line;
        return [{ serviceId: line.entity.id, level, timeMs, message: messageIn(line) }];
      });
    } catch (error) {
      if (error instanceof CancelledError) throw error;
      warnings.push(`lines of errors could not be read: ${messageOf(error)}`);
      return [];
    }
  }

  /** With `newSinceMs` those alone that were not seen before it, as far back as is looked. */
  async patterns(asked: Asked, newSinceMs?: number): Promise<ReplyOf<"logPatterns">> {
    const selector = selectorOf(asked.query);
    const { startMs, endMs, signal } = asked;
    const stepMs = Math.max(
      60_000,
      Math.ceil((endMs - startMs) / histogramBuckets / 60_000) * 60_000,
    );
    const beforeMs = Math.min(endMs - startMs, beforeMaxMs);
    // When something began is told to the minute where that is not too many of them.
    const bucketMs = endMs - startMs <= minutesMaxMs ? 60_000 : stepMs;
    const found = await this.#parts.logs.patterns({
      query: format({ ...selector, stages: [] }),
      startMs: startMs - beforeMs,
      endMs,
      stepMs: bucketMs,
      signal,
    });
    const changes = this.#changes(startMs - afterChangeMs, endMs);
    const oldestMs = Math.min(...found.map(({ samples }) => samples[0]?.[0] ?? Infinity));
    const firstBucketMs = Math.floor(startMs / stepMs) * stepMs;
    const newFromMs = Math.floor((newSinceMs ?? startMs) / bucketMs) * bucketMs;
    const patterns = found.flatMap((one) => {
      const { pattern, samples } = one;
      const inRange = samples.filter(([at]) => at >= firstBucketMs);
      const count = inRange.reduce((sum, [, one]) => sum + one, 0);
      if (count === 0) return [];
      const firstAt = samples[0]?.[0] ?? endMs;
      // Of lines that begin when all begin it cannot be told whether they are new.
      const isNew = firstAt >= newFromMs && firstAt > oldestMs + bucketMs;
      if (newSinceMs !== undefined && !isNew) return [];
      const change = isNew
        ? changes.find(({ at }) => at <= firstAt + bucketMs && at >= firstAt - afterChangeMs)
        : undefined;
      return {
        pattern,
        lines: patternStages(one),
        count,
        points: onGrid(inRange, firstBucketMs, endMs, stepMs),
        newSince: isNew ? firstAt : null,
        after: change ? { id: change.id, summary: change.summary } : null,
      };
    });
    const warnings = [
      ...(selector.stages.length > 0
        ? ["patterns are of whole streams: what follows the selector in the query is left out here"]
        : []),
      ...(patterns.length > patternsMax
        ? [`the ${patternsMax} most frequent of ${patterns.length} patterns are shown`]
        : []),
    ];
    patterns.sort((a, b) => b.count - a.count);
    return { patterns: patterns.slice(0, patternsMax), warnings };
  }

  async fields({ query, startMs, endMs, signal }: Asked): Promise<ReplyOf<"logFields">> {
    selectorOf(query);
    const found = await this.#parts.logs.detectedFields({
      query,
      startMs,
      endMs,
      lineLimit: fieldLinesMax,
      limit: fieldsMax,
      signal,
    });
    return {
      fields: found.map(({ label, type, cardinality, parsers }) => ({
        name: label,
        type,
        values: cardinality,
        parser: parsers[0] ?? "",
      })),
    };
  }

  #changes(startMs: number, endMs: number): readonly Change[] {
    return this.#parts.cluster.changes({ startMs, endMs }).toSorted((a, b) => b.at - a.at);
  }
}

/** A minute without such a line is a zero: all lines are counted. */
function onGrid(
  samples: readonly (readonly [number, number])[],
  startMs: number,
  endMs: number,
  stepMs: number,
): [number, number][] {
  const counts = new Map<number, number>();
  for (const [at, count] of samples) {
    const bucket = Math.floor(at / stepMs) * stepMs;
    counts.set(bucket, (counts.get(bucket) ?? 0) + count);
  }
  const length = Math.floor((endMs - startMs) / stepMs) + 1;
  return Array.from({ length }, (_, i) => {
    const at = startMs + i * stepMs;
    return [at, counts.get(at) ?? 0];
  });
}

function seriesOf(
  value: Extract<Awaited<ReturnType<LogEngine["query"]>>, { type: "metric" }>["value"],
): readonly MatrixSeries[] {
  return value.type === "matrix" ? value.series : [];
}

function selectorOf(query: string): LogSelector {
  const parsed = parse(query);
  if (parsed.type !== "log")
    throw new SkoposError("bad-query", 'a metric query has no lines; ask for {app="user-service"}');
  return parsed;
}

/**
 * Where a selector names one service by equality: what the proxies of others say of calling it, in the same streams
 * otherwise. A proxy that refuses a call writes so at the caller's.
 */
function callersQuery(selector: LogSelector): string | undefined {
  const named = selector.matchers.find(({ name, op }) => op === "=" && serviceLabels.has(name));
  if (!named || named.value === "") return undefined;
  const matchers = selector.matchers.map((matcher) =>
    matcher === named ? { ...matcher, op: "=~" as const, value: ".+" } : matcher,
  );
  const host = named.value.replaceAll(/[^\w-]/g, "\\$&");
  const cluster = JSON.stringify(`outbound\\|[0-9]+\\|[^|]*\\|${host}\\..*`);
  return `${format({ ...selector, matchers, stages: [] })} | upstream_cluster=~${cluster}`;
}

interface Counted {
  readonly labels: Readonly<Record<string, string>>;
  readonly counts: Float64Array;
}

function callOf({ labels, counts }: Counted): CallCounts {
  return {
    ...endsOf(labels),
    status: Number(labels["status"] ?? "") || 0,
    flags: labels["response_flags"] ?? "",
    counts,
  };
}

function endsOf(labels: Readonly<Record<string, string>>) {
  const reporter = entityOf(labels);
  const cluster = labels["upstream_cluster"] ?? "";
  const called = calledServiceOf(cluster);
  const inbound = called === null && cluster.startsWith("inbound|");
  return { reporter, target: inbound ? reporter : called, inbound };
}

/** What an application's line says, without the dress of JSON. */
function messageIn({ line }: LogLine): string {
  const found = /"(?:msg|message|error)"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
  return (found ?? line).slice(0, 160);
}
