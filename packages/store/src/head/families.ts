/**
 * The writer's side of families: columns that share one time column. A family has an open window of raw rows and a list
 * of closed chunks. Everything here changes shared memory under the rules of `memory.ts`; whoever calls a method marked
 * *locked* holds the sequence lock of the family's group.
 *
 * Every cell of an open window that is not a sample holds `absentNaN`, beyond the published rows too, so that appending
 * is writing and a missing sample costs nothing.
 */
import { LimitError } from "@skopos/model";
import { ChunkAllocator, OpenAllocator, strideFor } from "./allocators.ts";
import { f64, fillAbsent, GrowingColumn, i32, isAbsent, writeAbsent } from "./cells.ts";
import { ChunkCursor, ChunkEncoder, type OpenWindow, samplesOfChunk } from "./chunk.ts";
import {
  familyColumnsMax,
  familyWord,
  familyWords,
  type HeadShare,
  segmentMask,
  unorderedFlag,
  windowRows,
} from "./memory.ts";

/** A family's content, without names; of an ordered one perhaps only the recent chunks. */
export interface FamilyBytes {
  /** The same before and after a restart; no other family ever has it. */
  readonly uid: number;
  readonly unordered: boolean;
  readonly columns: number;
  /** Time of its newest sample, whether that is here or not. */
  readonly newestMs: number;
  /** As in `chunk.ts`, oldest first; their family and next mean nothing. */
  readonly chunks: readonly Uint8Array[];
  /** The open window: its times, and its cells as words, row after row, `columns` to a row. */
  readonly times: Float64Array;
  readonly cells: Uint32Array;
  readonly samples: number;
}

export class Families {
  readonly #words: Int32Array;
  readonly #familiesMax: number;
  readonly #open: OpenAllocator;
  readonly chunks: ChunkAllocator;
  readonly #cursor: ChunkCursor;
  readonly #encoder = new ChunkEncoder();
  readonly #free: number[] = [];
  /** By family: columns that are nobody's. */
  readonly #freeColumns = new Map<number, number[]>();
  /** By family: 1 once chunks were dropped since `takeShrunk`. */
  readonly #shrunk = new GrowingColumn();
  /** Families ever made; the free ones among them are in `#free`. */
  #count = 0;
  /** Rows of the open window, an unpublished one included. */
  readonly #rows = new GrowingColumn();
  /** Rows of the open window that were mostly holes. */
  readonly #apart = new GrowingColumn();
  #newestMs = new Float64Array(64);
  readonly #uids = new GrowingColumn();
  #nextUid = 1;
  #chunkCount = 0;

  constructor(share: HeadShare) {
    this.#words = new Int32Array(share.families);
    this.#familiesMax = this.#words.length / familyWords;
    this.#open = new OpenAllocator(share.open);
    this.chunks = new ChunkAllocator(share.chunks);
    this.#cursor = new ChunkCursor(this.chunks.arena);
  }

  get chunkCount(): number {
    return this.#chunkCount;
  }

  get chunkBytes(): number {
    return this.chunks.liveBytes;
  }

  get openBytes(): number {
    return this.#open.liveBytes;
  }

  /** A new, empty family with room for so many columns. Undefined at the limit of families or of memory for open windows. */
  create(group: number, unordered: boolean, columnsExpected = 1): number | undefined {
    if (this.#free.length === 0 && this.#count >= this.#familiesMax) return undefined;
    const stride = strideFor(columnsExpected);
    const open = this.#open.allocate(stride);
    if (open === undefined) return undefined;
    const family = this.#free.pop() ?? this.#count++;
    this.#rows.set(family, 0);
    this.#apart.set(family, 0);
    this.#shrunk.set(family, 0);
    this.#uids.set(family, this.#nextUid++);
    if (family >= this.#newestMs.length) {
      const grown = new Float64Array(this.#newestMs.length * 2);
      grown.set(this.#newestMs);
      this.#newestMs = grown;
    }
    this.#newestMs[family] = -Infinity;
    this.#set(family, familyWord.group, group);
    this.#set(family, familyWord.width, 0);
    this.#set(family, familyWord.stride, stride);
    this.#set(family, familyWord.open, open);
    this.#set(family, familyWord.first, 0);
    this.#set(family, familyWord.last, 0);
    this.#set(family, familyWord.flags, unordered ? unorderedFlag : 0);
    Atomics.store(this.#words, family * familyWords + familyWord.rows, 0);
    this.#clearOpen(open, stride);
    return family;
  }

  /** Locked. Frees everything; the number will be another family's. */
  release(family: number): void {
    this.dropBefore(family, Infinity);
    this.#open.free(this.#get(family, familyWord.open), this.#get(family, familyWord.stride));
    this.#set(family, familyWord.width, 0);
    this.#set(family, familyWord.rows, 0);
    this.#freeColumns.delete(family);
    this.#free.push(family);
  }

  /** How many columns can still be added. */
  room(family: number): number {
    return familyColumnsMax - this.#get(family, familyWord.width) + this.freeColumns(family);
  }

  /** Columns that are nobody's. */
  freeColumns(family: number): number {
    return this.#freeColumns.get(family)?.length ?? 0;
  }

  /** Whether the next column moves the open window (and needs the lock). */
  isFull(family: number): boolean {
    const { width, stride } = familyWord;
    return this.freeColumns(family) === 0 && this.#get(family, width) >= this.#get(family, stride);
  }

  /** Locked. Gives back a column that has no samples but perhaps, in the open window, some that are to be dropped. */
  freeColumn(family: number, column: number): void {
    const window = this.window(family);
    for (let row = 0; row < window.rows; row++)
      writeAbsent(window.u32, window.at + windowRows + row * window.stride + column);
    const free = this.#freeColumns.get(family);
    if (free) free.push(column);
    else this.#freeColumns.set(family, [column]);
  }

  /** Locked where `isFull`. Adds a column, or finds one that is nobody's, and returns its number; undefined at a limit. */
  addColumn(family: number): number | undefined {
    return this.#freeColumns.get(family)?.pop() ?? this.appendColumn(family);
  }

  /** As `addColumn`, behind all others. */
  appendColumn(family: number): number | undefined {
    const column = this.#get(family, familyWord.width);
    if (column >= familyColumnsMax) return undefined;
    const full = column >= this.#get(family, familyWord.stride);
    if (full && !this.#widen(family, column + 1)) return undefined;
    this.#set(family, familyWord.width, column + 1);
    return column;
  }

  #widen(family: number, columns: number): boolean {
    const stride = this.#get(family, familyWord.stride);
    const wider = strideFor(columns);
    const pointer = this.#open.allocate(wider);
    if (pointer === undefined) return false;
    const from = this.window(family);
    this.#clearOpen(pointer, wider);
    const segment = this.#open.arena.segmentOf(pointer);
    if (!segment) return false;
    const at = pointer & segmentMask;
    segment.u32.set(from.u32.subarray(2 * from.at, 2 * (from.at + windowRows)), 2 * at);
    for (let row = 0; row < from.rows; row++) {
      const source = from.at + windowRows + row * stride;
      const target = at + windowRows + row * wider;
      segment.u32.set(from.u32.subarray(2 * source, 2 * (source + from.width)), 2 * target);
    }
    const before = this.#get(family, familyWord.open);
    this.#set(family, familyWord.open, pointer);
    this.#set(family, familyWord.stride, wider);
    this.#open.free(before, stride);
    return true;
  }

  #clearOpen(pointer: number, stride: number): void {
    const segment = this.#open.arena.segmentOf(pointer);
    const at = pointer & segmentMask;
    if (segment) fillAbsent(segment.u32, at + windowRows, at + windowRows * (1 + stride));
  }

  /** The open window; valid until a column is added. */
  window(family: number): OpenWindow {
    const pointer = this.#get(family, familyWord.open);
    const segment = this.#open.arena.segmentOf(pointer);
    if (!segment) throw new Error("invariant broken: an open window outside its arena");
    return {
      f64: segment.f64,
      u32: segment.u32,
      at: pointer & segmentMask,
      stride: this.#get(family, familyWord.stride),
      width: this.#get(family, familyWord.width),
      rows: this.#rows.at(family),
    };
  }

  isUnordered(family: number): boolean {
    return this.#get(family, familyWord.flags) === unorderedFlag;
  }

  newestMs(family: number): number {
    return f64(this.#newestMs, family);
  }

  /** Lets the family's times begin after `ms`. */
  startAfter(family: number, ms: number): void {
    this.#newestMs[family] = ms;
  }

  /** Samples in the row before the newest of the open window; Infinity when there is none. */
  samplesBefore(family: number): number {
    const window = this.window(family);
    if (window.rows < 2) return Infinity;
    const from = window.at + windowRows + (window.rows - 2) * window.stride;
    let samples = 0;
    for (let i = from; i < from + window.width; i++) if (!isAbsent(window.u32, i)) samples++;
    return samples;
  }

  /** Counts a row of the open window that is mostly holes; returns how many there are. */
  addApart(family: number): number {
    const rows = this.#apart.at(family) + 1;
    this.#apart.set(family, rows);
    return rows;
  }

  rows(family: number): number {
    return this.#rows.at(family);
  }

  /** Whether readers see this row already, so that changing it needs the lock. */
  isPublished(family: number, row: number): boolean {
    return row < this.#get(family, familyWord.rows);
  }

  /** The open row of exactly this time; -1 if there is none. */
  rowAt(family: number, timeMs: number): number {
    const window = this.window(family);
    for (let row = window.rows - 1; row >= 0; row--)
      if (f64(window.f64, window.at + row) === timeMs) return row;
    return -1;
  }

  /** Starts an unpublished row. The window must have room. */
  startRow(family: number, timeMs: number): number {
    const row = this.#rows.at(family);
    const window = this.window(family);
    window.f64[window.at + row] = timeMs;
    this.#rows.set(family, row + 1);
    if (timeMs > f64(this.#newestMs, family)) this.#newestMs[family] = timeMs;
    return row;
  }

  /** Shows readers every row. Locked where a page spans several families. */
  publish(family: number): void {
    Atomics.store(this.#words, family * familyWords + familyWord.rows, this.#rows.at(family));
  }

  /** Encodes the open window without touching what readers see; `link` puts it in place. */
  encode(family: number): Uint8Array {
    return this.#encoder.encode(this.window(family));
  }

  /** Copies a chunk into the arena. Undefined when that is full. */
  place(bytes: Uint8Array): number | undefined {
    const pointer = this.chunks.allocate(bytes.length);
    if (pointer === undefined) return undefined;
    const segment = this.chunks.arena.segmentOf(pointer);
    segment?.u8.set(bytes, (pointer & segmentMask) * 8);
    if (this.#cursor.moveTo(pointer)) this.#cursor.next = 0;
    return pointer;
  }

  /** Locked. Appends a placed chunk to the family's list. */
  link(family: number, pointer: number): void {
    const last = this.#get(family, familyWord.last);
    if (last === 0) this.#set(family, familyWord.first, pointer);
    else if (this.#cursor.moveTo(last)) this.#cursor.next = pointer;
    this.#set(family, familyWord.last, pointer);
    this.#chunkCount++;
    if (this.#cursor.moveTo(pointer) && this.#cursor.newestMs > f64(this.#newestMs, family))
      this.#newestMs[family] = this.#cursor.newestMs;
  }

  /** Locked. Puts placed chunks, oldest first, before all others of the family. */
  linkBefore(family: number, pointers: readonly number[]): void {
    let next = this.firstChunk(family);
    for (const pointer of pointers.toReversed()) {
      if (this.#cursor.moveTo(pointer)) this.#cursor.next = next;
      if (next === 0) this.#set(family, familyWord.last, pointer);
      next = pointer;
      this.#chunkCount++;
    }
    this.#set(family, familyWord.first, next);
  }

  /** Locked. Empties the open window after its chunk is linked. */
  clear(family: number): void {
    const window = this.window(family);
    const from = window.at + windowRows;
    fillAbsent(window.u32, from, from + window.rows * window.stride);
    this.#rows.set(family, 0);
    this.#apart.set(family, 0);
    Atomics.store(this.#words, family * familyWords + familyWord.rows, 0);
  }

  firstChunk(family: number): number {
    return this.#get(family, familyWord.first);
  }

  /** Whether `dropBefore` would drop anything. */
  hasChunkBefore(family: number, ms: number): boolean {
    return this.#cursor.moveTo(this.firstChunk(family)) && this.#cursor.newestMs < ms;
  }

  /** Locked. Drops the chunks at the old end that end before `ms`. */
  dropBefore(family: number, ms: number): void {
    let pointer = this.firstChunk(family);
    while (this.#cursor.moveTo(pointer) && this.#cursor.newestMs < ms) {
      const { next, sizeBytes } = this.#cursor;
      this.#set(family, familyWord.first, next);
      if (next === 0) this.#set(family, familyWord.last, 0);
      this.chunks.free(pointer, sizeBytes);
      this.#chunkCount--;
      this.#shrunk.set(family, 1);
      pointer = next;
    }
  }

  /** Whether chunks were dropped since it was last asked: some columns may have no samples any more. */
  takeShrunk(family: number): boolean {
    const shrunk = this.#shrunk.at(family) === 1;
    this.#shrunk.set(family, 0);
    return shrunk;
  }

  /** `takeShrunk` will be true again. */
  markShrunk(family: number): void {
    this.#shrunk.set(family, 1);
  }

  /** Marks with 1 in `held` which columns have samples, in chunks or in open rows that are not older than `ms`. */
  markHeld(family: number, ms: number, held: Uint8Array): void {
    const window = this.window(family);
    held.fill(0, 0, window.width);
    let missing = window.width - this.freeColumns(family);
    for (let row = window.rows - 1; row >= 0 && missing > 0; row--) {
      if (f64(window.f64, window.at + row) < ms) continue;
      const from = window.at + windowRows + row * window.stride;
      for (let column = 0; column < window.width; column++) {
        if (held[column] === 1 || isAbsent(window.u32, from + column)) continue;
        held[column] = 1;
        missing--;
      }
    }
    const cursor = this.#cursor;
    let pointer = this.firstChunk(family);
    for (; missing > 0 && cursor.moveTo(pointer); pointer = cursor.next)
      for (let column = 0; column < cursor.columns; column++) {
        if (held[column] === 1 || cursor.columnAt(column) === cursor.columnAt(column + 1)) continue;
        held[column] = 1;
        missing--;
      }
  }

  /** Whether one column has samples; as `markHeld`. */
  isHeld(family: number, column: number, ms: number): boolean {
    const window = this.window(family);
    for (let row = 0; row < window.rows; row++) {
      if (f64(window.f64, window.at + row) < ms) continue;
      if (!isAbsent(window.u32, window.at + windowRows + row * window.stride + column)) return true;
    }
    const cursor = this.#cursor;
    let pointer = this.firstChunk(family);
    for (; cursor.moveTo(pointer); pointer = cursor.next)
      if (column < cursor.columns && cursor.columnAt(column) !== cursor.columnAt(column + 1))
        return true;
    return false;
  }

  /** Columns there are, nobody's included. */
  width(family: number): number {
    return this.#get(family, familyWord.width);
  }

  uid(family: number): number {
    return this.#uids.at(family);
  }

  /** Gives a family the number it had before a restart; the next new one gets a higher one. */
  restoreUid(family: number, uid: number): void {
    this.#uids.set(family, uid);
    this.#nextUid = Math.max(this.#nextUid, uid + 1);
  }

  /** Chunks that end in [fromMs, beforeMs), as views that are valid until they are dropped. */
  *chunksBetween(family: number, fromMs: number, beforeMs: number): Generator<Uint8Array> {
    let next = this.firstChunk(family);
    while (this.#cursor.moveTo(next)) {
      const { newestMs } = this.#cursor;
      next = this.#cursor.next;
      if (newestMs >= fromMs && newestMs < beforeMs) yield this.#cursor.bytes();
    }
  }

  /**
   * What the family holds, as views that are valid until it changes. Chunks of an ordered family that end before
   * `chunksFromMs` are left out.
   */
  image(family: number, chunksFromMs: number): FamilyBytes {
    const fromMs = this.isUnordered(family) ? -Infinity : chunksFromMs;
    const chunks = [...this.chunksBetween(family, fromMs, Infinity)];
    let samples = 0;
    for (const chunk of chunks) samples += samplesOfChunk(chunk);
    const window = this.window(family);
    const times = window.f64.subarray(window.at, window.at + window.rows);
    const cells = new Uint32Array(2 * window.rows * window.width);
    for (let row = 0; row < window.rows; row++) {
      const from = 2 * (window.at + windowRows + row * window.stride);
      const cellsOfRow = window.u32.subarray(from, from + 2 * window.width);
      cells.set(cellsOfRow, 2 * row * window.width);
    }
    for (let i = 0; i < cells.length / 2; i++) if (!isAbsent(cells, i)) samples++;
    return {
      uid: this.uid(family),
      unordered: this.isUnordered(family),
      columns: window.width,
      newestMs: this.newestMs(family),
      chunks,
      times,
      cells,
      samples,
    };
  }

  /** Locked. Fills the empty open window of a family from an image. */
  restoreWindow(family: number, image: FamilyBytes): void {
    for (const [row, timeMs] of image.times.entries()) {
      this.startRow(family, timeMs);
      const window = this.window(family);
      const cells = image.cells.subarray(2 * row * image.columns, 2 * (row + 1) * image.columns);
      window.u32.set(cells, 2 * (window.at + windowRows + row * window.stride));
    }
    this.publish(family);
  }

  /** Oldest time the family holds; Infinity when it is empty. */
  oldestMs(family: number): number {
    if (this.#cursor.moveTo(this.firstChunk(family))) return this.#cursor.oldestMs;
    const window = this.window(family);
    let oldest = Infinity;
    for (let row = 0; row < window.rows; row++)
      oldest = Math.min(oldest, f64(window.f64, window.at + row));
    return oldest;
  }

  #get(family: number, word: number): number {
    return i32(this.#words, family * familyWords + word);
  }

  #set(family: number, word: number, value: number): void {
    this.#words[family * familyWords + word] = value;
  }
}

/** Throws where the head cannot go on without more memory. */
export function chunkMemoryFull(): LimitError {
  return new LimitError(
    "the head's memory for chunks is full and nothing old is left to drop; raise chunkBytesMax",
  );
}
