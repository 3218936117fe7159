/** Where a failing trace failed first. */
import { spanStatuses } from "@skopos/model";
import { childrenOf, type TraceShape } from "./forest.ts";

const error = spanStatuses.indexOf("error");

/**
 * The deepest failing span none of whose children fail: the others only passed its failure on. Of several equally deep ones the
 * earliest. −1 when nothing fails.
 */
export function errorOrigin(shape: TraceShape): number {
  let best = -1;
  for (let index = 0; index < shape.count; index++)
    if (fails(shape, index) && !failsBelow(shape, index))
      if (best < 0 || isBetter(shape, index, best)) best = index;
  return best;
}

function fails({ columns, row }: TraceShape, index: number): boolean {
  return columns.status[row[index] ?? -1] === error;
}

function failsBelow(shape: TraceShape, index: number): boolean {
  for (const child of childrenOf(shape, index)) if (fails(shape, child)) return true;
  return false;
}

function isBetter(shape: TraceShape, index: number, than: number): boolean {
  const deeper = (shape.depth[index] ?? 0) - (shape.depth[than] ?? 0);
  return deeper === 0 ? (shape.startNs[index] ?? 0) < (shape.startNs[than] ?? 0) : deeper > 0;
}
