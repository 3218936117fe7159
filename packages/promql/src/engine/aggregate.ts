/**
 * Aggregations that give one series per group. Accumulators are columns over (group, step); the loops run over series, then
 * steps, so that memory is walked in order.
 */
import { LabelSet, metricNameLabel, type SeriesGroups } from "@skopos/model";
import type { AggregateNode } from "../plan/plan.ts";
import { absent, float, Frame } from "./frame.ts";
import { groupFrame, Grouper } from "./grouping.ts";
import { quantileOfSorted, sortedCopy } from "./quantile.ts";
import { MeanAccumulator } from "./sum.ts";

export interface GroupedFrame {
  readonly groups: SeriesGroups;
  readonly labels: LabelSet[];
  readonly dropName: Uint8Array | undefined;
}

export function groupFor(
  node: Pick<AggregateNode, "without" | "labels">,
  input: Frame,
): GroupedFrame {
  const groups = groupFrame(input, !node.without, node.labels);
  const labels = groupLabels(node, input, groups);
  return { groups, labels, dropName: groupDrops(input, groups) };
}

function groupLabels(
  node: Pick<AggregateNode, "without" | "labels">,
  input: Frame,
  { first }: SeriesGroups,
): LabelSet[] {
  const grouper = new Grouper(!node.without, node.labels);
  const readsName = !node.without && node.labels.includes(metricNameLabel);
  if (readsName) return first.map((s) => grouper.labelsOf(input.labels[s] ?? LabelSet.empty));
  if (node.without) return first.map((s) => grouper.labelsOf(input.raw.at(s)));
  const names = [...new Set(node.labels)].sort();
  return first.map((s) => {
    const flat: string[] = [];
    for (const name of names) {
      const value = input.raw.value(s, name);
      if (value !== "") flat.push(name, value);
    }
    return LabelSet.fromSorted(flat);
  });
}

/** A group drops its name later when any of its members does. */
function groupDrops(input: Frame, groups: SeriesGroups): Uint8Array | undefined {
  if (!input.dropName) return undefined;
  const drop = new Uint8Array(groups.count);
  for (let s = 0; s < input.series; s++) if (input.dropsName(s)) drop[groups.of[s] ?? 0] = 1;
  return drop;
}

type Accumulate = (
  input: Frame,
  groups: SeriesGroups,
  values: Float64Array,
  present: Uint8Array,
) => void;

/** sum, avg, min, max, count, group, stddev, stdvar. */
export function aggregate(node: AggregateNode, input: Frame): Frame {
  const { groups, labels, dropName } = groupFor(node, input);
  const cells = groups.count * input.steps;
  const values = new Float64Array(cells);
  const present = new Uint8Array(cells);
  accumulators[node.op]?.(input, groups, values, present);
  return new Frame({ labels, steps: input.steps, values, present, dropName });
}

/** quantile by a parameter that may differ from step to step. */
export function aggregateQuantile(node: AggregateNode, input: Frame, q: Float64Array): Frame {
  const { groups, labels, dropName } = groupFor(node, input);
  const { steps } = input;
  const values = new Float64Array(groups.count * steps);
  const present = new Uint8Array(groups.count * steps);
  const members = membersOf(groups);
  const gathered = new Float64Array(input.series);
  members.forEach((series, group) => {
    for (let t = 0; t < steps; t++) {
      let count = 0;
      for (const s of series) {
        const cell = s * steps + t;
        if (input.present[cell] === float) gathered[count++] = input.values[cell] ?? NaN;
      }
      if (count === 0) continue;
      values[group * steps + t] = quantileOfSorted(q[t] ?? NaN, sortedCopy(gathered, 0, count));
      present[group * steps + t] = float;
    }
  });
  return new Frame({ labels, steps, values, present, dropName });
}

/** The series of each group, in order. */
export function membersOf(groups: SeriesGroups): number[][] {
  const members: number[][] = Array.from({ length: groups.count }, () => []);
  groups.of.forEach((group, s) => members[group]?.push(s));
  return members;
}

const sum: Accumulate = (input, groups, values, present) => {
  const { steps, series, values: added, present: holds } = input;
  const rest = new Float64Array(values.length);
  for (let s = 0; s < series; s++) {
    const row = s * steps;
    const out = (groups.of[s] ?? 0) * steps;
    for (let t = 0; t < steps; t++) {
      if (holds[row + t] !== float) continue;
      const value = added[row + t] ?? NaN;
      const before = values[out + t] ?? 0;
      const total = before + value;
      // Neumaier's step, written out: see sum.ts.
      if (total === Infinity || total === -Infinity) rest[out + t] = 0;
      else if (Math.abs(before) >= Math.abs(value))
        rest[out + t] = (rest[out + t] ?? 0) + (before - total + value);
      else rest[out + t] = (rest[out + t] ?? 0) + (value - total + before);
      values[out + t] = total;
      present[out + t] = float;
    }
  }
  for (let i = 0; i < values.length; i++) {
    const total = values[i] ?? 0;
    if (total !== Infinity && total !== -Infinity) values[i] = total + (rest[i] ?? 0);
  }
};

const avg: Accumulate = (input, groups, values, present) => {
  const { steps } = input;
  const means: (MeanAccumulator | undefined)[] = Array.from({ length: values.length });
  forEachFloat(input, groups, (out, value) => {
    (means[out] ??= new MeanAccumulator()).add(value);
  });
  for (let i = 0; i < groups.count * steps; i++) {
    const acc = means[i];
    if (!acc) continue;
    values[i] = acc.mean;
    present[i] = float;
  }
};

const variance: Accumulate = (input, groups, values, present) => {
  const counts = new Float64Array(values.length);
  const means = new Float64Array(values.length);
  forEachFloat(input, groups, (out, value) => {
    const count = (counts[out] ?? 0) + 1;
    counts[out] = count;
    const delta = value - (means[out] ?? 0);
    const mean = (means[out] ?? 0) + delta / count;
    means[out] = mean;
    values[out] = Number.isFinite(value) ? (values[out] ?? 0) + delta * (value - mean) : NaN;
    present[out] = float;
  });
  for (let i = 0; i < values.length; i++)
    if (present[i] === float) values[i] = (values[i] ?? 0) / (counts[i] ?? 1);
};

function extreme(sign: 1 | -1): Accumulate {
  return (input, groups, values, present) => {
    forEachFloat(input, groups, (out, value) => {
      const current = values[out] ?? NaN;
      if (present[out] !== float || current !== current || value * sign < current * sign)
        values[out] = value;
      present[out] = float;
    });
  };
}

function counting(counts: boolean): Accumulate {
  return (input, groups, values, present) => {
    const { steps } = input;
    for (let s = 0; s < input.series; s++) {
      const out = (groups.of[s] ?? 0) * steps;
      for (let t = 0; t < steps; t++) {
        if (input.present[s * steps + t] === absent) continue;
        values[out + t] = counts ? (values[out + t] ?? 0) + 1 : 1;
        present[out + t] = float;
      }
    }
  };
}

const accumulators: Partial<Record<AggregateNode["op"], Accumulate>> = {
  sum,
  avg,
  min: extreme(1),
  max: extreme(-1),
  count: counting(true),
  group: counting(false),
  stdvar: variance,
  stddev: (input, groups, values, present) => {
    variance(input, groups, values, present);
    for (let i = 0; i < values.length; i++) values[i] = Math.sqrt(values[i] ?? NaN);
  },
};

function forEachFloat(
  input: Frame,
  groups: SeriesGroups,
  visit: (out: number, value: number) => void,
): void {
  const { steps } = input;
  for (let s = 0; s < input.series; s++) {
    const row = s * steps;
    const out = (groups.of[s] ?? 0) * steps;
    for (let t = 0; t < steps; t++) {
      if (input.present[row + t] === float) visit(out + t, input.values[row + t] ?? NaN);
    }
  }
}
