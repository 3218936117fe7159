/** How a query is answered: by the store alone, or here on the traces that the store cannot rule out. */
import type { SpanField, SpanPredicate, TracePredicate } from "@skopos/model";
import type { Field, MetricCall, MetricExpr, Query, Stage } from "../syntax/ast.ts";
import { describePredicate, describeTraces } from "./describe.ts";
import { boundOf, storedField, traceBound } from "./predicate.ts";

export type SpanPlan =
  /** The store finds the traces and the spans in them. */
  | { readonly type: "store"; readonly where: SpanPredicate }
  /** The store names traces that may match; they are read whole and evaluated here. */
  | { readonly type: "candidates"; readonly where: TracePredicate };

export function planSpans(stages: readonly Stage[]): SpanPlan {
  const filter = onlyFilter(stages);
  return filter
    ? { type: "store", where: filter }
    : { type: "candidates", where: traceBound(stages) };
}

/** The one filter of a pipeline that does nothing else to sets, where the store can decide it. */
function onlyFilter(stages: readonly Stage[]): SpanPredicate | undefined {
  const acting = stages.filter(({ type }) => type !== "select" && type !== "coalesce");
  if (acting.length === 0 || acting.some(({ type }) => type !== "filter")) return undefined;
  const bounds = acting.map((stage) => boundOf(stage.type === "filter" ? stage.expr : undefined));
  if (!bounds.every(({ exact }) => exact)) return undefined;
  const [only] = bounds;
  return only && bounds.length === 1
    ? only.where
    : { type: "all", of: bounds.map(({ where }) => where) };
}

export interface StoreAggregation {
  readonly where: SpanPredicate;
  readonly by: readonly SpanField[];
  readonly value: SpanField | undefined;
}

/** What the store is asked to count; undefined where it cannot. */
export function planMetric(call: MetricCall): StoreAggregation | undefined {
  const where = onlyFilter(call.stages);
  if (!where) return undefined;
  const by = call.by.map(singleField);
  if (!by.every((field) => field !== undefined)) return undefined;
  if (!call.field) return { where, by, value: undefined };
  const value = singleField(call.field);
  return value ? { where, by, value } : undefined;
}

/** A field that a span has once, in the store's terms. */
function singleField(field: Field): SpanField | undefined {
  if (field.scope === "event" || field.scope === "link" || field.scope === "instrumentation")
    return undefined;
  if (/^(?:event|link)/.test(field.name) && field.scope === "intrinsic") return undefined;
  return storedField(field);
}

/** What the store does for the query and what is done here, a line each. */
export function explain(query: Query): string[] {
  if (query.type === "spans") return [explainSpans(query.stages)];
  return explainSeries(query.expr);
}

function explainSpans(stages: readonly Stage[]): string {
  const plan = planSpans(stages);
  return plan.type === "store"
    ? `store: spans where ${describePredicate(plan.where)}`
    : `store: traces with ${describeTraces(plan.where)}; here: the pipeline`;
}

function explainSeries(expr: MetricExpr): string[] {
  switch (expr.type) {
    case "number":
      return [];
    case "math":
      return [...explainSeries(expr.left), ...explainSeries(expr.right), `here: ${expr.op}`];
    case "top":
    case "threshold":
      return [...explainSeries(expr.of), `here: ${expr.type === "top" ? expr.name : expr.op}`];
    case "compare":
      return [explainSpans(expr.stages), "here: compare"];
    case "metric": {
      const pushed = planMetric(expr);
      return pushed
        ? [`store: ${expr.name} of spans where ${describePredicate(pushed.where)}`]
        : [explainSpans(expr.stages), `here: ${expr.name}`];
    }
  }
}
