/** The slow question that late samples ask: is there a sample already? */
import { f64, isAbsent, wordsOf } from "./cells.ts";
import type { ChunkCursor } from "./chunk.ts";
import { decodeColumn } from "./column-codec.ts";
import type { Families } from "./families.ts";
import { windowRows } from "./memory.ts";

const values = new Float64Array(1);
const decoded = { values, words: wordsOf(values) };

/** The two words of a family's sample at a column and a time; undefined when there is none. Valid until the next call. */
export function findSample(
  families: Families,
  cursor: ChunkCursor,
  family: number,
  column: number,
  timeMs: number,
): Uint32Array | undefined {
  const window = families.window(family);
  for (let row = 0; row < window.rows; row++) {
    if (f64(window.f64, window.at + row) !== timeMs) continue;
    const cell = window.at + windowRows + row * window.stride + column;
    if (!isAbsent(window.u32, cell)) return window.u32.subarray(2 * cell, 2 * cell + 2);
  }
  for (let next = families.firstChunk(family); cursor.moveTo(next); next = cursor.next) {
    if (timeMs < cursor.oldestMs || timeMs > cursor.newestMs || column >= cursor.columns) continue;
    for (let row = 0; row < cursor.rows; row++) {
      if (cursor.timeMs(row) !== timeMs || !cursor.segment) continue;
      const from = cursor.columnAt(column);
      const to = cursor.columnAt(column + 1);
      if (decodeColumn(cursor.segment.u8, from, to, cursor.rows, decoded, 0, row, 1) > 0)
        return decoded.words;
    }
  }
  return undefined;
}
