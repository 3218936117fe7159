/**
 * The bytes of one series' samples in one slice, and of the times they share. Values are columns of the head's codec
 * (`head/column-codec.ts`) in windows of 32 rows:
 *
 *     values:  per window of 32 rows  varint length, column; length 0 where the series has no sample
 *              windows without samples at the end are left out
 *     times:   varint rows, then
 *              mode 0: varint first − slice start, zigzag varints of deltas of deltas; a zero is followed by the number
 *                      of further zeros (varint)
 *              mode 1: rows × double, little-endian, where times are no integers
 *
 * Varints are LEB128. `docs/format/history.md` has the picture.
 */
import { f64, u8 } from "../head/cells.ts";
import { columnBytesMax, decodeColumn, type Doubles, encodeColumn } from "../head/column-codec.ts";
import { windowRows } from "../head/memory.ts";
import { SkoposError } from "@skopos/model";

/** Writes into one buffer that grows and is used again. */
export class SliceEncoder {
  #bytes = new Uint8Array(64 * 1024);

  /** Rows `from` to `from + rows` of a column of doubles, given as words. The bytes are valid until the next call. */
  values(words: Uint32Array, from: number, rows: number): Uint8Array {
    let at = 0;
    let used = 0;
    for (let row = 0; row < rows; row += windowRows) {
      this.#room(at + columnBytesMax + 5);
      const count = Math.min(windowRows, rows - row);
      // One byte for the length; a column of 128 bytes and more is moved up.
      const start = at + 1;
      const end = encodeColumn(words, from + row, 1, count, this.#bytes, start);
      at = this.#lengthBefore(at, end);
      if (end > start) used = at;
    }
    return this.#bytes.subarray(0, used);
  }

  /** Writes the length of what was encoded from `at + 1` to `end`, and returns where it ends then. */
  #lengthBefore(at: number, end: number): number {
    const length = end - at - 1;
    if (length < 128) {
      this.#bytes[at] = length;
      return end;
    }
    this.#bytes.copyWithin(at + 2, at + 1, end);
    this.#bytes[at] = (length & 127) | 128;
    this.#bytes[at + 1] = length >>> 7;
    return end + 1;
  }

  /** Ascending times; valid until the next call. */
  times(times: Float64Array, sliceStartMs: number): Uint8Array {
    this.#room(10 * times.length + 20);
    const bytes = this.#bytes;
    let at = writeVarint(bytes, 0, times.length);
    if (!times.every(Number.isSafeInteger)) {
      bytes[at++] = 1;
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < times.length; i++, at += 8) view.setFloat64(at, f64(times, i), true);
      return bytes.subarray(0, at);
    }
    bytes[at++] = 0;
    let previous = sliceStartMs;
    let previousDelta = 0;
    let zeros = 0;
    for (let i = 0; i < times.length; i++) {
      const delta = f64(times, i) - previous;
      const change = i === 0 ? delta : delta - previousDelta;
      previous = f64(times, i);
      previousDelta = i === 0 ? 0 : delta;
      if (change === 0) {
        zeros++;
        continue;
      }
      at = writeZeros(bytes, at, zeros);
      zeros = 0;
      at = writeVarint(bytes, at, change > 0 ? 2 * change : -2 * change - 1);
    }
    at = writeZeros(bytes, at, zeros);
    return bytes.subarray(0, at);
  }

  #room(sizeBytes: number): void {
    if (sizeBytes <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * sizeBytes);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

function writeZeros(bytes: Uint8Array, at: number, zeros: number): number {
  if (zeros === 0) return at;
  bytes[at] = 0;
  return writeVarint(bytes, at + 1, zeros - 1);
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest >= 128) {
    bytes[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  return at;
}

/** Reads along bytes that came from elsewhere: what ends early or has nonsense in it throws "corrupt-history". */
class Cursor {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 60; factor *= 128) {
      if (this.at >= this.bytes.length) throw corrupt();
      const byte = u8(this.bytes, this.at++);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw corrupt();
  }
}

function corrupt(): SkoposError {
  return new SkoposError("corrupt-history", "a slice of the metrics history cannot be read");
}

/** More rows than a slice has milliseconds are nonsense. */
const rowsMax = 4_000_000;

export function decodeTimes(bytes: Uint8Array, sliceStartMs: number): Float64Array {
  const cursor = new Cursor(bytes);
  const rows = cursor.varint();
  const mode = bytes[cursor.at++];
  if (rows > rowsMax) throw corrupt();
  const times = new Float64Array(rows);
  if (mode === 1) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (cursor.at + 8 * rows > bytes.length) throw corrupt();
    for (let i = 0; i < rows; i++) times[i] = view.getFloat64(cursor.at + 8 * i, true);
    return times;
  }
  let previous = sliceStartMs;
  let delta = 0;
  let zeros = 0;
  for (let i = 0; i < rows; i++) {
    let change = 0;
    if (zeros > 0) zeros--;
    else {
      const coded = cursor.varint();
      if (coded === 0) zeros = cursor.varint();
      else change = coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
    }
    if (i === 0) previous += change;
    else {
      delta += change;
      previous += delta;
    }
    times[i] = previous;
  }
  return times;
}

/**
 * Decodes rows `skip` to `skip + take` of a slice of `rows` rows to doubles `to…` of `out`, holes as `absentNaN`.
 * Returns how many of them are samples.
 */
export function decodeValues(
  bytes: Uint8Array,
  rows: number,
  skip: number,
  take: number,
  out: Doubles,
  to: number,
): number {
  const cursor = new Cursor(bytes);
  let samples = 0;
  for (let row = 0; row < skip + take; row += windowRows) {
    const count = Math.min(windowRows, rows - row);
    const length = cursor.at < bytes.length ? cursor.varint() : 0;
    const start = cursor.at;
    if (start + length > bytes.length || length > columnBytesMax) throw corrupt();
    cursor.at = start + length;
    const first = Math.max(0, skip - row);
    const wanted = Math.min(count, skip + take - row) - first;
    if (wanted <= 0) continue;
    const at = to + row + first - skip;
    samples += decodeColumn(bytes, start, start + length, count, out, at, first, wanted);
  }
  return samples;
}
