/** Which series belong together: label work, done once per operator and never per step. */
import { LabelSet, metricNameLabel } from "@skopos/model";
import type { Frame } from "./frame.ts";

export interface Groups {
  /** Group of each series. */
  readonly of: Uint32Array;
  readonly count: number;
  /** The first series of each group. */
  readonly first: readonly number[];
}

/** A node of the tree of label values; leaves hold the group. */
interface Branch {
  readonly next: Map<string, Branch>;
  group: number;
}

const newBranch = (): Branch => ({ next: new Map(), group: -1 });

function step(branch: Branch, key: string): Branch {
  let next = branch.next.get(key);
  if (!next) {
    next = newBranch();
    branch.next.set(key, next);
  }
  return next;
}

/** Groups by the values of `labels` only, or by everything except `labels` and the metric name. */
export class Grouper {
  readonly #root = newBranch();
  readonly #by: boolean;
  readonly #labels: readonly string[];
  readonly #skip: ReadonlySet<string>;
  #count = 0;

  constructor(by: boolean, labels: readonly string[]) {
    this.#by = by;
    this.#labels = [...new Set(labels)].sort();
    this.#skip = new Set([...labels, metricNameLabel]);
  }

  get count(): number {
    return this.#count;
  }

  /** The group of a label set; a new one when it is the first of its kind. */
  groupOf(labels: LabelSet): number {
    const leaf = this.#by ? this.#walkBy(labels) : this.#walkWithout(labels);
    if (leaf.group < 0) {
      leaf.group = this.#count;
      this.#count += 1;
    }
    return leaf.group;
  }

  /** What is left of a member's labels as the labels of its group. */
  labelsOf(labels: LabelSet): LabelSet {
    if (!this.#by) return labels.without((name) => this.#skip.has(name));
    const flat: string[] = [];
    for (const name of this.#labels) {
      const value = labels.get(name);
      if (value !== "") flat.push(name, value);
    }
    return LabelSet.fromSorted(flat);
  }

  #walkBy({ flat }: LabelSet): Branch {
    let branch = this.#root;
    let at = 0;
    for (const name of this.#labels) {
      while (at < flat.length && (flat[at] ?? "") < name) at += 2;
      branch = step(branch, flat[at] === name ? (flat[at + 1] ?? "") : "");
    }
    return branch;
  }

  #walkWithout({ flat }: LabelSet): Branch {
    let branch = this.#root;
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] ?? "";
      if (this.#skip.has(name)) continue;
      branch = step(step(branch, name), flat[i + 1] ?? "");
    }
    return branch;
  }
}

/** Groups the series of a frame. */
export function groupSeries(frame: Frame, grouper: Grouper, readsName: boolean): Groups {
  const labels = readsName ? frame.labels : frame.rawLabels;
  const of = new Uint32Array(labels.length);
  const first: number[] = [];
  for (let s = 0; s < labels.length; s++) {
    const group = grouper.groupOf(labels[s] ?? LabelSet.empty);
    of[s] = group;
    first[group] ??= s;
  }
  return { of, count: grouper.count, first };
}
