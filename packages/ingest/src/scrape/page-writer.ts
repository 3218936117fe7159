/**
 * Writes a target's pages to the sample sink: resolves each series once, marks series that vanished as stale, adds the
 * scrape's own metrics (`up` …). One group per target; a page and its `up` become visible together.
 */
import {
  type GroupRef,
  metricNameLabel,
  type MetricSink,
  type RefKeeper,
  type SeriesRef,
  staleNaN,
  writeNaN,
} from "@skopos/model";
import { IngestError } from "../errors.ts";
import { type Page, PageLayout, unmarked } from "../exposition/page.ts";
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

/** Marks of a page's series are refs, or one of these: unresolved while the store refuses more series. */
const unresolved = unmarked;
const dropped = 0xfffffffe;

const noRefs = new Uint32Array(0);
const noSeries: ReadonlySet<SeriesRef> = new Set();

/** The page to write: `refs[i]` gets `values[i]`. One is written at a time. */
let refs = new Uint32Array(1024);
let values = new Float64Array(1024);

function reserve(size: number): void {
  if (refs.length >= size) return;
  refs = new Uint32Array(size * 2);
  values = new Float64Array(size * 2);
}

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
  readonly #layout = new PageLayout();
  #count = 0;
  /** Series of the last good page that get a marker when they vanish, each once. */
  #live = noRefs;
  /** Whether every line of the last page was written, so that the next with the same lines can be as a whole. */
  #isWhole = false;
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
    const { marks } = this.#layout;
    for (const [i, ref] of marks.entries()) if (gone.has(ref)) marks[i] = unresolved;
    this.#live = this.#live.filter((ref) => !gone.has(ref));
    this.#isWhole = false;
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
    const page = parseExposition(body, contentType, this.#layout, { checks: "syntax" });
    const counts = this.#resolve(page);
    this.#writeTimed(page, timeMs);
    const unchanged = page.sameLayout && this.#live.length === this.#count;
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

  /** Fills the page with the samples that carry no time of their own, each series once. */
  #resolve(page: Page): PageCounts {
    const { count, marks } = page;
    this.#count = 0;
    reserve(count + this.#live.length + reportNames.length);
    if (this.#isWhole && page.sameLayout && !page.hasTimes) {
      refs.set(marks);
      values.set(page.values.subarray(0, count));
      this.#count = count;
      return { scraped: count, kept: count, added: 0, refused: 0 };
    }
    this.#isWhole = false;
    this.#resolveFresh(page);
    const honor = this.#job.honorTimestamps && page.hasTimes;
    let kept = 0;
    let refused = 0;
    for (let i = 0; i < count; i++) {
      const ref = marks[i] ?? dropped;
      if (ref === dropped) continue;
      kept++;
      if (ref === unresolved) {
        refused++;
        continue;
      }
      const time = page.timesMs[i] ?? Number.NaN;
      if (honor && time === time) continue;
      refs[this.#count] = ref;
      values[this.#count] = page.values[i] ?? Number.NaN;
      this.#count++;
    }
    this.#checkSampleLimit(kept);
    this.#isWhole = this.#count === count;
    return { scraped: count, kept, added: 0, refused };
  }

  #checkSampleLimit(kept: number): void {
    const { samples } = this.#job.limits;
    if (samples === 0 || kept <= samples) return;
    this.#count = 0;
    throw new IngestError(
      "limit",
      `sample_limit: the page has ${kept} samples, ${samples} are allowed`,
    );
  }

  #resolveFresh({ fresh, marks }: Page): void {
    for (const { index, labels: series } of fresh) {
      const labels = sampleLabels(this.#job, this.#relabeling, this.#target.labels, series);
      marks[index] = labels ? (this.#sink.series(this.#group, labels) ?? unresolved) : dropped;
    }
  }

  /** Samples with explicit times, one page per time, before the scrape's own page. */
  #writeTimed(page: Page, nowMs: number): void {
    if (!page.hasTimes || !this.#job.honorTimestamps) return;
    const byTime = new Map<number, { refs: number[]; values: number[] }>();
    for (let i = 0; i < page.count; i++) {
      const timeMs = page.timesMs[i] ?? Number.NaN;
      const ref = page.marks[i] ?? dropped;
      if (timeMs !== timeMs || ref === dropped || ref === unresolved) continue;
      // As Prometheus: a page that is ahead of us is not believed.
      if (timeMs > nowMs + aheadMaxMs) continue;
      let at = byTime.get(timeMs);
      if (!at) byTime.set(timeMs, (at = { refs: [], values: [] }));
      at.refs.push(ref);
      at.values.push(page.values[i] ?? Number.NaN);
    }
    for (const [timeMs, timed] of [...byTime].sort(([a], [b]) => a - b)) {
      const columns = [Uint32Array.from(timed.refs), Float64Array.from(timed.values)] as const;
      this.#sink.appendPage(this.#group, timeMs, ...columns, timed.refs.length);
    }
  }

  /** An exemplar without a time gets the sample's, which is the scrape's unless the sample has one of its own. */
  #writeExemplars(page: Page, timeMs: number): void {
    for (const { index, labels, value, timeMs: own } of page.exemplars) {
      const ref = page.marks[index] ?? dropped;
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
    const before = new Set<SeriesRef>(this.#live);
    const now = new Set<SeriesRef>(refs.subarray(0, this.#count));
    // A series that began to carry times of its own has not vanished.
    const timed = page.hasTimes ? this.#timedSeries(page) : noSeries;
    if (this.#job.trackTimestampsStaleness) for (const ref of timed) now.add(ref);
    let added = 0;
    for (const ref of now) if (!before.has(ref)) added++;
    for (const ref of before) if (!now.has(ref) && !timed.has(ref)) this.#pushStale(ref);
    this.#live = Uint32Array.from(now);
    return added;
  }

  #timedSeries(page: Page): Set<SeriesRef> {
    const timed = new Set<SeriesRef>();
    for (let i = 0; i < page.count; i++) {
      const ref = page.marks[i] ?? dropped;
      const timeMs = page.timesMs[i] ?? Number.NaN;
      if (timeMs === timeMs && ref !== dropped && ref !== unresolved) timed.add(ref);
    }
    return timed;
  }

  #markAll(): void {
    reserve(this.#live.length + reportNames.length);
    for (const ref of this.#live) this.#pushStale(ref);
    this.#live = noRefs;
  }

  #report(counts: PageCounts, up: number, durationMs: number): void {
    this.#resolveReports();
    const reported = [up, durationMs / 1000, counts.scraped, counts.kept, counts.added];
    for (const [i, ref] of this.#reports.entries()) {
      if (ref === undefined) continue;
      refs[this.#count] = ref;
      values[this.#count] = reported[i] ?? Number.NaN;
      this.#count++;
    }
  }

  #pushStale(ref: SeriesRef): void {
    refs[this.#count] = ref;
    writeNaN(values, this.#count, staleNaN);
    this.#count++;
  }

  #flush(timeMs: number): void {
    const at = Math.max(timeMs, this.#lastTimeMs + 1);
    this.#lastTimeMs = at;
    this.#sink.appendPage(this.#group, at, refs, values, this.#count);
    this.#count = 0;
  }
}
