/**
 * Shapes of calls that make a trace slow or hide a failure, found among the siblings below one span:
 *
 * - *retry*: the same call again after one that failed.
 * - *repeated*: the same call many times, one after the other ("N+1").
 * - *serial*: different calls one after the other, none of which overlaps another. Whether they need each other's results no
 *   trace can tell; `savableNs` says what running them side by side would save at most.
 *
 * Two calls are the same when service, kind and name agree after numbers and ids in the name are masked.
 */
import type { Span } from "@skopos/model";
import { childrenOf, type SpanForest } from "./forest.ts";

export interface CallPattern {
  readonly kind: "retry" | "repeated" | "serial";
  /** Index of the span below which the calls stand. */
  readonly parent: number;
  /** Indexes of the calls, by start. */
  readonly calls: readonly number[];
  /** The call's name; of serial calls the slowest one's. */
  readonly name: string;
  readonly service: string;
  /** From the first call's start to the last one's end. */
  readonly spentNs: number;
  /** At most this much less, if the calls were one (repeated), side by side (serial), or the first had not failed (retry). */
  readonly savableNs: number;
  /** For retries: whether the last attempt succeeded. */
  readonly recovered: boolean;
}

const repeatedMin = 5;
/** A pattern that could save less of its trace than this is not worth a line. */
const savableShareMin = 0.05;
const patternsMax = 50;

/** Most to gain first; retries before the others. At most 50. */
export function callPatterns(forest: SpanForest): CallPattern[] {
  const found: CallPattern[] = [];
  for (let index = 0; index < forest.spans.length; index++) {
    if ((forest.descendants[index] ?? 0) < 2) continue;
    const calls = [...childrenOf(forest, index)].filter((child) => isCall(forest, child));
    if (calls.length >= 2) found.push(...patternsBelow(forest, index, calls));
  }
  const worthMin = forest.durationNs * savableShareMin;
  return found
    .filter(({ kind, savableNs }) => kind === "retry" || savableNs >= worthMin)
    .sort((a, b) => weight(b) - weight(a) || b.savableNs - a.savableNs)
    .slice(0, patternsMax);
}

const weight = ({ kind }: CallPattern) => (kind === "retry" ? 1 : 0);

/** Something the parent waits for elsewhere: a client span, or a child of another service. */
function isCall(forest: SpanForest, index: number): boolean {
  const span = forest.spans[index];
  const parent = forest.spans[forest.parent[index] ?? -1];
  return span?.kind === "client" || (span !== undefined && span.service !== parent?.service);
}

const variable = /[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{16,}\b|\d+/gi;
const sameness = ({ service, kind, name }: Span) =>
  `${kind}\u0000${service}\u0000${name.replace(variable, "#")}`;

function patternsBelow(forest: SpanForest, parent: number, calls: number[]): CallPattern[] {
  const groups = new Map<string, number[]>();
  for (const call of calls) {
    const span = forest.spans[call];
    if (!span) continue;
    const key = sameness(span);
    const group = groups.get(key);
    if (group) group.push(call);
    else groups.set(key, [call]);
  }
  const found: CallPattern[] = [];
  for (const group of groups.values()) {
    const chain = longestSerial(forest, group);
    if (chain.length < 2) continue;
    const attempts = retriesOf(forest, chain);
    if (attempts.length > 1) found.push(pattern(forest, "retry", parent, attempts));
    else if (chain.length >= repeatedMin) found.push(pattern(forest, "repeated", parent, chain));
  }
  const firsts = [...groups.values()].map((group) => group[0] ?? 0);
  const serial = firsts.length > 1 && noneOverlap(forest, calls) ? firsts : [];
  if (serial.length > 1) found.push(pattern(forest, "serial", parent, serial));
  return found;
}

/** The calls that begin after the ones before have ended. */
function longestSerial(forest: SpanForest, calls: readonly number[]): number[] {
  const chain: number[] = [];
  let reached = -Infinity;
  for (const call of calls) {
    if ((forest.startNs[call] ?? 0) < reached) continue;
    chain.push(call);
    reached = forest.endNs[call] ?? 0;
  }
  return chain;
}

/** The first run of failed attempts with the attempt that followed; empty when no call failed and was tried again. */
function retriesOf(forest: SpanForest, chain: readonly number[]): number[] {
  const failed = (index: number) => forest.spans[index]?.status === "error";
  const first = chain.findIndex(failed);
  if (first < 0 || first === chain.length - 1) return [];
  let last = first;
  while (last < chain.length - 1 && failed(chain[last] ?? -1)) last++;
  return chain.slice(first, last + 1);
}

function noneOverlap(forest: SpanForest, calls: readonly number[]): boolean {
  return longestSerial(forest, calls).length === calls.length;
}

function pattern(
  forest: SpanForest,
  kind: CallPattern["kind"],
  parent: number,
  calls: readonly number[],
): CallPattern {
  const lengthOf = (call: number) => (forest.endNs[call] ?? 0) - (forest.startNs[call] ?? 0);
  const longest = calls.reduce((a, b) => (lengthOf(b) > lengthOf(a) ? b : a));
  const sumNs = calls.reduce((sum, call) => sum + lengthOf(call), 0);
  const last = calls.at(-1) ?? 0;
  const span = forest.spans[longest];
  return {
    kind,
    parent,
    calls,
    name: span?.name ?? "",
    service: span?.service ?? "",
    spentNs: (forest.endNs[last] ?? 0) - (forest.startNs[calls[0] ?? 0] ?? 0),
    savableNs: kind === "retry" ? sumNs - lengthOf(last) : sumNs - lengthOf(longest),
    recovered: kind === "retry" && forest.spans[last]?.status !== "error",
  };
}
