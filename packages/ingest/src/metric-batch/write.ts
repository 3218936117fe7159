/** Writes a decoded batch to the sink: one page per time, oldest first, then histograms and exemplars. */
import { type AppendOutcome, formatDuration, type MetricSink, type SeriesRef } from "@skopos/model";
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

/** `group` names who sends: series of one group share their times where they can. */
export function writeBatch(
  batch: MetricBatch,
  sink: MetricSink,
  group: string,
  nowMs: number,
): BatchOutcome {
  return new BatchWriter(batch, sink, group, nowMs + aheadMaxMs).write();
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
  readonly #group: number;
  readonly #refs: readonly (SeriesRef | undefined)[];
  readonly #total = { appended: 0, tooOld: 0, duplicates: 0, conflicting: 0 };
  readonly #latestMs: number;
  #refused = 0;
  #tooNew = 0;

  constructor(batch: MetricBatch, sink: MetricSink, group: string, latestMs: number) {
    this.#batch = batch;
    this.#sink = sink;
    this.#latestMs = latestMs;
    this.#group = sink.openGroup(group);
    this.#refs = batch.series.map((series) =>
      typeof series === "number" ? series : sink.series(this.#group, series),
    );
  }

  write(): BatchOutcome {
    this.#writeSamples();
    const samples = this.#total.appended;
    for (const { series, timeMs, histogram } of this.#batch.histograms) {
      const ref = this.#refs[series];
      if (ref === undefined) this.#refused++;
      else if (timeMs > this.#latestMs) this.#tooNew++;
      else this.#add(this.#sink.appendHistogram(this.#group, ref, timeMs, histogram));
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
    const order = timeOrder(timesMs);
    const pageRefs = new Uint32Array(count);
    const pageValues = new Float64Array(count);
    // Bytes, not numbers: a staleness marker is a NaN with a payload.
    const from = new Uint32Array(values.buffer, values.byteOffset, count * 2);
    const to = new Uint32Array(pageValues.buffer);
    let size = 0;
    for (let i = 0; i < count; i++) {
      const k = order ? (order[i] ?? 0) : i;
      const ref = this.#refs[seriesOf[k] ?? 0];
      const timeMs = timesMs[k] ?? 0;
      if (ref === undefined) this.#refused++;
      else if (timeMs > this.#latestMs) this.#tooNew++;
      else {
        pageRefs[size] = ref;
        to[size * 2] = from[k * 2] ?? 0;
        to[size * 2 + 1] = from[k * 2 + 1] ?? 0;
        size++;
      }
      const last = i + 1 === count || timesMs[order ? (order[i + 1] ?? 0) : i + 1] !== timeMs;
      if (!last || size === 0) continue;
      this.#add(this.#sink.appendPage(this.#group, timeMs, pageRefs, pageValues, size));
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

/** The samples' order by time; undefined when they are in order already. */
function timeOrder(timesMs: Float64Array): Uint32Array | undefined {
  let sorted = true;
  for (let i = 1; i < timesMs.length && sorted; i++)
    sorted = (timesMs[i] ?? 0) >= (timesMs[i - 1] ?? 0);
  if (sorted) return undefined;
  return Uint32Array.from({ length: timesMs.length }, (_, k) => k).sort(
    (a, b) => (timesMs[a] ?? 0) - (timesMs[b] ?? 0),
  );
}
