/**
 * Series of a metric query while it is evaluated: one value for each step, and whether there is one, since NaN is a value.
 * Labels may have empty values here, as a parser can make them.
 */
import type { LabelMap } from "@skopos/model";

export class SeriesLabels {
  static readonly empty = new SeriesLabels([]);
  /** Name, value, name, value…: ascending by name, names unique. */
  readonly flat: readonly string[];
  readonly key: string;

  private constructor(flat: readonly string[]) {
    this.flat = flat;
    this.key = flat.join("\u0000");
  }

  static fromMap(map: LabelMap): SeriesLabels {
    const names = Object.keys(map).sort();
    return new SeriesLabels(names.flatMap((name) => [name, map[name] ?? ""]));
  }

  get(name: string): string | undefined {
    for (let i = 0; i < this.flat.length; i += 2)
      if (this.flat[i] === name) return this.flat[i + 1];
    return undefined;
  }

  /** Those for which `keep` is true. */
  filter(keep: (name: string) => boolean): SeriesLabels {
    const flat: string[] = [];
    for (let i = 0; i < this.flat.length; i += 2) {
      const name = this.flat[i] ?? "";
      if (keep(name)) flat.push(name, this.flat[i + 1] ?? "");
    }
    return flat.length === this.flat.length ? this : new SeriesLabels(flat);
  }

  /** A copy with the label set, or without it when `value` is undefined. */
  with(name: string, value: string | undefined): SeriesLabels {
    const map = this.toMap();
    if (value === undefined) delete map[name];
    else map[name] = value;
    return SeriesLabels.fromMap(map);
  }

  toMap(): Record<string, string> {
    const map: Record<string, string> = {};
    for (let i = 0; i < this.flat.length; i += 2) map[this.flat[i] ?? ""] = this.flat[i + 1] ?? "";
    return map;
  }

  toString(): string {
    const pairs: string[] = [];
    for (let i = 0; i < this.flat.length; i += 2)
      pairs.push(`${this.flat[i]}=${JSON.stringify(this.flat[i + 1])}`);
    return `{${pairs.join(", ")}}`;
  }
}

export interface Series {
  readonly labels: SeriesLabels;
  readonly values: Float64Array;
  /** 1 where there is a value. */
  readonly present: Uint8Array;
}

export function emptySeries(labels: SeriesLabels, steps: number): Series {
  return { labels, values: new Float64Array(steps), present: new Uint8Array(steps) };
}

/** The same value at every step. */
export function constantSeries(value: number, steps: number): Series {
  return {
    labels: SeriesLabels.empty,
    values: new Float64Array(steps).fill(value),
    present: new Uint8Array(steps).fill(1),
  };
}

/** The steps of an evaluation: `count` of them from `startMs`. */
export interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
}
