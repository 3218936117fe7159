/**
 * The names of groups as declaration frames, kept so that a checkpoint, and every group's first page after it, need not
 * spell out names that have not changed: about 10 bytes a series for label sets that differ in `le` alone.
 */
import type { Head } from "./head.ts";
import { declaredSeriesMax, MetricFrameEncoder } from "./metrics-frame.ts";
import type { HeadGroup } from "./places.ts";

/** A group that grew by more frames than this is encoded anew. */
const framesMax = 64;

interface Declared {
  frames: Uint8Array[];
  /** How many of the group's refs they declare. */
  refs: number;
}

export class Declarations {
  readonly #head: Head;
  readonly #encoder = new MetricFrameEncoder();
  readonly #ofGroup = new WeakMap<HeadGroup, Declared>();

  constructor(head: Head) {
    this.#head = head;
  }

  /** Frames that declare every series of a group; at least one. */
  of(group: HeadGroup): readonly Uint8Array[] {
    const known = this.#ofGroup.get(group);
    const declared = known && known.frames.length < framesMax ? known : { frames: [], refs: 0 };
    if (declared !== known) this.#ofGroup.set(group, declared);
    while (declared.frames.length === 0 || declared.refs < group.refs.length) {
      const end = Math.min(group.refs.length, declared.refs + declaredSeriesMax);
      declared.frames.push(this.between(group, declared.refs, end));
      declared.refs = end;
    }
    return declared.frames;
  }

  /** One frame that declares refs `from` to `end` of a group. */
  between(group: HeadGroup, from: number, end: number): Uint8Array {
    const refs = group.refs.array.subarray(from, end);
    const labels = Array.from(refs, (ref) => this.#head.labels(ref));
    this.#encoder.declare(group.id, group.key, refs, labels);
    return this.#encoder.frame().slice();
  }
}
