/** Binary operators where at least one side is a native histogram. */
import type { NativeHistogram } from "@skopos/model";
import type { BinaryOp, Span } from "../syntax/ast.ts";
import type { Annotations } from "./annotations.ts";
import {
  addHistograms,
  divideHistogram,
  histogramsEqual,
  scaleHistogram,
} from "./histogram-math.ts";

import { trimHistogram } from "./histogram-trim.ts";

export type Sample = number | NativeHistogram;

export interface BinaryNotes {
  readonly span: Span;
  readonly annotations: Annotations;
}

/** Undefined: no result. Comparisons give 1 or 0, or with `filters` the left side or nothing. */
export function combineHistograms(
  op: BinaryOp,
  a: Sample,
  b: Sample,
  filters: boolean,
  notes: BinaryNotes,
): Sample | undefined {
  if (typeof a === "object" && typeof b === "object")
    return betweenHistograms(op, a, b, filters, notes);
  if (typeof a === "object" && typeof b === "number") {
    if (op === "*") return scaleHistogram(a, b);
    if (op === "/") return divideHistogram(a, b);
    if (op === "</" || op === ">/") return trimHistogram(a, b, op === "</");
  }
  if (typeof a === "number" && typeof b === "object" && op === "*") return scaleHistogram(b, a);
  return incompatible(op, a, b, notes);
}

function betweenHistograms(
  op: BinaryOp,
  a: NativeHistogram,
  b: NativeHistogram,
  filters: boolean,
  notes: BinaryNotes,
): Sample | undefined {
  if (op === "==" || op === "!=") {
    const holds = histogramsEqual(a, b) === (op === "==");
    if (filters) return holds ? a : undefined;
    return holds ? 1 : 0;
  }
  if (op !== "+" && op !== "-") return incompatible(op, a, b, notes);
  const combined = addHistograms(a, b, op === "+" ? 1 : -1);
  const { span, annotations } = notes;
  if (!combined) {
    annotations.warn(span, `incompatible bucket layout encountered for binary operator ${op}`);
    return undefined;
  }
  const what = op === "+" ? "addition" : "subtraction";
  if (combined.conflictingResets)
    annotations.warn(span, `conflicting counter resets during histogram ${what}`);
  if (combined.reconciled)
    annotations.info(span, `mismatched custom buckets were reconciled during ${what}`);
  return op === "+" ? combined.histogram : { ...combined.histogram, counterReset: "gauge" };
}

function incompatible(
  op: BinaryOp,
  a: Sample,
  b: Sample,
  { span, annotations }: BinaryNotes,
): undefined {
  const type = (sample: Sample): string => (typeof sample === "number" ? "float" : "histogram");
  annotations.info(
    span,
    `incompatible sample types encountered for binary operator ${JSON.stringify(op)}: ${type(a)} ${op} ${type(b)}`,
  );
  return undefined;
}
