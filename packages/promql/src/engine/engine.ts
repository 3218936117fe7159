/** The door: query text in, result out. */
import {
  type Clock,
  type InstantQuery,
  type LabelMap,
  LabelSet,
  LimitError,
  type MatrixSeries,
  type MetricEngine,
  type MetricReader,
  type MetricResult,
  type MetricValue,
  type NativeHistogram,
  type RangeQuery,
  SkoposError,
  type VectorSample,
} from "@skopos/model";
import { PlanCache } from "../plan/plan-cache.ts";
import type { Grid, Root, WindowNode } from "../plan/plan.ts";
import type { ValueType } from "../syntax/ast.ts";
import type { SyntaxFeatures } from "../syntax/cursor.ts";
import { Annotations } from "./annotations.ts";
import { compareLabels } from "./call.ts";
import { withoutStale } from "./columns.ts";
import { type EvaluationContext, Evaluator } from "./evaluate.ts";
import { fetchSources } from "./fetch.ts";
import { absent, type Frame, histogram } from "./frame.ts";
import { Budget, defaultLimits, type EngineLimits } from "./limits.ts";
import { settleNames } from "./names.ts";
import { Windows } from "./window.ts";

export interface EngineFeatures extends SyntaxFeatures {
  /** Names are dropped at the end of the query, so that label_replace can still use them. Off in production, as upstream. */
  readonly delayedNameRemoval: boolean;
}

export interface EngineOptions {
  readonly reader: MetricReader;
  readonly clock: Clock;
  readonly limits?: Partial<EngineLimits>;
  readonly features?: Partial<EngineFeatures>;
  /** How far back an instant selector looks for its sample. */
  readonly lookbackMs?: number;
  /** Step of subqueries that name none. */
  readonly subqueryStepMs?: number;
  /** Polled while a query runs; a worker thread reads a flag in shared memory here. */
  readonly cancelled?: () => boolean;
  /** For those who make many engines of the same features and subquery step: from `createPlanCache`. */
  readonly plans?: PlanCache;
}

/** What one operator did; times include those of its inputs. */
export interface OperatorTrace {
  readonly operator: string;
  readonly expression: string;
  readonly elapsedMs: number;
  readonly series: number;
  /** 0 for the outermost; an operator's inputs stand before it, one deeper. */
  readonly depth: number;
  /** The same expression was evaluated before, and its result taken from there. */
  readonly reused: boolean;
}

export interface PromqlEngine extends MetricEngine {
  /** Runs the query and tells what each operator cost, innermost first. */
  explain(
    query: InstantQuery | RangeQuery,
  ): Promise<{ result: MetricResult; operators: OperatorTrace[] }>;
}

const defaultLookbackMs = 300_000;
const defaultSubqueryStepMs = 60_000;

/** Plans that engines with these options may share. */
export function createPlanCache(
  options: Pick<EngineOptions, "features" | "subqueryStepMs"> = {},
): PlanCache {
  return new PlanCache(options.features ?? {}, options.subqueryStepMs ?? defaultSubqueryStepMs);
}

export function createMetricEngine(given: EngineOptions): PromqlEngine {
  const options = { ...given, plans: given.plans ?? createPlanCache(given) };
  return {
    instant: async (query) => run(options, query, instantGrid(query)),
    range: async (query) => run(options, query, rangeGrid(query, options)),
    async explain(query) {
      const operators: OperatorTrace[] = [];
      const grid = "timeMs" in query ? instantGrid(query) : rangeGrid(query, options);
      const result = await run(options, query, grid, (node, cost) => {
        operators.push({ operator: node.kind, expression: node.text, ...cost });
      });
      return { result, operators };
    },
  };
}

function instantGrid({ timeMs }: InstantQuery): Grid {
  return { startMs: timeMs, stepMs: 1, count: 1 };
}

function rangeGrid({ startMs, endMs, stepMs }: RangeQuery, options: EngineOptions): Grid {
  if (!(stepMs > 0)) throw new SkoposError("bad-query", "step must be greater than 0");
  if (endMs < startMs) throw new SkoposError("bad-query", "end must not be before start");
  const count = Math.floor((endMs - startMs) / stepMs) + 1;
  const pointsMax = options.limits?.pointsMax ?? defaultLimits.pointsMax;
  if (count > pointsMax) {
    throw new LimitError(
      `exceeded maximum resolution of ${pointsMax} points per timeseries: widen the step or shorten the range`,
    );
  }
  return { startMs, stepMs, count };
}

async function run(
  options: EngineOptions & { readonly plans: PlanCache },
  query: InstantQuery | RangeQuery,
  grid: Grid,
  onOperator?: EvaluationContext["onOperator"],
): Promise<MetricResult> {
  const isRange = "stepMs" in query;
  const limits = { ...defaultLimits, ...options.limits };
  const timeoutMs = Math.min(query.timeoutMs ?? limits.timeoutMs, limits.timeoutMs);
  const cancelled = () => query.signal?.aborted === true || options.cancelled?.() === true;
  const budget = new Budget(limits, options.clock, timeoutMs, cancelled);
  const accepts = (type: ValueType) => checkRangeType(type, isRange);
  const { root, shared } = options.plans.of(query.query, grid, accepts);
  const annotations = new Annotations(query.query);
  const lookbackMs = options.lookbackMs ?? defaultLookbackMs;
  if (root.type === "string") {
    return result({ type: "string", timeMs: grid.startMs, value: root.value }, annotations);
  }
  const sources = await fetchSources(
    root.node,
    grid,
    lookbackMs,
    options.reader,
    budget,
    annotations,
  );
  const evaluator = new Evaluator({
    sources,
    annotations,
    budget,
    lookbackMs,
    delayedNames: options.features?.delayedNameRemoval ?? false,
    sharedTexts: shared,
    nowMs: () => options.clock.monotonicMs(),
    ...(onOperator && { onOperator }),
  });
  return result(evaluateRoot(evaluator, root, grid, isRange), annotations);
}

function checkRangeType(type: ValueType, isRange: boolean): void {
  if (!isRange || type === "vector" || type === "scalar") return;
  const shown = type === "matrix" ? "range vector" : type;
  throw new SkoposError(
    "bad-query",
    `invalid expression type ${JSON.stringify(shown)} for range query, must be Scalar or instant Vector`,
  );
}

function result(value: MetricValue, annotations: Annotations): MetricResult {
  return { value, warnings: annotations.warnings, infos: annotations.infos };
}

function evaluateRoot(
  evaluator: Evaluator,
  root: Exclude<Root, { type: "string" }>,
  grid: Grid,
  isRange: boolean,
): MetricValue {
  if (root.type === "matrix") return rawSamples(evaluator, root.node, grid);
  if (root.type === "scalar") {
    const values = evaluator.scalar(root.node, grid);
    if (!isRange) return { type: "scalar", timeMs: grid.startMs, value: values[0] ?? NaN };
    const times = values.map((_, t) => grid.startMs + t * grid.stepMs);
    return { type: "matrix", series: [{ labels: {}, times, values }] };
  }
  const frame = settleNames(evaluator.vector(root.node, grid));
  return isRange ? matrixOf(frame, grid) : vectorOf(frame, grid.startMs);
}

/** As `LabelSet.toMap`, in a plain loop: results can have many thousands of series. */
function mapOf({ flat }: LabelSet): LabelMap {
  const map: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) map[flat[i] ?? ""] = flat[i + 1] ?? "";
  return map;
}

function vectorOf(frame: Frame, timeMs: number): MetricValue {
  const samples: VectorSample[] = [];
  frame.labels.forEach((labels, s) => {
    if (frame.present[s] === absent) return;
    const held = frame.histograms?.get(s);
    const sample = { labels: mapOf(labels), timeMs, value: frame.values[s] ?? NaN };
    samples.push(frame.present[s] === histogram && held ? { ...sample, histogram: held } : sample);
  });
  return { type: "vector", samples };
}

/** Series by label order, as upstream answers range queries. */
function matrixOf(frame: Frame, grid: Grid): MetricValue {
  const { steps, labels } = frame;
  const series: MatrixSeries[] = [];
  const order = [...labels.keys()].sort((a, b) =>
    compareLabels(labels[a] ?? LabelSet.empty, labels[b] ?? LabelSet.empty),
  );
  for (const s of order) {
    const times = new Float64Array(steps);
    const values = new Float64Array(steps);
    const histograms = new Map<number, NativeHistogram>();
    let count = 0;
    for (let t = 0; t < steps; t++) {
      const cell = s * steps + t;
      if (frame.present[cell] === absent) continue;
      times[count] = grid.startMs + t * grid.stepMs;
      values[count] = frame.values[cell] ?? NaN;
      const held = frame.present[cell] === histogram && frame.histograms?.get(cell);
      if (held) histograms.set(count, held);
      count += 1;
    }
    if (count === 0) continue;
    series.push({
      labels: mapOf(labels[s] ?? LabelSet.empty),
      times: times.subarray(0, count),
      values: values.subarray(0, count),
      ...(histograms.size > 0 && { histograms }),
    });
  }
  return { type: "matrix", series };
}

/** The samples inside a range selector's window, as they are. */
function rawSamples(evaluator: Evaluator, node: WindowNode, grid: Grid): MetricValue {
  const columns = withoutStale(evaluator.windowColumns(node, grid));
  const windows = new Windows(columns, grid, node.reference, node.rangeMs);
  const series: MatrixSeries[] = [];
  columns.labels.sets.forEach((labels, s) => {
    const column = columns.timesOf[s] ?? 0;
    const { from, to } = windows.of(column);
    const [first, end] = [from[0] ?? 0, to[0] ?? 0];
    if (end <= first) return;
    const base = columns.base[s] ?? 0;
    const histograms = new Map<number, NativeHistogram>();
    for (let i = first; i < end; i++) {
      const held = columns.histograms?.get(base + i);
      if (held) histograms.set(i - first, held);
    }
    series.push({
      labels: mapOf(labels),
      times: columns.times[column]?.slice(first, end) ?? new Float64Array(0),
      values: columns.values.slice(base + first, base + end),
      ...(histograms.size > 0 && { histograms }),
    });
  });
  return { type: "matrix", series };
}
