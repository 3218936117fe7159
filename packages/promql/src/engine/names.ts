/** Taking metric names away, and joining the series that then have the same labels. */
import { type LabelSet, SkoposError } from "@skopos/model";
import { absent, Frame, histogram, withoutName } from "./frame.ts";

/** The frame of a function that does not keep metric names. */
export function dropNames(frame: Frame, delayed: boolean): Frame {
  const { raw: labels, steps, values, present, histograms } = frame;
  if (delayed) {
    const dropName = new Uint8Array(labels.length).fill(1);
    return new Frame({ labels, steps, values, present, histograms, dropName });
  }
  const dropped = new Frame({ labels, steps, values, present, histograms, nameless: true });
  return frame.nameless || labels.haveOneName ? dropped : joinEqualLabels(dropped);
}

/** Removes the names whose removal was delayed to the end of the query. */
export function settleNames(frame: Frame): Frame {
  if (!frame.dropName?.includes(1)) return frame;
  const labels = frame.labels.map((set, s) => (frame.dropsName(s) ? withoutName(set) : set));
  const { steps, values, present, histograms } = frame;
  return joinEqualLabels(new Frame({ labels, steps, values, present, histograms }));
}

/** Joins series with equal labels where no step has both; throws when one has. */
export function joinEqualLabels(frame: Frame): Frame {
  const firstOf = new Map<string, number>();
  const target = new Int32Array(frame.series);
  const labels: LabelSet[] = [];
  frame.labels.forEach((set, s) => {
    let to = firstOf.get(set.key);
    if (to === undefined) {
      to = labels.length;
      firstOf.set(set.key, to);
      labels.push(set);
    }
    target[s] = to;
  });
  if (labels.length === frame.series) return frame;
  const { steps } = frame;
  const values = new Float64Array(labels.length * steps);
  const present = new Uint8Array(labels.length * steps);
  const histograms = new Map(frame.histograms);
  histograms.clear();
  const dropName = frame.dropName && new Uint8Array(labels.length);
  for (let s = 0; s < frame.series; s++) {
    const to = target[s] ?? 0;
    if (dropName && frame.dropsName(s)) dropName[to] = 1;
    for (let t = 0; t < steps; t++) {
      const cell = s * steps + t;
      const what = frame.present[cell] ?? absent;
      if (what === absent) continue;
      const out = to * steps + t;
      if (present[out] !== absent) throw duplicateLabels();
      present[out] = what;
      values[out] = frame.values[cell] ?? NaN;
      const held = what === histogram ? frame.histograms?.get(cell) : undefined;
      if (held) histograms.set(out, held);
    }
  }
  return new Frame({ labels, steps, values, present, histograms, dropName });
}

export function duplicateLabels(): SkoposError {
  return new SkoposError("execution", "vector cannot contain metrics with the same labelset");
}
