/** Writes a decoded batch to the sink: one page per time and group, oldest first, then histograms and exemplars. */
import {
  type AppendOutcome,
  formatDuration,
  type GroupRef,
  type LabelSet,
  type MetricSink,
  type SeriesRef,
} from "@skopos/model";
import type { MetricBatch } from "./batch.ts";

export interface BatchOutcome extends AppendOutcome {
  /** Of `appended`, the plain samples and the histograms. */
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  /** Samples and histograms of series that the store's series limit refused. */
  readonly refused: number;
  /** Of a time too far ahead: one wrong clock must not make everything after it too old. */
  readonly tooNew: number;
  /** Of the batch's series; undefined where the store refused one. Valid until the group is closed. */
  readonly refs: readonly (SeriesRef | undefined)[];
}

/** How far ahead of our clock a sample's time may be, as in Prometheus. */
export const aheadMaxMs = 10 * 60_000;

/** Of which group a series is: those of one group share their times where they can. */
export interface SeriesGroups {
  groupFor(labels: LabelSet): GroupRef;
  /** Of a ref that the batch brings with it. */
  groupOf(ref: SeriesRef): GroupRef;
}

/** `groups` names who sends, when all is of one group. */
export function writeBatch(
  batch: MetricBatch,
  sink: MetricSink,
  groups: string | SeriesGroups,
  nowMs: number,
): BatchOutcome {
  if (typeof groups !== "string")
    return new BatchWriter(batch, sink, groups, nowMs + aheadMaxMs).write();
  const group = sink.openGroup(groups);
  const one = { groupFor: () => group, groupOf: () => group };
  return new BatchWriter(batch, sink, one, nowMs + aheadMaxMs).write();
}

/** What is wrong with a batch that was not stored whole, "" when nothing is. */
export function lossOf(batch: MetricBatch, outcome: BatchOutcome): string {
  const why: string[] = [];
  if (batch.rejected > 0)
    why.push(`${batch.rejected} samples could not be used (${batch.reasons.join("; ")})`);
  if (outcome.tooOld > 0)
    why.push(`${outcome.tooOld} samples are older than the out-of-order window`);
  if (outcome.tooNew > 0)
    why.push(`${outcome.tooNew} samples are more than ${formatDuration(aheadMaxMs)} in the future`);
  if (outcome.refused > 0)
    why.push(`${outcome.refused} samples belong to series above the series limit`);
  return why.join("; ");
}

class BatchWriter {
  readonly #batch: MetricBatch;
  readonly #sink: MetricSink;
  /** By series of the batch. */
  readonly #groups: Uint32Array;
  readonly #refs: readonly (SeriesRef | undefined)[];
  readonly #total = { appended: 0, tooOld: 0, duplicates: 0, conflicting: 0 };
  readonly #latestMs: number;
  #refused = 0;
  #tooNew = 0;

  constructor(batch: MetricBatch, sink: MetricSink, groups: SeriesGroups, latestMs: number) {
    this.#batch = batch;
    this.#sink = sink;
    this.#latestMs = latestMs;
    const groupOf = new Uint32Array(batch.series.length);
    this.#groups = groupOf;
    this.#refs = batch.series.map((series, i) => {
      if (typeof series === "number") {
        groupOf[i] = groups.groupOf(series);
        return series;
      }
      const group = groups.groupFor(series);
      groupOf[i] = group;
      return sink.series(group, series);
    });
  }

  write(): BatchOutcome {
    this.#writeSamples();
    const samples = this.#total.appended;
    for (const { series, timeMs, histogram } of this.#batch.histograms) {
      const ref = this.#refs[series];
      if (ref === undefined) this.#refused++;
      else if (timeMs > this.#latestMs) this.#tooNew++;
      else {
        const group = this.#groups[series] ?? 0;
        this.#add(this.#sink.appendHistogram(group, ref, timeMs, histogram));
      }
    }
    const histograms = this.#total.appended - samples;
    let exemplars = 0;
    for (const { series, exemplar } of this.#batch.exemplars) {
      const ref = this.#refs[series];
      if (ref === undefined || exemplar.timeMs > this.#latestMs) continue;
      this.#sink.appendExemplar(ref, exemplar);
      exemplars++;
    }
    return {
      ...this.#total,
      samples,
      histograms,
      exemplars,
      refused: this.#refused,
      tooNew: this.#tooNew,
      refs: this.#refs,
    };
  }

  #writeSamples(): void {
    const { seriesOf, timesMs, values } = this.#batch;
    const count = values.length;
    const groups = this.#groups;
    const order = pageOrder(timesMs, seriesOf, groups);
    const pageRefs = new Uint32Array(count);
    const pageValues = new Float64Array(count);
    // Bytes, not numbers: a staleness marker is a NaN with a payload.
    const from = new Uint32Array(values.buffer, values.byteOffset, count * 2);
    const to = new Uint32Array(pageValues.buffer);
    let size = 0;
    for (let i = 0; i < count; i++) {
      const k = order ? (order[i] ?? 0) : i;
      const series = seriesOf[k] ?? 0;
      const ref = this.#refs[series];
      const timeMs = timesMs[k] ?? 0;
      if (ref === undefined) this.#refused++;
      else if (timeMs > this.#latestMs) this.#tooNew++;
      else {
        pageRefs[size] = ref;
        to[size * 2] = from[k * 2] ?? 0;
        to[size * 2 + 1] = from[k * 2 + 1] ?? 0;
        size++;
      }
      const next = order ? (order[i + 1] ?? 0) : i + 1;
      const more =
        i + 1 < count && timesMs[next] === timeMs && groups[seriesOf[next] ?? 0] === groups[series];
      if (more || size === 0) continue;
      this.#add(this.#sink.appendPage(groups[series] ?? 0, timeMs, pageRefs, pageValues, size));
      size = 0;
    }
  }

  #add(outcome: AppendOutcome): void {
    this.#total.appended += outcome.appended;
    this.#total.tooOld += outcome.tooOld;
    this.#total.duplicates += outcome.duplicates;
    this.#total.conflicting += outcome.conflicting;
  }
}

/** Where pages would be smaller than this, samples are put in the order of their groups first. */
const pageSizeMin = 8;

/**
 * An order of the samples by time, and of each time in pieces by group; undefined when they are so already. Senders write a
 * target's series one behind the other, so that mostly nothing has to be sorted.
 */
function pageOrder(
  timesMs: Float64Array,
  seriesOf: Uint32Array,
  groups: Uint32Array,
): Uint32Array | undefined {
  const count = timesMs.length;
  let sorted = true;
  let pieces = 1;
  for (let i = 1; i < count && sorted; i++) {
    const before = timesMs[i - 1] ?? 0;
    const timeMs = timesMs[i] ?? 0;
    sorted = timeMs >= before;
    if (timeMs === before && groups[seriesOf[i] ?? 0] !== groups[seriesOf[i - 1] ?? 0]) pieces++;
  }
  if (sorted && pieces * pageSizeMin <= count + pageSizeMin) return undefined;
  const groupAt = (k: number) => groups[seriesOf[k] ?? 0] ?? 0;
  return Uint32Array.from({ length: count }, (_, k) => k).sort(
    (a, b) => (timesMs[a] ?? 0) - (timesMs[b] ?? 0) || groupAt(a) - groupAt(b) || a - b,
  );
}
