/**
 * Which samples of a slice its roll-up keeps. A roll-up is not made of new values but is a part of the samples, each at
 * its own time, so that every PromQL function means the same on it:
 *
 * - the last sample of every minute (m − 1 min < t ≤ m), and the first of the slice;
 * - both samples around a decrease, so that no counter reset is lost, whatever the counter climbs to afterwards;
 * - a staleness marker, and the sample before it.
 *
 * A column with many decreases is a gauge: of its decreases none is kept for itself, but its least and its greatest sample
 * of the slice are.
 *
 * Exact: `increase` and `rate` between any two kept samples, `last_over_time` and instant values at full minutes,
 * `min_over_time` and `max_over_time` of gauges over whole slices. Averages and counts over samples are not; ranges below
 * some minutes have too few samples.
 */
import { highWord, lowWord } from "@skopos/model";
import { absentLow, f64, markerHigh, staleLow, u32 } from "../head/cells.ts";

export const rollupMs = 60_000;
/** Of a column's samples one in so many may decrease before it counts as a gauge. */
const samplesPerReset = 16;

/** Rows to keep of a column without holes, markers and decreases: what most columns of a page have in common. */
export function plainRows(times: Float64Array): Uint32Array {
  const rows: number[] = [];
  for (let row = 0; row < times.length; row++)
    if (row === 0 || row === times.length - 1 || minuteOf(times, row) !== minuteOf(times, row + 1))
      rows.push(row);
  return Uint32Array.from(rows);
}

function minuteOf(times: Float64Array, row: number): number {
  return Math.ceil(f64(times, row) / rollupMs);
}

/** Whether `plainRows` are the rows to keep of the column at double `from`. */
export function isPlain(
  values: Float64Array,
  words: Uint32Array,
  from: number,
  rows: number,
): boolean {
  let previous = -Infinity;
  for (let row = from; row < from + rows; row++) {
    const value = f64(values, row);
    if (value >= previous) previous = value;
    else if (value < previous || u32(words, 2 * row + highWord) === markerHigh) return false;
  }
  return true;
}

/** Keeps rows of one column after the other. */
export class RowChooser {
  #keep = new Uint8Array(1024);
  /** Rows with a sample. */
  #present = new Uint32Array(1024);

  /** Rows to keep of the column at double `from`; ascending. */
  rows(times: Float64Array, values: Float64Array, words: Uint32Array, from: number): Uint32Array {
    const count = this.#collect(times.length, words, from);
    const keep = this.#keep;
    let decreases = 0;
    let before = -1;
    let least = -1;
    let greatest = -1;
    for (let i = 0; i < count; i++) {
      const row = u32(this.#present, i);
      if (isStaleAt(words, from + row)) {
        keep[row] = 1;
        if (i > 0) keep[u32(this.#present, i - 1)] = 1;
        continue;
      }
      const value = f64(values, from + row);
      if (before >= 0 && value < f64(values, from + before)) decreases++;
      if (least < 0 || value < f64(values, from + least)) least = row;
      if (greatest < 0 || value > f64(values, from + greatest)) greatest = row;
      before = row;
      const next = i + 1 < count ? u32(this.#present, i + 1) : -1;
      if (i === 0 || next < 0 || minuteOf(times, row) !== minuteOf(times, next)) keep[row] = 1;
    }
    if (decreases * samplesPerReset > count && decreases > 1) {
      if (least >= 0) keep[least] = 1;
      if (greatest >= 0) keep[greatest] = 1;
    } else if (decreases > 0) this.#keepResets(count, values, words, from);
    return this.#kept(times.length);
  }

  #keepResets(count: number, values: Float64Array, words: Uint32Array, from: number): void {
    let before = -1;
    for (let i = 0; i < count; i++) {
      const row = u32(this.#present, i);
      if (isStaleAt(words, from + row)) continue;
      if (before >= 0 && f64(values, from + row) < f64(values, from + before)) {
        this.#keep[before] = 1;
        this.#keep[row] = 1;
      }
      before = row;
    }
  }

  #collect(rows: number, words: Uint32Array, from: number): number {
    if (rows > this.#keep.length) {
      this.#keep = new Uint8Array(2 * rows);
      this.#present = new Uint32Array(2 * rows);
    }
    this.#keep.fill(0, 0, rows);
    let count = 0;
    for (let row = 0; row < rows; row++) {
      const cell = 2 * (from + row);
      if (words[cell + highWord] !== markerHigh || words[cell + lowWord] !== absentLow)
        this.#present[count++] = row;
    }
    return count;
  }

  #kept(rows: number): Uint32Array {
    const out: number[] = [];
    for (let row = 0; row < rows; row++) if (this.#keep[row] === 1) out.push(row);
    return Uint32Array.from(out);
  }
}

function isStaleAt(words: Uint32Array, index: number): boolean {
  return words[2 * index + highWord] === markerHigh && words[2 * index + lowWord] === staleLow;
}
