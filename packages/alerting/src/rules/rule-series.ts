/**
 * The series that one rule writes: finds their refs once, and marks those stale that the rule no longer yields. Each rule has
 * a group of its own in the sink, so that the rules after it in its rule group see a complete result.
 */
import {
  type GroupRef,
  type LabelSet,
  type RefKeeper,
  type SampleSink,
  type SeriesRef,
  staleNaN,
  writeNaN,
} from "@skopos/model";

export interface RuleSample {
  readonly labels: LabelSet;
  readonly value: number;
}

export class RuleSeries implements RefKeeper {
  readonly #sink: SampleSink;
  readonly #group: GroupRef;
  #live = new Map<string, SeriesRef>();

  constructor(sink: SampleSink, key: string) {
    this.#sink = sink;
    this.#group = sink.openGroup(key, this);
  }

  forget(gone: ReadonlySet<SeriesRef>): void {
    for (const [key, ref] of this.#live) if (gone.has(ref)) this.#live.delete(key);
  }

  /** The rule is gone: its series become stale. */
  end(timeMs: number): void {
    this.write(timeMs, []);
    this.#sink.closeGroup(this.#group);
  }

  /** Writes one evaluation's result. Returns how many samples the store's series limit refused. */
  write(timeMs: number, samples: readonly RuleSample[]): number {
    const size = samples.length + this.#live.size;
    if (size === 0) return 0;
    const refs = new Uint32Array(size);
    const values = new Float64Array(size);
    const next = new Map<string, SeriesRef>();
    let count = 0;
    for (const { labels, value } of samples) {
      const ref = this.#live.get(labels.key) ?? this.#sink.series(this.#group, labels);
      if (ref === undefined) continue;
      next.set(labels.key, ref);
      refs[count] = ref;
      values[count++] = value;
    }
    const refused = samples.length - count;
    for (const [key, ref] of this.#live) {
      if (next.has(key)) continue;
      refs[count] = ref;
      writeNaN(values, count++, staleNaN);
    }
    this.#live = next;
    this.#sink.appendPage(this.#group, timeMs, refs, values, count);
    return refused;
  }
}
