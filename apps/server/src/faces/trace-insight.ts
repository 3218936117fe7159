/** What is understood of traces, over the trace engine: outline, comparison, the graph of spans, and RED without a sidecar. */
import type { EntityRef, Joins, ReplyOf, TraceOutline } from "@skopos/api";
import { type LabelMap, SkoposError, type Span, type TraceEngine } from "@skopos/model";
import { type Topology } from "@skopos/mesh";
import {
  buildForest,
  callAttributes,
  compareGraphs,
  compareTraces,
  serviceGraph,
} from "@skopos/traces";
import { JsonBytes } from "../http/bind.ts";
import type { ReadOutline } from "../threads/engines.ts";
import { serviceIdOf, serviceIdOfName } from "../views/span-entity.ts";
import { explainedAttributes, explainTrace } from "../views/trace-explanation.ts";
import { toTraceOutline } from "../views/trace-outline.ts";
import { toSpanJson } from "../views/trace-view.ts";
import { sampleTraces } from "./trace-sample.ts";

export interface TraceRange {
  readonly startMs: number;
  readonly endMs: number;
}

export interface TraceInsightParts {
  readonly traces: TraceEngine;
  readonly outline: ReadOutline;
  readonly topology: Topology;
  readonly nowMs: () => number;
}

/** Outlines that are kept for a while, of 20 MB each at most. */
const outlinesMax = 4;
const outlineAgeMsMax = 60_000;
const comparedMax = 100;
const graphTracesMax = 300;
const operationsMax = 50;
const peersWindowMs = 3_600_000;
/** Of a longer trace only some rows are read to explain it, of each sort at most as many as these. */
const explainedSpansMax = 5000;
const tellingRowsMax = 300;
/** Traces longer than this are left out of comparisons and graphs. */
const comparedSpansMax = 5000;

/** Most are never looked into here, so they stay as they were sent until one is. */
interface KnownOutline {
  readonly json: Uint8Array;
  readonly readMs: number;
  outline: TraceOutline | undefined;
}

export class TraceInsight {
  readonly #parts: TraceInsightParts;
  /** Longest known first. */
  readonly #outlines = new Map<string, KnownOutline>();

  constructor(parts: TraceInsightParts) {
    this.#parts = parts;
  }

  /** Read anew. Throws "not-found". */
  async outline(id: string, signal: AbortSignal): Promise<JsonBytes> {
    return new JsonBytes((await this.#read(id, signal)).json);
  }

  async #read(id: string, signal: AbortSignal): Promise<KnownOutline> {
    const { rows, json } = await this.#parts.outline(id, signal);
    if (rows === 0) throw unknownTrace(id);
    const read: KnownOutline = { json, readMs: this.#parts.nowMs(), outline: undefined };
    this.#outlines.delete(id);
    this.#outlines.set(id, read);
    for (const oldest of this.#outlines.keys()) {
      if (this.#outlines.size <= outlinesMax) break;
      this.#outlines.delete(oldest);
    }
    return read;
  }

  /** As it was read a moment ago: pages ask several things about a trace, one after the other. */
  async #recentOutline(id: string, signal: AbortSignal): Promise<TraceOutline> {
    const known = this.#outlines.get(id);
    const isRecent = known && this.#parts.nowMs() - known.readMs < outlineAgeMsMax;
    return outlineIn(isRecent ? known : await this.#read(id, signal));
  }

  async span(id: string, spanId: string, signal: AbortSignal): Promise<ReplyOf<"traceSpan">> {
    // Of a client and a server that share their id, a row's place tells which is meant: "id" or "id:row".
    const [wanted = "", place] = spanId.split(":");
    let outline = await this.#recentOutline(id, signal);
    if (!outline.spanIds.includes(wanted)) outline = outlineIn(await this.#read(id, signal));
    const named = place === undefined ? -1 : Number(place);
    const row = outline.spanIds[named] === wanted ? named : outline.spanIds.indexOf(wanted);
    const parts = { spanIds: [wanted] };
    const spans = (await this.#parts.traces.trace(id, signal, undefined, parts)).filter(
      (span) => span.spanId === wanted,
    );
    const span = spans.find(({ kind }) => kind === outline.kind[row]) ?? spans[0];
    if (!span || row < 0) throw new SkoposError("not-found", `trace ${id} has no span ${wanted}`);
    const ownMs = outline.exclusiveMs[row] ?? 0;
    const critical = outline.criticalPath.rows.includes(row);
    return {
      span: toSpanJson(span, BigInt(outline.startNs), ownMs, critical),
      links: span.links.map(({ traceId, spanId: linked }) => ({ traceId, spanId: linked })),
    };
  }

  /** `joinsOf` finds what else belongs to the trace of these spans. */
  async explanation(
    id: string,
    joinsOf: (spans: readonly Span[]) => Promise<Joins>,
    signal: AbortSignal,
  ): Promise<ReplyOf<"traceExplanation">> {
    const attributes = [...explainedAttributes, ...callAttributes];
    const recent = await this.#recentOutline(id, signal);
    const rows = tellingRows(recent);
    const spanIds = rows?.map((row) => recent.spanIds[row] ?? "");
    const parts = { attributes, ...(spanIds && { spanIds }) };
    const spans = await this.#parts.traces.trace(id, signal, undefined, parts);
    if (spans.length === 0) throw unknownTrace(id);
    // Spans may have come since.
    const isCurrent = rows !== undefined || recent.spanIds.length === spans.length;
    const outline = isCurrent ? recent : toTraceOutline(id, spans);
    const [peers, joins] = await Promise.all([this.#peersOf(outline, signal), joinsOf(spans)]);
    const byRow = rows ? placed(spans, rows, outline) : buildForest(spans).spans;
    const facts = { outline, spans: byRow, peers: peers.operations, joins };
    const warnings = [...peers.warnings, ...joins.warnings];
    if (rows)
      warnings.push(`of ${outline.spanIds.length} spans the slowest and the failing ones are told`);
    return { statements: explainTrace(facts), warnings };
  }

  /** Every span of a trace. Throws "not-found". */
  async spans(id: string, signal?: AbortSignal): Promise<Span[]> {
    const spans = await this.#parts.traces.trace(id, signal);
    if (spans.length === 0) throw unknownTrace(id);
    return spans;
  }

  async comparison(
    query: string,
    baseline: string | undefined,
    range: TraceRange,
    signal: AbortSignal,
  ): Promise<ReplyOf<"traceComparison">> {
    const selected = await this.#search(query, range, comparedMax, signal);
    const others = await this.#search(baseline ?? "{ }", range, comparedMax * 2, signal);
    const chosen = new Set(selected);
    const rest = others.filter((id) => !chosen.has(id)).slice(0, comparedMax);
    const [a, b] = [await this.#fetch(selected, signal), await this.#fetch(rest, signal)];
    const { attributes, operations, ...counts } = compareTraces(a, b);
    const warnings: string[] = [];
    if (a.length === 0) warnings.push("no trace matches the selection in this range");
    if (b.length === 0) warnings.push("there are no other traces in this range to compare with");
    if (selected.length >= comparedMax)
      warnings.push(`the newest ${comparedMax} traces of the selection are compared`);
    return { ...counts, attributes: [...attributes], operations: [...operations], warnings };
  }

  async graph(range: TraceRange, signal: AbortSignal): Promise<ReplyOf<"traceGraph">> {
    const limits = { tracesMax: graphTracesMax, spansPerTraceMax: comparedSpansMax };
    const { traces, share } = await sampleTraces(
      this.#parts.traces,
      { ...range, ...limits },
      signal,
    );
    const nameOf = (span: Span) => serviceIdOf(span) ?? span.service;
    const edges = serviceGraph(traces, nameOf, serviceIdOfName);
    const reporting = new Set(traces.flat().map(nameOf));
    const windowMs = Math.max(1000, range.endMs - range.startMs);
    const metrics = await this.#parts.topology.graph({ timeMs: range.endMs, windowMs });
    const known = metrics.edges.map(({ source, target, traffic }) => ({
      source,
      target,
      requestsPerSecond: traffic.requestsPerSecond,
    }));
    // A share of the spans is as good as all of them in that share of the time.
    const compared = compareGraphs(edges, known, (windowMs / 1000) * share, reporting);
    const byPlace = new Map(edges.map((edge) => [`${edge.source}->${edge.target}`, edge]));
    return {
      traces: traces.length,
      share,
      sampledShare: compared.sampledShare,
      edges: compared.edges.map((edge) => {
        const seen = byPlace.get(`${edge.source}->${edge.target}`);
        return {
          ...edge,
          calls: Math.round(seen?.calls ?? 0),
          errors: Math.round(seen?.errors ?? 0),
          p50Ms: seen?.p50Ms ?? null,
          p95Ms: seen?.p95Ms ?? null,
        };
      }),
      warnings:
        share < 1
          ? [
              `${traces.length} traces from all over this time are counted, ${percentOf(share)} of its spans; rates are estimated from them`,
            ]
          : [],
    };
  }

  /** How the slowest span of each operation stands among all of its kind in the hour before. */
  async peers(id: string, signal: AbortSignal): Promise<ReplyOf<"tracePeers">> {
    return this.#peersOf(await this.#recentOutline(id, signal), signal);
  }

  async #peersOf(outline: TraceOutline, signal: AbortSignal): Promise<ReplyOf<"tracePeers">> {
    const slowest = slowestOfOperations(outline);
    const services = [...new Set(slowest.map(({ service }) => service))];
    const endMs = Number(BigInt(outline.startNs) / 1_000_000n) + Math.ceil(outline.durationMs) + 1;
    const startMs = endMs - peersWindowMs;
    const query = `{ resource.service.name =~ ${JSON.stringify(services.map(escaped).join("|"))} } | quantile_over_time(duration, 0.5, 0.95, 0.99) by (resource.service.name, name, kind)`;
    const { value, warnings } = await this.#parts.traces.metrics(query, {
      startMs,
      endMs,
      stepMs: peersWindowMs,
      signal,
    });
    const quantiles = new Map<string, number>();
    for (const { labels, values } of value.type === "matrix" ? value.series : []) {
      const last = values.at(-1);
      const place = [labels["resource.service.name"], labels["name"], labels["kind"], labels["p"]];
      if (last !== undefined) quantiles.set(place.join("\u0000"), last * 1000);
    }
    return {
      operations: slowest.flatMap((operation) => {
        const at = (p: string) =>
          quantiles.get([operation.service, operation.name, operation.kind, p].join("\u0000"));
        const [p50Ms, p95Ms, p99Ms] = [at("0.5"), at("0.95"), at("0.99")];
        if (p50Ms === undefined || p95Ms === undefined || p99Ms === undefined) return [];
        const text = standing(operation.durationMs, p50Ms, p95Ms, p99Ms);
        return [{ ...operation, p50Ms, p95Ms, p99Ms, text }];
      }),
      warnings: [...warnings],
    };
  }

  /** Rates, errors and durations of every service that answers requests, from its server spans. */
  async red(range: TraceRange, signal: AbortSignal): Promise<ReplyOf<"traceRed">> {
    const windowMs = Math.max(1000, range.endMs - range.startMs);
    const ask = async (query: string) => {
      const { value } = await this.#parts.traces.metrics(query, {
        ...range,
        stepMs: windowMs,
        signal,
      });
      return value.type === "matrix" ? value.series : [];
    };
    const by = "by (resource.service.name)";
    const [calls, errors, durations, graph] = await Promise.all([
      ask(`{ kind = server } | rate() ${by}`),
      ask(`{ kind = server && status = error } | rate() ${by}`),
      ask(`{ kind = server } | quantile_over_time(duration, 0.5, 0.95) ${by}`),
      this.#parts.topology.graph({ timeMs: range.endMs, windowMs }),
    ]);
    const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
    // An application without a sidecar names itself alone.
    const alone = (service: string) => {
      const [first, ...more] = graph.nodes.filter(({ name }) => name === service);
      return first && more.length === 0 ? serviceRef(first) : null;
    };
    const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
    const nameOf = (labels: LabelMap) => labels["resource.service.name"] ?? "";
    const errorsOf = new Map(errors.map(({ labels, values }) => [nameOf(labels), sum(values)]));
    const quantile = (service: string, p: string) => {
      const found = durations.find(
        ({ labels }) => nameOf(labels) === service && labels["p"] === p,
      )?.values;
      const last = found?.at(-1);
      return last === undefined ? null : last * 1000;
    };
    const services = calls.flatMap(({ labels, values }) => {
      const service = nameOf(labels);
      const callsPerSecond = sum(values);
      if (callsPerSecond === 0) return [];
      const entity = entityOfName(service) ?? alone(service);
      const traffic = entity === null ? undefined : nodes.get(entity.id)?.traffic;
      return {
        service,
        entity,
        callsPerSecond,
        errorRatio: (errorsOf.get(service) ?? 0) / callsPerSecond,
        p50Ms: quantile(service, "0.5"),
        p95Ms: quantile(service, "0.95"),
        hasSidecar: traffic !== undefined && traffic.requestsPerSecond !== null,
      };
    });
    services.sort((a, b) => b.callsPerSecond - a.callsPerSecond);
    return {
      services,
      warnings: ["rates are of the spans that arrived: a sampled share of the requests"],
    };
  }

  async #search(
    query: string,
    range: TraceRange,
    limit: number,
    signal: AbortSignal,
  ): Promise<string[]> {
    const { traces } = await this.#parts.traces.search(query, { ...range, limit, signal });
    return traces
      .filter(({ spanCount }) => spanCount <= comparedSpansMax)
      .map(({ traceId }) => traceId);
  }

  #fetch(ids: readonly string[], signal: AbortSignal): Promise<Span[][]> {
    return this.#parts.traces.traces(ids, signal);
  }
}

/** Two digits that say something, of however small a share. */
const percentOf = (share: number) => `${Number((share * 100).toPrecision(2))} %`;

/** Of a long trace the rows worth reading: where it failed, the slowest, and what called them. Undefined: all of them. */
function tellingRows(outline: TraceOutline): number[] | undefined {
  const { exclusiveMs, status, parent, errorOrigin } = outline;
  if (exclusiveMs.length <= explainedSpansMax) return undefined;
  const all = [...exclusiveMs.keys()];
  const failing = all.filter((row) => status[row] === "error").slice(0, tellingRowsMax);
  const slowest = all
    .sort((a, b) => (exclusiveMs[b] ?? 0) - (exclusiveMs[a] ?? 0))
    .slice(0, tellingRowsMax);
  const first = errorOrigin === null ? [0] : [0, errorOrigin];
  const chosen = [...first, ...failing, ...slowest];
  const callers = chosen.map((row) => parent[row] ?? -1).filter((row) => row >= 0);
  return [...new Set([...chosen, ...callers])];
}

/** Spans at the rows that they are of; a client and a server that share their id are told apart by kind. */
function placed(
  spans: readonly Span[],
  rows: readonly number[],
  { spanIds, kind }: TraceOutline,
): (Span | undefined)[] {
  const keyOf = (spanId: string | undefined, of: string | undefined) => `${spanId} ${of}`;
  const known = new Map(spans.map((span) => [keyOf(span.spanId, span.kind), span]));
  const byRow: (Span | undefined)[] = [];
  for (const row of rows) byRow[row] = known.get(keyOf(spanIds[row], kind[row]));
  return byRow;
}

function outlineIn(known: KnownOutline): TraceOutline {
  // Written by `outlineJson`.
  known.outline ??= JSON.parse(new TextDecoder().decode(known.json)) as TraceOutline;
  return known.outline;
}

function unknownTrace(id: string): SkoposError {
  return new SkoposError("not-found", `no spans of trace ${id}: it may be too old, or not sampled`);
}

interface SlowestSpan {
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly row: number;
  readonly durationMs: number;
}

/** Of each operation the slowest span; the operations with most time of their own first. */
function slowestOfOperations(outline: TraceOutline): SlowestSpan[] {
  const operations = new Map<string, SlowestSpan & { exclusiveMs: number }>();
  outline.spanIds.forEach((_, row) => {
    const service = outline.services[outline.service[row] ?? 0]?.name ?? "";
    const name = outline.names[outline.name[row] ?? 0] ?? "";
    const kind = outline.kind[row] ?? "unspecified";
    const durationMs = outline.durationsMs[row] ?? 0;
    const key = `${service}\u0000${name}\u0000${kind}`;
    const known = operations.get(key);
    const exclusiveMs = (known?.exclusiveMs ?? 0) + (outline.exclusiveMs[row] ?? 0);
    const slower = known && known.durationMs >= durationMs ? known : { row, durationMs };
    operations.set(key, { ...slower, service, name, kind, exclusiveMs });
  });
  return [...operations.values()]
    .sort((a, b) => b.exclusiveMs - a.exclusiveMs)
    .slice(0, operationsMax)
    .map(({ service, name, kind, row, durationMs }) => ({ service, name, kind, row, durationMs }));
}

function standing(durationMs: number, p50Ms: number, p95Ms: number, p99Ms: number): string {
  if (durationMs > p99Ms) return "among the slowest 1 % of its kind";
  if (durationMs > p95Ms) return "among the slowest 5 % of its kind";
  return durationMs > p50Ms ? "slower than half of its kind" : "not slower than half of its kind";
}

const escaped = (text: string) => text.replaceAll(/[\\^$.|?*+()[\]{}]/g, "\\$&");

/** Sidecars name their service "name.namespace". */
function entityOfName(service: string): EntityRef | null {
  const dot = service.lastIndexOf(".");
  if (dot <= 0) return null;
  return serviceRef({ name: service.slice(0, dot), namespace: service.slice(dot + 1) });
}

function serviceRef({ name, namespace }: { name: string; namespace: string }): EntityRef {
  return { kind: "service", id: `${namespace}/${name}`, name, namespace };
}
