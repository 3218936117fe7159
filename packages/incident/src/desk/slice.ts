/** The part of the graph that an incident is about: the cause and whom it hurts, nothing else. */
import type { Graph, Incident } from "@skopos/api";
import { disturbedGraph, victimsOf } from "../correlate.ts";

export function sliceOf(
  now: Graph,
  before: Graph | undefined,
  causeId: string | undefined,
  alerting: readonly string[],
): Incident["slice"] {
  const disturbed = disturbedGraph(now, before);
  const wanted = new Set(alerting);
  if (causeId !== undefined) for (const id of victimsOf(disturbed, causeId)) wanted.add(id);
  const isHurt = (source: string, target: string) =>
    disturbed.callees.get(source)?.includes(target) === true;
  const isShown = (source: string, target: string) =>
    wanted.has(source) &&
    wanted.has(target) &&
    // Between cause, victims and alerting services a calm edge still says how they hang together.
    (isHurt(source, target) || target === causeId || alerting.includes(source));
  return {
    nodes: now.nodes.filter(({ id }) => wanted.has(id)),
    edges: now.edges.filter(({ source, target }) => isShown(source, target)),
    causeId: causeId ?? null,
  };
}
