/**
 * Time that the caller waits and the destination does not spend: network, proxies, and queues between them, per edge. Both
 * ends share a gap; a service whose edges all widen is where the delay sits.
 */
import { median } from "./statistics.ts";

export interface EdgeGap {
  readonly source: string;
  readonly target: string;
  /** How much the gap grew, ms per request. */
  readonly excessMs: number;
}

/** Services by the median growth over their edges, largest first. */
export function rankByEdgeGap(gaps: readonly EdgeGap[]): { node: string; excessMs: number }[] {
  const byNode = new Map<string, number[]>();
  for (const { source, target, excessMs } of gaps)
    for (const node of [source, target]) byNode.set(node, [...(byNode.get(node) ?? []), excessMs]);
  return [...byNode]
    .map(([node, list]) => ({ node, excessMs: median(list) }))
    .sort((a, b) => b.excessMs - a.excessMs || (a.node < b.node ? -1 : 1));
}
