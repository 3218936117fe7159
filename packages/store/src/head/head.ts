/**
 * The metrics head: the recent hours in memory. One thread owns it and appends; any thread reads through
 * `HeadView(head.share())`, this one through `head.reader()`. Layout and memory order: `memory.ts`.
 *
 * What callers see as series of a group lies in *families*, columns that share times. A group's series fill ordered
 * families of up to `familyColumnsMax` columns. Samples that come behind the family's newest time, but inside the
 * out-of-order window, go to a *late* family of the group, whose rows are in order of arrival; readers merge. So a late
 * sample costs a little where it happens and nothing elsewhere, and appending never moves what was written. Members that
 * keep coming at times of their own are given a family of their own; what they had stays where it is until it is dropped.
 *
 * Cost: an open window takes 256 bytes a series, a closed window of 32 samples about 6 bytes and 0 to 2 per sample for
 * counters and decimals (9 at worst), names 30 to 40 bytes in families of 67 (see `label-index.ts`), once per thread.
 *
 * Limits: `HeadOptions`. A series whose samples have all been dropped is forgotten: its ref and its column become
 * another's, and whoever keeps refs of the group is told (`RefKeeper`; without one only those of closed groups are); a
 * closed group goes as a whole. When half of the names are dead the index is rebuilt. The same label set in two groups is
 * one series to readers; samples of both at one time are not counted as duplicates, the older column wins.
 */
import {
  type AppendOutcome,
  type Exemplar,
  type ExemplarReader,
  type GroupRef,
  highWord,
  LabelSet,
  lowWord,
  type MetricReader,
  type NativeHistogram,
  type RefKeeper,
  type SeriesRef,
} from "@skopos/model";
import { absentLow, markerHigh, u32, wordsOf } from "./cells.ts";
import { ChunkCursor } from "./chunk.ts";
import { type ExemplarImage, ExemplarStore } from "./exemplars.ts";
import { Families } from "./families.ts";
import { findSample } from "./find-sample.ts";
import { GroupLock } from "./group-lock.ts";
import { type FamilyImage, HeadImages, type OlderChunks } from "./head-image.ts";
import { HeadReader } from "./head-reader.ts";
import { histogramHigh, type HistogramSegment, HistogramStore } from "./histograms.ts";
import { HeadMarks } from "./marks.ts";
import { allocateShare, type HeadShare, windowRows } from "./memory.ts";
import { type HeadGroup, type PlaceLimits, Places } from "./places.ts";
import { Retention } from "./retention.ts";

export interface HeadOptions extends PlaceLimits {
  /** Behind a group's newest sample; older samples are refused. */
  readonly outOfOrderMs: number;
  readonly openBytesMax: number;
  readonly chunkBytesMax: number;
  readonly definitionBytesMax: number;
  readonly histogramBytesMax: number;
  /** The newest so many exemplars of all series are kept; 0 keeps none. */
  readonly exemplarsMax: number;
}

const headDefaults: HeadOptions = {
  outOfOrderMs: 600_000,
  seriesMax: 1_500_000,
  groupSeriesMax: 200_000,
  groupsMax: 50_000,
  openBytesMax: 2 ** 30,
  chunkBytesMax: 2 * 2 ** 30,
  definitionBytesMax: 2 ** 29,
  histogramBytesMax: 2 ** 28,
  exemplarsMax: 100_000,
};

export interface HeadStats {
  readonly series: number;
  readonly groups: number;
  readonly samplesAppended: number;
  /** Windows, chunks and the writer's own index and tables. */
  readonly bytes: number;
  readonly chunks: number;
  readonly exemplars: number;
  /** Undefined when there are no samples. */
  readonly oldestMs: number | undefined;
  readonly newestMs: number | undefined;
}

/** Room for exemplars is so many bytes each: a trace id, a span id and the record's head. */
const exemplarBytesMean = 128;
/** Rows of a window that may be mostly holes before their members are moved. */
const apartRowsMax = 4;

export class Head {
  readonly #options: HeadOptions;
  readonly #share: HeadShare;
  readonly #families: Families;
  readonly #lock: GroupLock;
  readonly #marks: HeadMarks;
  readonly #places: Places;
  readonly #retention: Retention;
  readonly #images: HeadImages;
  readonly #histograms: HistogramStore;
  readonly #exemplars: ExemplarStore;
  readonly #cursor: ChunkCursor;
  /** The page of a single histogram. */
  readonly #oneRef = new Uint32Array(1);
  readonly #oneCell = new Uint32Array(2);
  /** Families with an unpublished row of the page being appended. */
  readonly #touched: number[] = [];
  #sealedThroughMs = -Infinity;
  #samplesAppended = 0;
  /** Outcome of the page being appended. */
  #duplicates = 0;
  #conflicting = 0;

  constructor(options: Partial<HeadOptions> = {}) {
    this.#options = { ...headDefaults, ...options };
    const share = allocateShare({
      ...this.#options,
      familiesMax: this.#options.groupsMax * 2,
      exemplarBytesMax: this.#options.exemplarsMax * exemplarBytesMean,
    });
    this.#share = share;
    this.#families = new Families(share);
    this.#lock = new GroupLock(share);
    this.#histograms = new HistogramStore(share);
    this.#exemplars = new ExemplarStore(share, this.#options.exemplarsMax);
    this.#places = new Places(share, this.#families, this.#lock, this.#options, this.#exemplars);
    this.#retention = new Retention(share, this.#places, this.#families, this.#lock);
    this.#marks = new HeadMarks(share);
    this.#images = new HeadImages(this.#places, this.#families, this.#lock, this.#retention);
    this.#cursor = new ChunkCursor(this.#families.chunks.arena);
  }

  /** For other threads; hand it over once. */
  share(): HeadShare {
    return this.#share;
  }

  /** For this thread. */
  reader(): MetricReader & ExemplarReader {
    return new HeadReader(this.#share, {
      catalog: () => this.#places.catalog,
      covers: () => true,
      behind: () => false,
    });
  }

  /** Throws `limit` when there are too many groups. */
  openGroup(key: string, keeper?: RefKeeper): GroupRef {
    return this.#places.openGroup(key, keeper);
  }

  /** The open group of a ref. */
  group(id: GroupRef): HeadGroup {
    return this.#places.group(id);
  }

  groups(): HeadGroup[] {
    return this.#places.groups();
  }

  /** Whether the group has not been released. */
  isOpen(group: HeadGroup): boolean {
    return this.#places.groupAt(group.id) === group;
  }

  closeGroup(id: GroupRef): void {
    const group = this.group(id);
    group.closed = true;
    group.keeper = undefined;
  }

  series(group: GroupRef, labels: LabelSet): SeriesRef | undefined {
    return this.#places.series(group, labels);
  }

  groupOf(ref: SeriesRef): GroupRef {
    return this.#places.refs.groupOf(ref);
  }

  /** See `SeriesRefs.bornOf`. */
  bornOf(ref: SeriesRef): number {
    return this.#places.refs.bornOf.at(ref);
  }

  /** The labels of a ref. */
  labels(ref: SeriesRef): LabelSet {
    return this.#places.labels(ref);
  }

  appendPage(
    groupId: GroupRef,
    timeMs: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
  ): AppendOutcome {
    const group = this.group(groupId);
    const outcome = this.#append(group, timeMs, refs, wordsOf(values), count);
    this.#splitApart(group, refs, count);
    return outcome;
  }

  /** As `appendPage` for one histogram; it joins the row that a page of the same time made. Throws `limit`. */
  appendHistogram(
    groupId: GroupRef,
    ref: SeriesRef,
    timeMs: number,
    histogram: NativeHistogram,
  ): AppendOutcome {
    const pointer = this.#histograms.append(timeMs, histogram);
    this.#oneRef[0] = ref;
    this.#oneCell[highWord] = histogramHigh;
    this.#oneCell[lowWord] = pointer;
    const outcome = this.#append(this.group(groupId), timeMs, this.#oneRef, this.#oneCell, 1);
    this.#touched.length = 0;
    if (outcome.appended === 0) this.#histograms.undo(pointer);
    return outcome;
  }

  /** False when it was not kept: too long, or not newer than what its series has. */
  appendExemplar(ref: SeriesRef, exemplar: Exemplar): boolean {
    this.#places.publish();
    return this.#exemplars.append(this.#places.refs.seriesOf.at(ref), exemplar);
  }

  #append(
    group: HeadGroup,
    timeMs: number,
    refs: Uint32Array,
    words: Uint32Array,
    count: number,
  ): AppendOutcome {
    this.#places.publish();
    this.#duplicates = 0;
    this.#conflicting = 0;
    let appended = 0;
    let tooOld = 0;
    try {
      const oldestMs = Math.max(
        this.#retention.cutoffMs - 1,
        this.#sealedThroughMs,
        group.newestMs - this.#options.outOfOrderMs,
      );
      if (timeMs <= oldestMs) tooOld = count;
      else appended = this.#appendRows(group, timeMs, refs, words, count);
    } finally {
      this.#publish(group);
    }
    if (appended > 0 && timeMs > group.newestMs) group.newestMs = timeMs;
    this.#samplesAppended += appended;
    return {
      appended,
      tooOld,
      duplicates: this.#duplicates,
      conflicting: this.#conflicting,
    };
  }

  #appendRows(
    group: HeadGroup,
    timeMs: number,
    refs: Uint32Array,
    words: Uint32Array,
    count: number,
  ): number {
    let appended = 0;
    let family = -1;
    let cells = words;
    let rowAt = -1;
    const { refs: known } = this.#places;
    const families = known.familyOf.array;
    const columns = known.columnOf.array;
    for (let i = 0; i < count; i++) {
      const ref = u32(refs, i);
      if (u32(families, ref) !== family) {
        family = u32(families, ref);
        const row = this.#enterRow(group, family, timeMs);
        const window = this.#families.window(family);
        cells = window.u32;
        rowAt = row < 0 ? -1 : window.at + windowRows + row * window.stride;
      }
      if (rowAt < 0) {
        if (this.#appendLate(group, ref, timeMs, words, i)) appended++;
        continue;
      }
      const cell = 2 * (rowAt + u32(columns, ref));
      if (cells[cell + highWord] === markerHigh && cells[cell + lowWord] === absentLow) {
        cells[cell] = u32(words, 2 * i);
        cells[cell + 1] = u32(words, 2 * i + 1);
        appended++;
      } else this.#countDuplicate(cells, cell, words, 2 * i);
    }
    return appended;
  }

  /** The row of an ordered family that takes samples of this time; -1 when they are late. */
  #enterRow(group: HeadGroup, family: number, timeMs: number): number {
    const families = this.#families;
    if (timeMs > families.newestMs(family)) {
      if (families.rows(family) === windowRows) this.#closeWindow(group, family);
      this.#touched.push(family);
      return families.startRow(family, timeMs);
    }
    const row = families.rowAt(family, timeMs);
    if (row >= 0 && families.isPublished(family, row)) this.#lock.take(group.id);
    return row;
  }

  #countDuplicate(cells: Uint32Array, cell: number, words: Uint32Array, word: number): void {
    this.#duplicates++;
    if (cells[cell] === words[word] && cells[cell + 1] === words[word + 1]) return;
    const histograms =
      cells[cell + highWord] === histogramHigh && words[word + highWord] === histogramHigh;
    const [one, other] = [u32(cells, cell + lowWord), u32(words, word + lowWord)];
    if (!histograms || !this.#histograms.equal(one, other)) this.#conflicting++;
  }

  /** A sample behind its family's newest time that has no open row. */
  #appendLate(
    group: HeadGroup,
    ref: SeriesRef,
    timeMs: number,
    words: Uint32Array,
    i: number,
  ): boolean {
    const found = this.#sampleAt(group, ref, timeMs);
    if (found) {
      this.#countDuplicate(found, 0, words, 2 * i);
      return false;
    }
    const place = this.#places.lateColumn(group, ref);
    const families = this.#families;
    if (families.rowAt(place.family, timeMs) < 0) {
      if (families.rows(place.family) === windowRows) this.#closeWindow(group, place.family);
      this.#touched.push(place.family);
      families.startRow(place.family, timeMs);
    }
    const row = families.rowAt(place.family, timeMs);
    if (families.isPublished(place.family, row)) this.#lock.take(group.id);
    const window = families.window(place.family);
    const cell = 2 * (window.at + windowRows + row * window.stride + place.column);
    window.u32[cell] = u32(words, 2 * i);
    window.u32[cell + 1] = u32(words, 2 * i + 1);
    return true;
  }

  /** The words of the sample this series of this group has at a time. */
  #sampleAt(group: HeadGroup, ref: SeriesRef, timeMs: number): Uint32Array | undefined {
    const { members } = this.#places.catalog;
    for (const { family, column } of members.places(this.#places.refs.seriesOf.at(ref))) {
      if (members.familyGroup.at(family) !== group.id) continue;
      const found = findSample(this.#families, this.#cursor, family, column, timeMs);
      if (found) return found;
    }
    return undefined;
  }

  /** Closes a full window. Encodes before it takes the lock. */
  #closeWindow(group: HeadGroup, family: number): void {
    const families = this.#families;
    const pointer = this.#retention.place(families.encode(family));
    this.#lock.around(group.id, () => {
      families.link(family, pointer);
      families.clear(family);
    });
  }

  #publish(group: HeadGroup): void {
    if (this.#touched.length > 1) this.#lock.take(group.id);
    for (const family of this.#touched) this.#families.publish(family);
    this.#lock.release();
  }

  /**
   * Members that come at times of their own make rows that are mostly holes. When a window has had several such rows of a
   * family, the members of this page get a family of their own from now on.
   */
  #splitApart(group: HeadGroup, refs: Uint32Array, count: number): void {
    for (const family of this.#touched) {
      const columns = this.#families.width(family) - this.#families.freeColumns(family);
      if (2 * count > columns || group.late?.family === family) continue;
      // What has begun with few may still be filled by other pages of its time: the row before is whole.
      if (2 * this.#families.samplesBefore(family) > columns) continue;
      if (this.#families.addApart(family) >= apartRowsMax)
        this.#places.split(group, family, refs, count);
    }
    this.#touched.length = 0;
  }

  /**
   * Drops chunks that end before `ms`, and what is left without samples: series, families, closed groups. Samples older
   * than `ms` are refused from now on. Does a piece of the work (`groupsPerStep` groups) and returns whether it is done;
   * call again until it is.
   */
  dropBefore(ms: number, groupsPerStep = 64): boolean {
    const done = this.#retention.dropBefore(ms, groupsPerStep);
    if (done) this.#histograms.dropBefore(ms);
    return done;
  }

  /** Refuses samples older than `ms` from now on; those that are there go with the next `dropBefore`. */
  refuseBefore(ms: number): void {
    this.#retention.refuseBefore(ms);
  }

  /** Samples before it are refused; perhaps some are still there. */
  get cutoffMs(): number {
    return this.#retention.cutoffMs;
  }

  /** Refuses samples at or before `ms` from now on, so that what the head has there can be carried elsewhere as final. */
  sealThrough(ms: number): void {
    this.#sealedThroughMs = Math.max(ms, this.#sealedThroughMs);
    this.#marks.sealThrough(ms);
  }

  /** See `Places.rebuildIndex`. */
  rebuildIndex(seriesPerStep = Infinity): boolean {
    return this.#places.rebuildIndex(seriesPerStep);
  }

  /** A group's families without the chunks that end before `chunksFromMs`; views, valid until the head changes. */
  image(group: HeadGroup, chunksFromMs: number): FamilyImage[] {
    return this.#images.take(group, chunksFromMs);
  }

  /** The chunks that `image` leaves out. */
  olderChunks(group: HeadGroup, beforeMs: number): OlderChunks[] {
    return this.#images.older(group, beforeMs);
  }

  histogramSegments(): Iterable<HistogramSegment> {
    return this.#histograms.segments();
  }

  /** See `ExemplarStore.images`. */
  exemplarImages(from: number, count: number) {
    const { index } = this.#places.catalog;
    const labelsOf = (series: number) => (index.isDead(series) ? undefined : index.labels(series));
    return this.#exemplars.images(from, count, labelsOf);
  }

  /** Puts a family of an image back; ordered families of a group before its late one. Throws `limit`. */
  restoreFamily(
    group: GroupRef,
    image: FamilyImage,
    labelsOf: (ref: number) => LabelSet | undefined,
  ): void {
    this.#images.restore(group, image, labelsOf);
  }

  /** Puts older chunks before those of a restored family. Returns how many samples; undefined when memory is full. */
  restoreOlder(older: OlderChunks): number | undefined {
    return this.#images.restoreOlder(older);
  }

  /** Until `restoredAll`, samples before `ms` may be missing. */
  restoringBefore(ms: number): void {
    this.#retention.completeFrom(ms);
  }

  restoredAll(): void {
    this.#images.restoredAll();
    this.#retention.completeFrom(-Infinity);
  }

  restoreHistograms(segment: HistogramSegment): void {
    this.#histograms.restore(segment);
  }

  /** Of series that are there. */
  restoreExemplars(images: readonly ExemplarImage[]): void {
    const { index } = this.#places.catalog;
    for (const [flat, labels, timeMs, value] of images) {
      const series = index.lookup(LabelSet.fromSorted(flat));
      const own = LabelSet.fromSorted(labels).toMap();
      if (series !== undefined)
        this.#exemplars.append(series, { labels: own, timeMs, value: Number(value) });
    }
  }

  /**
   * Bytes in use: closed windows, open windows, all that names them in this thread and in the definition log, and
   * histograms and exemplars.
   */
  parts(): { chunks: number; open: number; names: number; beside: number } {
    const { chunkBytes, openBytes } = this.#families;
    const beside = this.#histograms.sizeBytes + this.#exemplars.sizeBytes;
    return { chunks: chunkBytes, open: openBytes, names: this.#places.sizeBytes, beside };
  }

  stats(): HeadStats {
    const oldest = this.#retention.oldestMs();
    const newest = this.#retention.newestMs();
    const { index } = this.#places.catalog;
    const { chunks, open, names, beside } = this.parts();
    return {
      series: index.seriesCount - index.deadCount,
      groups: this.#places.groupCount,
      samplesAppended: this.#samplesAppended,
      bytes: chunks + open + names + beside,
      chunks: this.#families.chunkCount,
      exemplars: this.#exemplars.count,
      oldestMs: oldest === Infinity ? undefined : oldest,
      newestMs: newest === -Infinity ? undefined : newest,
    };
  }
}
