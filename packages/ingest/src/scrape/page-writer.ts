/**
 * Writes a target's pages to the sample sink: resolves each series once, marks series that vanished as stale, adds the
 * scrape's own metrics (`up` …). One group per target; a page and its `up` become visible together.
 */
import {
  type GroupRef,
  LabelSet,
  metricNameLabel,
  type MetricSink,
  type RefKeeper,
  type SeriesRef,
  staleNaN,
  writeNaN,
} from "@skopos/model";
import { IngestError } from "../errors.ts";
import { type Page, PageLayout } from "../exposition/page.ts";
import { parseExposition } from "../exposition/parse.ts";
import { aheadMaxMs } from "../metric-batch/write.ts";
import type { ScrapeJob } from "./config.ts";
import type { Relabeling } from "./relabel.ts";
import { sampleLabels } from "./sample-labels.ts";
import type { Target } from "./target.ts";

const reportNames = [
  "up",
  "scrape_duration_seconds",
  "scrape_samples_scraped",
  "scrape_samples_post_metric_relabeling",
  "scrape_series_added",
] as const;

/** Marks in the slot → series column. */
const unresolved = 0xffffffff;
const dropped = 0xfffffffe;

const noSeries: ReadonlySet<SeriesRef> = new Set();

export interface PageCounts {
  readonly scraped: number;
  readonly kept: number;
  readonly added: number;
  /** Not written because the store's series limit was reached. */
  readonly refused: number;
}

const nothing: PageCounts = { scraped: 0, kept: 0, added: 0, refused: 0 };

export class PageWriter implements RefKeeper {
  readonly #job: ScrapeJob;
  readonly #relabeling: Relabeling;
  readonly #target: Target;
  readonly #sink: MetricSink;
  readonly #group: GroupRef;
  /** In the order of `reportNames`. */
  readonly #reports: (SeriesRef | undefined)[] = [];
  #layout = new PageLayout();
  #seriesOf = new Uint32Array(0);
  /** The page to write: `#refs[i]` gets `#values[i]`. */
  #refs = new Uint32Array(256);
  #values = new Float64Array(256);
  #count = 0;
  /** Series of the last good page that get a marker when they vanish. */
  #live: Set<SeriesRef> = new Set();
  #lastTimeMs = -Infinity;

  constructor(job: ScrapeJob, relabeling: Relabeling, target: Target, sink: MetricSink) {
    this.#job = job;
    this.#relabeling = relabeling;
    this.#target = target;
    this.#sink = sink;
    this.#group = sink.openGroup(target.key, this);
    this.#resolveReports();
  }

  forget(gone: ReadonlySet<SeriesRef>): void {
    for (const [slot, ref] of this.#seriesOf.entries())
      if (gone.has(ref)) this.#seriesOf[slot] = unresolved;
    for (const ref of gone) this.#live.delete(ref);
    // Found anew by the next report.
    this.#reports.length = 0;
  }

  #resolveReports(): void {
    if (this.#reports.length > 0) return;
    for (const name of reportNames) {
      const labels = this.#target.labels.with(metricNameLabel, name);
      this.#reports.push(this.#sink.series(this.#group, labels));
    }
  }

  get layout(): PageLayout {
    return this.#layout;
  }

  /**
   * Writes a fetched page at `timeMs` (samples with times of their own go there when honored). Throws `ExpositionError` or
   * "limit" and then has written nothing: call `writeFailure`.
   */
  writePage(
    body: Uint8Array,
    contentType: string | undefined,
    timeMs: number,
    durationMs: () => number,
  ): PageCounts {
    if (this.#layout.full) this.#forgetLayout();
    const page = parseExposition(body, contentType, this.#layout, { checks: "syntax" });
    const counts = this.#resolve(page);
    this.#writeTimed(page, timeMs);
    const unchanged = page.sameLayout && this.#live.size === this.#count;
    const added = unchanged ? 0 : this.#markVanished(page);
    this.#report({ ...counts, added }, 1, durationMs());
    this.#flush(timeMs);
    if (page.exemplars.length > 0) this.#writeExemplars(page, timeMs);
    return { ...counts, added };
  }

  /** A scrape that failed: every series becomes stale, `up` is 0. */
  writeFailure(timeMs: number, durationMs: number): void {
    this.#count = 0;
    this.#markAll();
    this.#report(nothing, 0, durationMs);
    this.#flush(timeMs);
  }

  /** The target is gone: markers for everything, its report included. */
  end(timeMs: number): void {
    this.#count = 0;
    this.#markAll();
    this.#resolveReports();
    for (const ref of this.#reports) if (ref !== undefined) this.#pushStale(ref);
    this.#flush(timeMs);
    this.#sink.closeGroup(this.#group);
  }

  #forgetLayout(): void {
    this.#layout = new PageLayout();
    this.#seriesOf = new Uint32Array(0);
  }

  /** Fills the page with the samples that carry no time of their own, each series once. */
  #resolve(page: Page): PageCounts {
    this.#count = 0;
    this.#reserve(page.count + this.#live.size + reportNames.length);
    this.#growSlots();
    const sampleLimit = this.#job.limits.samples;
    const honor = this.#job.honorTimestamps && page.hasTimes;
    let kept = 0;
    let refused = 0;
    for (let i = 0; i < page.count; i++) {
      const slot = page.slots[i] ?? 0;
      let ref = this.#seriesOf[slot] ?? unresolved;
      if (ref === unresolved) ref = this.#resolveSlot(slot);
      if (ref === dropped) continue;
      kept++;
      if (ref === unresolved) {
        refused++;
        continue;
      }
      const time = page.timesMs[i] ?? Number.NaN;
      if (honor && time === time) continue;
      this.#refs[this.#count] = ref;
      this.#values[this.#count] = page.values[i] ?? Number.NaN;
      this.#count++;
    }
    if (sampleLimit > 0 && kept > sampleLimit) {
      this.#count = 0;
      throw new IngestError(
        "limit",
        `sample_limit: the page has ${kept} samples, ${sampleLimit} are allowed`,
      );
    }
    return { scraped: page.count, kept, added: 0, refused };
  }

  /** The slot's series; `dropped` by relabelling, or `unresolved` while the store refuses more series. */
  #resolveSlot(slot: number): number {
    const series = this.#layout.labels[slot] ?? LabelSet.empty;
    const labels = sampleLabels(this.#job, this.#relabeling, this.#target.labels, series);
    const ref = labels ? (this.#sink.series(this.#group, labels) ?? unresolved) : dropped;
    this.#seriesOf[slot] = ref;
    return ref;
  }

  /** Samples with explicit times, one page per time, before the scrape's own page. */
  #writeTimed(page: Page, nowMs: number): void {
    if (!page.hasTimes || !this.#job.honorTimestamps) return;
    const byTime = new Map<number, { refs: number[]; values: number[] }>();
    for (let i = 0; i < page.count; i++) {
      const timeMs = page.timesMs[i] ?? Number.NaN;
      const ref = this.#seriesOf[page.slots[i] ?? 0] ?? dropped;
      if (timeMs !== timeMs || ref === dropped || ref === unresolved) continue;
      // As Prometheus: a page that is ahead of us is not believed.
      if (timeMs > nowMs + aheadMaxMs) continue;
      let at = byTime.get(timeMs);
      if (!at) byTime.set(timeMs, (at = { refs: [], values: [] }));
      at.refs.push(ref);
      at.values.push(page.values[i] ?? Number.NaN);
    }
    for (const [timeMs, { refs, values }] of [...byTime].sort(([a], [b]) => a - b)) {
      const columns = [Uint32Array.from(refs), Float64Array.from(values)] as const;
      this.#sink.appendPage(this.#group, timeMs, ...columns, refs.length);
    }
  }

  /** An exemplar without a time gets the sample's, which is the scrape's unless the sample has one of its own. */
  #writeExemplars(page: Page, timeMs: number): void {
    for (const { slot, labels, value, timeMs: own } of page.exemplars) {
      const ref = this.#seriesOf[slot] ?? dropped;
      if (ref === dropped || ref === unresolved) continue;
      if (own !== undefined && own > timeMs + aheadMaxMs) continue;
      this.#sink.appendExemplar(ref, { labels: labels.toMap(), value, timeMs: own ?? timeMs });
    }
  }

  /**
   * Appends a marker for each series of the last page that this one lacks; returns how many are new. Series with times of
   * their own get no markers, as in Prometheus, unless `track_timestamps_staleness` asks for them.
   */
  #markVanished(page: Page): number {
    const now = new Set<SeriesRef>(this.#refs.subarray(0, this.#count));
    // A series that began to carry times of its own has not vanished.
    const timed = page.hasTimes ? this.#timedSeries(page) : noSeries;
    if (this.#job.trackTimestampsStaleness) for (const ref of timed) now.add(ref);
    let added = 0;
    for (const ref of now) if (!this.#live.has(ref)) added++;
    for (const ref of this.#live) if (!now.has(ref) && !timed.has(ref)) this.#pushStale(ref);
    this.#live = now;
    return added;
  }

  #timedSeries(page: Page): Set<SeriesRef> {
    const timed = new Set<SeriesRef>();
    for (let i = 0; i < page.count; i++) {
      const ref = this.#seriesOf[page.slots[i] ?? 0] ?? dropped;
      const timeMs = page.timesMs[i] ?? Number.NaN;
      if (timeMs === timeMs && ref !== dropped && ref !== unresolved) timed.add(ref);
    }
    return timed;
  }

  #markAll(): void {
    this.#reserve(this.#live.size + reportNames.length);
    for (const ref of this.#live) this.#pushStale(ref);
    this.#live = new Set();
  }

  #report(counts: PageCounts, up: number, durationMs: number): void {
    this.#resolveReports();
    const values = [up, durationMs / 1000, counts.scraped, counts.kept, counts.added];
    for (const [i, ref] of this.#reports.entries()) {
      if (ref === undefined) continue;
      this.#refs[this.#count] = ref;
      this.#values[this.#count] = values[i] ?? Number.NaN;
      this.#count++;
    }
  }

  #pushStale(ref: SeriesRef): void {
    this.#refs[this.#count] = ref;
    writeNaN(this.#values, this.#count, staleNaN);
    this.#count++;
  }

  #flush(timeMs: number): void {
    const at = Math.max(timeMs, this.#lastTimeMs + 1);
    this.#lastTimeMs = at;
    this.#sink.appendPage(this.#group, at, this.#refs, this.#values, this.#count);
    this.#count = 0;
  }

  #reserve(size: number): void {
    if (this.#refs.length >= size) return;
    this.#refs = new Uint32Array(size * 2);
    this.#values = new Float64Array(size * 2);
  }

  #growSlots(): void {
    const size = this.#layout.labels.length;
    if (this.#seriesOf.length >= size) return;
    const next = new Uint32Array(Math.max(size, this.#seriesOf.length * 2)).fill(unresolved);
    next.set(this.#seriesOf);
    this.#seriesOf = next;
  }
}
