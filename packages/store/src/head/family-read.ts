/**
 * Reads columns of one family out of shared memory. What comes back may be torn: the caller checks the group's sequence
 * afterwards (see `memory.ts`) and throws it away if it moved. Until then everything is bounded by constants, or by what
 * the caller checked before it allocated.
 */
import { f64, i32, isAbsent, u32, writeAbsent } from "./cells.ts";
import { ChunkCursor } from "./chunk.ts";
import { decodeColumn, type Doubles } from "./column-codec.ts";
import {
  Arena,
  familyWord,
  familyWords,
  type HeadShare,
  segmentMask,
  unorderedFlag,
  windowRows,
} from "./memory.ts";

/** A chain of more chunks than this is a torn read. */
const chunksMax = 1_000_000;
/** Chunks whose times are remembered, all families together; some 24 bytes each. */
const knownChunksMax = 1_000_000;

/** The chunks of a family as they were under one sequence of its group: reading them one by one misses every cache. */
interface ChunkList {
  readonly group: number;
  readonly sequence: number;
  readonly pointers: readonly number[];
  readonly oldestMs: readonly number[];
  readonly newestMs: readonly number[];
}

/** Where a family's group stands: what was seen of the family holds as long as the sequence does. */
export interface Standing {
  readonly group: number;
  readonly sequence: number;
}

/** Which rows of which windows lie in a time range. `pointers[i]` 0 is the open window. */
export interface FamilyPlan {
  readonly family: number;
  readonly unordered: boolean;
  readonly pointers: number[];
  readonly skips: number[];
  readonly takes: number[];
  rows: number;
}

export class FamilyReader {
  readonly #words: Int32Array;
  readonly #open: Arena;
  readonly #cursor: ChunkCursor;
  readonly #lists = new Map<number, ChunkList>();
  #knownChunks = 0;

  constructor(share: HeadShare) {
    this.#words = new Int32Array(share.families);
    this.#open = new Arena(share.open);
    this.#cursor = new ChunkCursor(new Arena(share.chunks));
  }

  /** Rows published in the open window. */
  openRows(family: number): number {
    return Atomics.load(this.#words, family * familyWords + familyWord.rows);
  }

  /**
   * The rows with startMs < t ≤ endMs, of the first `openRows` of the open window. For an unordered family: all rows
   * between the first and the last such row of each window, and the caller looks at the times. What is returned holds
   * when the group still has the sequence it had before.
   */
  plan(
    family: number,
    startMs: number,
    endMs: number,
    openRows: number,
    standing: Standing,
  ): FamilyPlan {
    const unordered = this.#word(family, familyWord.flags) === unorderedFlag;
    const plan: FamilyPlan = { family, unordered, pointers: [], skips: [], takes: [], rows: 0 };
    const { pointers, oldestMs, newestMs } = this.#chunks(family, standing);
    const cursor = this.#cursor;
    for (let i = unordered ? 0 : firstAbove(newestMs, startMs); i < pointers.length; i++) {
      const pointer = pointers[i] ?? 0;
      if ((newestMs[i] ?? 0) > startMs && (oldestMs[i] ?? 0) <= endMs && cursor.moveTo(pointer))
        addRange(plan, pointer, cursor.rows, (row) => cursor.timeMs(row), startMs, endMs);
      if (!unordered && (oldestMs[i] ?? 0) > endMs) return plan;
    }
    const window = this.#window(family);
    if (window) {
      const rows = Math.min(openRows, windowRows);
      addRange(plan, 0, rows, (row) => f64(window.f64, window.at + row), startMs, endMs);
    }
    return plan;
  }

  #chunks(family: number, { group, sequence }: Standing): ChunkList {
    const known = this.#lists.get(family);
    if (known?.sequence === sequence && known.group === group) return known;
    const list = this.#listChunks(family, { group, sequence });
    this.#knownChunks += list.pointers.length - (known?.pointers.length ?? 0);
    if (this.#knownChunks > knownChunksMax) {
      this.#lists.clear();
      this.#knownChunks = list.pointers.length;
    }
    this.#lists.set(family, list);
    return list;
  }

  #listChunks(family: number, { group, sequence }: Standing): ChunkList {
    const pointers: number[] = [];
    const oldestMs: number[] = [];
    const newestMs: number[] = [];
    const cursor = this.#cursor;
    let pointer = this.#word(family, familyWord.first);
    for (let i = 0; i < chunksMax && cursor.moveTo(pointer); i++) {
      pointers.push(pointer);
      oldestMs.push(cursor.oldestMs);
      newestMs.push(cursor.newestMs);
      pointer = cursor.next;
    }
    return { group, sequence, pointers, oldestMs, newestMs };
  }

  times(plan: FamilyPlan): Float64Array {
    const out = new Float64Array(plan.rows);
    let to = 0;
    for (let part = 0; part < plan.pointers.length; part++) {
      const skip = plan.skips[part] ?? 0;
      const take = plan.takes[part] ?? 0;
      const pointer = plan.pointers[part] ?? 0;
      const window = pointer === 0 ? this.#window(plan.family) : undefined;
      if (pointer !== 0) this.#cursor.moveTo(pointer);
      for (let row = skip; row < skip + take; row++)
        out[to++] = window ? f64(window.f64, window.at + row) : this.#cursor.timeMs(row);
    }
    return out;
  }

  /**
   * Writes `plan.rows` doubles per column to `out`, one column behind the other from double `at`, holes as
   * `absentNaN`; adds the number of samples of column i to `samples[i]`.
   */
  read(
    plan: FamilyPlan,
    columns: readonly number[],
    out: Doubles,
    at: number,
    samples: Uint32Array,
  ): void {
    let offset = at;
    for (let part = 0; part < plan.pointers.length; part++) {
      const skip = plan.skips[part] ?? 0;
      const take = plan.takes[part] ?? 0;
      const pointer = plan.pointers[part] ?? 0;
      if (pointer === 0) this.#readOpen(plan, columns, out, offset, skip, take, samples);
      else this.#readChunk(pointer, plan.rows, columns, out, offset, skip, take, samples);
      offset += take;
    }
  }

  #readChunk(
    pointer: number,
    rowsOut: number,
    columns: readonly number[],
    out: Doubles,
    offset: number,
    skip: number,
    take: number,
    samples: Uint32Array,
  ): void {
    const cursor = this.#cursor;
    cursor.moveTo(pointer);
    const { segment, rows, columns: width } = cursor;
    if (!segment) return;
    let to = offset;
    for (let i = 0; i < columns.length; i++, to += rowsOut) {
      const column = columns[i] ?? 0;
      const known = column < width;
      const from = known ? cursor.columnAt(column) : 0;
      const end = known ? cursor.columnAt(column + 1) : 0;
      const count = decodeColumn(segment.u8, from, end, rows, out, to, skip, take);
      samples[i] = u32(samples, i) + count;
    }
  }

  #readOpen(
    plan: FamilyPlan,
    columns: readonly number[],
    out: Doubles,
    offset: number,
    skip: number,
    take: number,
    samples: Uint32Array,
  ): void {
    const window = this.#window(plan.family);
    if (!window) return;
    const { words } = out;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] ?? 0;
      const to = offset + i * plan.rows;
      for (let row = 0; row < take; row++) {
        const cell = window.at + windowRows + (skip + row) * window.stride + column;
        if (column >= window.stride) writeAbsent(words, to + row);
        else {
          words[2 * (to + row)] = u32(window.u32, 2 * cell);
          words[2 * (to + row) + 1] = u32(window.u32, 2 * cell + 1);
          if (!isAbsent(words, to + row)) samples[i] = u32(samples, i) + 1;
        }
      }
    }
  }

  #window(family: number) {
    const pointer = this.#word(family, familyWord.open);
    const segment = pointer > 0 ? this.#open.segmentOf(pointer) : undefined;
    if (!segment) return undefined;
    return {
      f64: segment.f64,
      u32: segment.u32,
      at: pointer & segmentMask,
      stride: this.#word(family, familyWord.stride),
    };
  }

  #word(family: number, word: number): number {
    return i32(this.#words, family * familyWords + word);
  }
}

/** Index of the first of ascending times that is later. */
function firstAbove(times: readonly number[], ms: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) > ms) high = middle;
    else low = middle + 1;
  }
  return low;
}

function addRange(
  plan: FamilyPlan,
  pointer: number,
  rows: number,
  timeAt: (row: number) => number,
  startMs: number,
  endMs: number,
): void {
  let first = -1;
  let last = -1;
  for (let row = 0; row < rows; row++) {
    const time = timeAt(row);
    if (time <= startMs || time > endMs) continue;
    if (first < 0) first = row;
    last = row;
  }
  if (first < 0) return;
  plan.pointers.push(pointer);
  plan.skips.push(first);
  plan.takes.push(last - first + 1);
  plan.rows += last - first + 1;
}
