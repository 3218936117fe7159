/** Operators between a vector and a scalar, and the sign. */
import type { NativeHistogram } from "@skopos/model";
import type { VectorScalarNode } from "../plan/plan.ts";
import type { Annotations } from "./annotations.ts";
import { isComparison } from "../syntax/ast.ts";
import { float, type Frame, histogram } from "./frame.ts";
import { combineHistograms } from "./histogram-binary.ts";
import { scaleHistogram } from "./histogram-math.ts";
import { putOutcome } from "./histogram-range.ts";
import { dropNames } from "./names.ts";
import { combine, compare } from "./scalar-op.ts";

export function vectorScalar(
  { op, bool, scalarOnLeft, span }: Pick<VectorScalarNode, "op" | "bool" | "scalarOnLeft" | "span">,
  vector: Frame,
  scalar: Float64Array,
  delayed: boolean,
  annotations: Annotations,
): Frame {
  const { steps } = vector;
  const values = new Float64Array(vector.values.length);
  const present = new Uint8Array(vector.present.length);
  const filters = isComparison(op) && !bool;
  const trims = op === "</" || op === ">/";
  for (let cell = 0; cell < values.length; cell++) {
    if (vector.present[cell] !== float || trims) continue;
    const value = vector.values[cell] ?? NaN;
    const other = scalar[cell % steps] ?? NaN;
    const [a, b] = scalarOnLeft ? [other, value] : [value, other];
    if (filters) {
      if (!compare(op, a, b)) continue;
      values[cell] = value;
    } else {
      values[cell] = combine(op, a, b);
    }
    present[cell] = float;
  }
  const histograms = new Map<number, NativeHistogram>();
  for (const [cell, held] of vector.histograms ?? []) {
    if (vector.present[cell] !== histogram) continue;
    const other = scalar[cell % steps] ?? NaN;
    const [a, b] = scalarOnLeft ? [other, held] : [held, other];
    const outcome = combineHistograms(op, a, b, filters, { span, annotations });
    putOutcome(outcome, cell, values, present, histograms);
  }
  const frame = vector.with({ values, present, histograms });
  return filters || trims ? frame : dropNames(frame, delayed);
}

export function negate(vector: Frame, delayed: boolean): Frame {
  const values = vector.values.map((value) => -value);
  const held = [...(vector.histograms ?? [])];
  const histograms = new Map(held.map(([cell, each]) => [cell, scaleHistogram(each, -1)]));
  return dropNames(vector.with({ values, histograms }), delayed);
}
