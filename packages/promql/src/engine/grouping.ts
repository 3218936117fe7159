/** Which series belong together: label work, done once per operator and never per step. */
import { LabelSet, metricNameLabel, type SeriesGroups } from "@skopos/model";
import type { Frame } from "./frame.ts";

/** A level of the tree of label values; the last level holds groups. */
type Branch = Map<string, Branch | number>;

/** Groups by the values of `labels` only, or by everything except `labels` and the metric name. */
export class Grouper {
  readonly #by: boolean;
  readonly #labels: readonly string[];
  readonly #skip: ReadonlySet<string>;
  /** For `by`: a tree, one level per label. */
  readonly #root: Branch = new Map();
  /** For `without`: numbers that stand for label names and values, and the first member of each group. */
  readonly #ids = new Map<string, number>();
  readonly #byHash = new Map<number, { flat: readonly string[]; group: number }[]>();
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
    return this.#by ? this.#groupBy(labels) : this.#groupWithout(labels);
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

  #groupBy({ flat }: LabelSet): number {
    let branch = this.#root;
    let key = "";
    let at = 0;
    for (let i = 0; i < this.#labels.length; i++) {
      if (i > 0) branch = descend(branch, key);
      const name = this.#labels[i] ?? "";
      while (at < flat.length && (flat[at] ?? "") < name) at += 2;
      key = flat[at] === name ? (flat[at + 1] ?? "") : "";
    }
    return this.#leaf(branch, key);
  }

  /** By a hash of small numbers that stand for the strings; equal hashes are compared in full. */
  #groupWithout({ flat }: LabelSet): number {
    let hash = 0;
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] ?? "";
      if (this.#skip.has(name)) continue;
      hash = (Math.imul(hash, 31) + this.#idOf(name)) | 0;
      hash = (Math.imul(hash, 31) + this.#idOf(flat[i + 1] ?? "")) | 0;
    }
    let candidates = this.#byHash.get(hash);
    if (!candidates) {
      candidates = [];
      this.#byHash.set(hash, candidates);
    }
    for (const candidate of candidates)
      if (this.#sameRest(candidate.flat, flat)) return candidate.group;
    const group = this.#count;
    this.#count += 1;
    candidates.push({ flat, group });
    return group;
  }

  #idOf(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = Math.imul(this.#ids.size + 1, 0x9e3779b1);
      this.#ids.set(text, id);
    }
    return id;
  }

  /** Whether two label sets are equal but for the labels that are passed over. */
  #sameRest(a: readonly string[], b: readonly string[]): boolean {
    let i = 0;
    let j = 0;
    for (;;) {
      while (i < a.length && this.#skip.has(a[i] ?? "")) i += 2;
      while (j < b.length && this.#skip.has(b[j] ?? "")) j += 2;
      if (i >= a.length || j >= b.length) return i >= a.length && j >= b.length;
      if (a[i] !== b[j] || a[i + 1] !== b[j + 1]) return false;
      i += 2;
      j += 2;
    }
  }

  #leaf(branch: Branch, key: string): number {
    const known = branch.get(key);
    if (typeof known === "number") return known;
    const group = this.#count;
    this.#count += 1;
    branch.set(key, group);
    return group;
  }
}

function descend(branch: Branch, key: string): Branch {
  const known = branch.get(key);
  if (known instanceof Map) return known;
  const next: Branch = new Map();
  branch.set(key, next);
  return next;
}

/** Groups the series of a frame. */
export function groupSeries(frame: Frame, grouper: Grouper, readsName: boolean): SeriesGroups {
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

/** Groups the series of one frame alone, by number where its labels are known so. As a `Grouper` does. */
export function groupFrame(frame: Frame, by: boolean, labels: readonly string[]): SeriesGroups {
  const readsName = by && labels.includes(metricNameLabel);
  const { names } = frame.raw;
  if (!names) return groupSeries(frame, new Grouper(by, labels), readsName);
  const read = frame.nameless ? labels.filter((label) => label !== metricNameLabel) : labels;
  return names.group(by, read);
}
