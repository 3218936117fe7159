/**
 * A chunk: one closed window of a family, all its columns. It is written once, before anything points to it; only its
 * `next` changes later. Words are 32 bits, pointers as in `memory.ts`, the start is a multiple of eight bytes:
 *
 *     word 0      size in bytes, a multiple of eight
 *     word 1      zero
 *     word 2      next: pointer to the family's next chunk, 0 at the newest
 *     word 3      rows (≤ windowRows) | 256 when offsets are 32 bits wide
 *     word 4      columns
 *     word 5      where the column data begins, in bytes from the start
 *     word 6..7   oldest time    word 8..9   newest time, unix ms as doubles
 *     word 10     samples               word 11   zero
 *     word 12…    rows × double: times, in the order of rows
 *                 (columns + 1) offsets of 16 or 32 bits: column i is data[offset i, offset i+1)
 *                 data: columns as in `column-codec.ts`
 */
import { f64, u16, u32 } from "./cells.ts";
import { columnBytesMax, encodeColumn, encodedSamples } from "./column-codec.ts";
import { type Arena, familyColumnsMax, type Segment, segmentMask, windowRows } from "./memory.ts";

const timesWord = 12;
const wideFlag = 256;
const chunkWord = {
  size: 0,
  family: 1,
  next: 2,
  shape: 3,
  columns: 4,
  data: 5,
  samples: 10,
} as const;

/** An open window, as `encodeChunk` takes it; offsets in doubles. */
export interface OpenWindow {
  readonly f64: Float64Array;
  readonly u32: Uint32Array;
  /** Where the times begin. */
  readonly at: number;
  readonly stride: number;
  readonly width: number;
  readonly rows: number;
}

/** Encodes windows into one reused buffer. */
export class ChunkEncoder {
  readonly #data = new Uint8Array(familyColumnsMax * columnBytesMax);
  readonly #offsets = new Uint32Array(familyColumnsMax + 1);
  readonly #bytes: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #u16: Uint16Array;
  readonly #f64: Float64Array;

  constructor() {
    const buffer = new ArrayBuffer(
      8 * (timesWord + windowRows) + 4 * (familyColumnsMax + 2) + this.#data.length + 8,
    );
    this.#bytes = new Uint8Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u16 = new Uint16Array(buffer);
    this.#f64 = new Float64Array(buffer);
  }

  /** The chunk's bytes; valid until the next call. */
  encode(window: OpenWindow): Uint8Array {
    const { at, stride, width, rows } = window;
    const offsets = this.#offsets;
    let end = 0;
    let samples = 0;
    for (let column = 0; column < width; column++) {
      offsets[column] = end;
      end = encodeColumn(window.u32, at + windowRows + column, stride, rows, this.#data, end);
      samples += encodedSamples();
    }
    offsets[width] = end;
    const wide = end > 0xffff;
    const offsetsAt = 4 * timesWord + 8 * rows;
    const dataAt = offsetsAt + (wide ? 4 : 2) * (width + 1);
    const size = Math.ceil((dataAt + end) / 8) * 8;
    const header = this.#u32;
    header[chunkWord.size] = size;
    header[1] = 0;
    header[chunkWord.next] = 0;
    header[chunkWord.shape] = rows | (wide ? wideFlag : 0);
    header[chunkWord.columns] = width;
    header[chunkWord.data] = dataAt;
    header[chunkWord.samples] = samples;
    header[chunkWord.samples + 1] = 0;
    this.#writeTimes(window);
    if (wide) this.#u32.set(offsets.subarray(0, width + 1), offsetsAt / 4);
    else this.#u16.set(offsets.subarray(0, width + 1), offsetsAt / 2);
    this.#bytes.set(this.#data.subarray(0, end), dataAt);
    return this.#bytes.subarray(0, size);
  }

  #writeTimes(window: OpenWindow): void {
    let oldest = Infinity;
    let newest = -Infinity;
    for (let row = 0; row < window.rows; row++) {
      const time = f64(window.f64, window.at + row);
      oldest = Math.min(oldest, time);
      newest = Math.max(newest, time);
      this.#f64[timesWord / 2 + row] = time;
    }
    this.#f64[3] = oldest;
    this.#f64[4] = newest;
  }
}

/** Samples in a chunk outside the arena. */
export function samplesOfChunk(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(4 * chunkWord.samples, true);
}

/** Time of its newest sample. */
export function newestMsOfChunk(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(32, true);
}

/** A place to look at chunks from; moved along, so that no object is made per chunk. */
export class ChunkCursor {
  readonly #arena: Arena;
  segment: Segment | undefined;
  /** Start in words of the segment. */
  #word = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** False when the pointer is null or nonsense. */
  moveTo(pointer: number): boolean {
    this.segment = pointer > 0 ? this.#arena.segmentOf(pointer) : undefined;
    this.#word = (pointer & segmentMask) * 2;
    return this.segment !== undefined;
  }

  word(index: number): number {
    return this.segment ? u32(this.segment.u32, this.#word + index) : 0;
  }

  get sizeBytes(): number {
    return this.word(chunkWord.size);
  }

  get next(): number {
    return this.word(chunkWord.next);
  }

  set next(pointer: number) {
    if (this.segment) this.segment.u32[this.#word + chunkWord.next] = pointer;
  }

  get rows(): number {
    return Math.min(this.word(chunkWord.shape) & 255, windowRows);
  }

  get samples(): number {
    return this.word(chunkWord.samples);
  }

  get columns(): number {
    return this.word(chunkWord.columns);
  }

  get oldestMs(): number {
    return this.segment ? f64(this.segment.f64, this.#word / 2 + 3) : NaN;
  }

  get newestMs(): number {
    return this.segment ? f64(this.segment.f64, this.#word / 2 + 4) : NaN;
  }

  timeMs(row: number): number {
    return this.segment ? f64(this.segment.f64, (this.#word + timesWord) / 2 + row) : NaN;
  }

  /** Where column `column`, or the end of the one before, lies in `segment.u8`. */
  columnAt(column: number): number {
    const { segment } = this;
    if (!segment) return 0;
    const shape = this.word(chunkWord.shape);
    const offsetsAt = this.#word * 4 + timesWord * 4 + (shape & 255) * 8;
    const offset =
      shape & wideFlag
        ? u32(segment.u32, offsetsAt / 4 + column)
        : u16(segment.u16, offsetsAt / 2 + column);
    return this.#word * 4 + this.word(chunkWord.data) + offset;
  }

  /** The chunk's own bytes. */
  bytes(): Uint8Array {
    const at = this.#word * 4;
    return this.segment ? this.segment.u8.subarray(at, at + this.sizeBytes) : new Uint8Array();
  }
}
