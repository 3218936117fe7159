/** Aggregations that choose among the series or make new ones from their values: topk, bottomk, limitk, count_values. */
import { LabelSet, SkoposError } from "@skopos/model";
import type { AggregateNode } from "../plan/plan.ts";
import { hasInvalidBytes, quote } from "../syntax/format.ts";
import { groupFor, membersOf } from "./aggregate.ts";
import type { Annotations } from "./annotations.ts";
import { absent, float, Frame } from "./frame.ts";
import { Grouper } from "./grouping.ts";
import { histogramText } from "./histogram-statistics.ts";
import { formatFixed } from "./value-text.ts";

/** `k` per step; it is checked even where there is nothing to choose from. */
export function aggregateTop(node: AggregateNode, input: Frame, k: Float64Array): Frame {
  for (const value of k) checkCount(value);
  const { groups } = groupFor(node, input);
  const { steps } = input;
  const present = new Uint8Array(input.present.length);
  const sign = node.op === "topk" ? -1 : 1;
  const order: number[] = [];
  for (const members of membersOf(groups)) {
    for (let t = 0; t < steps; t++) {
      const limit = Math.trunc(k[t] ?? 0);
      if (limit < 1) continue;
      for (const s of chooseExtremes(input, members, t, limit, sign)) {
        present[s * steps + t] = float;
        if (steps === 1) order.push(s);
      }
    }
  }
  const chosen = input.with({ present, histograms: undefined });
  return steps === 1 ? reorder(chosen, order) : chosen;
}

function checkCount(value: number): void {
  if (Number.isNaN(value)) throw new SkoposError("execution", "Parameter value is NaN");
  if (value >= 2 ** 63 || value <= -(2 ** 63))
    throw new SkoposError("execution", `Scalar value ${value} overflows int64`);
}

function chooseExtremes(
  input: Frame,
  members: readonly number[],
  t: number,
  limit: number,
  sign: number,
): number[] {
  const candidates = members.filter((s) => input.present[s * input.steps + t] === float);
  const valueOf = (s: number): number => input.values[s * input.steps + t] ?? NaN;
  candidates.sort((a, b) => compareNanLast(valueOf(a), valueOf(b), sign));
  return candidates.slice(0, limit);
}

/** Ascending for sign 1, descending for −1; NaN last either way. */
export function compareNanLast(a: number, b: number, sign: number): number {
  if (a !== a) return b !== b ? 0 : 1;
  if (b !== b) return -1;
  if (a === b) return 0;
  return a < b ? -sign : sign;
}

/** The given series in the given order. */
export function reorder(frame: Frame, order: readonly number[]): Frame {
  const { steps } = frame;
  const values = new Float64Array(order.length * steps);
  const present = new Uint8Array(order.length * steps);
  const dropName = frame.dropName && new Uint8Array(order.length);
  const histograms = new Map(frame.histograms);
  histograms.clear();
  order.forEach((s, to) => {
    for (let t = 0; t < steps; t++) {
      values[to * steps + t] = frame.values[s * steps + t] ?? NaN;
      present[to * steps + t] = frame.present[s * steps + t] ?? absent;
      const held = frame.histograms?.get(s * steps + t);
      if (held) histograms.set(to * steps + t, held);
    }
    if (dropName && frame.dropsName(s)) dropName[to] = 1;
  });
  const labels = order.map((s) => frame.labels[s] ?? LabelSet.empty);
  return new Frame({ labels, steps, values, present, histograms, dropName });
}

/** The first k series of each group that have a sample at the step. */
export function aggregateLimit(node: AggregateNode, input: Frame, k: Float64Array): Frame {
  for (const value of k) checkCount(value);
  const { groups } = groupFor(node, input);
  const { steps } = input;
  const present = new Uint8Array(input.present.length);
  const taken = new Uint32Array(groups.count * steps);
  for (let s = 0; s < input.series; s++) {
    const out = (groups.of[s] ?? 0) * steps;
    for (let t = 0; t < steps; t++) {
      const what = input.present[s * steps + t] ?? absent;
      if (what === absent || (taken[out + t] ?? 0) >= Math.trunc(k[t] ?? 0)) continue;
      taken[out + t] = (taken[out + t] ?? 0) + 1;
      present[s * steps + t] = what;
    }
  }
  return input.with({ present });
}

/**
 * A share of the series, chosen by a hash of their labels: r ≥ 0 takes those below r, r < 0 those from 1 + r on, so that r and
 * r − 1 complement each other.
 */
export function aggregateRatio(
  node: AggregateNode,
  input: Frame,
  ratio: Float64Array,
  annotations: Annotations,
): Frame {
  const span = node.param?.span ?? node.span;
  for (const value of ratio) {
    if (Number.isNaN(value)) throw new SkoposError("execution", "Ratio value is NaN");
    if (Math.abs(value) <= 1) continue;
    annotations.warn(
      span,
      `ratio value should be between -1 and 1, got ${value}, capping to ${Math.sign(value)}`,
    );
  }
  const { steps } = input;
  const present = new Uint8Array(input.present.length);
  input.labels.forEach((labels, s) => {
    const place = hashFraction(labels.key);
    for (let t = 0; t < steps; t++) {
      const wanted = Math.max(-1, Math.min(1, ratio[t] ?? 0));
      const taken = wanted >= 0 ? place < wanted : place >= 1 + wanted;
      if (taken) present[s * steps + t] = input.present[s * steps + t] ?? absent;
    }
  });
  return input.with({ present });
}

/** FNV-1a, finished with MurmurHash3's mix because similar texts differ in few bits; as a fraction of 1. */
function hashFraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** One series per group and distinct value; `node.paramText` is the label that takes the value. */
export function countValues(node: AggregateNode, input: Frame): Frame {
  const label = node.paramText;
  if (hasInvalidBytes(label) || label === "")
    throw new SkoposError("execution", `invalid label name ${quote(label)}`);
  const { steps } = input;
  const grouping = node.without ? node.labels : [...node.labels, label];
  const grouper = new Grouper(!node.without, grouping);
  const labels: LabelSet[] = [];
  const rows: Float64Array[] = [];
  const drops: number[] = [];
  for (let s = 0; s < input.series; s++) {
    const rowOfValue = new Map<string, number>();
    for (let t = 0; t < steps; t++) {
      const cell = s * steps + t;
      if (input.present[cell] === absent) continue;
      const held = input.histograms?.get(cell);
      const text = held ? histogramText(held) : formatFixed(input.values[cell] ?? NaN);
      let row = rowOfValue.get(text);
      if (row === undefined) {
        const set = (input.labels[s] ?? LabelSet.empty).with(label, text);
        row = grouper.groupOf(set);
        rowOfValue.set(text, row);
        labels[row] ??= grouper.labelsOf(set);
        rows[row] ??= new Float64Array(steps);
        drops[row] = input.dropsName(s) ? 1 : (drops[row] ?? 0);
      }
      const counts = rows[row];
      if (counts) counts[t] = (counts[t] ?? 0) + 1;
    }
  }
  const values = new Float64Array(rows.length * steps);
  rows.forEach((row, r) => values.set(row, r * steps));
  const present = Uint8Array.from(values, (count) => (count > 0 ? float : absent));
  return new Frame({
    labels,
    steps,
    values,
    present,
    dropName: input.dropName && Uint8Array.from(drops),
  });
}
