/**
 * One series' samples of one closed window, as bytes. Counters and decimals become integer deltas, everything else is
 * XORed byte by byte (after Pelkonen et al., "Gorilla", 2015, on byte instead of bit borders, which decodes faster).
 * Absent samples and staleness markers are bitmaps, so that a marker does not spoil the coding of its column.
 *
 *     head byte:  0..2 exponent of ten (integers = value × 10^e), 7: XOR
 *                 3 deltas of deltas   4 has absent bitmap   5 has stale bitmap
 *     [absent: u32le] [stale: u32le]
 *     integers:   zigzag varints: first value, then deltas; a zero is followed by the number of further zeros (u8)
 *     XOR:        per value a byte (leading zero bytes << 3 | trailing zero bytes), then the bytes between, high first;
 *                 63: equal to the value before
 *
 * A column without any sample takes no bytes. NaNs other than the two markers are kept bit for bit.
 */
import { highWord, lowWord } from "@skopos/model";
import { absentLow, f64, markerHigh, staleLow, u32, u8, writeAbsent } from "./cells.ts";
import { windowRows } from "./memory.ts";

/** Head, bitmaps, and nine bytes a row. */
export const columnBytesMax = 9 + 9 * windowRows;

const deltaOfDeltaBit = 8;
const absentBit = 16;
const staleBit = 32;
const xorMode = 7;
const scales = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000] as const;
/** Deltas of deltas of such integers, zigzagged, are still exact in a double. */
const integerMax = 2 ** 50;
const equalControl = 63;

const values = new Float64Array(windowRows);
const valueWords = new Uint32Array(values.buffer);
const integers = new Float64Array(windowRows);
const scratch = new Uint8Array(columnBytesMax);
let lastSamples = 0;

/** The common case of counters: nothing to scale. Fills `integers` then. */
function areIntegers(count: number): boolean {
  for (let i = 0; i < count; i++) {
    const value = f64(values, i);
    if (value !== Math.floor(value) || value > integerMax || value < -integerMax) return false;
    if (value === 0 && u32(valueWords, 2 * i + highWord) !== 0) return false;
    integers[i] = value;
  }
  return true;
}

/** The exponent of ten under which every value is a moderate integer and comes back bit for bit; -1 if none. */
function exponentOf(count: number): number {
  if (areIntegers(count)) return 0;
  let exponent = 0;
  for (let i = 0; i < count; i++) {
    const value = f64(values, i);
    for (;;) {
      const scale = scales[exponent];
      if (scale === undefined) return -1;
      const integer = Math.round(value * scale);
      const fits = integer <= integerMax && integer >= -integerMax && integer / scale === value;
      if (fits && (integer !== 0 || u32(valueWords, 2 * i + highWord) === 0)) break;
      if (exponent === 0 && !Number.isFinite(value)) return -1;
      exponent++;
    }
  }
  const scale = scales[exponent] ?? 1;
  for (let i = 0; i < count; i++) {
    const value = f64(values, i);
    const integer = Math.round(value * scale);
    // A value that fitted a smaller scale need not fit the final one.
    if (integer > integerMax || integer < -integerMax || integer / scale !== value) return -1;
    integers[i] = integer;
  }
  return exponent;
}

function writeVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest >= 0x1000_0000) {
    out[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  let small = rest | 0;
  while (small >= 128) {
    out[at++] = (small & 127) | 128;
    small >>>= 7;
  }
  out[at++] = small;
  return at;
}

function writeIntegers(out: Uint8Array, start: number, count: number, ofDeltas: boolean): number {
  let at = start;
  let previous = 0;
  let previousDelta = 0;
  let zeroAt = -1;
  for (let i = 0; i < count; i++) {
    const value = f64(integers, i);
    const delta = value - previous;
    const coded = ofDeltas ? delta - previousDelta : delta;
    previous = value;
    // The first "delta" is the value itself and says nothing about the slope.
    previousDelta = i === 0 ? 0 : delta;
    if (coded === 0) {
      if (zeroAt >= 0) out[zeroAt] = u8(out, zeroAt) + 1;
      else {
        out[at] = 0;
        zeroAt = at + 1;
        out[zeroAt] = 0;
        at += 2;
      }
    } else {
      zeroAt = -1;
      at = writeVarint(out, at, coded > 0 ? 2 * coded : -2 * coded - 1);
    }
  }
  return at;
}

function writeXor(out: Uint8Array, start: number, count: number): number {
  let at = start;
  let high = 0;
  let low = 0;
  for (let i = 0; i < count; i++) {
    const nextHigh = u32(valueWords, 2 * i + highWord);
    const nextLow = u32(valueWords, 2 * i + lowWord);
    const xorHigh = (nextHigh ^ high) >>> 0;
    const xorLow = (nextLow ^ low) >>> 0;
    high = nextHigh;
    low = nextLow;
    if (xorHigh === 0 && xorLow === 0) {
      out[at++] = equalControl;
      continue;
    }
    const leading = (xorHigh === 0 ? 32 + Math.clz32(xorLow) : Math.clz32(xorHigh)) >>> 3;
    const trailing = trailingZeroBytes(xorHigh, xorLow);
    out[at++] = (leading << 3) | trailing;
    for (let byte = leading; byte < 8 - trailing; byte++) {
      const word = byte < 4 ? xorHigh : xorLow;
      out[at++] = (word >>> (24 - 8 * (byte & 3))) & 255;
    }
  }
  return at;
}

function trailingZeroBytes(high: number, low: number): number {
  const word = low === 0 ? high : low;
  const bits = 31 - Math.clz32(word & -word);
  return (bits >>> 3) + (low === 0 ? 4 : 0);
}

/**
 * Encodes `rows` cells of a column of an open window (`from` and `stride` in doubles) to `out[at…]`; needs up to
 * `columnBytesMax`. Returns the end.
 */
export function encodeColumn(
  words: Uint32Array,
  from: number,
  stride: number,
  rows: number,
  out: Uint8Array,
  start: number,
): number {
  let absent = 0;
  let stale = 0;
  let count = 0;
  for (let row = 0, cell = 2 * from; row < rows; row++, cell += 2 * stride) {
    const high = u32(words, cell + highWord);
    const low = u32(words, cell + lowWord);
    if (high === markerHigh && low === absentLow) absent |= 1 << row;
    else if (high === markerHigh && low === staleLow) stale |= 1 << row;
    else {
      valueWords[2 * count + highWord] = high;
      valueWords[2 * count + lowWord] = low;
      count++;
    }
  }
  lastSamples = rows - bitCount(absent);
  if (lastSamples === 0) return start;
  const exponent = exponentOf(count);
  let head = exponent < 0 ? xorMode : exponent;
  let at = start + 1;
  if (absent !== 0) {
    head |= absentBit;
    at = writeWord(out, at, absent);
  }
  if (stale !== 0) {
    head |= staleBit;
    at = writeWord(out, at, stale);
  }
  if (exponent < 0) at = writeXor(out, at, count);
  else {
    const end = writeIntegers(out, at, count, false);
    const other = end - at > windowRows / 2 ? writeIntegers(scratch, 0, count, true) : Infinity;
    if (other < end - at) {
      head |= deltaOfDeltaBit;
      for (let i = 0; i < other; i++) out[at + i] = u8(scratch, i);
      at += other;
    } else at = end;
  }
  out[start] = head;
  return at;
}

/** How many samples the column encoded last had. */
export function encodedSamples(): number {
  return lastSamples;
}

function writeWord(out: Uint8Array, at: number, word: number): number {
  out[at] = word & 255;
  out[at + 1] = (word >>> 8) & 255;
  out[at + 2] = (word >>> 16) & 255;
  out[at + 3] = word >>> 24;
  return at + 4;
}

function readWord(bytes: Uint8Array, at: number): number {
  return (
    u8(bytes, at) | (u8(bytes, at + 1) << 8) | (u8(bytes, at + 2) << 16) | (u8(bytes, at + 3) << 24)
  );
}

/** Reads `count` integers, scaled, to `out[to…]`. */
function readIntegers(
  bytes: Uint8Array,
  start: number,
  count: number,
  head: number,
  out: Float64Array,
  to: number,
): void {
  const scale = scales[head & 7] ?? 1;
  const ofDeltas = (head & deltaOfDeltaBit) !== 0;
  let at = start;
  let value = 0;
  let delta = 0;
  for (let i = 0; i < count; i++) {
    let byte = u8(bytes, at++);
    if (byte === 0) {
      // A run: the difference of order one or two stays zero.
      const end = Math.min(count, i + 1 + u8(bytes, at++));
      for (; i < end; i++) {
        if (ofDeltas) value += delta;
        out[to + i] = value / scale;
      }
      i--;
      continue;
    }
    let coded = byte & 127;
    for (let factor = 128; byte >= 128 && factor < 2 ** 56; factor *= 128) {
      byte = u8(bytes, at++);
      coded += (byte & 127) * factor;
    }
    const difference = coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
    if (!ofDeltas) value += difference;
    else if (i === 0) value = difference;
    else {
      delta += difference;
      value += delta;
    }
    out[to + i] = value / scale;
  }
}

function readXor(bytes: Uint8Array, start: number, count: number): void {
  let at = start;
  let high = 0;
  let low = 0;
  for (let i = 0; i < count; i++) {
    const control = u8(bytes, at++);
    if (control !== equalControl) {
      const last = 8 - (control & 7);
      for (let byte = (control >>> 3) & 7; byte < last; byte++) {
        const bits = u8(bytes, at++) << (24 - 8 * (byte & 3));
        if (byte < 4) high ^= bits;
        else low ^= bits;
      }
    }
    valueWords[2 * i + highWord] = high;
    valueWords[2 * i + lowWord] = low;
  }
}

/** A buffer of doubles, and the words of the same buffer. */
export interface Doubles {
  readonly values: Float64Array;
  readonly words: Uint32Array;
}

/**
 * Decodes the column at `bytes[start, end)` to rows `skip` to `skip + take` of its window, as doubles `to…` of `out`.
 * Returns how many of them are samples. Nonsense in, nonsense out, within bounds.
 */
export function decodeColumn(
  bytes: Uint8Array,
  start: number,
  end: number,
  rows: number,
  out: Doubles,
  to: number,
  skip: number,
  take: number,
): number {
  const { words } = out;
  if (end <= start) {
    for (let i = 0; i < take; i++) writeAbsent(words, to + i);
    return 0;
  }
  const head = u8(bytes, start);
  let at = start + 1;
  let absent = 0;
  let stale = 0;
  if (head & absentBit) {
    absent = readWord(bytes, at);
    at += 4;
  }
  if (head & staleBit) {
    stale = readWord(bytes, at);
    at += 4;
  }
  const special = bitCount(absent | stale);
  const count = Math.max(0, Math.min(rows, windowRows) - special);
  if ((head & 7) === xorMode) readXor(bytes, at, count);
  else if (count === take && special === 0) {
    // All rows, and none of them special: no detour.
    readIntegers(bytes, at, count, head, out.values, to);
    return count;
  } else readIntegers(bytes, at, count, head, values, 0);
  return place(absent, stale, words, to, skip, take);
}

/** Spreads the decoded values over their rows, with the markers between them. */
function place(
  absent: number,
  stale: number,
  out: Uint32Array,
  to: number,
  skip: number,
  take: number,
): number {
  const before = skip === 0 ? 0 : 2 ** skip - 1;
  let from = skip - bitCount((absent | stale) & before);
  let samples = 0;
  for (let i = 0; i < take; i++) {
    const bit = 1 << (skip + i);
    const cell = 2 * (to + i);
    if (absent & bit) {
      out[cell + highWord] = markerHigh;
      out[cell + lowWord] = absentLow;
    } else {
      samples++;
      if (stale & bit) {
        out[cell + highWord] = markerHigh;
        out[cell + lowWord] = staleLow;
      } else {
        out[cell] = u32(valueWords, 2 * from);
        out[cell + 1] = u32(valueWords, 2 * from + 1);
        from++;
      }
    }
  }
  return samples;
}

function bitCount(word: number): number {
  let rest = word - ((word >>> 1) & 0x5555_5555);
  rest = (rest & 0x3333_3333) + ((rest >>> 2) & 0x3333_3333);
  return (((rest + (rest >>> 4)) & 0x0f0f_0f0f) * 0x0101_0101) >>> 24;
}
