/** Walks a plan and runs its operators. Everything has been fetched; nothing here waits. */
import { LabelSet, type NativeHistogram, SkoposError } from "@skopos/model";
import {
  type AggregateNode,
  type CallNode,
  type Grid,
  type PlanNode,
  type ScalarNode,
  subqueryGrid,
  type VectorNode,
  type WindowNode,
} from "../plan/plan.ts";
import { aggregate, aggregateQuantile } from "./aggregate.ts";
import { aggregateLimit, aggregateRatio, aggregateTop, countValues } from "./aggregate-select.ts";
import type { Annotations } from "./annotations.ts";
import { callFunction } from "./call.ts";
import type { Columns } from "./columns.ts";
import { selectSmoothed } from "./extended-range.ts";
import { type Sources, spanOfSelector } from "./fetch.ts";
import { absent, emptyFrame, float, Frame, histogram } from "./frame.ts";
import { noteIgnoredHistograms, withHistogramSums } from "./histogram-aggregate.ts";
import { addInfoLabels } from "./info.ts";
import type { Budget } from "./limits.ts";
import { checkQuantile, rangeCall } from "./range-call.ts";
import { combine } from "./scalar-op.ts";
import { SeriesLabels } from "./series-labels.ts";
import { selectInstant } from "./select.ts";
import { setOperation } from "./set-op.ts";
import { negate, vectorScalar } from "./vector-scalar.ts";
import { vectorVector } from "./vector-vector.ts";

export interface EvaluationContext {
  readonly sources: Sources;
  readonly annotations: Annotations;
  readonly budget: Budget;
  readonly lookbackMs: number;
  /** Metric names are dropped at the end of the query, not by each operator. */
  readonly delayedNames: boolean;
  readonly sharedTexts: ReadonlySet<string>;
  /** Called after each operator, its inputs first. */
  readonly onOperator?: ((node: PlanNode, cost: OperatorCost) => void) | undefined;
  readonly nowMs: () => number;
}

/** `elapsedMs` includes the inputs, `series` is what the operator returned, `reused` that it was evaluated before. */
interface OperatorCost {
  readonly elapsedMs: number;
  readonly series: number;
  readonly depth: number;
  readonly reused: boolean;
}

export class Evaluator {
  readonly #context: EvaluationContext;
  readonly #memo = new Map<string, Frame>();
  #depth = 0;

  constructor(context: EvaluationContext) {
    this.#context = context;
  }

  vector(node: VectorNode, grid: Grid): Frame {
    const shared = this.#context.sharedTexts.has(node.text);
    const key = shared ? `${grid.startMs} ${grid.stepMs} ${grid.count} ${node.text}` : "";
    const known = shared ? this.#memo.get(key) : undefined;
    const { nowMs, onOperator, budget } = this.#context;
    const depth = this.#depth;
    if (known) {
      onOperator?.(node, { elapsedMs: 0, series: known.series, depth, reused: true });
      return known;
    }
    const startedMs = onOperator ? nowMs() : 0;
    this.#depth = depth + 1;
    const frame = this.#compute(node, grid);
    this.#depth = depth;
    budget.allocate(frame.values.length);
    onOperator?.(node, {
      elapsedMs: nowMs() - startedMs,
      series: frame.series,
      depth,
      reused: false,
    });
    if (shared) this.#memo.set(key, frame);
    return frame;
  }

  #compute(node: VectorNode, grid: Grid): Frame {
    const { sources, annotations, budget, lookbackMs, delayedNames: delayed } = this.#context;
    const poll = () => budget.poll();
    switch (node.kind) {
      case "select": {
        const span = spanOfSelector(node, grid, lookbackMs);
        const columns = sources.columns(node.matchers, span);
        if (node.extend) return selectSmoothed(node, columns, grid, lookbackMs, annotations);
        return selectInstant(node, columns, grid, lookbackMs, poll);
      }
      case "range-call": {
        const params = node.params.map((param) => this.scalar(param, grid));
        const columns = this.windowColumns(node.window, grid);
        const call = { name: node.name, window: node.window, params };
        return rangeCall(call, columns, grid, { annotations, delayed, poll, lookbackMs });
      }
      case "call": {
        const input = node.inputs[0] ? this.vector(node.inputs[0], grid) : emptyFrame(grid.count);
        if (node.name === "info") return this.#info(node, input, grid);
        const scalars = node.scalars.map((scalar) => this.scalar(scalar, grid));
        return callFunction(node, input, scalars, { grid, annotations, delayed });
      }
      case "from-scalar": {
        const values = this.scalar(node.scalar, grid);
        const present = new Uint8Array(grid.count).fill(float);
        return new Frame({ labels: [LabelSet.empty], steps: grid.count, values, present });
      }
      case "aggregate":
        return this.#aggregate(node, grid);
      case "vector-scalar": {
        const vector = this.vector(node.vector, grid);
        return vectorScalar(node, vector, this.scalar(node.scalar, grid), delayed, annotations);
      }
      case "vector-vector": {
        const left = this.vector(node.left, grid);
        return vectorVector(node, left, this.vector(node.right, grid), delayed, annotations, poll);
      }
      case "set": {
        const left = this.vector(node.left, grid);
        return setOperation(node, left, this.vector(node.right, grid));
      }
      case "negate":
        return negate(this.vector(node.input, grid), delayed);
      case "invariant":
        return repeat(this.vector(node.input, { ...grid, count: 1 }), grid.count);
    }
  }

  #info(node: CallNode, base: Frame, grid: Grid): Frame {
    const select = node.inputs[1];
    if (select?.kind !== "select") return base;
    const span = spanOfSelector(select, grid, this.#context.lookbackMs);
    if (this.#context.sources.columns(select.matchers, span).histograms)
      throw new SkoposError("execution", "info series must be floats, got histograms");
    return addInfoLabels(base, this.vector(select, grid), node.matchers);
  }

  #aggregate(node: AggregateNode, grid: Grid): Frame {
    const input = this.vector(node.input, grid);
    const param = node.param ? this.scalar(node.param, grid) : new Float64Array(grid.count);
    const { annotations } = this.#context;
    if (input.histograms && floatAggregations.has(node.op))
      noteIgnoredHistograms(node, annotations);
    switch (node.op) {
      case "topk":
      case "bottomk":
        return aggregateTop(node, input, param);
      case "limitk":
        return aggregateLimit(node, input, param);
      case "limit_ratio":
        return aggregateRatio(node, input, param, annotations);
      case "count_values":
        return countValues(node, input);
      case "quantile":
        if (input.present.includes(float)) {
          const span = node.param?.span ?? node.span;
          for (const q of param) checkQuantile(q, span, this.#context.annotations);
        }
        return aggregateQuantile(node, input, param);
      case "sum":
      case "avg": {
        const floats = aggregate(node, input);
        return input.histograms ? withHistogramSums(node, input, floats, annotations) : floats;
      }
      default:
        return aggregate(node, input);
    }
  }

  /** The samples that windows are cut from: fetched ones, or a subquery's results. */
  windowColumns(node: WindowNode, grid: Grid): Columns {
    if (node.kind === "window-select") {
      const span = spanOfSelector(node, grid, this.#context.lookbackMs);
      return this.#context.sources.columns(node.matchers, span);
    }
    const inner = subqueryGrid(node, grid);
    const frame = inner.count > 0 ? this.vector(node.input, inner) : emptyFrame(0);
    return columnsOfFrame(frame, inner);
  }

  scalar(node: ScalarNode, grid: Grid): Float64Array {
    const column = new Float64Array(grid.count);
    switch (node.kind) {
      case "constant":
        return column.fill(node.value);
      case "time":
        for (let t = 0; t < column.length; t++) column[t] = (grid.startMs + t * grid.stepMs) / 1000;
        return column;
      case "to-scalar":
        return onlyValues(this.vector(node.input, grid));
      case "scalar-binary": {
        const left = this.scalar(node.left, grid);
        const right = this.scalar(node.right, grid);
        for (let t = 0; t < column.length; t++)
          column[t] = combine(node.op, left[t] ?? NaN, right[t] ?? NaN);
        return column;
      }
    }
  }
}

/** Aggregations that pass over histograms. */
const floatAggregations: ReadonlySet<string> = new Set([
  "min",
  "max",
  "stddev",
  "stdvar",
  "quantile",
  "topk",
  "bottomk",
]);

/** scalar(): the value where exactly one series has a float, else NaN. */
function onlyValues(frame: Frame): Float64Array {
  const column = new Float64Array(frame.steps).fill(NaN);
  const counts = new Uint32Array(frame.steps);
  for (let cell = 0; cell < frame.values.length; cell++) {
    if (frame.present[cell] !== float) continue;
    const t = cell % frame.steps;
    counts[t] = (counts[t] ?? 0) + 1;
    column[t] = counts[t] === 1 ? (frame.values[cell] ?? NaN) : NaN;
  }
  return column;
}

function repeat(frame: Frame, count: number): Frame {
  if (count === 1) return frame;
  const cells = frame.series * count;
  const values = new Float64Array(cells);
  const present = new Uint8Array(cells);
  const histograms = new Map(frame.histograms);
  histograms.clear();
  for (let s = 0; s < frame.series; s++) {
    values.fill(frame.values[s] ?? NaN, s * count, (s + 1) * count);
    present.fill(frame.present[s] ?? absent, s * count, (s + 1) * count);
    const held = frame.histograms?.get(s);
    if (held) for (let t = 0; t < count; t++) histograms.set(s * count + t, held);
  }
  return new Frame({
    labels: frame.raw,
    steps: count,
    values,
    present,
    histograms,
    dropName: frame.dropName,
    nameless: frame.nameless,
  });
}

/** A subquery may pass over the samples between which a counter reset was or was not: its hints say nothing. */
function unhinted(held: NativeHistogram): NativeHistogram {
  return held.counterReset === "gauge" ? held : { ...held, counterReset: "unknown" };
}

/** A frame as samples at the steps of its grid; series without holes share one time column. */
function columnsOfFrame(frame: Frame, grid: Grid): Columns {
  const { steps } = frame;
  const all = Float64Array.from({ length: grid.count }, (_, t) => grid.startMs + t * grid.stepMs);
  const times = [all];
  const timesOf = new Uint32Array(frame.series);
  const base = new Uint32Array(frame.series);
  const length = new Uint32Array(frame.series);
  const values = new Float64Array(frame.values.length);
  const histograms = new Map(frame.histograms);
  histograms.clear();
  for (let s = 0; s < frame.series; s++) {
    const start = s * steps;
    const own = new Float64Array(steps);
    let count = 0;
    for (let t = 0; t < steps; t++) {
      const what = frame.present[start + t];
      if (what === absent) continue;
      own[count] = all[t] ?? NaN;
      values[start + count] = frame.values[start + t] ?? NaN;
      const held = what === histogram ? frame.histograms?.get(start + t) : undefined;
      if (held) histograms.set(start + count, unhinted(held));
      count += 1;
    }
    base[s] = start;
    length[s] = count;
    if (count < steps) {
      timesOf[s] = times.length;
      times.push(own.subarray(0, count));
    }
  }
  return {
    labels: frame.nameless ? SeriesLabels.of(frame.labels) : frame.raw,
    times,
    timesOf,
    values,
    base,
    length,
    histograms: histograms.size > 0 ? histograms : undefined,
    dropName: frame.dropName,
    hasStale: false,
  };
}
