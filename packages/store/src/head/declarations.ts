/**
 * The names of groups as declaration frames, kept so that a checkpoint, and every group's first page after it, need not
 * spell out names that have not changed: about 10 bytes a series for label sets that differ in `le` alone.
 */
import type { Head } from "./head.ts";
import { declaredSeriesMax, MetricFrameEncoder } from "./metrics-frame.ts";
import type { HeadGroup } from "./places.ts";

/** A group in more frames than twice what it needs and so many is encoded anew. */
const framesMin = 64;

interface Frame {
  readonly bytes: Uint8Array;
  /** How many refs it declares, and when the last of them was born. */
  readonly refs: number;
  readonly lastBorn: number;
}

interface Declared {
  readonly frames: readonly Frame[];
  /** Of the group, when this was put together. */
  readonly births: number;
  readonly deaths: number;
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
    if (known?.births !== group.births || known.deaths !== group.deaths) {
      const { births, deaths } = group;
      this.#ofGroup.set(group, {
        frames: this.#renewed(group, known?.frames ?? []),
        births,
        deaths,
      });
    }
    return this.#ofGroup.get(group)?.frames.map(({ bytes }) => bytes) ?? [];
  }

  /** Keeps the frames of which nothing was forgotten. */
  #renewed(group: HeadGroup, known: readonly Frame[]): readonly Frame[] {
    const { length } = group.refs;
    const framesMax = framesMin + 2 * Math.ceil(length / declaredSeriesMax);
    const frames: Frame[] = [];
    let from = 0;
    for (const frame of known.length < framesMax ? known : []) {
      let end = from;
      while (end < length && this.#head.bornOf(group.refs.at(end)) <= frame.lastBorn) end++;
      if (end - from === frame.refs) frames.push(frame);
      else if (end > from) frames.push(this.#frame(group, from, end));
      from = end;
    }
    while (frames.length === 0 || from < length) {
      const end = Math.min(length, from + declaredSeriesMax);
      frames.push(this.#frame(group, from, end));
      from = end;
    }
    return frames;
  }

  #frame(group: HeadGroup, from: number, end: number): Frame {
    const lastBorn = end > from ? this.#head.bornOf(group.refs.at(end - 1)) : 0;
    return { bytes: this.between(group, from, end), refs: end - from, lastBorn };
  }

  /** One frame that declares refs `from` to `end` of a group. */
  between(group: HeadGroup, from: number, end: number): Uint8Array {
    const refs = group.refs.array.subarray(from, end);
    const labels = Array.from(refs, (ref) => this.#head.labels(ref));
    this.#encoder.declare(group.id, group.key, refs, labels);
    return this.#encoder.frame().slice();
  }
}
