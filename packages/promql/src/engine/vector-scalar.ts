/** Operators between a vector and a scalar, and the sign. */
import type { VectorScalarNode } from "../plan/plan.ts";
import { isComparison } from "../syntax/ast.ts";
import { float, type Frame } from "./frame.ts";
import { dropNames } from "./names.ts";
import { combine, compare } from "./scalar-op.ts";

export function vectorScalar(
  { op, bool, scalarOnLeft }: Pick<VectorScalarNode, "op" | "bool" | "scalarOnLeft">,
  vector: Frame,
  scalar: Float64Array,
  delayed: boolean,
): Frame {
  const { steps } = vector;
  const values = new Float64Array(vector.values.length);
  const present = new Uint8Array(vector.present.length);
  if (op === "</" || op === ">/") return vector.with({ values, present, histograms: undefined });
  const filters = isComparison(op) && !bool;
  for (let cell = 0; cell < values.length; cell++) {
    if (vector.present[cell] !== float) continue;
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
  const frame = vector.with({ values, present, histograms: undefined });
  return filters ? frame : dropNames(frame, delayed);
}

export function negate(vector: Frame, delayed: boolean): Frame {
  const values = vector.values.map((value) => -value);
  return dropNames(vector.with({ values }), delayed);
}
