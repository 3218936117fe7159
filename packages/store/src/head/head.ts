/**
 * The metrics head: the recent hours in memory. One thread owns it and appends; any thread reads through
 * `HeadView(head.share())`, this one through `head.reader()`. Layout and memory order: `memory.ts`.
 *
 * What callers see as series of a group lies in *families*, columns that share times. A group's series fill ordered
 * families of up to `familyColumnsMax` columns. Samples that come behind the family's newest time, but inside the
 * out-of-order window, go to a *late* family of the group, whose rows are in order of arrival; readers merge. So a late
 * sample costs a little where it happens and nothing elsewhere, and appending never moves what was written.
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
import { chunkMemoryFull, Families } from "./families.ts";
import { findSample } from "./find-sample.ts";
import { HeadReader } from "./head-reader.ts";
import { LabelIndex } from "./label-index.ts";
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

export const headDefaults: HeadOptions = {
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

export interface HeadGroup {
  readonly id: GroupRef;
  readonly key: string;
  /** Never used again, unlike `id`. */
  readonly serial: number;
  /** Refs by their index in the group. */
  readonly refs: GrowingColumn;
  readonly families: number[];
  late: { readonly family: number; readonly columns: Map<SeriesRef, number> } | undefined;
  newestMs: number;
  closed: boolean;
}

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
  #nextSerial = 1;

  /** By ref. */
  readonly #refSeries = new GrowingColumn();
  readonly #refFamily = new GrowingColumn();
  readonly #refColumn = new GrowingColumn();
  readonly #refGroup = new GrowingColumn();
  readonly #refNext = new GrowingColumn();
  readonly #freeRefs: number[] = [];
  /** By series: its newest ref plus one. */
  #seriesRef = new GrowingColumn();

  #lockedGroup = -1;
  /** Families with an unpublished row of the page being appended. */
  readonly #touched: number[] = [];
  #cutoffMs = -Infinity;
  #dropCursor = 0;
  #samplesAppended = 0;
  #liveRefs = 0;
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
    return this.openSerial(key, this.#nextSerial).id;
  }

  /** Finds or makes the group of `key`; a new one gets `serial` (a restored or replayed one keeps its own). */
  openSerial(key: string, serial: number): HeadGroup {
    const known = this.#groupOfKey.get(key);
    if (known) {
      known.closed = false;
      return known;
    }
    const id = this.#freeGroups.pop() ?? this.#groups.length;
    if (id >= this.#options.groupsMax)
      throw new LimitError(
        `the head has ${this.#options.groupsMax} groups of series already; raise groupsMax`,
      );
    const group: HeadGroup = {
      id,
      key,
      serial,
      refs: new GrowingColumn(8),
      families: [],
      late: undefined,
      newestMs: -Infinity,
      closed: false,
    };
    this.#nextSerial = Math.max(this.#nextSerial, serial + 1);
    this.#groups[id] = group;
    this.#groupOfKey.set(key, group);
    return group;
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

  closeGroup(id: GroupRef): void {
    this.group(id).closed = true;
  }

  series(groupId: GroupRef, labels: LabelSet): SeriesRef | undefined {
    const group = this.group(groupId);
    const { index } = this.#catalog;
    const known = index.lookup(labels);
    if (known !== undefined) {
      const ref = this.#refIn(group.id, known);
      if (ref !== undefined) return ref;
    }
    if (
      this.#liveRefs >= this.#options.seriesMax ||
      group.refs.length >= this.#options.groupSeriesMax
    )
      return undefined;
    const place = this.#placeColumn(group);
    if (!place) return undefined;
    const series = known ?? index.internSeries(labels, this.#log);
    this.#addMember(series, place.family, place.column);
    return this.#addRef(group, series, place.family, place.column);
  }

  #refIn(group: GroupRef, series: number): SeriesRef | undefined {
    let next = series < this.#seriesRef.length ? this.#seriesRef.at(series) : 0;
    while (next !== 0) {
      const ref = next - 1;
      if (this.#refGroup.at(ref) === group) return ref;
      next = this.#refNext.at(ref);
    }
    return undefined;
  }

  #addRef(group: HeadGroup, series: number, family: number, column: number): SeriesRef {
    const ref = this.#freeRefs.pop() ?? this.#refSeries.length;
    this.#refSeries.set(ref, series);
    this.#refFamily.set(ref, family);
    this.#refColumn.set(ref, column);
    this.#refGroup.set(ref, group.id);
    this.#refNext.set(ref, series < this.#seriesRef.length ? this.#seriesRef.at(series) : 0);
    this.#seriesRef.set(series, ref + 1);
    group.refs.push(ref);
    this.#liveRefs++;
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
    const families = this.#refFamily.array;
    const columns = this.#refColumn.array;
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
    const { late } = group;
    const own = findSample(
      this.#families,
      this.#cursor,
      this.#refFamily.at(ref),
      this.#refColumn.at(ref),
      timeMs,
    );
    const column = late?.columns.get(ref);
    if (own || !late || column === undefined) return own;
    return findSample(this.#families, this.#cursor, late.family, column, timeMs);
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
    this.#addMember(this.#refSeries.at(ref), family, column);
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
    this.#touched.length = 0;
    this.#unlock();
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
    for (const family of families) {
      if (!this.#families.hasChunkBefore(family, ms)) continue;
      this.#lock(group.id);
      this.#families.dropBefore(family, ms);
      this.#unlock();
    }
  }

  #release(group: HeadGroup): void {
    this.#lock(group.id);
    const { members } = this.#catalog;
    for (let i = 0; i < group.refs.length; i++) {
      const ref = group.refs.at(i);
      const series = this.#refSeries.at(ref);
      this.#unlinkRef(series, ref);
      if (this.#seriesRef.at(series) === 0) {
        this.#log.forget(series);
        this.#catalog.index.forget(series);
        members.forget(series);
      } else
        for (const family of familiesOf(group)) {
          this.#log.leave(series, family);
          members.leave(series, family);
        }
      this.#freeRefs.push(ref);
      this.#liveRefs--;
    }
    for (const family of familiesOf(group)) this.#families.release(family);
    const definedAt = this.#log.publish();
    Atomics.store(this.#groupTable, group.id * groupWords + groupWord.definedAt, definedAt);
    this.#unlock();
    this.#groupOfKey.delete(group.key);
    this.#groups[group.id] = undefined;
    this.#freeGroups.push(group.id);
  }

  #unlinkRef(series: number, ref: SeriesRef): void {
    const after = this.#refNext.at(ref);
    if (this.#seriesRef.at(series) === ref + 1) {
      this.#seriesRef.set(series, after);
      return;
    }
    let at = this.#seriesRef.at(series) - 1;
    while (this.#refNext.at(at) !== ref + 1) at = this.#refNext.at(at) - 1;
    this.#refNext.set(at, after);
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
    const seriesRef = new GrowingColumn();
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
        seriesRef.set(series, this.#seriesRef.at(old));
        for (let next = this.#seriesRef.at(old); next !== 0; next = this.#refNext.at(next - 1))
          this.#refSeries.set(next - 1, series);
      }
    });
    this.#seriesRef = seriesRef;
  }

  #newest(): number {
    let newest = -Infinity;
    for (const group of this.#groupOfKey.values()) newest = Math.max(newest, group.newestMs);
    return newest;
  }

  stats(): HeadStats {
    let oldest = Infinity;
    for (const group of this.#groupOfKey.values())
      for (const family of familiesOf(group))
        oldest = Math.min(oldest, this.#families.oldestMs(family));
    const newest = this.#newest();
    const columns = [
      this.#refSeries,
      this.#refFamily,
      this.#refColumn,
      this.#refGroup,
      this.#refNext,
      this.#seriesRef,
    ];
    const tables = columns.reduce((total, column) => total + column.sizeBytes, 0);
    const { index, members } = this.#catalog;
    return {
      series: index.seriesCount - index.deadCount,
      groups: this.#groupOfKey.size,
      samplesAppended: this.#samplesAppended,
      bytes:
        this.#families.sizeBytes + tables + index.sizeBytes + members.sizeBytes + this.#log.length,
      chunks: this.#families.chunkCount,
      oldestMs: oldest === Infinity ? undefined : oldest,
      newestMs: newest === -Infinity ? undefined : newest,
    };
  }
}

function familiesOf(group: HeadGroup): number[] {
  return group.late ? [...group.families, group.late.family] : group.families;
}
