/** Where the failures and the waiting begin: own against inherited per node, and what is lost between two nodes. */
import { rankByExcessWork, type RankedNode } from "./excess-work.ts";
import type { LostRequests } from "./scene.ts";
import { type EdgeSignals, incomingOf, type Reporter, type Signals } from "./signals.ts";
import { between, mean, type Series, shiftOf, sumOf, type Windows } from "./statistics.ts";

/** How much more than usual; without a usual one, everything that is there now. Undefined when there is nothing now. */
export function growth(series: Series, windows: Windows): number | undefined {
  const shift = shiftOf(series, windows);
  if (shift) return shift.excess;
  const during = between(series, windows.incident.startMs, windows.incident.endMs);
  return during.length > 0 ? mean(during) : undefined;
}

type Field = "failures" | "work";

function reported(edge: EdgeSignals, field: Field, first: Reporter): Series {
  const other = first === "source" ? "destination" : "source";
  // Absent failures beside present requests are none; without requests the other side is asked.
  return edge.requests[first].times.length > 0 ? edge[field][first] : edge[field][other];
}

/** Excess into a node as its own proxies report it; of an entry without callers, what it sends on. */
function excessInto(signals: Signals, id: string, field: Field, windows: Windows) {
  const incoming = incomingOf(signals, id).filter((edge) => !edge.isTcp);
  if (incoming.length === 0) {
    const outgoing = [...signals.edges.values()].filter((edge) => edge.source === id);
    return growth(sumOf(outgoing.map((edge) => reported(edge, field, "source"))), windows);
  }
  return growth(sumOf(incoming.map((edge) => reported(edge, field, "destination"))), windows);
}

export function rankOwn(
  signals: Signals,
  windows: Windows,
  starts: readonly string[],
  field: Field,
): RankedNode[] {
  const edges = [...signals.edges.values()].filter((edge) => !edge.isTcp);
  return rankByExcessWork(
    {
      excessOf: (id) => excessInto(signals, id, field, windows),
      edges: edges.map((edge) => ({
        source: edge.source,
        target: edge.target,
        excess: growth(reported(edge, field, "source"), windows),
      })),
    },
    starts,
  );
}

/** Edges on which callers see failures that the destination does not report, most first. */
export function findLost(signals: Signals, windows: Windows): LostRequests[] {
  const found: LostRequests[] = [];
  for (const edge of signals.edges.values()) {
    if (edge.requests.source.times.length === 0 && !edge.isTcp) continue;
    const seen = growth(edge.failures.source, windows) ?? 0;
    const arrived = growth(edge.failures.destination, windows) ?? 0;
    const flags = new Map<string, number>();
    for (const [flag, series] of edge.flags) {
      const more = growth(series, windows) ?? 0;
      if (more > 0) flags.set(flag, more);
    }
    const codes = new Map<string, number>();
    for (const [code, series] of edge.codes) {
      const more = growth(series, windows) ?? 0;
      if (more > 0) codes.set(code, more);
    }
    const perSecond = Math.max(0, seen - Math.max(0, arrived));
    if (perSecond > 0 || flags.size > 0) found.push({ edge, perSecond, flags, codes });
  }
  return found.sort((a, b) => b.perSecond - a.perSecond);
}

/** What callers of the alerting nodes see more than usual. */
export function troubleAt(
  signals: Signals,
  windows: Windows,
  alerting: readonly string[],
): { failuresPerSecond: number; excessWork: number; requestsPerSecond: number } {
  let failuresPerSecond = 0;
  let excessWork = 0;
  let requestsPerSecond = 0;
  for (const id of alerting) {
    const incoming = incomingOf(signals, id);
    const edges =
      incoming.length > 0
        ? incoming
        : [...signals.edges.values()].filter((edge) => edge.source === id);
    const requests = sumOf(edges.map((edge) => edge.requests.source));
    const during = between(requests, windows.incident.startMs, windows.incident.endMs);
    if (during.length > 0) requestsPerSecond += mean(during);
    failuresPerSecond += Math.max(
      0,
      growth(sumOf(edges.map((edge) => reported(edge, "failures", "source"))), windows) ?? 0,
    );
    excessWork += Math.max(
      0,
      growth(sumOf(edges.map((edge) => reported(edge, "work", "source"))), windows) ?? 0,
    );
  }
  return { failuresPerSecond, excessWork, requestsPerSecond };
}
