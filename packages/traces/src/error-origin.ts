/** Where a failing trace failed first. */
import { childrenOf, type SpanForest } from "./forest.ts";

/**
 * The deepest failing span none of whose children fail: the others only passed its failure on. Of several equally deep ones the
 * earliest. −1 when nothing fails.
 */
export function errorOrigin(forest: SpanForest): number {
  let best = -1;
  forest.spans.forEach((span, index) => {
    if (span.status !== "error" || failsBelow(forest, index)) return;
    if (best < 0 || isBetter(forest, index, best)) best = index;
  });
  return best;
}

function failsBelow(forest: SpanForest, index: number): boolean {
  for (const child of childrenOf(forest, index))
    if (forest.spans[child]?.status === "error") return true;
  return false;
}

function isBetter(forest: SpanForest, index: number, than: number): boolean {
  const deeper = (forest.depth[index] ?? 0) - (forest.depth[than] ?? 0);
  return deeper === 0 ? (forest.startNs[index] ?? 0) < (forest.startNs[than] ?? 0) : deeper > 0;
}
