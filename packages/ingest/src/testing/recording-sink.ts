/** A metric sink that keeps what it is given, for tests; `waitFor` resolves when enough pages have arrived. */
import {
  type AppendOutcome,
  type Exemplar,
  type GroupRef,
  isStale,
  type LabelSet,
  type MetricSink,
  type NativeHistogram,
  type RefKeeper,
  type SeriesRef,
} from "@skopos/model";

export interface RecordedPage {
  readonly group: string;
  readonly timeMs: number;
  /** By the series as text; "stale" for markers. */
  readonly samples: Readonly<Record<string, number | "stale">>;
}

export class RecordingSink implements MetricSink {
  readonly pages: RecordedPage[] = [];
  readonly histograms: { series: string; timeMs: number; histogram: NativeHistogram }[] = [];
  readonly exemplars: { series: string; exemplar: Exemplar }[] = [];
  readonly closed: string[] = [];
  readonly #groups: string[] = [];
  readonly #keepers = new Set<RefKeeper>();
  /** Undefined once forgotten. */
  readonly #series: (LabelSet | undefined)[] = [];
  readonly #refs = new Map<string, SeriesRef>();
  readonly #seriesMax: number;
  #waiting: { count: number; resolve: () => void }[] = [];

  constructor(seriesMax = 10_000) {
    this.#seriesMax = seriesMax;
  }

  openGroup(key: string, keeper?: RefKeeper): GroupRef {
    if (keeper) this.#keepers.add(keeper);
    const found = this.#groups.indexOf(key);
    return found >= 0 ? found : this.#groups.push(key) - 1;
  }

  series(group: GroupRef, labels: LabelSet): SeriesRef | undefined {
    const key = `${group} ${labels.key}`;
    const known = this.#refs.get(key);
    if (known !== undefined) return known;
    if (this.#series.length >= this.#seriesMax) return undefined;
    const ref = this.#series.push(labels) - 1;
    this.#refs.set(key, ref);
    return ref;
  }

  appendPage(
    group: GroupRef,
    timeMs: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
  ): AppendOutcome {
    const samples: Record<string, number | "stale"> = {};
    for (let i = 0; i < count; i++) {
      const value = values[i] ?? 0;
      samples[String(this.#series[refs[i] ?? 0])] = isStale(value) ? "stale" : value;
    }
    this.pages.push({ group: this.#groups[group] ?? "", timeMs, samples });
    this.#waiting = this.#waiting.filter(({ count: wanted, resolve }) => {
      if (this.pages.length < wanted) return true;
      resolve();
      return false;
    });
    return { appended: count, tooOld: 0, duplicates: 0, conflicting: 0 };
  }

  appendHistogram(
    _group: GroupRef,
    ref: SeriesRef,
    timeMs: number,
    histogram: NativeHistogram,
  ): AppendOutcome {
    this.histograms.push({ series: String(this.#series[ref]), timeMs, histogram });
    return { appended: 1, tooOld: 0, duplicates: 0, conflicting: 0 };
  }

  appendExemplar(ref: SeriesRef, exemplar: Exemplar): void {
    this.exemplars.push({ series: String(this.#series[ref]), exemplar });
  }

  /** Every sample by series, the last one winning. */
  get samples(): Record<string, number | "stale"> {
    return Object.assign({}, ...this.pages.map((page) => page.samples)) as Record<
      string,
      number | "stale"
    >;
  }

  /** Forgets every series there is, and tells whoever keeps refs. */
  forget(): void {
    const gone = new Set(this.#series.keys());
    this.#series.fill(undefined);
    this.#refs.clear();
    for (const keeper of this.#keepers) keeper.forget(gone);
  }

  closeGroup(group: GroupRef): void {
    this.closed.push(this.#groups[group] ?? "");
  }

  durable(): Promise<void> {
    return Promise.resolve();
  }

  /** Resolves with the page when `count` pages have been written. */
  async waitFor(count: number): Promise<RecordedPage> {
    if (this.pages.length < count)
      await new Promise<void>((resolve) => {
        this.#waiting.push({ count, resolve });
      });
    const page = this.pages[count - 1];
    if (!page) throw new Error(`no page ${count}`);
    return page;
  }
}
