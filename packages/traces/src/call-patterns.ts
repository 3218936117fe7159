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
import { spanKinds, spanStatuses } from "@skopos/model";
import { childrenOf, type TraceShape } from "./forest.ts";

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
export function callPatterns(shape: TraceShape): CallPattern[] {
  const found: CallPattern[] = [];
  const samenessOf = sameness(shape);
  for (let index = 0; index < shape.count; index++) {
    if ((shape.descendants[index] ?? 0) < 2) continue;
    const calls = [...childrenOf(shape, index)].filter((child) => isCall(shape, child));
    if (calls.length >= 2) found.push(...patternsBelow(shape, index, calls, samenessOf));
  }
  const worthMin = shape.durationNs * savableShareMin;
  return found
    .filter(({ kind, savableNs }) => kind === "retry" || savableNs >= worthMin)
    .sort((a, b) => weight(b) - weight(a) || b.savableNs - a.savableNs)
    .slice(0, patternsMax);
}

const weight = ({ kind }: CallPattern) => (kind === "retry" ? 1 : 0);

const client = spanKinds.indexOf("client");
const error = spanStatuses.indexOf("error");

/** Something the parent waits for elsewhere: a client span, or a child of another service. */
function isCall({ columns, row, parent }: TraceShape, index: number): boolean {
  const own = row[index] ?? -1;
  const above = row[parent[index] ?? -1] ?? -1;
  return columns.kind[own] === client || columns.service.at[own] !== columns.service.at[above];
}

const variable = /[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{16,}\b|\d+/gi;

/** By index: a number that calls share which are the same. */
function sameness({ columns, row }: TraceShape): (index: number) => number {
  const { service, name, kind } = columns;
  const masks = new Map<string, number>();
  const maskOf = Int32Array.from(name.texts, (text) => {
    const masked = text.replace(variable, "#");
    const known = masks.get(masked);
    if (known === undefined) masks.set(masked, masks.size);
    return known ?? masks.size - 1;
  });
  return (index) => {
    const at = row[index] ?? 0;
    const called = (maskOf[name.at[at] ?? 0] ?? 0) * service.texts.length + (service.at[at] ?? 0);
    return called * spanKinds.length + (kind[at] ?? 0);
  };
}

function patternsBelow(
  shape: TraceShape,
  parent: number,
  calls: readonly number[],
  samenessOf: (index: number) => number,
): CallPattern[] {
  const groups = new Map<number, number[]>();
  for (const call of calls) {
    const key = samenessOf(call);
    const group = groups.get(key);
    if (group) group.push(call);
    else groups.set(key, [call]);
  }
  const found: CallPattern[] = [];
  for (const group of groups.values()) {
    const chain = longestSerial(shape, group);
    if (chain.length < 2) continue;
    const attempts = retriesOf(shape, chain);
    if (attempts.length > 1) found.push(pattern(shape, "retry", parent, attempts));
    else if (chain.length >= repeatedMin) found.push(pattern(shape, "repeated", parent, chain));
  }
  const firsts = [...groups.values()].map((group) => group[0] ?? 0);
  const serial = firsts.length > 1 && noneOverlap(shape, calls) ? firsts : [];
  if (serial.length > 1) found.push(pattern(shape, "serial", parent, serial));
  return found;
}

/** The calls that begin after the ones before have ended. */
function longestSerial(shape: TraceShape, calls: readonly number[]): number[] {
  const chain: number[] = [];
  let reached = -Infinity;
  for (const call of calls) {
    if ((shape.startNs[call] ?? 0) < reached) continue;
    chain.push(call);
    reached = shape.endNs[call] ?? 0;
  }
  return chain;
}

function failedAt({ columns, row }: TraceShape, index: number): boolean {
  return columns.status[row[index] ?? -1] === error;
}

/** The first run of failed attempts with the attempt that followed; empty when no call failed and was tried again. */
function retriesOf(shape: TraceShape, chain: readonly number[]): number[] {
  const failed = (index: number) => failedAt(shape, index);
  const first = chain.findIndex(failed);
  if (first < 0 || first === chain.length - 1) return [];
  let last = first;
  while (last < chain.length - 1 && failed(chain[last] ?? -1)) last++;
  return chain.slice(first, last + 1);
}

function noneOverlap(shape: TraceShape, calls: readonly number[]): boolean {
  return longestSerial(shape, calls).length === calls.length;
}

function pattern(
  shape: TraceShape,
  kind: CallPattern["kind"],
  parent: number,
  calls: readonly number[],
): CallPattern {
  const lengthOf = (call: number) => (shape.endNs[call] ?? 0) - (shape.startNs[call] ?? 0);
  const longest = calls.reduce((a, b) => (lengthOf(b) > lengthOf(a) ? b : a));
  const sumNs = calls.reduce((sum, call) => sum + lengthOf(call), 0);
  const last = calls.at(-1) ?? 0;
  const { service, name } = shape.columns;
  const row = shape.row[longest] ?? -1;
  return {
    kind,
    parent,
    calls,
    name: name.texts[name.at[row] ?? -1] ?? "",
    service: service.texts[service.at[row] ?? -1] ?? "",
    spentNs: (shape.endNs[last] ?? 0) - (shape.startNs[calls[0] ?? 0] ?? 0),
    savableNs: kind === "retry" ? sumNs - lengthOf(last) : sumNs - lengthOf(longest),
    recovered: kind === "retry" && !failedAt(shape, last),
  };
}
