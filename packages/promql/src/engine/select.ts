/** Instant selectors: per step the latest sample within the look-back, unless it is a staleness marker. */
import { highWord, lowWord, type NativeHistogram, staleNaN } from "@skopos/model";
import type { Grid, SelectNode } from "../plan/plan.ts";
import type { Columns } from "./columns.ts";
import { float, Frame, histogram } from "./frame.ts";
import { Windows } from "./window.ts";

export function selectInstant(
  node: Pick<SelectNode, "reference" | "take">,
  columns: Columns,
  grid: Grid,
  lookbackMs: number,
  poll: () => void,
): Frame {
  const windows = new Windows(columns, grid, node.reference, lookbackMs);
  const steps = grid.count;
  const cells = columns.labels.length * steps;
  const values = new Float64Array(cells);
  const present = new Uint8Array(cells);
  const histograms = columns.histograms && new Map<number, NativeHistogram>();
  const words = new Uint32Array(
    columns.values.buffer,
    columns.values.byteOffset,
    columns.values.length * 2,
  );
  for (let s = 0; s < columns.labels.length; s++) {
    if ((s & 1023) === 0) poll();
    const column = columns.timesOf[s] ?? 0;
    const { from, to } = windows.of(column);
    const base = columns.base[s] ?? 0;
    for (let t = 0; t < steps; t++) {
      const last = (to[t] ?? 0) - 1;
      if (last < (from[t] ?? 0)) continue;
      const index = base + last;
      const cell = s * steps + t;
      if (columns.hasStale && words[index * 2 + highWord] === staleNaN.high) {
        if (words[index * 2 + lowWord] === staleNaN.low) continue;
      }
      const held = columns.histograms?.get(index);
      present[cell] = float;
      if (node.take === "time") values[cell] = (columns.times[column]?.[last] ?? NaN) / 1000;
      else if (held) {
        present[cell] = histogram;
        histograms?.set(cell, held);
      } else values[cell] = columns.values[index] ?? NaN;
    }
  }
  return new Frame({ labels: columns.labels, steps, values, present, histograms });
}
