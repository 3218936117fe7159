/**
 * Typed element reads and the bit patterns of special samples. A read of a typed array is `number | undefined` to the
 * compiler; these say once that the index is in range (or, in a read that raced with the writer and will be thrown
 * away, that it does not matter). One function per array type, so that each stays monomorphic when inlined.
 */
import { absentNaN, highWord, lowWord, staleNaN } from "@skopos/model";

export const u8 = (array: Uint8Array, index: number): number => array[index] as number;
export const u16 = (array: Uint16Array, index: number): number => array[index] as number;
export const u32 = (array: Uint32Array, index: number): number => array[index] as number;
export const i32 = (array: Int32Array, index: number): number => array[index] as number;
export const f64 = (array: Float64Array, index: number): number => array[index] as number;

/** Both markers share their high word. */
export const markerHigh = absentNaN.high;
export const absentLow = absentNaN.low;
export const staleLow = staleNaN.low;

/** Whether double `index` of the buffer seen as words is `absentNaN`. */
export function isAbsent(words: Uint32Array, index: number): boolean {
  return words[2 * index + highWord] === markerHigh && words[2 * index + lowWord] === absentLow;
}

export function writeAbsent(words: Uint32Array, index: number): void {
  words[2 * index + highWord] = markerHigh;
  words[2 * index + lowWord] = absentLow;
}

/** Writes `absentNaN` to doubles `from` (inclusive) to `to` (exclusive). */
export function fillAbsent(words: Uint32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) writeAbsent(words, i);
}

/** The words over a column of doubles, for copying values with their NaN payload. */
export function wordsOf(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

/** A growable column of unsigned 32-bit numbers; `limit` of entries is its owner's business. */
export class GrowingColumn {
  array: Uint32Array;
  length = 0;

  constructor(capacity = 64) {
    this.array = new Uint32Array(capacity);
  }

  push(value: number): number {
    this.reserve(this.length + 1);
    this.array[this.length] = value;
    return this.length++;
  }

  /** Makes room for `capacity` entries; new entries are 0. */
  reserve(capacity: number): void {
    if (capacity <= this.array.length) return;
    const grown = new Uint32Array(Math.max(capacity, Math.ceil(this.array.length * 1.5)));
    grown.set(this.array);
    this.array = grown;
  }

  at(index: number): number {
    return this.array[index] as number;
  }

  set(index: number, value: number): void {
    this.reserve(index + 1);
    this.array[index] = value;
    if (index >= this.length) this.length = index + 1;
  }

  get sizeBytes(): number {
    return this.array.byteLength;
  }
}
