/** Several pieces of one series, from several families, as one ascending column. */
import { highWord, lowWord } from "@skopos/model";
import { f64, isAbsent, markerHigh, staleLow, u32, wordsOf } from "./cells.ts";

/** Values of a series in one family, with the family's times; may have holes, may be out of order. */
export interface Piece {
  readonly times: Float64Array;
  readonly values: Float64Array;
}

/**
 * The samples of all pieces with startMs < t ≤ endMs in the order of time, without holes. Of two at one time the one of
 * the earlier piece is kept, but a staleness marker gives way to a value: it says that the *other* source ended.
 */
export function mergePieces(pieces: readonly Piece[], startMs: number, endMs: number): Piece {
  const from: { timeMs: number; piece: number; row: number }[] = [];
  for (const [piece, { times, values }] of pieces.entries()) {
    const words = wordsOf(values);
    for (let row = 0; row < times.length; row++) {
      const timeMs = f64(times, row);
      if (timeMs > startMs && timeMs <= endMs && !isAbsent(words, row))
        from.push({ timeMs, piece, row });
    }
  }
  from.sort((a, b) => a.timeMs - b.timeMs || a.piece - b.piece || a.row - b.row);
  const times = new Float64Array(from.length);
  const values = new Float64Array(from.length);
  const out = wordsOf(values);
  let count = 0;
  for (const { timeMs, piece, row } of from) {
    const words = wordsOf(pieces[piece]?.values ?? values);
    if (count > 0 && f64(times, count - 1) === timeMs) {
      if (!isStaleAt(out, count - 1)) continue;
      count--;
    }
    times[count] = timeMs;
    out[2 * count] = u32(words, 2 * row);
    out[2 * count + 1] = u32(words, 2 * row + 1);
    count++;
  }
  return { times: times.subarray(0, count), values: values.subarray(0, count) };
}

function isStaleAt(words: Uint32Array, index: number): boolean {
  return words[2 * index + highWord] === markerHigh && words[2 * index + lowWord] === staleLow;
}
