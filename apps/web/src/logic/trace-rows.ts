/** A trace's outline as rows of a waterfall: which are visible, where their bars stand, which are retries. */
import type { TraceOutline } from "@skopos/api";

/** Deeper than this, rows are not indented further. */
export const depthMax = 40;

/** Rows to show, in order. `collapsed` holds rows whose descendants are hidden; cost is that of what is shown. */
export function visibleRows(
  { below }: Pick<TraceOutline, "below">,
  collapsed: ReadonlySet<number>,
): number[] {
  const rows: number[] = [];
  for (let row = 0; row < below.length; row++) {
    rows.push(row);
    if (collapsed.has(row)) row += below[row] ?? 0;
  }
  return rows;
}

/** Every row that has something below it. */
export function foldableRows({ below }: Pick<TraceOutline, "below">): number[] {
  return below.flatMap((count, row) => (count > 0 ? [row] : []));
}

/** The rows from the root down to `row`, itself left out: those to unfold so that it can be seen. */
export function rowsAbove({ parent }: Pick<TraceOutline, "parent">, row: number): number[] {
  const above: number[] = [];
  for (let at = parent[row] ?? -1; at >= 0; at = parent[at] ?? -1) above.push(at);
  return above;
}

/** Attempts after a failed one. */
export function retryRows({ patterns }: Pick<TraceOutline, "patterns">): ReadonlySet<number> {
  return new Set(
    patterns.filter(({ kind }) => kind === "retry").flatMap(({ rows }) => rows.slice(1)),
  );
}

/** Position and width of a bar in percent of the trace; never thinner than what can be seen. */
export function barOf(
  offsetMs: number,
  durationMs: number,
  traceMs: number,
): { left: number; width: number } {
  if (traceMs <= 0) return { left: 0, width: 100 };
  const left = Math.min(99.7, Math.max(0, (offsetMs / traceMs) * 100));
  return { left, width: Math.max(0.3, Math.min(100 - left, (durationMs / traceMs) * 100)) };
}

/** Round times for the ruler, from 0 on, at most six. */
export function rulerTicks(traceMs: number): number[] {
  if (traceMs <= 0) return [0];
  const rough = traceMs / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
  const ticks: number[] = [];
  for (let at = 0; at < traceMs * 0.97; at += step) ticks.push(at);
  return ticks;
}

export interface OperationRow {
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  spans: number;
  errors: number;
  totalMs: number;
  exclusiveMs: number;
  maxMs: number;
  /** The row of the longest one. */
  longest: number;
}

/** Rows of the statistics table: each operation of each service once. */
export function operationRows(outline: TraceOutline): OperationRow[] {
  const operations = new Map<string, OperationRow>();
  outline.spanIds.forEach((_, row) => {
    const service = outline.services[outline.service[row] ?? 0]?.name ?? "";
    const name = outline.names[outline.name[row] ?? 0] ?? "";
    const kind = outline.kind[row] ?? "";
    const key = `${outline.service[row]} ${outline.name[row]} ${kind}`;
    const known = operations.get(key) ?? {
      service,
      name,
      kind,
      spans: 0,
      errors: 0,
      totalMs: 0,
      exclusiveMs: 0,
      maxMs: -1,
      longest: row,
    };
    const durationMs = outline.durationsMs[row] ?? 0;
    known.spans++;
    if (outline.status[row] === "error") known.errors++;
    known.totalMs += durationMs;
    known.exclusiveMs += outline.exclusiveMs[row] ?? 0;
    if (durationMs > known.maxMs) {
      known.maxMs = durationMs;
      known.longest = row;
    }
    operations.set(key, known);
  });
  return [...operations.values()];
}
