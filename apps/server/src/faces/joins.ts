/**
 * Joins: whichever of trace, request id or service-and-moment is known, the rest that belongs to the same moment of the same
 * request: spans, their log lines, edges of the graph, the configuration that shaped them, the changes before.
 */
import type { EntityRef, Joins } from "@skopos/api";
import type { ClusterWatch, Topology } from "@skopos/mesh";
import { type LogEngine, messageOf, SkoposError, type Span, type TraceEngine } from "@skopos/model";
import { serviceGraph } from "@skopos/traces";
import { toLogLine } from "../views/log-view.ts";
import { requestIdOf, serviceIdOf, serviceIdOfName } from "../views/span-entity.ts";

export interface JoinParts {
  readonly traces: TraceEngine;
  readonly logs: LogEngine;
  readonly topology: Topology;
  readonly cluster: ClusterWatch;
}

export interface JoinRequest {
  readonly trace?: string | undefined;
  readonly span?: string | undefined;
  readonly request?: string | undefined;
  readonly service?: string | undefined;
  readonly at?: number | undefined;
}

/** Clocks of nodes differ, and lines are written after the request. */
const slackMs = 60_000;
const changesBeforeMs = 6 * 3_600_000;
const changesMax = 10;
const linesMax = 200;
const servicesMax = 20;
const searchBackMs = 3_600_000;
/** One of these is on every stream that collectors of Kubernetes logs make. */
const streamLabels = ["namespace", "service_name", "app", "job", "pod"];

/** Throws "bad-request" when nothing is named. `known` are the named trace's spans, where the caller has read them. */
export async function joinsOf(
  parts: JoinParts,
  request: JoinRequest,
  nowMs: number,
  signal: AbortSignal,
  known?: readonly Span[],
): Promise<Joins> {
  const warnings: string[] = [];
  if (request.trace === undefined && request.request === undefined && request.service === undefined)
    throw new SkoposError("bad-request", "name a trace, a request id, or a service and a time");
  const hintMs = request.at ?? nowMs;
  const traceId = request.trace ?? (await traceOfRequest(parts, request.request, hintMs, signal));
  const spans = known ?? (traceId === null ? [] : await parts.traces.trace(traceId, signal));
  if (request.trace !== undefined && spans.length === 0)
    warnings.push("its spans are not here: too old, or not sampled");
  const requestId = request.request ?? requestIdOf(spans);
  const [fromMs, toMs] = extentOf(spans, hintMs);
  const wanted = request.span === undefined ? spans : around(spans, request.span);
  const lines = await linesOf(parts, { traceId, requestId, fromMs, toMs, signal }, warnings);
  const nameOf = (span: Span) => serviceIdOf(span) ?? span.service;
  const edges = serviceGraph([wanted], nameOf, serviceIdOfName).map(({ source, target }) =>
    edgeRef(source, target),
  );
  const named = wanted.map(serviceIdOf).concat(
    request.service,
    edges.map(({ id }) => targetOf(id)),
  );
  const services = [...new Set(named)].filter((id) => id?.includes("/")).slice(0, servicesMax);
  return {
    at: fromMs,
    traceId,
    requestId,
    spans: wanted.slice(0, linesMax).map((span) => ({
      spanId: span.spanId,
      service: span.service,
      name: span.name,
      kind: span.kind,
      status: span.status,
      durationMs: span.durationNs / 1e6,
      edge: edgeOf(span, spans, nameOf),
    })),
    lines: lines.map(toLogLine),
    edges,
    exemplars: [],
    configuration: services.flatMap((serviceId = "") =>
      parts.topology.configuration(serviceId).map(({ ref }) => ({
        serviceId,
        ref,
        changedSince: changedSince(parts, ref, serviceId, fromMs, nowMs),
      })),
    ),
    changes: parts.cluster
      .changes({ startMs: fromMs - changesBeforeMs, endMs: toMs })
      .filter(({ serviceId }) => serviceId === null || services.includes(serviceId))
      .slice(0, changesMax),
    warnings,
  };
}

const toMs = (timeNs: bigint) => Number(timeNs / 1_000_000n);

function extentOf(spans: readonly Span[], hintMs: number): [fromMs: number, toMs: number] {
  if (spans.length === 0) return [hintMs, hintMs];
  const starts = spans.map(({ startNs }) => toMs(startNs));
  const ends = spans.map(({ startNs, durationNs }) => toMs(startNs) + durationNs / 1e6);
  return [Math.min(...starts), Math.max(...ends)];
}

/** A span, whom it called, and who called it. */
function around(spans: readonly Span[], spanId: string): Span[] {
  const parent = spans.find((span) => span.spanId === spanId)?.parentSpanId;
  return spans.filter(
    (span) => span.spanId === spanId || span.parentSpanId === spanId || span.spanId === parent,
  );
}

/** A request id is known to the proxies' spans as an attribute. */
async function traceOfRequest(
  { traces }: JoinParts,
  requestId: string | undefined,
  aroundMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  if (requestId === undefined) return null;
  const { traces: found } = await traces.search(
    `{ span."guid:x-request-id" = ${JSON.stringify(requestId)} }`,
    {
      startMs: aroundMs - searchBackMs,
      endMs: aroundMs + slackMs,
      limit: 1,
      signal,
    },
  );
  return found[0]?.traceId ?? null;
}

interface LineSearch {
  readonly traceId: string | null;
  readonly requestId: string | null;
  readonly fromMs: number;
  readonly toMs: number;
  readonly signal: AbortSignal;
}

/** Lines that name the trace or the request, in their text or their metadata, by time. */
async function linesOf({ logs }: JoinParts, search: LineSearch, warnings: string[]) {
  const ids = [search.traceId, search.requestId].filter((id) => id !== null);
  if (ids.length === 0) return [];
  const startMs = search.fromMs - slackMs;
  const endMs = search.toMs + slackMs;
  const known = new Set(await logs.labelNames(startMs, endMs));
  const label = streamLabels.find((name) => known.has(name));
  if (label === undefined) return [];
  const inText = ids.map((id) => JSON.stringify(id)).join(" or ");
  const queries = [`{${label}=~".+"} |= ${inText}`];
  if (search.traceId !== null)
    queries.push(`{${label}=~".+"} | trace_id=${JSON.stringify(search.traceId)}`);
  const read = async (query: string) => {
    try {
      const result = await logs.query({
        query,
        startNs: BigInt(Math.floor(startMs)) * 1_000_000n,
        endNs: BigInt(Math.ceil(endMs)) * 1_000_000n,
        limit: linesMax,
        direction: "forward",
        signal: search.signal,
      });
      return result.type === "lines" ? result.records : [];
    } catch (error) {
      warnings.push(`log lines could not be read: ${messageOf(error)}`);
      return [];
    }
  };
  const found = (await Promise.all(queries.map(read))).flat();
  const once = new Map(
    found.map((record) => [
      `${record.timeNs} ${JSON.stringify(record.labels)} ${record.line}`,
      record,
    ]),
  );
  return [...once.values()].sort((a, b) => (a.timeNs < b.timeNs ? -1 : 1)).slice(0, linesMax);
}

function edgeRef(source: string, target: string): EntityRef {
  return { kind: "edge", id: `${source}->${target}`, name: `${source} → ${target}` };
}

const targetOf = (edgeId: string) => edgeId.split("->")[1];

/** The edge that a span is one end of: to whom a client calls, from whom a server is called. */
function edgeOf(
  span: Span,
  spans: readonly Span[],
  nameOf: (span: Span) => string,
): EntityRef | null {
  const own = nameOf(span);
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  if (span.kind === "server" && parent && nameOf(parent) !== own)
    return edgeRef(nameOf(parent), own);
  const [called] = serviceGraph(
    [spans.filter((other) => other === span || other.parentSpanId === span.spanId)],
    nameOf,
    serviceIdOfName,
  );
  return called && called.source === own ? edgeRef(own, called.target) : null;
}

function changedSince(
  { cluster }: JoinParts,
  ref: EntityRef,
  serviceId: string,
  sinceMs: number,
  nowMs: number,
): boolean {
  return cluster
    .changes({ startMs: sinceMs, endMs: nowMs, serviceId })
    .some(({ object }) => object.id === ref.id && object.objectKind === ref.objectKind);
}
