/** A trace in columns, with what is understood of it. */
import type { EntityRef, TraceOutline } from "@skopos/api";
import type { Span, TraceEngine } from "@skopos/model";
import {
  buildForest,
  type CallPattern,
  callPatterns,
  criticalPath,
  errorOrigin,
  exclusiveTimes,
  type PathSegment,
  type SpanForest,
} from "@skopos/traces";
import { entityAttributes, requestIdOf, serviceEntity } from "./span-entity.ts";

const toMs = (ns: number) => ns / 1e6;

/** Numbers texts in order of appearance. */
class Dictionary {
  readonly #indexOf = new Map<string, number>();

  index(text: string): number {
    const known = this.#indexOf.get(text);
    if (known !== undefined) return known;
    this.#indexOf.set(text, this.#indexOf.size);
    return this.#indexOf.size - 1;
  }

  texts(): string[] {
    return [...this.#indexOf.keys()];
  }
}

/** Of one trace; readers stop there as well. */
const traceSpansMax = 100_000;

/** The outline with no more read of each span than it needs. */
export async function readTraceOutline(
  traces: Pick<TraceEngine, "trace">,
  traceId: string,
  signal?: AbortSignal,
): Promise<TraceOutline> {
  const parts = { attributes: entityAttributes };
  return toTraceOutline(traceId, await traces.trace(traceId, signal, undefined, parts));
}

/** `spans` are those of one trace, in any order; `spansMax` is how many are read of one trace at most. */
export function toTraceOutline(
  traceId: string,
  spans: readonly Span[],
  spansMax = traceSpansMax,
): TraceOutline {
  const forest = buildForest(spans);
  const own = exclusiveTimes(forest);
  const path = criticalPath(forest);
  const services = new Dictionary();
  const names = new Dictionary();
  const service = forest.spans.map((span) => services.index(span.service));
  const name = forest.spans.map((span) => names.index(span.name));
  const origin = errorOrigin(forest);
  const entities = new Map<string, EntityRef | null>();
  for (const span of forest.spans)
    if (!entities.get(span.service)) entities.set(span.service, serviceEntity(span));
  return {
    traceId,
    startNs: forest.originNs.toString(),
    durationMs: toMs(forest.durationNs),
    truncated: spans.length >= spansMax,
    services: services.texts().map((text) => ({ name: text, entity: entities.get(text) ?? null })),
    names: names.texts(),
    spanIds: forest.spans.map(({ spanId }) => spanId),
    parent: [...forest.parent],
    depth: [...forest.depth],
    below: [...forest.descendants],
    service,
    name,
    kind: forest.spans.map(({ kind }) => kind),
    status: forest.spans.map(({ status }) => status),
    offsetMs: Array.from(forest.startNs, toMs),
    durationsMs: Array.from(forest.endNs, (end, row) => toMs(end - (forest.startNs[row] ?? 0))),
    exclusiveMs: Array.from(own, toMs),
    criticalPath: path.map(({ index, fromNs, toNs }) => ({
      row: index,
      fromMs: toMs(fromNs),
      toMs: toMs(toNs),
    })),
    errorOrigin: origin < 0 ? null : origin,
    requestId: requestIdOf(forest.spans),
    patterns: callPatterns(forest).map((pattern) => ({
      kind: pattern.kind,
      parent: pattern.parent,
      rows: [...pattern.calls],
      text: patternText(forest, pattern),
      savableMs: toMs(pattern.savableNs),
    })),
    byService: serviceTimes(forest, service, own, path),
  };
}

function serviceTimes(
  forest: SpanForest,
  service: readonly number[],
  own: Float64Array,
  path: readonly PathSegment[],
): TraceOutline["byService"] {
  const sums = new Map<number, TraceOutline["byService"][number]>();
  const sumOf = (row: number) => {
    const of = service[row] ?? 0;
    const sum = sums.get(of) ?? {
      service: of,
      spans: 0,
      errors: 0,
      exclusiveMs: 0,
      criticalMs: 0,
    };
    sums.set(of, sum);
    return sum;
  };
  forest.spans.forEach((span, row) => {
    const sum = sumOf(row);
    sum.spans++;
    if (span.status === "error") sum.errors++;
    sum.exclusiveMs += toMs(own[row] ?? 0);
  });
  for (const { index, fromNs, toNs } of path) sumOf(index).criticalMs += toMs(toNs - fromNs);
  return [...sums.values()].sort((a, b) => b.criticalMs - a.criticalMs);
}

const milliseconds = (ns: number) =>
  `${toMs(ns) >= 10 ? toMs(ns).toFixed(0) : toMs(ns).toFixed(1)} ms`;

function patternText(forest: SpanForest, pattern: CallPattern): string {
  const { kind, calls, name, savableNs, recovered } = pattern;
  const caller = forest.spans[pattern.parent]?.service ?? "";
  switch (kind) {
    case "retry":
      return `${caller} tried “${name}” ${calls.length} times: ${recovered ? "the last attempt succeeded" : "none succeeded"}; the failed attempts took ${milliseconds(savableNs)}`;
    case "repeated":
      return `${caller} calls “${name}” ${calls.length} times, one after the other: as one call it could take ${milliseconds(savableNs)} less`;
    case "serial":
      return `${caller} makes ${calls.length} different calls one after the other: if they do not need each other's results, side by side they could take ${milliseconds(savableNs)} less`;
  }
}
