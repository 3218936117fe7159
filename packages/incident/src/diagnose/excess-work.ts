/**
 * Exclusive excess work: what a service does more than usual, less what the services below it do more than usual. Work is
 * requests times latency (ms per second), or requests that fail; the same walk explains both. With a service mesh the
 * excess below is known per call edge; with less it is the callee's own.
 *
 * Weak where calls are not waited for (the caller's excess is less than the callee's: never below zero then), and where
 * retries multiply them.
 */

export interface WorkEdge {
  readonly source: string;
  readonly target: string;
  /** More than usual on this edge as the caller sees it; undefined when not measured. */
  readonly excess: number | undefined;
}

export interface WorkGraph {
  /** More than usual of the calls into a node; undefined when not measured. */
  readonly excessOf: (node: string) => number | undefined;
  readonly edges: readonly WorkEdge[];
}

export interface RankedNode {
  readonly node: string;
  /** In the unit of the work. */
  readonly own: number;
  /** Of the own excess of all ranked nodes, 0 to 1. */
  readonly share: number;
}

export function reachableFrom(edges: readonly WorkEdge[], starts: readonly string[]): Set<string> {
  const callees = new Map<string, string[]>();
  for (const { source, target } of edges)
    callees.set(source, [...(callees.get(source) ?? []), target]);
  const seen = new Set(starts);
  const queue = [...starts];
  for (let node = queue.pop(); node !== undefined; node = queue.pop())
    for (const callee of callees.get(node) ?? [])
      if (!seen.has(callee)) {
        seen.add(callee);
        queue.push(callee);
      }
  return seen;
}

/** Nodes reachable from the alerting ones, by own excess, largest first; nodes without a measure are left out. */
export function rankByExcessWork(graph: WorkGraph, starts: readonly string[]): RankedNode[] {
  const found: { node: string; own: number }[] = [];
  for (const node of reachableFrom(graph.edges, starts)) {
    const excess = graph.excessOf(node);
    if (excess === undefined) continue;
    let inherited = 0;
    for (const edge of graph.edges)
      if (edge.source === node && edge.target !== node) inherited += Math.max(0, edge.excess ?? 0);
    found.push({ node, own: excess - inherited });
  }
  const total = found.reduce((sum, { own }) => sum + Math.max(0, own), 0);
  return found
    .map(({ node, own }) => ({ node, own, share: total > 0 ? Math.max(0, own) / total : 0 }))
    .sort((a, b) => b.own - a.own || (a.node < b.node ? -1 : 1));
}
