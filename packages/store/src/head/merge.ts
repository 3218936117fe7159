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
 * the piece that begins earlier is kept, but a staleness marker gives way to a value: it says that the *other* source ended.
 */
export function mergePieces(pieces: readonly Piece[], startMs: number, endMs: number): Piece {
  const taken = samplesIn(pieces, startMs, endMs);
  if (!taken.ascending) sortByTime(taken);
  return withoutDuplicates(taken);
}

/** Samples of all pieces one behind the other. */
interface Taken {
  times: Float64Array;
  words: Uint32Array;
  count: number;
  ascending: boolean;
}

function samplesIn(pieces: readonly Piece[], startMs: number, endMs: number): Taken {
  const inOrder = [...pieces].sort((a, b) => (a.times[0] ?? 0) - (b.times[0] ?? 0));
  const room = pieces.reduce((sum, { times }) => sum + times.length, 0);
  const times = new Float64Array(room);
  const words = new Uint32Array(2 * room);
  let count = 0;
  let ascending = true;
  for (const piece of inOrder) {
    const from = wordsOf(piece.values);
    for (let row = 0; row < piece.times.length; row++) {
      const timeMs = f64(piece.times, row);
      if (timeMs <= startMs || timeMs > endMs || isAbsent(from, row)) continue;
      if (count > 0 && timeMs < f64(times, count - 1)) ascending = false;
      times[count] = timeMs;
      words[2 * count] = u32(from, 2 * row);
      words[2 * count + 1] = u32(from, 2 * row + 1);
      count++;
    }
  }
  return { times, words, count, ascending };
}

function sortByTime(taken: Taken): void {
  const { times, words, count } = taken;
  const order = Array.from({ length: count }, (_, i) => i);
  order.sort((a, b) => f64(times, a) - f64(times, b) || a - b);
  taken.times = Float64Array.from(order, (i) => f64(times, i));
  taken.words = new Uint32Array(2 * count);
  for (const [to, i] of order.entries()) {
    taken.words[2 * to] = u32(words, 2 * i);
    taken.words[2 * to + 1] = u32(words, 2 * i + 1);
  }
}

function withoutDuplicates({ times, words, count }: Taken): Piece {
  const values = new Float64Array(count);
  const out = wordsOf(values);
  let kept = 0;
  for (let i = 0; i < count; i++) {
    if (kept > 0 && f64(times, kept - 1) === f64(times, i)) {
      if (!isStaleAt(out, kept - 1)) continue;
      kept--;
    }
    times[kept] = f64(times, i);
    out[2 * kept] = u32(words, 2 * i);
    out[2 * kept + 1] = u32(words, 2 * i + 1);
    kept++;
  }
  return { times: times.subarray(0, kept), values: values.subarray(0, kept) };
}

function isStaleAt(words: Uint32Array, index: number): boolean {
  return words[2 * index + highWord] === markerHigh && words[2 * index + lowWord] === staleLow;
}
