/**
 * The writer's allocators over the shared arenas. Neither waits for readers (see `memory.ts`).
 *
 * Chunks close in the order of time and are dropped in the order of time, so they are laid one behind the other into
 * segments, and a segment is free again when its last chunk is dropped: no free lists, no fragments. Open windows come
 * and go with targets in any order; they are blocks of a few sizes with a free list for each.
 */
import { Arena, familyColumnsMax, segmentBytes, segmentShift, windowRows } from "./memory.ts";

const segmentUnits = segmentBytes / 8;

export class ChunkAllocator {
  readonly arena: Arena;
  /** Live bytes by segment; a segment without any is in `#free`. */
  readonly #live: number[] = [];
  readonly #free: number[] = [];
  #current = -1;
  #used = 0;
  #liveBytes = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.arena = new Arena(buffer);
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Room for `sizeBytes` (a multiple of eight, at most a segment); undefined when the arena is full. */
  allocate(sizeBytes: number): number | undefined {
    const units = sizeBytes / 8;
    if (this.#current < 0 || this.#used + units > segmentUnits) {
      const next = this.#free.pop() ?? this.arena.grow();
      if (next === undefined) return undefined;
      const previous = this.#current;
      this.#current = next;
      if (previous >= 0 && this.#live[previous] === 0) this.#free.push(previous);
      this.#live[next] = 0;
      // Unit 0 of the arena is the null pointer.
      this.#used = 1;
    }
    const pointer = this.#current * segmentUnits + this.#used;
    this.#used += units;
    this.#live[this.#current] = (this.#live[this.#current] ?? 0) + sizeBytes;
    this.#liveBytes += sizeBytes;
    return pointer;
  }

  free(pointer: number, sizeBytes: number): void {
    const segment = pointer >>> segmentShift;
    const live = (this.#live[segment] ?? 0) - sizeBytes;
    this.#live[segment] = live;
    this.#liveBytes -= sizeBytes;
    if (live === 0 && segment !== this.#current) this.#free.push(segment);
  }
}

/** Columns an open window may have room for: 4, 5, 6, 7, 8, 10, 12, 14, 16 …, and from 64 on in steps of an eighth. */
const strides: readonly number[] = (() => {
  const out: number[] = [];
  for (
    let n = 4;
    n < familyColumnsMax;
    n += Math.max(1, 2 ** Math.floor(Math.log2(n)) / (n < 64 ? 4 : 8))
  )
    out.push(n);
  return [...out, familyColumnsMax];
})();

/** Units of eight bytes: the times, then the rows. */
function openUnits(stride: number): number {
  return windowRows * (1 + stride);
}

/** The smallest stride with room for `columns`. */
export function strideFor(columns: number): number {
  return strides.find((stride) => stride >= columns) ?? familyColumnsMax;
}

export class OpenAllocator {
  readonly arena: Arena;
  readonly #free = new Map<number, number[]>();
  #current = -1;
  #used = 0;
  #liveBytes = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.arena = new Arena(buffer);
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** A block with room for rows of `stride`; undefined when the arena is full. Its content is left over. */
  allocate(stride: number): number | undefined {
    const units = openUnits(stride);
    const reused = this.#free.get(stride)?.pop();
    if (reused === undefined && (this.#current < 0 || this.#used + units > segmentUnits)) {
      const next = this.arena.grow();
      if (next === undefined) return undefined;
      this.#salvage();
      this.#current = next;
      this.#used = 1;
    }
    this.#liveBytes += units * 8;
    if (reused !== undefined) return reused;
    const pointer = this.#current * segmentUnits + this.#used;
    this.#used += units;
    return pointer;
  }

  free(pointer: number, stride: number): void {
    this.#liveBytes -= openUnits(stride) * 8;
    this.#release(pointer, stride);
  }

  #release(pointer: number, stride: number): void {
    const list = this.#free.get(stride);
    if (list) list.push(pointer);
    else this.#free.set(stride, [pointer]);
  }

  /** Cuts what is left of the segment in use into blocks, largest first. */
  #salvage(): void {
    if (this.#current < 0) return;
    for (const stride of strides.toReversed()) {
      const units = openUnits(stride);
      while (segmentUnits - this.#used >= units) {
        this.#release(this.#current * segmentUnits + this.#used, stride);
        this.#used += units;
      }
    }
  }
}
