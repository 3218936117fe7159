/**
 * Native histograms in shared memory. A histogram sample stands in its series' column like any other: the cell holds a
 * NaN of its own (`histogramHigh`) whose low word points here. So histograms are late, twice, stale and dropped as floats
 * are, and a series may change between the two. A record, in units of eight bytes:
 *
 *     word 0      bytes of the histogram     word 1   zero
 *     word 2..3   its time, unix ms as a double
 *     word 4…     the histogram, see `histogram-codec.ts`
 *
 * Records are laid one behind the other into segments in the order of arrival. A segment is used again when everything
 * in it is older than what the head keeps or, at `histogramBytesMax`, when it is the oldest: what pointed there is then
 * no sample any more. Readers notice by `histogramEpoch`, which moves before a segment is written again, and a pointer
 * that leads to another time leads nowhere.
 */
import {
  highWord,
  LimitError,
  lowWord,
  type NativeHistogram,
  type SeriesBlock,
  SkoposError,
} from "@skopos/model";
import { f64, u32, wordsOf, writeAbsent } from "./cells.ts";
import { FrameReader, FrameWriter } from "./frame-bytes.ts";
import { readHistogram, writeHistogram } from "./histogram-codec.ts";
import { Arena, controlWord, type HeadShare, segmentBytes, segmentMask } from "./memory.ts";

/** High word of a cell that stands for a histogram: a quiet NaN that no counter or gauge has. */
export const histogramHigh = 0x7ff8_4849;

const recordHeaderBytes = 16;
const segmentUnits = segmentBytes / 8;

/** What of a segment must outlive a restart, so that the pointers in chunks stay right. */
export interface HistogramSegment {
  readonly segment: number;
  readonly newestMs: number;
  readonly bytes: Uint8Array;
}

export class HistogramStore {
  readonly #arena: Arena;
  readonly #control: Int32Array;
  readonly #writer = new FrameWriter();
  /** Segments in use, oldest first; the last one is being filled. */
  #inUse: number[] = [];
  readonly #free: number[] = [];
  /** By segment. */
  readonly #newestMs: number[] = [];
  readonly #usedUnits: number[] = [];

  constructor(share: HeadShare) {
    this.#arena = new Arena(share.histograms);
    this.#control = new Int32Array(share.control);
  }

  get sizeBytes(): number {
    let units = 0;
    for (const segment of this.#inUse) units += this.#usedUnits[segment] ?? 0;
    return units * 8;
  }

  /** Keeps a histogram and returns the pointer to it. Throws `limit` when it is larger than any real one. */
  append(timeMs: number, histogram: NativeHistogram): number {
    this.#writer.clear();
    writeHistogram(this.#writer, histogram);
    const bytes = this.#writer.written();
    const units = Math.ceil((recordHeaderBytes + bytes.length) / 8);
    if (units >= segmentUnits)
      throw new LimitError(`a native histogram of ${bytes.length} bytes: use a coarser schema`);
    const segment = this.#room(units);
    const at = this.#usedUnits[segment] ?? 1;
    const memory = this.#arena.segmentOf(segment * segmentUnits);
    if (!memory) throw new Error("invariant broken: a histogram outside its arena");
    memory.u32[2 * at] = bytes.length;
    memory.u32[2 * at + 1] = 0;
    memory.f64[at + 1] = timeMs;
    memory.u8.set(bytes, 8 * at + recordHeaderBytes);
    this.#usedUnits[segment] = at + units;
    this.#newestMs[segment] = Math.max(this.#newestMs[segment] ?? -Infinity, timeMs);
    Atomics.add(this.#control, controlWord.histogramCount, 1);
    return segment * segmentUnits + at;
  }

  /** Takes back the histogram that was appended last: there was a sample already. */
  undo(pointer: number): void {
    this.#usedUnits[Math.floor(pointer / segmentUnits)] = pointer & segmentMask;
  }

  #room(units: number): number {
    const current = this.#inUse.at(-1);
    if (current !== undefined && (this.#usedUnits[current] ?? 0) + units <= segmentUnits)
      return current;
    const next = this.#free.pop() ?? this.#arena.grow() ?? this.#oldest();
    Atomics.add(this.#control, controlWord.histogramEpoch, 1);
    this.#inUse.push(next);
    // Unit 0 of the arena is the null pointer.
    this.#usedUnits[next] = 1;
    this.#newestMs[next] = -Infinity;
    return next;
  }

  #oldest(): number {
    const oldest = this.#inUse.shift();
    if (oldest === undefined) throw new LimitError("no memory for native histograms at all");
    return oldest;
  }

  /** Lets go of segments in which everything is older. */
  dropBefore(ms: number): void {
    const dead = (segment: number) => (this.#newestMs[segment] ?? 0) < ms;
    for (const segment of this.#inUse.slice(0, -1)) if (dead(segment)) this.#free.push(segment);
    const current = this.#inUse.at(-1);
    this.#inUse = this.#inUse.filter((segment) => segment === current || !dead(segment));
  }

  /** Whether two pointers lead to equal histograms. */
  equal(a: number, b: number): boolean {
    const one = recordAt(this.#arena, a);
    const other = recordAt(this.#arena, b);
    return one !== undefined && other !== undefined && Buffer.compare(one, other) === 0;
  }

  /** Everything there is, oldest first; views that are valid until the next change. */
  *segments(): Generator<HistogramSegment> {
    for (const segment of this.#inUse) {
      const memory = this.#arena.segmentOf(segment * segmentUnits);
      const bytes = memory?.u8.subarray(0, 8 * (this.#usedUnits[segment] ?? 1));
      if (bytes) yield { segment, bytes, newestMs: this.#newestMs[segment] ?? -Infinity };
    }
  }

  /** Puts a segment back where it was, into an empty store. Throws `limit` when it does not fit any more. */
  restore({ segment, newestMs, bytes }: HistogramSegment): void {
    for (let next = this.#arena.size; next <= segment; next++) {
      if (this.#arena.grow() === undefined)
        throw new LimitError("native histograms do not fit any more; raise histogramBytesMax");
      this.#free.push(next);
    }
    this.#arena.segmentOf(segment * segmentUnits)?.u8.set(bytes);
    this.#free.splice(this.#free.indexOf(segment), 1);
    this.#inUse.push(segment);
    this.#usedUnits[segment] = bytes.length / 8;
    this.#newestMs[segment] = newestMs;
    Atomics.add(this.#control, controlWord.histogramCount, 1);
  }
}

/** The bytes of a record, its header included; undefined when the pointer is nonsense. */
function recordAt(arena: Arena, pointer: number): Uint8Array | undefined {
  const segment = arena.segmentOf(pointer);
  if (!segment) return undefined;
  const at = pointer & segmentMask;
  const end = 8 * at + recordHeaderBytes + u32(segment.u32, 2 * at);
  return at === 0 || end > segmentBytes ? undefined : segment.u8.subarray(8 * at, end);
}

/** A reader's end, in any thread. */
export class HistogramReader {
  readonly #arena: Arena;
  readonly #control: Int32Array;
  readonly #reader = new FrameReader();

  constructor(share: HeadShare) {
    this.#arena = new Arena(share.histograms);
    this.#control = new Int32Array(share.control);
  }

  /** Noted before a read and compared after it. */
  epoch(): number {
    return Atomics.load(this.#control, controlWord.histogramEpoch);
  }

  /**
   * The block with its histograms. A pointer that leads nowhere becomes a hole. Undefined when memory was used again
   * meanwhile; `epoch` is of before the block's cells were read.
   */
  resolve(block: SeriesBlock, epoch: number): SeriesBlock | undefined {
    if (Atomics.load(this.#control, controlWord.histogramCount) === 0) return block;
    const words = wordsOf(block.values);
    const histograms = new Map<number, NativeHistogram>();
    let pointers = 0;
    for (let i = 0; i + 1 < block.offsets.length; i++) {
      const end = u32(block.offsets, i + 1);
      for (let k = u32(block.offsets, i); k < end; k++) {
        if (words[2 * k + highWord] !== histogramHigh) continue;
        pointers++;
        const times = block.times[u32(block.timesOf, i)];
        const timeMs = times ? f64(times, k - u32(block.offsets, i)) : NaN;
        const found = this.#read(u32(words, 2 * k + lowWord), timeMs);
        if (found) histograms.set(k, found);
        else writeAbsent(words, k);
      }
    }
    if (pointers === 0) return block;
    return this.epoch() === epoch ? { ...block, histograms } : undefined;
  }

  #read(pointer: number, timeMs: number): NativeHistogram | undefined {
    const record = recordAt(this.#arena, pointer);
    const segment = this.#arena.segmentOf(pointer);
    if (!record || !segment || f64(segment.f64, (pointer & segmentMask) + 1) !== timeMs)
      return undefined;
    // A copy, since nobody holds it still; then it is what it was, or the epoch has moved.
    this.#reader.open(record.slice(recordHeaderBytes));
    try {
      return readHistogram(this.#reader);
    } catch (error) {
      if (error instanceof SkoposError) return undefined;
      throw error;
    }
  }
}
