/**
 * What sets one group of traces apart from another: attributes, services and operations that are more frequent in it, and
 * operations in which it spends more time. For attributes as in BubbleUp-like tools: how far the shares of traces that carry a
 * value lie apart. A trace counts once however many of its spans carry the value.
 */
import type { AttributeValue, Span } from "@skopos/model";
import { buildForest } from "./forest.ts";
import { exclusiveTimes } from "./exclusive.ts";

/** A value that is found in `selectedShare` of one group's traces and in `restShare` of the other's. */
export interface AttributeDifference {
  readonly scope: "intrinsic" | "span" | "resource";
  readonly key: string;
  readonly value: string;
  /** The service whose spans carry it most often. */
  readonly service: string;
  readonly selectedShare: number;
  readonly restShare: number;
}

export interface OperationDifference {
  readonly service: string;
  readonly name: string;
  readonly kind: Span["kind"];
  /** Time spent in the operation itself, summed per trace that has it: medians. Null when no trace of the group has it. */
  readonly selectedMs: number | null;
  readonly restMs: number | null;
  /** Share of the group's traces that have it, and in which one of its spans fails. */
  readonly selectedShare: number;
  readonly restShare: number;
  readonly selectedErrorShare: number;
  readonly restErrorShare: number;
}

export interface TraceComparison {
  readonly selected: number;
  readonly rest: number;
  /** Furthest apart first; at most `differencesMax`. */
  readonly attributes: readonly AttributeDifference[];
  /** Largest difference of time first; at most `differencesMax`. */
  readonly operations: readonly OperationDifference[];
}

const differencesMax = 50;
/** Shares that lie closer than this are no difference worth showing. */
const shareGapMin = 0.2;
/** A key with more values than this in one group is an id, not a property. */
const valuesPerKeyMax = 200;
const valueLengthMax = 200;

type Traces = readonly (readonly Span[])[];

export function compareTraces(selected: Traces, rest: Traces): TraceComparison {
  return {
    selected: selected.length,
    rest: rest.length,
    attributes: attributeDifferences(selected, rest),
    operations: operationDifferences(selected, rest),
  };
}

/** Traces that carry a value, by service of the span it stood on. */
interface ValueCount {
  readonly scope: "intrinsic" | "span" | "resource";
  readonly key: string;
  readonly value: string;
  traces: number;
  readonly services: Map<string, number>;
}

const textOf = (value: AttributeValue): string | undefined => {
  const text = typeof value === "object" ? undefined : `${value}`;
  return text === undefined || text.length > valueLengthMax ? undefined : text;
};

function countValues(traces: Traces): Map<string, ValueCount> {
  const counts = new Map<string, ValueCount>();
  const valuesOfKey = new Map<string, number>();
  for (const spans of traces) {
    const seen = new Set<string>();
    const note = (scope: ValueCount["scope"], key: string, value: string, service: string) => {
      const place = `${scope}\u0000${key}\u0000${value}`;
      if (seen.has(place)) return;
      seen.add(place);
      const known = counts.get(place);
      if (!known) {
        const keyed = `${scope}\u0000${key}`;
        const values = (valuesOfKey.get(keyed) ?? 0) + 1;
        valuesOfKey.set(keyed, values);
        if (values > valuesPerKeyMax) return;
      }
      const count = known ?? { scope, key, value, traces: 0, services: new Map<string, number>() };
      count.traces++;
      count.services.set(service, (count.services.get(service) ?? 0) + 1);
      counts.set(place, count);
    };
    for (const span of spans) {
      note("intrinsic", "name", span.name, span.service);
      note("intrinsic", "status", span.status, span.service);
      for (const [key, value] of Object.entries(span.attributes)) {
        const text = textOf(value);
        if (text !== undefined) note("span", key, text, span.service);
      }
      for (const [key, value] of Object.entries(span.resource)) {
        const text = textOf(value);
        if (text !== undefined) note("resource", key, text, span.service);
      }
    }
  }
  return counts;
}

function attributeDifferences(selected: Traces, rest: Traces): AttributeDifference[] {
  if (selected.length === 0 || rest.length === 0) return [];
  const inSelected = countValues(selected);
  const inRest = countValues(rest);
  const found: AttributeDifference[] = [];
  for (const [place, count] of new Map([...inRest, ...inSelected])) {
    const selectedShare = (inSelected.get(place)?.traces ?? 0) / selected.length;
    const restShare = (inRest.get(place)?.traces ?? 0) / rest.length;
    if (Math.abs(selectedShare - restShare) < shareGapMin) continue;
    const [service = ""] = [...count.services].sort((a, b) => b[1] - a[1])[0] ?? [];
    found.push({
      scope: count.scope,
      key: count.key,
      value: count.value,
      service,
      selectedShare,
      restShare,
    });
  }
  const gap = (it: AttributeDifference) => it.selectedShare - it.restShare;
  return found
    .sort(
      (a, b) => Math.abs(gap(b)) - Math.abs(gap(a)) || gap(b) - gap(a) || (a.key < b.key ? -1 : 1),
    )
    .slice(0, differencesMax);
}

interface OperationTimes {
  readonly service: string;
  readonly name: string;
  readonly kind: Span["kind"];
  /** One for each trace that has the operation. */
  readonly exclusiveMs: number[];
  failing: number;
}

function operationTimes(traces: Traces): Map<string, OperationTimes> {
  const operations = new Map<string, OperationTimes>();
  for (const spans of traces) {
    const forest = buildForest(spans);
    const own = exclusiveTimes(forest);
    const inTrace = new Map<string, { span: Span; ms: number; fails: boolean }>();
    forest.spans.forEach((span, index) => {
      const key = `${span.service}\u0000${span.kind}\u0000${span.name}`;
      const sum = inTrace.get(key) ?? { span, ms: 0, fails: false };
      sum.ms += (own[index] ?? 0) / 1e6;
      sum.fails ||= span.status === "error";
      inTrace.set(key, sum);
    });
    for (const [key, { span, ms, fails }] of inTrace) {
      const { service, name, kind } = span;
      const times = operations.get(key) ?? { service, name, kind, exclusiveMs: [], failing: 0 };
      times.exclusiveMs.push(ms);
      if (fails) times.failing++;
      operations.set(key, times);
    }
  }
  return operations;
}

function operationDifferences(selected: Traces, rest: Traces): OperationDifference[] {
  const inSelected = operationTimes(selected);
  const inRest = operationTimes(rest);
  const found: OperationDifference[] = [];
  for (const [key, { service, name, kind }] of new Map([...inRest, ...inSelected])) {
    const a = inSelected.get(key);
    const b = inRest.get(key);
    found.push({
      service,
      name,
      kind,
      selectedMs: a ? medianOf(a.exclusiveMs) : null,
      restMs: b ? medianOf(b.exclusiveMs) : null,
      selectedShare: share(a?.exclusiveMs.length, selected.length),
      restShare: share(b?.exclusiveMs.length, rest.length),
      selectedErrorShare: share(a?.failing, selected.length),
      restErrorShare: share(b?.failing, rest.length),
    });
  }
  return found.sort((a, b) => apart(b) - apart(a)).slice(0, differencesMax);
}

/** Time it adds to a typical trace of the selected group: what it takes, weighed by how often it is there. */
function apart(it: OperationDifference): number {
  const time = (it.selectedMs ?? 0) * it.selectedShare - (it.restMs ?? 0) * it.restShare;
  return Math.abs(time);
}

const share = (count: number | undefined, of: number) => (of === 0 ? 0 : (count ?? 0) / of);

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
