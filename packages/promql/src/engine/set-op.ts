/** and, or, unless: whether a group of matching labels has a sample on the other side, step by step. */
import { metricNameLabel } from "@skopos/model";
import type { SetNode } from "../plan/plan.ts";
import { absent, Frame } from "./frame.ts";
import { Grouper, type Groups, groupSeries } from "./grouping.ts";
import { joinEqualLabels } from "./names.ts";

export function setOperation({ op, matching }: SetNode, left: Frame, right: Frame): Frame {
  const grouper = new Grouper(matching.on, matching.labels);
  const readsName = matching.on && matching.labels.includes(metricNameLabel);
  const leftGroups = groupSeries(left, grouper, readsName);
  const rightGroups = groupSeries(right, grouper, readsName);
  if (op === "or") {
    const occupied = occupancy(left, leftGroups, grouper.count);
    return union(left, mask(right, rightGroups, occupied, false));
  }
  const occupied = occupancy(right, rightGroups, grouper.count);
  return mask(left, leftGroups, occupied, op === "and");
}

/** 1 at group × steps + step where any member has a sample. */
function occupancy(frame: Frame, groups: Groups, count: number): Uint8Array {
  const { steps } = frame;
  const occupied = new Uint8Array(count * steps);
  for (let s = 0; s < frame.series; s++) {
    const out = (groups.of[s] ?? 0) * steps;
    for (let t = 0; t < steps; t++)
      if (frame.present[s * steps + t] !== absent) occupied[out + t] = 1;
  }
  return occupied;
}

/** Keeps the cells whose group is occupied (or is not). */
function mask(frame: Frame, groups: Groups, occupied: Uint8Array, keepOccupied: boolean): Frame {
  const { steps } = frame;
  const wanted = keepOccupied ? 1 : 0;
  const present = frame.present.slice();
  for (let s = 0; s < frame.series; s++) {
    const from = (groups.of[s] ?? 0) * steps;
    for (let t = 0; t < steps; t++)
      if (occupied[from + t] !== wanted) present[s * steps + t] = absent;
  }
  return frame.with({ present });
}

function union(left: Frame, right: Frame): Frame {
  const { steps } = left;
  const cells = left.values.length;
  const values = new Float64Array(cells + right.values.length);
  values.set(left.values);
  values.set(right.values, cells);
  const present = new Uint8Array(values.length);
  present.set(left.present);
  present.set(right.present, cells);
  const histograms = new Map(left.histograms);
  for (const [cell, held] of right.histograms ?? []) histograms.set(cells + cell, held);
  const labels = [...left.labels, ...right.labels];
  let dropName: Uint8Array | undefined;
  if (left.dropName || right.dropName) {
    dropName = new Uint8Array(labels.length);
    if (left.dropName) dropName.set(left.dropName);
    if (right.dropName) dropName.set(right.dropName, left.series);
  }
  return joinEqualLabels(new Frame({ labels, steps, values, present, histograms, dropName }));
}
