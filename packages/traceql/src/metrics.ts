/** Answers a query that makes series. */
import {
  LimitError,
  type MetricResult,
  type TraceMetricsRequest,
  type TraceReader,
} from "@skopos/model";
import { CompareCounter } from "./eval/compare.ts";
import { getter } from "./eval/fields.ts";
import { MetricCounter } from "./eval/metric.ts";
import {
  combined,
  seriesSet,
  type SeriesSet,
  stepAt,
  type Steps,
  stepsOf,
  threshold,
  top,
  toMatrix,
  withNumber,
} from "./eval/series.ts";
import { compilePipeline, plainValue } from "./eval/spansets.ts";
import { plantTrace, type TraceTree } from "./eval/trace-tree.ts";
import { newReadingState, readCandidates, readingWarnings } from "./plan/candidates.ts";
import { planMetric, planSpans } from "./plan/plan.ts";
import type { CompareCall, MetricCall, MetricExpr, Stage } from "./syntax/ast.ts";

/** Groups times steps times buckets that a store may hand over. */
const rowsMax = 500_000;

interface Context {
  readonly reader: TraceReader;
  readonly request: TraceMetricsRequest;
  readonly steps: Steps;
  readonly warnings: Set<string>;
}

export async function queryMetrics(
  reader: TraceReader,
  expr: MetricExpr,
  request: TraceMetricsRequest,
): Promise<MetricResult> {
  const steps = stepsOf(request);
  const warnings = new Set<string>();
  const set = await evaluate({ reader, request, steps, warnings }, expr);
  const series = toMatrix(set, steps);
  return { value: { type: "matrix", series }, warnings: [...warnings], infos: [] };
}

async function evaluate(context: Context, expr: MetricExpr): Promise<SeriesSet> {
  switch (expr.type) {
    case "number":
      return seriesSet([
        { labels: {}, values: new Float64Array(context.steps.count).fill(expr.value) },
      ]);
    case "metric":
      return evaluateMetric(context, expr);
    case "compare":
      return evaluateCompare(context, expr);
    case "threshold":
      return threshold(await evaluate(context, expr.of), expr.op, expr.value);
    case "top":
      return top(await evaluate(context, expr.of), expr.k, expr.name === "bottomk");
    case "math": {
      const { op, left, right } = expr;
      const a = numberOf(left);
      const b = numberOf(right);
      if (b !== undefined) return withNumber(op, await evaluate(context, left), b, false);
      if (a !== undefined) return withNumber(op, await evaluate(context, right), a, true);
      const [first, second] = await Promise.all([
        evaluate(context, left),
        evaluate(context, right),
      ]);
      return combined(op, first, second);
    }
  }
}

function numberOf(expr: MetricExpr): number | undefined {
  return expr.type === "number" ? expr.value : undefined;
}

async function evaluateMetric(context: Context, call: MetricCall): Promise<SeriesSet> {
  const counter = new MetricCounter(call, context.steps);
  const pushed = planMetric(call);
  if (!pushed) {
    await countHere(context, call, counter);
    return counter.result();
  }
  const { reader, request, steps, warnings } = context;
  const counted = await reader.aggregate({
    where: pushed.where,
    by: pushed.by,
    ...(pushed.value ? { value: pushed.value } : {}),
    exponents: counter.usesBuckets,
    startMs: request.startMs,
    endMs: request.endMs,
    stepMs: steps.stepMs,
    rowsMax,
    ...(request.signal ? { signal: request.signal } : {}),
  });
  for (const warning of counted.warnings) warnings.add(warning);
  for (const row of counted.rows)
    counter.add(Math.round((row.timeMs - steps.firstMs) / steps.stepMs), row.by, row);
  return counter.result();
}

async function countHere(
  context: Context,
  call: MetricCall,
  counter: MetricCounter,
): Promise<void> {
  const by = call.by.map(getter);
  const value = call.field ? getter(call.field) : undefined;
  await eachSpan(context, call.stages, (tree, i, step) => {
    const span = tree.spans[i];
    if (!span) return;
    const measured = value ? plainValue(value(span, tree, i)) : 0;
    if (typeof measured !== "number") return;
    const groups = by.map((get) => plainValue(get(span, tree, i)));
    counter.addValue(step, groups, measured, span.weight ?? 1);
  });
}

async function evaluateCompare(context: Context, call: CompareCall): Promise<SeriesSet> {
  const counter = new CompareCounter(call, context.steps);
  await eachSpan(context, call.stages, (tree, i, step) => {
    const span = tree.spans[i];
    if (span) counter.add(step, span, tree, i);
  });
  return counter.result();
}

/** Every span of the range that the pipeline finds; in several of its sets it is counted several times. */
async function eachSpan(
  { reader, request, steps, warnings }: Context,
  stages: readonly Stage[],
  visit: (tree: TraceTree, index: number, step: number) => void,
): Promise<void> {
  const plan = planSpans(stages);
  const where = plan.type === "store" ? ({ type: "has", where: plan.where } as const) : plan.where;
  const run = compilePipeline(stages);
  const state = newReadingState();
  const endNs = BigInt(Math.ceil(request.endMs)) * 1_000_000n;
  for await (const spans of readCandidates(
    { reader, where, range: request, signal: request.signal },
    state,
  )) {
    const tree = plantTrace(spans);
    for (const { marks } of run(tree)) {
      for (const [i, span] of spans.entries())
        if (marks[i] === 1 && span.startNs <= endNs) visit(tree, i, stepAt(steps, span.startNs));
    }
  }
  if (state.cut)
    throw new LimitError("the query would have to read too many spans: narrow it, or its time");
  for (const warning of readingWarnings(state)) warnings.add(warning);
}
