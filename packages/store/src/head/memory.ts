/**
 * The head's memory as all its threads see it. One thread writes, any number read; nothing is ever copied between them
 * and no message is needed after `HeadShare` has been handed over once, because what grows are growable
 * SharedArrayBuffers, mapped as fixed-length segments (a fixed-length view of one costs the same as any other).
 *
 * | Buffer | Holds |
 * |---|---|
 * | control | format, state of the definition log |
 * | groups | 4 words a group: sequence, definedAt, two spare |
 * | families | 8 words a family, see `familyWord` |
 * | definitions | two definition logs; the one in use is named in `control` |
 * | open | raw windows: `windowRows` times, then `windowRows` rows of `stride` doubles |
 * | chunks | closed windows, see `chunk.ts` |
 * | histograms | native histograms, see `histograms.ts` |
 * | exemplars | the newest exemplars, see `exemplars.ts` |
 *
 * A pointer is an offset in units of eight bytes into `open` or `chunks`; 0 means none.
 *
 * **Who sees what.** The group's `sequence` is a sequence lock: odd while the writer changes anything a reader may be
 * inside of (a window closes, moves or gains cells in rows already published; a chunk is dropped; several families of
 * the group publish one page together). A reader notes an even sequence, reads, and checks that it is still the same;
 * if not, it throws away what it read. New rows of a single family need no lock: cells first, then the row count with
 * `Atomics.store`. The check is an `Atomics.add(…, 0)`, because a plain load may be passed by earlier loads (H. Boehm,
 * "Can seqlocks get along with programming language memory models?", 2012).
 *
 * **Reclamation.** Memory is reused as soon as it is free; no reader is waited for, so a reader that dies holds nothing.
 * A reader inside freed memory reads nonsense within bounds (every loop is bounded by a constant or by what it has
 * itself allocated) and is told so by the sequence, which the writer moves before it reuses anything.
 */
import { LimitError } from "@skopos/model";

/** Rows of the raw window; a closed chunk has as many. Presence fits one word. */
export const windowRows = 32;
/** Columns of a family; a wider group has several. Bounds the time one close takes and the size of a chunk. */
export const familyColumnsMax = 4096;

export const controlWord = {
  format: 0,
  logSequence: 1,
  logLength: 2,
  logInUse: 3,
  /** Moves before memory of histograms is used again. */
  histogramEpoch: 4,
  /** Not zero once there was one. */
  histogramCount: 5,
  /** Odd while the three below change. */
  exemplarSequence: 6,
  /** How many have made room for newer ones. */
  exemplarsEvicted: 7,
  /** How many pages came that were older than `settledAfterMs`; moves after they can be seen. Behind the doubles. */
  latePages: 28,
} as const;
/** Doubles of the control buffer, behind its words. */
export const controlDouble = {
  exemplarOldest: 8,
  exemplarEnd: 9,
  completeSinceMs: 10,
  sealedThroughMs: 11,
  droppedBeforeMs: 12,
  tombstoneVersion: 13,
} as const;
const controlWords = 32;
export const formatVersion = 2;

export const groupWords = 4;
export const groupWord = { sequence: 0, definedAt: 1 } as const;

export const familyWords = 8;
export const familyWord = {
  group: 0,
  /** Columns in use. */
  width: 1,
  /** Columns there is room for in the open window. */
  stride: 2,
  /** Pointer into `open`. */
  open: 3,
  /** Rows published in the open window. */
  rows: 4,
  /** Pointers into `chunks`, oldest and newest. */
  first: 5,
  last: 6,
  /** 1: rows are in order of arrival, not of time. */
  flags: 7,
} as const;
export const unorderedFlag = 1;

/** What another thread needs to read the head; structured-cloneable. */
export interface HeadShare {
  readonly control: SharedArrayBuffer;
  readonly groups: SharedArrayBuffer;
  readonly families: SharedArrayBuffer;
  readonly definitions: readonly [SharedArrayBuffer, SharedArrayBuffer];
  readonly open: SharedArrayBuffer;
  readonly chunks: SharedArrayBuffer;
  readonly histograms: SharedArrayBuffer;
  readonly exemplars: SharedArrayBuffer;
}

export interface HeadMemoryLimits {
  readonly groupsMax: number;
  readonly familiesMax: number;
  readonly openBytesMax: number;
  readonly chunkBytesMax: number;
  readonly definitionBytesMax: number;
  readonly histogramBytesMax: number;
  readonly exemplarBytesMax: number;
}

/** ES2024's growable buffers, which Node 20 has and the ES2023 library types lack. */
interface Growable extends SharedArrayBuffer {
  readonly maxByteLength: number;
  grow(byteLength: number): void;
}
type GrowableConstructor = new (
  byteLength: number,
  options: { maxByteLength: number },
) => SharedArrayBuffer;

/** V8 of Node 20 refuses more for one buffer. */
const growableBytesMax = 2 ** 32;

function growable(byteLength: number, maxByteLength: number): SharedArrayBuffer {
  // The constructor's second argument is not in the ES2023 types.
  const Constructor = SharedArrayBuffer as unknown as GrowableConstructor;
  return new Constructor(byteLength, { maxByteLength: Math.min(maxByteLength, growableBytesMax) });
}

/** Grows to at least `byteLength`; false at the buffer's limit. */
function growTo(buffer: SharedArrayBuffer, byteLength: number): boolean {
  const target = buffer as Growable;
  if (target.byteLength >= byteLength) return true;
  if (byteLength > target.maxByteLength) return false;
  target.grow(byteLength);
  return true;
}

export function allocateShare(limits: HeadMemoryLimits): HeadShare {
  const control = new SharedArrayBuffer(controlWords * 4);
  new Int32Array(control)[controlWord.format] = formatVersion;
  return {
    control,
    groups: new SharedArrayBuffer(limits.groupsMax * groupWords * 4),
    families: new SharedArrayBuffer(limits.familiesMax * familyWords * 4),
    definitions: [growable(0, limits.definitionBytesMax), growable(0, limits.definitionBytesMax)],
    open: growable(0, limits.openBytesMax),
    chunks: growable(0, limits.chunkBytesMax),
    histograms: growable(0, limits.histogramBytesMax),
    exemplars: new SharedArrayBuffer(limits.exemplarBytesMax),
  };
}

export const segmentShift = 19;
/** 4 MiB: many chunks, and room for the largest one. */
export const segmentBytes = 8 * 2 ** segmentShift;
export const segmentMask = 2 ** segmentShift - 1;

/** One segment through every lens; offsets are in elements of each. */
export interface Segment {
  readonly f64: Float64Array;
  readonly u32: Uint32Array;
  readonly u16: Uint16Array;
  readonly u8: Uint8Array;
}

/** A growable buffer as fixed segments. Both sides use it; only the writer calls `grow`. */
export class Arena {
  readonly buffer: SharedArrayBuffer;
  readonly #segments: Segment[] = [];

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
  }

  /** The segment a pointer lies in; undefined when the pointer is nonsense (a read that raced). */
  segmentOf(pointer: number): Segment | undefined {
    return this.#segments[pointer >>> segmentShift] ?? this.#map(pointer >>> segmentShift);
  }

  #map(index: number): Segment | undefined {
    const at = index * segmentBytes;
    if (at + segmentBytes > this.buffer.byteLength) return undefined;
    const { buffer } = this;
    const segment = {
      f64: new Float64Array(buffer, at, segmentBytes / 8),
      u32: new Uint32Array(buffer, at, segmentBytes / 4),
      u16: new Uint16Array(buffer, at, segmentBytes / 2),
      u8: new Uint8Array(buffer, at, segmentBytes),
    };
    this.#segments[index] = segment;
    return segment;
  }

  /** How many segments there are. */
  get size(): number {
    return this.buffer.byteLength / segmentBytes;
  }

  /** Adds a segment and returns its index; undefined at the limit. */
  grow(): number | undefined {
    const index = this.buffer.byteLength / segmentBytes;
    return growTo(this.buffer, (index + 1) * segmentBytes) ? index : undefined;
  }
}

/** Appends to a definition log buffer; throws `limit` when it is full. */
export function writeLog(buffer: SharedArrayBuffer, at: number, bytes: Uint8Array): void {
  const needed = at + bytes.length;
  if (needed > buffer.byteLength) {
    const wanted = Math.ceil((needed * 1.25) / 65_536) * 65_536;
    if (!growTo(buffer, wanted) && !growTo(buffer, needed))
      throw new LimitError(
        `the head's definition log is full (${buffer.byteLength} bytes): too many series`,
      );
  }
  new Uint8Array(buffer, at, bytes.length).set(bytes);
}
