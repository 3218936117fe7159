/** A trace in columns, with what is understood of it. */
import type { TraceOutline } from "@skopos/api";
import {
  type FirstText,
  type Span,
  type SpanColumns,
  spanKinds,
  spanStatuses,
  type TextColumn,
  type TraceEngine,
  type TraceReader,
} from "@skopos/model";
import {
  buildShape,
  type CallPattern,
  callPatterns,
  columnsOfSpans,
  criticalPath,
  errorOrigin,
  exclusiveTimes,
  type PathSegment,
  type TraceShape,
} from "@skopos/traces";
import { entityAttributes, namespaceKeys, requestIdKeys, serviceEntityOf } from "./span-entity.ts";

/** An outline as it goes over HTTP: no objects cross threads. */
export interface OutlineJson {
  readonly rows: number;
  readonly json: Uint8Array<ArrayBuffer>;
}

const toMs = (ns: number) => ns / 1e6;

/** Of one trace; readers stop there as well. */
const traceSpansMax = 100_000;

/** What an outline needs of attributes, in the order in which the functions below find them. */
const firstTexts: readonly FirstText[] = [
  { scope: "resource", keys: namespaceKeys },
  { scope: "span", keys: requestIdKeys },
];

/** From the store, with no more read of each span than an outline needs. */
export async function readTraceOutline(
  reader: Pick<TraceReader, "columns">,
  traceId: string,
  signal?: AbortSignal,
): Promise<OutlineJson> {
  const columns = await reader.columns(traceId, firstTexts, signal);
  return outlineJson(outlineOf(traceId, columns, traceSpansMax));
}

/** From an engine, which knows whole spans alone. */
export async function askTraceOutline(
  traces: Pick<TraceEngine, "trace">,
  traceId: string,
  signal?: AbortSignal,
): Promise<OutlineJson> {
  const parts = { attributes: entityAttributes };
  const spans = await traces.trace(traceId, signal, undefined, parts);
  return outlineJson(toTraceOutline(traceId, spans));
}

export function outlineJson(outline: TraceOutline): OutlineJson {
  const json = new TextEncoder().encode(JSON.stringify(outline));
  return { rows: outline.spanIds.length, json };
}

/** `spans` are those of one trace, in any order; `spansMax` is how many are read of one trace at most. */
export function toTraceOutline(
  traceId: string,
  spans: readonly Span[],
  spansMax = traceSpansMax,
): TraceOutline {
  return outlineOf(traceId, columnsOfSpans(spans, firstTexts), spansMax);
}

function outlineOf(traceId: string, columns: SpanColumns, spansMax: number): TraceOutline {
  const shape = buildShape(columns);
  const own = exclusiveTimes(shape);
  const path = criticalPath(shape);
  const service = inOrder(columns.service, shape);
  const name = inOrder(columns.name, shape);
  const origin = errorOrigin(shape);
  const rows = (values: Int32Array | Float64Array) => Array.from(values);
  return {
    traceId,
    startNs: shape.originNs.toString(),
    durationMs: toMs(shape.durationNs),
    truncated: shape.count >= spansMax,
    services: withEntities(service, shape),
    names: name.texts,
    spanIds: Array.from(shape.row, (row) => columns.ids[columns.id[row] ?? -1] ?? ""),
    parent: rows(shape.parent),
    depth: rows(shape.depth),
    below: rows(shape.descendants),
    service: service.at,
    name: name.at,
    kind: Array.from(shape.row, (row) => spanKinds[columns.kind[row] ?? 0] ?? "unspecified"),
    status: Array.from(shape.row, (row) => spanStatuses[columns.status[row] ?? 0] ?? "unset"),
    offsetMs: Array.from(shape.startNs, toMs),
    durationsMs: Array.from(shape.endNs, (end, index) => toMs(end - (shape.startNs[index] ?? 0))),
    exclusiveMs: Array.from(own, toMs),
    criticalPath: {
      rows: path.map(({ index }) => index),
      fromMs: path.map(({ fromNs }) => toMs(fromNs)),
      toMs: path.map(({ toNs }) => toMs(toNs)),
    },
    errorOrigin: origin < 0 ? null : origin,
    requestId: firstRequestId(shape),
    patterns: callPatterns(shape).map((pattern) => ({
      kind: pattern.kind,
      parent: pattern.parent,
      rows: [...pattern.calls],
      text: patternText(shape, pattern),
      savableMs: toMs(pattern.savableNs),
    })),
    byService: serviceTimes(shape, service.at, own, path),
  };
}

/** A column in the order of the shape, its texts numbered in order of appearance. */
function inOrder(
  { texts, at }: TextColumn,
  { row }: TraceShape,
): { texts: string[]; at: number[] } {
  const numbers = new Int32Array(texts.length).fill(-1);
  const seen: string[] = [];
  const ordered = Array.from(row, (from) => {
    const text = at[from] ?? -1;
    if (numbers[text] === -1) numbers[text] = seen.push(texts[text] ?? "") - 1;
    return numbers[text] ?? 0;
  });
  return { texts: seen, at: ordered };
}

function* textsInOrder(column: TextColumn | undefined, { row }: TraceShape): Generator<string> {
  for (const from of row) yield column?.texts[column.at[from] ?? -1] ?? "";
}

function firstRequestId(shape: TraceShape): string | null {
  for (const text of textsInOrder(shape.columns.firstTexts[1], shape)) if (text !== "") return text;
  return null;
}

/** A service is of the namespace that the first of its spans tells which tells one. */
function withEntities(
  { texts, at }: { texts: readonly string[]; at: readonly number[] },
  shape: TraceShape,
): TraceOutline["services"] {
  const told: (string | undefined)[] = [];
  let index = 0;
  for (const namespace of textsInOrder(shape.columns.firstTexts[0], shape)) {
    const service = at[index++] ?? 0;
    if (namespace !== "") told[service] ??= namespace;
  }
  return texts.map((name, service) => ({ name, entity: serviceEntityOf(name, told[service]) }));
}

const error = spanStatuses.indexOf("error");

function serviceTimes(
  shape: TraceShape,
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
  for (let index = 0; index < shape.count; index++) {
    const sum = sumOf(index);
    sum.spans++;
    if (shape.columns.status[shape.row[index] ?? -1] === error) sum.errors++;
    sum.exclusiveMs += toMs(own[index] ?? 0);
  }
  for (const { index, fromNs, toNs } of path) sumOf(index).criticalMs += toMs(toNs - fromNs);
  return [...sums.values()].sort((a, b) => b.criticalMs - a.criticalMs);
}

const milliseconds = (ns: number) =>
  `${toMs(ns) >= 10 ? toMs(ns).toFixed(0) : toMs(ns).toFixed(1)} ms`;

function patternText(shape: TraceShape, pattern: CallPattern): string {
  const { kind, calls, name, savableNs, recovered } = pattern;
  const { texts, at } = shape.columns.service;
  const caller = texts[at[shape.row[pattern.parent] ?? -1] ?? -1] ?? "";
  switch (kind) {
    case "retry":
      return `${caller} tried “${name}” ${calls.length} times: ${recovered ? "the last attempt succeeded" : "none succeeded"}; the failed attempts took ${milliseconds(savableNs)}`;
    case "repeated":
      return `${caller} calls “${name}” ${calls.length} times, one after the other: as one call it could take ${milliseconds(savableNs)} less`;
    case "serial":
      return `${caller} makes ${calls.length} different calls one after the other: if they do not need each other's results, side by side they could take ${milliseconds(savableNs)} less`;
  }
}
