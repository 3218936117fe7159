/**
 * What spans say about a service: exclusive time per operation in slow traces against usual ones, and where failing traces
 * fail first. A span that waits before a call (for a connection, a slot, a lock) is told from the call itself.
 */
import { quoted } from "@skopos/mesh";
import { messageOf, type Span, type TraceEngine } from "@skopos/model";
import { type SpanTime, timedSpans } from "@skopos/traces";
import { median } from "./statistics.ts";

export interface OperationShift {
  readonly service: string;
  readonly name: string;
  readonly kind: Span["kind"];
  readonly usualMs: number | null;
  readonly nowMs: number;
  readonly excessMs: number;
  /** A span that took about `nowMs`. */
  readonly example: { readonly traceId: string; readonly durationMs: number };
  /** The operation is a wait for something the process has too little of. */
  readonly isWait: boolean;
}

export interface SpanFinding {
  /** Of the service itself, largest excess first. */
  readonly own: readonly OperationShift[];
  /** The operation at which failing traces fail deepest, with its service. */
  readonly errorOrigin: {
    readonly service: string;
    readonly name: string;
    readonly traceId: string;
    readonly durationMs: number;
    readonly share: number;
  } | null;
}

const tracesMax = 8;
const spansMax = 5000;
/** Names that instrumentation gives to waiting for a pooled resource. */
const waitName = /pool|acquire|checkout|getconnection|get_connection|wait|semaphore|queue|lease/i;

const sameService = (span: Span, name: string) =>
  span.service === name || span.service.startsWith(`${name}.`);

function byOperation(traces: readonly (readonly Span[])[], name: string): Map<string, SpanTime[]> {
  const groups = new Map<string, SpanTime[]>();
  for (const spans of traces)
    for (const sample of timedSpans(spans)) {
      if (!sameService(sample.span, name)) continue;
      const key = `${sample.span.kind}|${sample.span.name}`;
      groups.set(key, [...(groups.get(key) ?? []), sample]);
    }
  return groups;
}

function operationShifts(
  usual: readonly (readonly Span[])[],
  slow: readonly (readonly Span[])[],
  name: string,
): OperationShift[] {
  const before = byOperation(usual, name);
  const shifts: OperationShift[] = [];
  for (const [key, samples] of byOperation(slow, name)) {
    const typical = before.get(key)?.map((sample) => sample.exclusiveMs);
    const usualMs = typical ? median(typical) : null;
    const nowMs = median(samples.map((sample) => sample.exclusiveMs));
    const slowest = [...samples].sort((a, b) => b.exclusiveMs - a.exclusiveMs)[0];
    if (!slowest) continue;
    const { span } = slowest;
    shifts.push({
      service: span.service,
      name: span.name,
      kind: span.kind,
      usualMs,
      nowMs,
      excessMs: nowMs - (usualMs ?? 0),
      example: { traceId: span.traceId, durationMs: span.durationNs / 1e6 },
      isWait: waitName.test(span.name) && span.kind !== "server",
    });
  }
  return shifts.sort((a, b) => b.excessMs - a.excessMs);
}

/** The deepest failing span: none of its children fail. */
function originOf(spans: readonly Span[]): Span | undefined {
  const failing = spans.filter((span) => span.status === "error");
  const parents = new Set(failing.map((span) => span.parentSpanId));
  const leaves = failing.filter((span) => !parents.has(span.spanId));
  return leaves.sort((a, b) => (a.startNs < b.startNs ? -1 : 1))[0];
}

function commonOrigin(traces: readonly (readonly Span[])[]): SpanFinding["errorOrigin"] {
  const origins = traces.map(originOf).filter((span) => span !== undefined);
  const groups = new Map<string, Span[]>();
  for (const span of origins) {
    const key = `${span.service}|${span.name}`;
    groups.set(key, [...(groups.get(key) ?? []), span]);
  }
  const largest = [...groups.values()].sort((a, b) => b.length - a.length)[0];
  const span = largest?.[0];
  if (!largest || !span) return null;
  return {
    service: span.service,
    name: span.name,
    traceId: span.traceId,
    durationMs: span.durationNs / 1e6,
    share: largest.length / origins.length,
  };
}

/** What diagnosis asks of traces. */
export type TraceQueries = Pick<TraceEngine, "trace" | "search">;

export interface SpanWindow {
  readonly startMs: number;
  readonly onsetMs: number;
  readonly endMs: number;
  /** Slower than this is worth a look; the usual mean latency, doubled. */
  readonly slowMs: number;
  readonly signal: "errors" | "latency" | "none";
}

/** Undefined when there are no traces of the service, or they cannot be read (said in `warnings`). */
export async function inspectSpans(
  engine: TraceQueries,
  serviceId: string,
  window: SpanWindow,
  warnings: string[],
): Promise<SpanFinding | undefined> {
  const name = serviceId.split("/")[1] ?? serviceId;
  const who = `resource.service.name =~ ${quoted(`${name.replace(/[.\\]/g, "\\$&")}(\\..*)?`)}`;
  const read = async (query: string, startMs: number, endMs: number) => {
    const found = await engine.search(query, { startMs, endMs, limit: tracesMax });
    const traces = await Promise.all(found.traces.map(({ traceId }) => engine.trace(traceId)));
    return traces.filter((spans) => spans.length > 0 && spans.length <= spansMax);
  };
  try {
    const slow = Math.max(1, Math.round(window.slowMs));
    const [usual, during, failing] = await Promise.all([
      read(`{ ${who} }`, window.startMs, window.onsetMs - 5000),
      read(`{ ${who} && duration > ${slow}ms }`, window.onsetMs, window.endMs),
      window.signal === "errors"
        ? read(`{ ${who} && status = error }`, window.onsetMs, window.endMs)
        : Promise.resolve([]),
    ]);
    if (usual.length === 0 && during.length === 0 && failing.length === 0) return undefined;
    return {
      own: operationShifts(usual, during, name),
      errorOrigin: commonOrigin(failing),
    };
  } catch (error) {
    warnings.push(`traces of ${serviceId} could not be read: ${messageOf(error)}`);
    return undefined;
  }
}
