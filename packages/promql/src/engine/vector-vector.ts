/**
 * Operators between two vectors. Series are paired by their matching labels once; per step only the pairs that have samples
 * are combined. "Many" is the side that may have several series per group, "one" the side that may not.
 */
import { type LabelSet, metricNameLabel, type NativeHistogram, SkoposError } from "@skopos/model";
import type { VectorVectorNode } from "../plan/plan.ts";
import { isComparison, type VectorMatching } from "../syntax/ast.ts";
import { formatMatcher } from "../syntax/format.ts";
import type { Annotations } from "./annotations.ts";
import { absent, float, Frame, histogram, withoutName } from "./frame.ts";
import { combineHistograms, type Sample } from "./histogram-binary.ts";
import { putOutcome } from "./histogram-range.ts";
import { Grouper, groupSeries } from "./grouping.ts";
import { duplicateLabels } from "./names.ts";
import { combine, compare } from "./scalar-op.ts";

export function vectorVector(
  node: VectorVectorNode,
  left: Frame,
  right: Frame,
  delayed: boolean,
  annotations: Annotations,
  poll: () => void,
): Frame {
  return new Pairing(node, left, right, delayed, annotations).run(poll);
}

/** Rows of the result, found by their labels. */
interface OutputRow {
  readonly labels: LabelSet;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** By step. */
  readonly histograms: Map<number, NativeHistogram>;
}

class Pairing {
  readonly #node: VectorVectorNode;
  readonly #many: Frame;
  readonly #one: Frame;
  readonly #manyIsLeft: boolean;
  readonly #steps: number;
  readonly #delayed: boolean;
  readonly #annotations: Annotations;
  readonly #grouper: Grouper;
  readonly #rows: OutputRow[] = [];
  readonly #rowByKey = new Map<string, OutputRow>();
  /** Rows already found, by many × (ones + 1) + one + 1. */
  readonly #rowOfPair = new Map<number, OutputRow>();

  constructor(
    node: VectorVectorNode,
    left: Frame,
    right: Frame,
    delayed: boolean,
    annotations: Annotations,
  ) {
    this.#annotations = annotations;
    this.#node = node;
    this.#manyIsLeft = node.matching.card !== "one-to-many";
    this.#many = this.#manyIsLeft ? left : right;
    this.#one = this.#manyIsLeft ? right : left;
    this.#steps = left.steps;
    this.#delayed = delayed;
    this.#grouper = new Grouper(node.matching.on, node.matching.labels);
  }

  run(poll: () => void): Frame {
    const { matching, bool } = this.#node;
    const readsName = matching.on && matching.labels.includes(metricNameLabel);
    const manyGroups = groupSeries(this.#many, this.#grouper, readsName);
    const oneGroups = groupSeries(this.#one, this.#grouper, readsName);
    const groupCount = this.#grouper.count;
    const manyOf = listMembers(manyGroups.of, groupCount);
    const oneOf = listMembers(oneGroups.of, groupCount);
    const active = this.#activeSteps();
    for (let group = 0; group < groupCount; group++) {
      if ((group & 255) === 0) poll();
      this.#pairGroup(manyOf[group] ?? [], oneOf[group] ?? [], active);
    }
    const rows = this.#rows;
    const values = new Float64Array(rows.length * this.#steps);
    const present = new Uint8Array(rows.length * this.#steps);
    const histograms = new Map<number, NativeHistogram>();
    rows.forEach((row, r) => {
      values.set(row.values, r * this.#steps);
      present.set(row.present, r * this.#steps);
      for (const [t, held] of row.histograms) histograms.set(r * this.#steps + t, held);
    });
    const labels = rows.map((row) => row.labels);
    const dropName = bool && this.#delayed ? new Uint8Array(rows.length).fill(1) : undefined;
    return new Frame({ labels, steps: this.#steps, values, present, histograms, dropName });
  }

  /** Steps at which both sides have samples at all (or a fill stands in): elsewhere nothing is checked either. */
  #activeSteps(): Uint8Array {
    const { fillLeft, fillRight } = this.#node.matching;
    const fills = fillLeft !== undefined || fillRight !== undefined;
    const many = occupiedSteps(this.#many);
    const one = occupiedSteps(this.#one);
    return many.map((occupied, t) => (fills || (occupied === 1 && one[t] === 1) ? 1 : 0));
  }

  /** As upstream, `fill_left` is for the "many" side of group_right too, though that stands on the right. */
  #fillOf(side: "many" | "one"): number | undefined {
    const { fillLeft, fillRight } = this.#node.matching;
    return side === "many" ? fillLeft : fillRight;
  }

  #pairGroup(many: readonly number[], ones: readonly number[], active: Uint8Array): void {
    const fillMany = this.#fillOf("many");
    const fillOne = this.#fillOf("one");
    if (many.length === 0 && ones.length < 2 && fillMany === undefined) return;
    if (ones.length === 0 && fillOne === undefined) return;
    const [onlyMany] = many;
    const [onlyOne] = ones;
    const fills = fillMany !== undefined || fillOne !== undefined;
    const floats = !this.#many.histograms && !this.#one.histograms;
    if (floats && !fills && many.length === 1 && ones.length === 1) {
      this.#pairSeries(onlyMany ?? 0, onlyOne ?? 0);
      return;
    }
    const steps = this.#steps;
    for (let t = 0; t < steps; t++) {
      if (active[t] !== 1) continue;
      const one = this.#onlyPresent(ones, t);
      if (one < 0 && fillOne === undefined) continue;
      const oneValue = one < 0 ? (fillOne ?? NaN) : sampleAt(this.#one, one * steps + t);
      let matched = 0;
      for (const m of many) {
        const cell = m * steps + t;
        if (this.#many.present[cell] === absent) continue;
        matched += 1;
        if (matched > 1 && this.#node.matching.card === "one-to-one") throw manyToOne();
        this.#emit(m, one, t, sampleAt(this.#many, cell), oneValue);
      }
      if (matched === 0 && one >= 0 && fillMany !== undefined)
        this.#emit(-1, one, t, fillMany, oneValue);
    }
  }

  /** The common case, without look-ups per step: one series on either side. */
  #pairSeries(many: number, one: number): void {
    const { op, bool } = this.#node;
    if (op === "</" || op === ">/") return;
    const filters = isComparison(op) && !bool;
    const steps = this.#steps;
    // One to one, the matching labels are the result's: no other group can give the same.
    const row =
      this.#node.matching.card === "one-to-one" ? this.#newRow(many, one) : this.#rowFor(many, one);
    for (let t = 0; t < steps; t++) {
      const manyCell = many * steps + t;
      const oneCell = one * steps + t;
      if (this.#many.present[manyCell] !== float || this.#one.present[oneCell] !== float) continue;
      const manyValue = this.#many.values[manyCell] ?? NaN;
      const oneValue = this.#one.values[oneCell] ?? NaN;
      const a = this.#manyIsLeft ? manyValue : oneValue;
      const b = this.#manyIsLeft ? oneValue : manyValue;
      if (row.present[t] !== absent) throw this.#ambiguous();
      if (filters && !compare(op, a, b)) continue;
      row.values[t] = filters ? a : combine(op, a, b);
      row.present[t] = float;
    }
  }

  /** The series of the "one" side that has a sample at the step; −1 when none has. */
  #onlyPresent(ones: readonly number[], t: number): number {
    let found = -1;
    for (const s of ones) {
      if (this.#one.present[s * this.#steps + t] === absent) continue;
      if (found >= 0) throw this.#duplicateOne(found, s);
      found = s;
    }
    return found;
  }

  #emit(many: number, one: number, t: number, manyValue: Sample, oneValue: Sample): void {
    const { op, bool, span } = this.#node;
    const a = this.#manyIsLeft ? manyValue : oneValue;
    const b = this.#manyIsLeft ? oneValue : manyValue;
    const filters = isComparison(op) && !bool;
    const row = this.#rowFor(many, one);
    // A second match of the same labels is an error even where the comparison drops the sample.
    if (row.present[t] !== absent) throw this.#ambiguous();
    if (typeof a !== "number" || typeof b !== "number") {
      const notes = { span, annotations: this.#annotations };
      const outcome = combineHistograms(op, a, b, filters, notes);
      putOutcome(outcome, t, row.values, row.present, row.histograms);
      return;
    }
    if (op === "</" || op === ">/" || (filters && !compare(op, a, b))) return;
    row.values[t] = filters ? a : combine(op, a, b);
    row.present[t] = float;
  }

  #ambiguous(): SkoposError {
    if (this.#node.matching.card === "one-to-one") return duplicateLabels();
    return new SkoposError(
      "execution",
      "multiple matches for labels: grouping labels must ensure unique matches",
    );
  }

  #rowFor(many: number, one: number): OutputRow {
    const pair = (many + 1) * (this.#one.series + 1) + one + 1;
    const known = this.#rowOfPair.get(pair);
    if (known) return known;
    const labels = this.#resultLabels(this.#many.labels[many], this.#one.labels[one]);
    const row = this.#rowByKey.get(labels.key) ?? this.#newRow(many, one, labels);
    this.#rowByKey.set(labels.key, row);
    this.#rowOfPair.set(pair, row);
    return row;
  }

  #newRow(many: number, one: number, known?: LabelSet): OutputRow {
    const labels = known ?? this.#resultLabels(this.#many.labels[many], this.#one.labels[one]);
    const values = new Float64Array(this.#steps);
    const present = new Uint8Array(this.#steps);
    const row = { labels, values, present, histograms: new Map<number, NativeHistogram>() };
    this.#rows.push(row);
    return row;
  }

  /** A side that is filled in has only the matching labels of the other. */
  #resultLabels(many: LabelSet | undefined, one: LabelSet | undefined): LabelSet {
    const { op, bool, matching } = this.#node;
    let labels = many ?? (one ? matchingLabels(matching, withoutName(one)) : undefined);
    if (!labels) throw duplicateLabels();
    const keepsName = isComparison(op) || op === "</" || op === ">/";
    if (!keepsName || (bool && !this.#delayed)) labels = withoutName(labels);
    if (matching.card === "one-to-one") labels = matchingLabels(matching, labels);
    for (const name of matching.include) labels = labels.with(name, one?.get(name) ?? "");
    return labels;
  }

  #duplicateOne(first: number, second: number): SkoposError {
    const { matching } = this.#node;
    const sets = [this.#one.labels[first], this.#one.labels[second]];
    const shown = sets.map((set) => (set ? braces(set) : "{}")).sort();
    const sample = this.#one.labels[first];
    const group = sample ? braces(matchGroup(matching, sample)) : "{}";
    const side = this.#manyIsLeft ? "right" : "left";
    return new SkoposError(
      "execution",
      `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: [${shown.join(", ")}];many-to-many matching not allowed: matching labels must be unique on one side`,
    );
  }
}

function sampleAt(frame: Frame, cell: number): Sample {
  const held = frame.present[cell] === histogram ? frame.histograms?.get(cell) : undefined;
  return held ?? frame.values[cell] ?? NaN;
}

function manyToOne(): SkoposError {
  return new SkoposError(
    "execution",
    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
  );
}

function matchGroup(matching: VectorMatching, labels: LabelSet): LabelSet {
  return matchingLabels(matching, matching.on ? labels : withoutName(labels));
}

function matchingLabels(matching: VectorMatching, labels: LabelSet): LabelSet {
  const { on } = matching;
  if (!on && matching.labels.length === 0) return labels;
  return labels.without((name) => matching.labels.includes(name) !== on);
}

function braces(labels: LabelSet): string {
  const parts = [...labels.entries()].map(([name, value]) =>
    formatMatcher({ name, op: "=", value }),
  );
  return `{${parts.join(", ")}}`;
}

function listMembers(of: Uint32Array, groupCount: number): number[][] {
  const members: number[][] = Array.from({ length: groupCount }, () => []);
  of.forEach((group, s) => members[group]?.push(s));
  return members;
}

function occupiedSteps(frame: Frame): Uint8Array {
  const occupied = new Uint8Array(frame.steps);
  for (let cell = 0; cell < frame.present.length; cell++)
    if (frame.present[cell] !== absent) occupied[cell % frame.steps] = 1;
  return occupied;
}
