/**
 * Range aggregations: the store's counts put together into windows where it can count, else lines read in batches, run
 * through their stages and sorted into series.
 */
import {
  type LogCountSeries,
  type LogSelectionPlan,
  type Matcher,
  SkoposError,
} from "@skopos/model";
import { errorLabel, LineState } from "../pipeline/line-state.ts";
import { compilePipeline } from "../pipeline/pipeline.ts";
import { compileUnwrap } from "../pipeline/unwrap.ts";
import type { Grouping, RangeAggregation, Stage } from "../syntax/ast.ts";
import { formatStage } from "../syntax/format.ts";
import { byteLength, tooManySeries } from "./count-lines.ts";
import type { Evaluation } from "./evaluate.ts";
import { type CountPushDown, needed, pushDown, pushDownCounts } from "./push-down.ts";
import { lineBatches } from "./read-lines.ts";
import { emptySeries, type Grid, type Series, SeriesLabels } from "./series.ts";
import { Samples, type Window, windowFunction } from "./window.ts";

const nsPerMs = 1_000_000;

/** `grouping` is that of a sum around this, when summing the parts is the same. */
export async function evaluateRange(
  expr: RangeAggregation,
  grouping: Grouping | undefined,
  evaluation: Evaluation,
): Promise<Series[]> {
  const isAbsent = expr.func === "absent_over_time";
  // That something is there is enough, whatever its labels.
  const asked = isAbsent && !expr.unwrap ? anything : grouping;
  const counts = pushDownCounts(isAbsent ? { ...expr, func: "count_over_time" } : expr, asked);
  const series =
    counts && evaluation.reader.counts
      ? await fromCounts(expr, counts, evaluation)
      : await fromLines(expr, asked, evaluation);
  return isAbsent ? absent(expr, series, evaluation.grid.count) : series;
}

const anything: Grouping = { type: "by", names: [] };

async function fromCounts(
  expr: RangeAggregation,
  { filter, measure, grouping }: CountPushDown,
  evaluation: Evaluation,
): Promise<Series[]> {
  const { reader, grid, limits, signal, plan } = evaluation;
  const layout = new BucketLayout(expr, grid);
  plan.push({
    reads: "counts",
    lineFilters: filter.filters.length,
    labelConditions: filter.conditions?.length ?? 0,
    grouping,
    stages: [],
    linesRead: 0,
  });
  const found = await reader.counts?.({
    ...filter,
    measure,
    grouping,
    startNs: layout.startNs,
    endNs: layout.endNs,
    stepNs: layout.stepNs,
    splitNs: layout.splitNs,
    seriesMax: limits.seriesMax,
    ...(signal ? { signal } : {}),
  });
  const perSecond = expr.func === "rate" || expr.func === "bytes_rate" ? expr.rangeMs / 1000 : 1;
  return (found ?? []).map((one) => layout.windows(one, perSecond));
}

/**
 * The windows of a query as runs of buckets. Both edges of every window must be edges of buckets: edges lie at the steps,
 * and at the steps less the range, so that a step is split in two where the range is no multiple of it.
 */
class BucketLayout {
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly stepNs: bigint;
  readonly splitNs: bigint;
  readonly #grid: Grid;
  /** Buckets from a window's first to the one after its last. */
  readonly #bucketsPerWindow: number;
  readonly #bucketsPerStep: number;
  readonly #bucketCount: number;

  constructor({ rangeMs, offsetMs }: RangeAggregation, grid: Grid) {
    const rangeNs = nsOf(rangeMs);
    // An instant query is one step of one window.
    this.stepNs = grid.count === 1 ? rangeNs : nsOf(grid.stepMs);
    this.splitNs = rangeNs % this.stepNs;
    const whole = Number(rangeNs / this.stepNs);
    this.startNs = nsOf(grid.startMs) - nsOf(offsetMs) - rangeNs;
    this.endNs = this.startNs + rangeNs + BigInt(grid.count - 1) * this.stepNs;
    this.#bucketsPerStep = this.splitNs === 0n ? 1 : 2;
    this.#bucketsPerWindow = whole * this.#bucketsPerStep + (this.splitNs === 0n ? 0 : 1);
    this.#bucketCount = (grid.count - 1) * this.#bucketsPerStep + this.#bucketsPerWindow;
    this.#grid = grid;
  }

  windows({ labels, buckets, counts }: LogCountSeries, divisor: number): Series {
    const { count } = this.#grid;
    const series = emptySeries(withoutEmpty(labels), count);
    // sums[i] and seen[i]: everything before bucket i.
    const sums = new Float64Array(this.#bucketCount + 1);
    const seen = new Uint32Array(this.#bucketCount + 1);
    for (let i = 0; i < buckets.length; i++) {
      const bucket = buckets[i] ?? 0;
      if (bucket >= this.#bucketCount) continue;
      sums[bucket + 1] = counts[i] ?? 0;
      seen[bucket + 1] = 1;
    }
    for (let i = 1; i < sums.length; i++) {
      sums[i] = (sums[i] ?? 0) + (sums[i - 1] ?? 0);
      seen[i] = (seen[i] ?? 0) + (seen[i - 1] ?? 0);
    }
    for (let step = 0; step < count; step++) {
      const first = step * this.#bucketsPerStep;
      const end = first + this.#bucketsPerWindow;
      if (seen[end] === seen[first]) continue;
      series.values[step] = ((sums[end] ?? 0) - (sums[first] ?? 0)) / divisor;
      series.present[step] = 1;
    }
    return series;
  }
}

/** A store gives "" for a label it did not find. */
function withoutEmpty(labels: Readonly<Record<string, string>>): SeriesLabels {
  const all = SeriesLabels.fromMap(labels);
  return all.filter((name) => all.get(name) !== "");
}

function nsOf(ms: number): bigint {
  return BigInt(Math.round(ms * nsPerMs));
}

interface Collected {
  readonly labels: SeriesLabels;
  readonly samples: Samples;
}

async function fromLines(
  expr: RangeAggregation,
  outer: Grouping | undefined,
  evaluation: Evaluation,
): Promise<Series[]> {
  const { grid } = evaluation;
  const grouping = expr.grouping ?? outer;
  const originMs = grid.startMs - expr.offsetMs - expr.rangeMs;
  const collected = await collect(expr, grouping, nsOf(originMs), evaluation);
  const compute = expr.unwrap
    ? windowFunction(expr.func, expr.parameter)
    : windowFunction(
        expr.func === "rate" || expr.func === "bytes_rate" ? "rate" : "sum_over_time",
        undefined,
      );
  const rangeNs = expr.rangeMs * nsPerMs;
  return collected.map(({ labels, samples }) => {
    samples.sort();
    const series = emptySeries(labels, grid.count);
    let from = 0;
    let to = 0;
    for (let step = 0; step < grid.count; step++) {
      const startNs = step * grid.stepMs * nsPerMs;
      const endNs = startNs + rangeNs;
      while (from < samples.length && (samples.times[from] ?? 0) <= startNs) from++;
      to = Math.max(to, from);
      while (to < samples.length && (samples.times[to] ?? 0) <= endNs) to++;
      if (from === to) continue;
      const window: Window = { samples, from, to, startNs, endNs };
      series.values[step] = compute(window);
      series.present[step] = 1;
    }
    return series;
  });
}

async function collect(
  expr: RangeAggregation,
  grouping: Grouping | undefined,
  originNs: bigint,
  { reader, grid, limits, signal, plan, nowNs }: Evaluation,
): Promise<Collected[]> {
  const { filter, stages: left } = pushDown(expr.selector);
  const isBytes = expr.func === "bytes_rate" || expr.func === "bytes_over_time";
  const stages =
    expr.unwrap || !grouping ? left : needed(left, isBytes ? "bytes" : "lines", grouping);
  const pipeline = compilePipeline(stages, { nowNs, wanted: wantedLabels(expr, stages, grouping) });
  const unwrap = expr.unwrap ? compileUnwrap(expr.unwrap) : undefined;
  const byKey = new Map<string, Collected>();
  const group = new Grouper(grouping, expr.unwrap?.label);
  const line = new LineState();
  let linesRead = 0;
  const batches = lineBatches(reader, {
    ...filter,
    startNs: originNs + 1n,
    endNs: originNs + nsOf(expr.rangeMs) + BigInt(grid.count - 1) * nsOf(grid.stepMs) + 1n,
    linesMax: limits.linesMax,
    ...(signal ? { signal } : {}),
  });
  for await (const batch of batches) {
    linesRead += batch.length;
    for (const record of batch) {
      line.reset(record);
      if (!pipeline(line)) continue;
      const value = unwrap ? unwrap(line) : isBytes ? byteLength(line.text) : 1;
      if (value === undefined) continue;
      if (line.error !== "") throw pipelineError(line);
      const labels = group.of(line);
      let series = byKey.get(labels.key);
      if (!series) {
        if (byKey.size >= limits.seriesMax) throw tooManySeries(limits.seriesMax);
        series = { labels, samples: new Samples() };
        byKey.set(labels.key, series);
      }
      series.samples.push(Number(record.timeNs - originNs), value);
    }
  }
  plan.push({
    reads: "lines",
    lineFilters: filter.filters.length,
    labelConditions: filter.conditions.length,
    stages: stages.map(formatStage),
    linesRead,
  } satisfies LogSelectionPlan);
  return [...byKey.values()];
}

/** A line's labels as those of its series. The label that was unwrapped is not one of them. */
class Grouper {
  readonly #names: ReadonlySet<string> | undefined;
  readonly #by: boolean;
  readonly #unwrapped: string | undefined;

  constructor(grouping: Grouping | undefined, unwrapped: string | undefined) {
    this.#names = grouping ? new Set(grouping.names) : undefined;
    this.#by = grouping?.type === "by";
    this.#unwrapped = unwrapped;
  }

  of(line: LineState): SeriesLabels {
    const map: Record<string, string> = {};
    if (this.#by) {
      for (const name of this.#names ?? []) {
        const value = line.get(name);
        if (value !== undefined) map[name] = value;
      }
      return SeriesLabels.fromMap(map);
    }
    line.forEach((name, value) => {
      if (name !== this.#unwrapped && !this.#names?.has(name)) map[name] = value;
    });
    return SeriesLabels.fromMap(map);
  }
}

/** The labels that something after the parsers looks at; undefined when that is all of them. */
function wantedLabels(
  expr: RangeAggregation,
  stages: readonly Stage[],
  grouping: Grouping | undefined,
): ReadonlySet<string> | undefined {
  if (grouping?.type !== "by") return undefined;
  const wanted = new Set(grouping.names);
  if (expr.unwrap) wanted.add(expr.unwrap.label);
  const filters = stages.flatMap((stage) => (stage.type === "label" ? [stage.filter] : []));
  const pending = [...filters, ...(expr.unwrap?.filters ?? [])];
  for (let filter = pending.pop(); filter; filter = pending.pop())
    if ("left" in filter) pending.push(filter.left, filter.right);
    else wanted.add(filter.name);
  for (const stage of stages) {
    // Templates may look at anything, and names change with label_format.
    if (stage.type === "line_format" || stage.type === "label_format") return undefined;
    if (stage.type === "drop" || stage.type === "keep")
      for (const { name } of stage.targets) wanted.add(name);
  }
  return wanted;
}

function pipelineError(line: LineState): SkoposError {
  const { error } = line;
  const labels = SeriesLabels.fromMap(line.labels());
  return new SkoposError(
    "execution",
    `pipeline error: '${error}' for series: '${labels.toString()}'.\n` +
      `Use a label filter to intentionally skip this error. (e.g | ${errorLabel}!="${error}").\n` +
      `To skip all potential errors you can match empty errors.(e.g ${errorLabel}="")\n` +
      `The label filter can also be specified after unwrap. (e.g | unwrap latency | ${errorLabel}="" )`,
  );
}

function absent(expr: RangeAggregation, series: readonly Series[], count: number): Series[] {
  const result = emptySeries(absentLabels(expr.selector.matchers), count);
  let isAnywhere = false;
  for (let step = 0; step < count; step++) {
    if (series.some(({ present }) => present[step] === 1)) continue;
    result.values[step] = 1;
    result.present[step] = 1;
    isAnywhere = true;
  }
  return isAnywhere ? [result] : [];
}

/** What is known of lines that are not there: labels that one matcher sets to a value, and no other mentions. */
function absentLabels(matchers: readonly Matcher[]): SeriesLabels {
  const map: Record<string, string> = {};
  for (const { name, op, value } of matchers)
    if (op === "=" && matchers.filter((other) => other.name === name).length === 1)
      map[name] = value;
  return SeriesLabels.fromMap(map);
}
