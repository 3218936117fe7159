/** Reads what a plan needs before anything is evaluated: every selector once, for all the times any of its uses looks at. */
import type { Matcher, MetricReader } from "@skopos/model";
import {
  childrenOfNode,
  type Grid,
  lastTime,
  type PlanNode,
  referenceTime,
  type SelectNode,
  subqueryGrid,
  type TimeReference,
  type WindowSelect,
} from "../plan/plan.ts";
import type { Annotations } from "./annotations.ts";
import { type Columns, columnsOf } from "./columns.ts";
import type { Budget } from "./limits.ts";

interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

interface Source extends Span {
  readonly columns: Columns;
}

interface Wanted {
  readonly matchers: readonly Matcher[];
  readonly spans: Span[];
  /** The narrowest window of any use; 0 when a use looks at every sample. */
  resolutionMs: number;
}

/** Functions that few samples of a window serve as well as all, so long as its ends, resets and extremes are among them. */
const endsSuffice = new Set([
  "rate",
  "increase",
  "delta",
  "last_over_time",
  "min_over_time",
  "max_over_time",
  "present_over_time",
  "absent_over_time",
]);

/** The fetched samples of a query. */
export class Sources {
  readonly #byKey: ReadonlyMap<string, readonly Source[]>;

  constructor(byKey: ReadonlyMap<string, readonly Source[]>) {
    this.#byKey = byKey;
  }

  /** Samples of the selector that cover (startMs, endMs]. */
  columns(matchers: readonly Matcher[], { startMs, endMs }: Span): Columns {
    const sources = this.#byKey.get(keyOf(matchers)) ?? [];
    const source = sources.find((each) => each.startMs <= startMs && each.endMs >= endMs);
    if (!source) throw new Error("invariant broken: a selector was not fetched");
    return source.columns;
  }
}

/** All times a selector looks at over a grid, left-open. */
function spanOf(reference: TimeReference, grid: Grid, rangeMs: number): Span {
  const first = referenceTime(reference, grid.startMs);
  const last = referenceTime(reference, lastTime(grid));
  return { startMs: Math.min(first, last) - rangeMs, endMs: Math.max(first, last) };
}

/** What a selector reads; extended ones look beyond their window by the look-back. */
export function spanOfSelector(
  node: SelectNode | WindowSelect,
  grid: Grid,
  lookbackMs: number,
): Span {
  const rangeMs = node.kind === "select" ? lookbackMs : node.rangeMs;
  const { startMs, endMs } = spanOf(node.reference, grid, rangeMs);
  if (!node.extend) return { startMs, endMs };
  return {
    startMs: node.kind === "select" ? startMs : startMs - lookbackMs,
    endMs: node.extend === "smoothed" ? endMs + lookbackMs : endMs,
  };
}

export async function fetchSources(
  root: PlanNode,
  grid: Grid,
  lookbackMs: number,
  reader: MetricReader,
  budget: Budget,
  annotations: Annotations,
): Promise<Sources> {
  const wanted = new Map<string, Wanted>();
  collect(root, grid, lookbackMs, (matchers, span, resolutionMs) => {
    const key = keyOf(matchers);
    const entry = wanted.get(key);
    if (entry) {
      entry.spans.push(span);
      entry.resolutionMs = Math.min(entry.resolutionMs, resolutionMs);
    } else wanted.set(key, { matchers, spans: [span], resolutionMs });
  });
  const byKey = new Map<string, Source[]>();
  for (const [key, { matchers, spans, resolutionMs }] of wanted) {
    const sources: Source[] = [];
    for (const span of joined(spans)) {
      budget.poll();
      const block = await reader.select({
        matchers,
        ...span,
        ...(resolutionMs > 0 && { resolutionMs }),
        seriesMax: budget.limits.seriesMax,
        samplesMax: budget.limits.samplesMax,
        cancelled: budget.shouldStop,
      });
      for (const warning of block.warnings) annotations.addWarning(warning);
      sources.push({ ...span, columns: columnsOf(block) });
    }
    byKey.set(key, sources);
  }
  return new Sources(byKey);
}

function keyOf(matchers: readonly Matcher[]): string {
  return JSON.stringify(matchers.map(({ name, op, value }) => [name, op, value]));
}

function collect(
  node: PlanNode,
  grid: Grid,
  lookbackMs: number,
  add: (matchers: readonly Matcher[], span: Span, resolutionMs: number) => void,
): void {
  if (node.kind === "select") {
    const coarse = grid.count > 1 && node.take === "value" && !node.extend;
    add(node.matchers, spanOfSelector(node, grid, lookbackMs), coarse ? grid.stepMs : 0);
  } else if (node.kind === "window-select")
    add(node.matchers, spanOfSelector(node, grid, lookbackMs), 0);
  else if (
    node.kind === "range-call" &&
    node.window.kind === "window-select" &&
    endsSuffice.has(node.name)
  ) {
    const { window } = node;
    const coarse = window.extend ? 0 : window.rangeMs;
    add(window.matchers, spanOfSelector(window, grid, lookbackMs), coarse);
    for (const param of node.params) collect(param, grid, lookbackMs, add);
  } else if (node.kind === "window-subquery") {
    const inner = subqueryGrid(node, grid);
    if (inner.count > 0) collect(node.input, inner, lookbackMs, add);
  } else if (node.kind === "invariant") {
    collect(node.input, { ...grid, count: 1 }, lookbackMs, add);
  } else {
    for (const child of childrenOfNode(node)) collect(child, grid, lookbackMs, add);
  }
}

/** Overlapping spans become one. */
function joined(spans: readonly Span[]): Span[] {
  const sorted = spans.toSorted((a, b) => a.startMs - b.startMs);
  const result: Span[] = [];
  for (const span of sorted) {
    const last = result.at(-1);
    if (last && span.startMs <= last.endMs) {
      result[result.length - 1] = {
        startMs: last.startMs,
        endMs: Math.max(last.endMs, span.endMs),
      };
    } else {
      result.push(span);
    }
  }
  return result;
}
