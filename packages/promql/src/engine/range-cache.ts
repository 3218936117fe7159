/**
 * Range queries that are asked again with a later end: steps that can no longer change are taken from the last answer, the
 * rest is evaluated. Exact by these rules. A step is kept when everything it looks at was older than `settleMs` as it was
 * evaluated; whoever stores samples older than that moves the `generation`, and with it everything kept is void. Nothing is
 * kept of queries whose steps depend on more than their own time, that reach beyond what the store holds at first hand, or
 * whose answers carry warnings, infos or native histograms.
 *
 * Bounded by `bytesMax`; what was not asked for longest goes first.
 */
import {
  type Clock,
  LabelSet,
  type MatrixSeries,
  type MetricEngine,
  type MetricResult,
  type RangeQuery,
} from "@skopos/model";
import type { PlanCache } from "../plan/plan-cache.ts";
import { Reaches, type StepReach } from "../plan/reach.ts";
import { compareLabels } from "./call.ts";
import { WrittenSeries } from "./written-series.ts";

export interface RangeCacheOptions {
  readonly clock: Clock;
  readonly bytesMax: number;
  readonly settleMs: number;
  /** Moves after samples older than `settleMs` were stored, and after any were deleted. */
  readonly generation: () => string;
  /** From this time on the store has every sample itself. */
  readonly heldSinceMs: () => number;
  /** Those of the engine that is asked, so that a text is parsed once. */
  readonly plans?: Pick<PlanCache, "parsed">;
}

/** The final steps of one query, from and to inclusive. */
interface Entry {
  readonly generation: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly series: readonly WrittenSeries[];
  readonly sizeBytes: number;
}

/** Of a point that is kept, text included. */
const pointBytesMin = 40;
const defaultLookbackMs = 300_000;

/** What can be said about a range query before it is asked; undefined when its answer may still change. */
export function finalReach(
  query: Pick<RangeQuery, "query" | "startMs" | "endMs">,
  options: Omit<RangeCacheOptions, "bytesMax" | "generation"> & { readonly reaches: Reaches },
  lookbackMs = defaultLookbackMs,
): StepReach | undefined {
  const settled = options.clock.nowMs() - options.settleMs;
  // Most dashboards ask up to now: settled without a look at the text.
  if (query.endMs > settled) return undefined;
  const reach = options.reaches.of(query.query, lookbackMs);
  if (!reach || query.startMs - reach.backMs < options.heldSinceMs()) return undefined;
  return query.endMs + reach.aheadMs <= settled ? reach : undefined;
}

export class RangeCache {
  readonly #options: RangeCacheOptions;
  /** Least recently asked for first. */
  readonly #entries = new Map<string, Entry>();
  readonly #reaches: Reaches;
  #sizeBytes = 0;

  constructor(options: RangeCacheOptions) {
    this.#options = options;
    const { plans } = options;
    this.#reaches = new Reaches(plans && ((text) => plans.parsed(text)));
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** As `engine.range`, whose look-back must be the one given. */
  async range(
    engine: Pick<MetricEngine, "range">,
    query: RangeQuery,
    lookbackMs = defaultLookbackMs,
  ): Promise<MetricResult> {
    const reach = this.#reaches.of(query.query, lookbackMs);
    const { startMs, endMs, stepMs } = query;
    if (!reach || !(stepMs > 0) || startMs - reach.backMs < this.#options.heldSinceMs())
      return engine.range(query);
    // Before anything is read: what changes meanwhile moves the generation on.
    const generation = this.#options.generation();
    const settledMs = this.#options.clock.nowMs() - this.#options.settleMs - reach.aheadMs;
    const phase = ((startMs % stepMs) + stepMs) % stepMs;
    const key = `${stepMs} ${phase} ${lookbackMs} ${query.query}`;
    const known = this.#take(key, generation, startMs);
    const nextMs = known ? known.toMs + stepMs : startMs;
    const tail = nextMs > endMs ? undefined : await engine.range({ ...query, startMs: nextMs });
    const result = this.#written(joined(known, tail, startMs, endMs));
    if (result) this.#keep(key, generation, query, Math.min(settledMs, endMs), result, known);
    return result ?? engine.range(query);
  }

  /** The entry, if it holds the first step that is asked for. */
  #take(key: string, generation: string, startMs: number): Entry | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#drop(key, entry);
    if (entry.generation !== generation || entry.fromMs > startMs || entry.toMs < startMs)
      return undefined;
    this.#put(key, entry);
    return entry;
  }

  /** The answer with its points as text, unless it could not be kept anyway. */
  #written(result: MetricResult | undefined): MetricResult | undefined {
    if (result?.value.type !== "matrix") return result;
    let points = 0;
    for (const { times } of result.value.series) points += times.length;
    if (points * pointBytesMin > this.#options.bytesMax) return result;
    const series = result.value.series.map((each) => WrittenSeries.of(each) ?? each);
    return { ...result, value: { type: "matrix", series } };
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#sizeBytes -= entry.sizeBytes;
  }

  #put(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#sizeBytes += entry.sizeBytes;
  }

  #keep(
    key: string,
    generation: string,
    { startMs, stepMs }: RangeQuery,
    untilMs: number,
    { value, warnings, infos }: MetricResult,
    known: Entry | undefined,
  ): void {
    const toMs = startMs + Math.floor((untilMs - startMs) / stepMs) * stepMs;
    const old = this.#entries.get(key);
    if (value.type !== "matrix" || warnings.length + infos.length > 0 || toMs < startMs) return;
    // A shorter question must not take from what a longer one left.
    if (known && known.toMs >= toMs) return;
    const series: WrittenSeries[] = [];
    let sizeBytes = 0;
    for (const each of value.series) {
      if (!(each instanceof WrittenSeries)) return;
      const to = firstAfter(each.times, toMs);
      if (to === 0) continue;
      series.push(each.part(0, to));
      // A part holds on to the whole.
      sizeBytes += each.sizeBytes;
    }
    if (old) this.#drop(key, old);
    if (sizeBytes > this.#options.bytesMax) return;
    this.#put(key, { generation, fromMs: startMs, toMs, series, sizeBytes });
    for (const [oldest, entry] of this.#entries) {
      if (this.#sizeBytes <= this.#options.bytesMax) break;
      this.#drop(oldest, entry);
    }
  }
}

/** Index of the first time that is greater. */
function firstAfter(times: Float64Array, timeMs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Kept steps and evaluated ones as one answer, series by label order; undefined when they do not fit together. */
function joined(
  known: Entry | undefined,
  tail: MetricResult | undefined,
  startMs: number,
  endMs: number,
): MetricResult | undefined {
  if (!known) return tail;
  const kept = known.series
    .map((series) =>
      series.part(firstAfter(series.times, startMs - 1), firstAfter(series.times, endMs)),
    )
    .filter(({ times }) => times.length > 0);
  if (!tail) return { value: { type: "matrix", series: kept }, warnings: [], infos: [] };
  const { value, warnings, infos } = tail;
  if (value.type !== "matrix") return undefined;
  return { value: { type: "matrix", series: mergedSeries(kept, value.series) }, warnings, infos };
}

function mergedSeries(
  kept: readonly WrittenSeries[],
  added: readonly MatrixSeries[],
): MatrixSeries[] {
  const byKey = new Map<string, { labels: LabelSet; series: MatrixSeries }>();
  for (const series of kept) {
    const labels = LabelSet.fromMap(series.labels);
    byKey.set(labels.key, { labels, series });
  }
  let isNew = false;
  for (const series of added) {
    const labels = LabelSet.fromMap(series.labels);
    const before = byKey.get(labels.key);
    isNew ||= !before;
    byKey.set(labels.key, { labels, series: before ? appended(before.series, series) : series });
  }
  const all = [...byKey.values()];
  if (isNew) all.sort((a, b) => compareLabels(a.labels, b.labels));
  return all.map(({ series }) => series);
}

function appended(first: MatrixSeries, second: MatrixSeries): MatrixSeries {
  const [before, after] = [WrittenSeries.of(first), WrittenSeries.of(second)];
  if (before && after) return before.followedBy(after);
  const offset = first.times.length;
  const times = new Float64Array(offset + second.times.length);
  times.set(first.times);
  times.set(second.times, offset);
  const values = new Float64Array(times.length);
  values.set(first.values);
  values.set(second.values, offset);
  const histograms = new Map(
    Array.from(second.histograms ?? [], ([i, held]) => [i + offset, held] as const),
  );
  return { labels: second.labels, times, values, histograms };
}
