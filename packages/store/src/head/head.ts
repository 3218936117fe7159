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
 * Limits: `HeadOptions`. Series of closed groups whose samples have all been dropped are forgotten and their memory is
 * reused; when half of the names are dead the index is rebuilt. Series that rest inside a group that stays open keep
 * their column, because their refs stay valid; they are bounded by the limit per group. The same label set in two groups
 * is one series to readers; samples of both at one time are not counted as duplicates, the older column wins.
 */
import {
  type AppendOutcome,
  type GroupRef,
  highWord,
  type LabelSet,
  LimitError,
  lowWord,
  type MetricReader,
  type SeriesRef,
} from "@skopos/model";
import { absentLow, GrowingColumn, markerHigh, u32, wordsOf } from "./cells.ts";
import { ChunkCursor } from "./chunk.ts";
import { type Catalog, DefinitionLog, Members } from "./definitions.ts";
import { chunkMemoryFull, Families, type FamilyBytes } from "./families.ts";
import { findSample } from "./find-sample.ts";
import { HeadReader } from "./head-reader.ts";
import { LabelIndex } from "./label-index.ts";
import { SeriesRefs } from "./series-refs.ts";
import { allocateShare, groupWord, groupWords, type HeadShare, windowRows } from "./memory.ts";

export interface HeadOptions {
  /** Behind a group's newest sample; older samples are refused. */
  readonly outOfOrderMs: number;
  readonly seriesMax: number;
  readonly groupSeriesMax: number;
  readonly groupsMax: number;
  readonly openBytesMax: number;
  readonly chunkBytesMax: number;
  readonly definitionBytesMax: number;
}

const headDefaults: HeadOptions = {
  outOfOrderMs: 600_000,
  seriesMax: 1_500_000,
  groupSeriesMax: 200_000,
  groupsMax: 50_000,
  openBytesMax: 2 ** 30,
  chunkBytesMax: 2 * 2 ** 30,
  definitionBytesMax: 2 ** 29,
};

export interface HeadStats {
  readonly series: number;
  readonly groups: number;
  readonly samplesAppended: number;
  /** Windows, chunks and the writer's own index and tables. */
  readonly bytes: number;
  readonly chunks: number;
  /** Undefined when there are no samples. */
  readonly oldestMs: number | undefined;
  readonly newestMs: number | undefined;
}

export interface FamilyImage extends FamilyBytes {
  /** By column. */
  readonly labels: readonly LabelSet[];
}

export interface GroupImage {
  readonly key: string;
  readonly families: readonly FamilyImage[];
}

export interface HeadGroup {
  readonly id: GroupRef;
  readonly key: string;
  /** In the order in which they were made. */
  readonly refs: GrowingColumn;
  readonly families: number[];
  late: { readonly family: number; readonly columns: Map<SeriesRef, number> } | undefined;
  newestMs: number;
  closed: boolean;
}

/** Rows of a window that may be mostly holes before their members are moved. */
const apartRowsMax = 4;
/** Beyond it a group's members stay where they are, holes or not. */
const groupFamiliesMax = 256;
/** Forgetting rebuilds the index when more than this many series, and half of all, are dead. */
const deadSeriesMin = 10_000;

export class Head {
  readonly #options: HeadOptions;
  readonly #share: HeadShare;
  readonly #groupTable: Int32Array;
  readonly #log: DefinitionLog;
  #catalog: Catalog = { index: new LabelIndex(), members: new Members() };
  readonly #families: Families;
  readonly #cursor: ChunkCursor;

  readonly #groups: (HeadGroup | undefined)[] = [];
  readonly #freeGroups: number[] = [];
  readonly #groupOfKey = new Map<string, HeadGroup>();

  readonly #refs = new SeriesRefs();

  #lockedGroup = -1;
  /** Families with an unpublished row of the page being appended. */
  readonly #touched: number[] = [];
  #cutoffMs = -Infinity;
  #dropCursor = 0;
  #samplesAppended = 0;
  /** Outcome of the page being appended. */
  #duplicates = 0;
  #conflicting = 0;

  constructor(options: Partial<HeadOptions> = {}) {
    this.#options = { ...headDefaults, ...options };
    this.#share = allocateShare({
      ...this.#options,
      familiesMax: this.#options.groupsMax * 2,
    });
    this.#groupTable = new Int32Array(this.#share.groups);
    this.#log = new DefinitionLog(this.#share);
    this.#families = new Families(this.#share);
    this.#cursor = new ChunkCursor(this.#families.chunks.arena);
  }

  /** For other threads; hand it over once. */
  share(): HeadShare {
    return this.#share;
  }

  /** For this thread. */
  reader(): MetricReader {
    return new HeadReader(this.#share, {
      catalog: () => this.#catalog,
      covers: () => true,
      behind: () => false,
    });
  }

  /** Throws `limit` when there are too many groups. */
  openGroup(key: string): GroupRef {
    const known = this.#groupOfKey.get(key);
    if (known) {
      known.closed = false;
      return known.id;
    }
    const id = this.#freeGroups.pop() ?? this.#groups.length;
    if (id >= this.#options.groupsMax)
      throw new LimitError(
        `the head has ${this.#options.groupsMax} groups of series already; raise groupsMax`,
      );
    const group: HeadGroup = {
      id,
      key,
      refs: new GrowingColumn(8),
      families: [],
      late: undefined,
      newestMs: -Infinity,
      closed: false,
    };
    this.#groups[id] = group;
    this.#groupOfKey.set(key, group);
    return id;
  }

  /** The open group of a ref. */
  group(id: GroupRef): HeadGroup {
    const group = this.#groups[id];
    if (!group) throw new Error(`invariant broken: group ${id} is not open`);
    return group;
  }

  groups(): HeadGroup[] {
    return [...this.#groupOfKey.values()];
  }

  /** Whether the group has not been released. */
  isOpen(group: HeadGroup): boolean {
    return this.#groups[group.id] === group;
  }

  closeGroup(id: GroupRef): void {
    this.group(id).closed = true;
  }

  series(groupId: GroupRef, labels: LabelSet): SeriesRef | undefined {
    const group = this.group(groupId);
    const { index } = this.#catalog;
    const known = index.lookup(labels);
    if (known !== undefined) {
      const ref = this.#refs.find(group.id, known);
      if (ref !== undefined) return ref;
    }
    if (
      this.#refs.live >= this.#options.seriesMax ||
      group.refs.length >= this.#options.groupSeriesMax
    )
      return undefined;
    const place = this.#placeColumn(group);
    if (!place) return undefined;
    const series = known ?? index.internSeries(labels, this.#log);
    return this.#addRef(group, series, place.family, place.column);
  }

  #addRef(group: HeadGroup, series: number, family: number, column: number): SeriesRef {
    this.#addMember(series, family, column);
    const ref = this.#refs.add(group.id, series, family, column);
    group.refs.push(ref);
    return ref;
  }

  /** A new column in the group's newest ordered family, or in a new one. */
  #placeColumn(group: HeadGroup): { family: number; column: number } | undefined {
    let family = group.families.at(-1);
    if (family === undefined || this.#families.room(family) === 0) {
      family = this.#createFamily(group, false);
      if (family === undefined) return undefined;
      group.families.push(family);
    }
    const column = this.#addColumn(group, family);
    return column === undefined ? undefined : { family, column };
  }

  #createFamily(group: HeadGroup, unordered: boolean): number | undefined {
    const family = this.#families.create(group.id, unordered);
    if (family === undefined) return undefined;
    this.#log.family(family, group.id);
    this.#catalog.members.familyGroup.set(family, group.id);
    // The number may have been another group's: readers must know of that before they read.
    const definedAt = this.#log.publish();
    Atomics.store(this.#groupTable, group.id * groupWords + groupWord.definedAt, definedAt);
    return family;
  }

  #addColumn(group: HeadGroup, family: number): number | undefined {
    if (!this.#families.isFull(family)) return this.#families.addColumn(family);
    const alone = this.#lockedGroup < 0;
    this.#lock(group.id);
    const column = this.#families.addColumn(family);
    if (alone) this.#unlock();
    return column;
  }

  #addMember(series: number, family: number, column: number): void {
    this.#log.member(series, family, column);
    this.#catalog.members.add(series, family, column);
  }

  appendPage(
    groupId: GroupRef,
    timeMs: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
  ): AppendOutcome {
    const group = this.group(groupId);
    this.#log.publish();
    this.#duplicates = 0;
    this.#conflicting = 0;
    let appended = 0;
    let tooOld = 0;
    try {
      const oldestMs = Math.max(this.#cutoffMs - 1, group.newestMs - this.#options.outOfOrderMs);
      if (timeMs <= oldestMs) tooOld = count;
      else appended = this.#appendRows(group, timeMs, refs, wordsOf(values), count);
    } finally {
      this.#publish(group);
    }
    this.#splitApart(group, refs, count);
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
    const families = this.#refs.familyOf.array;
    const columns = this.#refs.columnOf.array;
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
    if (row >= 0 && families.isPublished(family, row)) this.#lock(group.id);
    return row;
  }

  #countDuplicate(cells: Uint32Array, cell: number, words: Uint32Array, word: number): void {
    this.#duplicates++;
    if (cells[cell] !== words[word] || cells[cell + 1] !== words[word + 1]) this.#conflicting++;
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
    const place = this.#lateColumn(group, ref);
    const families = this.#families;
    if (families.rowAt(place.family, timeMs) < 0) {
      if (families.rows(place.family) === windowRows) this.#closeWindow(group, place.family);
      this.#touched.push(place.family);
      families.startRow(place.family, timeMs);
    }
    const row = families.rowAt(place.family, timeMs);
    if (families.isPublished(place.family, row)) this.#lock(group.id);
    const window = families.window(place.family);
    const cell = 2 * (window.at + windowRows + row * window.stride + place.column);
    window.u32[cell] = u32(words, 2 * i);
    window.u32[cell + 1] = u32(words, 2 * i + 1);
    return true;
  }

  /** The words of the sample this series of this group has at a time. */
  #sampleAt(group: HeadGroup, ref: SeriesRef, timeMs: number): Uint32Array | undefined {
    const { members } = this.#catalog;
    for (const { family, column } of members.places(this.#refs.seriesOf.at(ref))) {
      if (members.familyGroup.at(family) !== group.id) continue;
      const found = findSample(this.#families, this.#cursor, family, column, timeMs);
      if (found) return found;
    }
    return undefined;
  }

  #lateColumn(group: HeadGroup, ref: SeriesRef): { family: number; column: number } {
    const refused = "the head has no room for late samples; raise openBytesMax";
    if (!group.late) {
      const family = this.#createFamily(group, true);
      if (family === undefined) throw new LimitError(refused);
      group.late = { family, columns: new Map() };
    }
    const { family, columns } = group.late;
    const known = columns.get(ref);
    if (known !== undefined) return { family, column: known };
    const column = this.#addColumn(group, family);
    if (column === undefined) throw new LimitError(refused);
    columns.set(ref, column);
    this.#addMember(this.#refs.seriesOf.at(ref), family, column);
    this.#log.publish();
    return { family, column };
  }

  /** Closes a full window. Encodes before it takes the lock. */
  #closeWindow(group: HeadGroup, family: number): void {
    const families = this.#families;
    const bytes = families.encode(family);
    const pointer = families.place(bytes) ?? this.#placeByDropping(bytes);
    const alone = this.#lockedGroup < 0;
    this.#lock(group.id);
    families.link(family, pointer);
    families.clear(family);
    if (alone) this.#unlock();
  }

  /** At the limit of memory the oldest samples go first, ten minutes at a time. */
  #placeByDropping(bytes: Uint8Array): number {
    const locked = this.#lockedGroup;
    for (;;) {
      const oldestMs = this.stats().oldestMs;
      if (oldestMs === undefined || this.#families.chunkCount === 0) throw chunkMemoryFull();
      const before = this.#families.chunkCount;
      if (locked >= 0) this.#unlock();
      while (!this.dropBefore(Math.max(oldestMs, this.#cutoffMs) + 600_000));
      if (locked >= 0) this.#lock(locked);
      const pointer = this.#families.place(bytes);
      if (pointer !== undefined) return pointer;
      if (this.#families.chunkCount === before && this.#cutoffMs > this.#newest())
        throw chunkMemoryFull();
    }
  }

  #publish(group: HeadGroup): void {
    if (this.#touched.length > 1) this.#lock(group.id);
    for (const family of this.#touched) this.#families.publish(family);
    this.#unlock();
  }

  /**
   * Members that come at times of their own make rows that are mostly holes. When a window has had several such rows of a
   * family, the members of this page get a family of their own from now on.
   */
  #splitApart(group: HeadGroup, refs: Uint32Array, count: number): void {
    for (const family of this.#touched) {
      const apart = 2 * count <= this.#families.width(family) && group.late?.family !== family;
      if (apart && this.#families.addApart(family) >= apartRowsMax)
        this.#split(group, family, refs, count);
    }
    this.#touched.length = 0;
  }

  #split(group: HeadGroup, from: number, refs: Uint32Array, count: number): void {
    if (group.families.length >= groupFamiliesMax) return;
    const family = this.#createFamily(group, false);
    if (family === undefined) return;
    group.families.push(family);
    // What comes behind this is late, as it was before.
    this.#families.startAfter(family, this.#families.newestMs(from));
    for (let i = 0; i < count; i++) {
      const ref = u32(refs, i);
      if (this.#refs.familyOf.at(ref) !== from) continue;
      const column = this.#addColumn(group, family);
      if (column === undefined) break;
      this.#addMember(this.#refs.seriesOf.at(ref), family, column);
      this.#refs.move(ref, family, column);
    }
    this.#log.publish();
  }

  #lock(group: GroupRef): void {
    if (this.#lockedGroup === group) return;
    this.#lockedGroup = group;
    Atomics.add(this.#groupTable, group * groupWords + groupWord.sequence, 1);
  }

  #unlock(): void {
    if (this.#lockedGroup < 0) return;
    Atomics.add(this.#groupTable, this.#lockedGroup * groupWords + groupWord.sequence, 1);
    this.#lockedGroup = -1;
  }

  /**
   * Drops chunks that end before `ms`, and closed groups left without samples; samples older than `ms` are refused from
   * now on. Does a piece of the work (`groupsPerStep` groups) and returns whether it is done; call again until it is.
   */
  dropBefore(ms: number, groupsPerStep = 64): boolean {
    if (ms > this.#cutoffMs) {
      this.#cutoffMs = ms;
      this.#dropCursor = 0;
    }
    const end = Math.min(this.#dropCursor + groupsPerStep, this.#groups.length);
    for (; this.#dropCursor < end; this.#dropCursor++) {
      const group = this.#groups[this.#dropCursor];
      if (group) this.#dropFrom(group, this.#cutoffMs);
    }
    if (this.#dropCursor < this.#groups.length) return false;
    this.#dropCursor = 0;
    this.#rebuildWhenDead();
    return true;
  }

  #dropFrom(group: HeadGroup, ms: number): void {
    const families = familiesOf(group);
    if (group.closed && families.every((family) => this.#families.newestMs(family) < ms)) {
      this.#release(group);
      return;
    }
    for (const family of group.families.slice(0, -1))
      if (this.#families.newestMs(family) < ms && this.#refs.countIn(family) === 0)
        this.#releaseFamily(group, family);
    for (const family of familiesOf(group)) {
      if (!this.#families.hasChunkBefore(family, ms)) continue;
      this.#lock(group.id);
      this.#families.dropBefore(family, ms);
      this.#unlock();
    }
  }

  #release(group: HeadGroup): void {
    this.#lock(group.id);
    for (let i = 0; i < group.refs.length; i++) this.#removeRef(group, group.refs.at(i));
    for (const family of familiesOf(group)) this.#families.release(family);
    const definedAt = this.#log.publish();
    Atomics.store(this.#groupTable, group.id * groupWords + groupWord.definedAt, definedAt);
    this.#unlock();
    this.#groupOfKey.delete(group.key);
    this.#groups[group.id] = undefined;
    this.#freeGroups.push(group.id);
  }

  /** A family whose members have all moved on, and whose samples are all too old. */
  #releaseFamily(group: HeadGroup, family: number): void {
    const { members } = this.#catalog;
    this.#lock(group.id);
    for (let i = 0; i < group.refs.length; i++) {
      const series = this.#refs.seriesOf.at(group.refs.at(i));
      if (!members.isIn(series, family)) continue;
      this.#log.leave(series, family);
      members.leave(series, family);
    }
    this.#families.release(family);
    group.families.splice(group.families.indexOf(family), 1);
    const definedAt = this.#log.publish();
    Atomics.store(this.#groupTable, group.id * groupWords + groupWord.definedAt, definedAt);
    this.#unlock();
  }

  #removeRef(group: HeadGroup, ref: SeriesRef): void {
    const { index, members } = this.#catalog;
    const series = this.#refs.seriesOf.at(ref);
    if (this.#refs.remove(ref)) {
      this.#log.forget(series);
      index.forget(series);
      members.forget(series);
      return;
    }
    for (const family of familiesOf(group)) {
      this.#log.leave(series, family);
      members.leave(series, family);
    }
  }

  #rebuildWhenDead(): void {
    const { index } = this.#catalog;
    if (index.deadCount < deadSeriesMin || index.deadCount * 2 < index.seriesCount) return;
    this.rebuildIndex();
  }

  /** Writes the names of living series anew, without the dead. Readers rebuild theirs when they next look. */
  rebuildIndex(): void {
    const { index: before, members: membersBefore } = this.#catalog;
    const index = new LabelIndex();
    const members = new Members();
    const renumbered = new GrowingColumn(before.seriesCount);
    for (const group of this.groups())
      Atomics.store(this.#groupTable, group.id * groupWords + groupWord.definedAt, 0);
    this.#log.restart(() => {
      this.#catalog = { index, members };
      for (const group of this.groups())
        for (const family of familiesOf(group)) {
          this.#log.family(family, group.id);
          members.familyGroup.set(family, group.id);
        }
      for (let old = 0; old < before.seriesCount; old++) {
        if (before.isDead(old)) continue;
        const series = index.internSeries(before.labels(old), this.#log);
        for (const { family, column } of membersBefore.places(old))
          this.#addMember(series, family, column);
        renumbered.set(old, series);
      }
    });
    this.#refs.renumber(renumbered);
  }

  /** The labels of a ref. */
  labels(ref: SeriesRef): LabelSet {
    return this.#catalog.index.labels(this.#refs.seriesOf.at(ref));
  }

  /** Everything in a group, as views that are valid until the next change of the head. */
  image(group: HeadGroup): GroupImage {
    const images = familiesOf(group).map((family) => this.#families.image(family));
    const names = new Map(familiesOf(group).map((family) => [family, [] as LabelSet[]]));
    const { members } = this.#catalog;
    for (let i = 0; i < group.refs.length; i++) {
      const ref = group.refs.at(i);
      for (const { family, column } of members.places(this.#refs.seriesOf.at(ref))) {
        const own = names.get(family);
        if (own) own[column] = this.labels(ref);
      }
    }
    const families = [...names.values()].map((labels, i) => ({ labels, image: images[i] }));
    return {
      key: group.key,
      families: families.flatMap(({ labels, image }) => (image ? [{ ...image, labels }] : [])),
    };
  }

  /** Puts a family of an image back; ordered families of a group before its late one. Throws `limit`. */
  restoreFamily(groupId: GroupRef, image: FamilyImage): void {
    const group = this.group(groupId);
    const family = this.#createFamily(group, image.unordered);
    if (family === undefined) throw new LimitError("the head has no room for what it held before");
    if (image.unordered) group.late = { family, columns: new Map() };
    else group.families.push(family);
    for (const labels of image.labels) this.#restoreColumn(group, family, labels);
    this.#lock(group.id);
    // Columns that were added while the image was taken: their samples come from the journal, to other columns.
    while (this.#families.width(family) < image.columns) this.#families.addColumn(family);
    for (const chunk of image.chunks)
      this.#families.link(family, this.#families.place(chunk) ?? this.#placeByDropping(chunk));
    this.#families.restoreWindow(family, image);
    this.#unlock();
    this.#log.publish();
    group.newestMs = Math.max(group.newestMs, this.#families.newestMs(family));
    if (!image.unordered && image.samples === 0) this.#families.startAfter(family, group.newestMs);
  }

  #restoreColumn(group: HeadGroup, family: number, labels: LabelSet): void {
    const column = this.#addColumn(group, family);
    if (column === undefined) throw new LimitError("the head has no room for what it held before");
    const series = this.#catalog.index.internSeries(labels, this.#log);
    const known = this.#refs.find(group.id, series);
    if (known === undefined) {
      this.#addRef(group, series, family, column);
      return;
    }
    this.#addMember(series, family, column);
    if (group.late?.family === family) group.late.columns.set(known, column);
    else this.#refs.move(known, family, column);
  }

  #newest(): number {
    let newest = -Infinity;
    for (const group of this.#groupOfKey.values()) newest = Math.max(newest, group.newestMs);
    return newest;
  }

  /** Bytes in use: closed windows, open windows, and all that names them in this thread and in the definition log. */
  parts(): { chunks: number; open: number; names: number } {
    const { index, members } = this.#catalog;
    const tables = index.sizeBytes + members.sizeBytes + this.#refs.sizeBytes;
    const { chunkBytes, openBytes } = this.#families;
    return { chunks: chunkBytes, open: openBytes, names: tables + this.#log.length };
  }

  stats(): HeadStats {
    let oldest = Infinity;
    for (const group of this.#groupOfKey.values())
      for (const family of familiesOf(group))
        oldest = Math.min(oldest, this.#families.oldestMs(family));
    const newest = this.#newest();
    const { index } = this.#catalog;
    const { chunks, open, names } = this.parts();
    return {
      series: index.seriesCount - index.deadCount,
      groups: this.#groupOfKey.size,
      samplesAppended: this.#samplesAppended,
      bytes: chunks + open + names,
      chunks: this.#families.chunkCount,
      oldestMs: oldest === Infinity ? undefined : oldest,
      newestMs: newest === -Infinity ? undefined : newest,
    };
  }
}

function familiesOf(group: HeadGroup): number[] {
  return group.late ? [...group.families, group.late.family] : group.families;
}
