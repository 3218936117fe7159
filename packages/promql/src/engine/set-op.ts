/** and, or, unless: whether a group of matching labels has a sample on the other side, step by step. */
import { metricNameLabel, type SeriesGroups } from "@skopos/model";
import type { SetNode } from "../plan/plan.ts";
import { absent, concatenate, type Frame } from "./frame.ts";
import { Grouper, groupSeries } from "./grouping.ts";
import { joinEqualLabels } from "./names.ts";

export function setOperation({ op, matching }: SetNode, left: Frame, right: Frame): Frame {
  const grouper = new Grouper(matching.on, matching.labels);
  const readsName = matching.on && matching.labels.includes(metricNameLabel);
  const leftGroups = groupSeries(left, grouper, readsName);
  const rightGroups = groupSeries(right, grouper, readsName);
  if (op === "or") {
    const occupied = occupancy(left, leftGroups, grouper.count);
    const rest = mask(right, rightGroups, occupied, false);
    return joinEqualLabels(concatenate([left, rest], left.steps));
  }
  const occupied = occupancy(right, rightGroups, grouper.count);
  return mask(left, leftGroups, occupied, op === "and");
}

/** 1 at group × steps + step where any member has a sample. */
function occupancy(frame: Frame, groups: SeriesGroups, count: number): Uint8Array {
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
function mask(
  frame: Frame,
  groups: SeriesGroups,
  occupied: Uint8Array,
  keepOccupied: boolean,
): Frame {
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
