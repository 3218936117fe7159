/**
 * Whole traces of a range of time, drawn evenly from it, and what share of its spans they are. The range is cut into slices,
 * the newest traces of each are read, and slices that have more get what others leave of the budget.
 */
import type { Span, TraceEngine } from "@skopos/model";

export interface SampleRequest {
  readonly startMs: number;
  readonly endMs: number;
  readonly tracesMax: number;
  /** Longer traces are left out. */
  readonly spansPerTraceMax: number;
}

export interface TraceSample {
  readonly traces: readonly (readonly Span[])[];
  /** Of the spans in the range, by their weight, 0 … 1; 1 when nothing was left out. */
  readonly share: number;
}

type Engine = Pick<TraceEngine, "search" | "traces" | "metrics">;

/** All are searched at once. */
const slicesMax = 8;
const sliceMinMs = 1000;
/** Spans that are read at once; of more only every second trace is, or every third… */
const spansMax = 30_000;
const nsPerMs = 1_000_000n;

export async function sampleTraces(
  engine: Engine,
  request: SampleRequest,
  signal: AbortSignal,
): Promise<TraceSample> {
  const { startMs, endMs, tracesMax } = request;
  const count = Math.max(1, Math.min(slicesMax, Math.floor((endMs - startMs) / sliceMinMs)));
  const widthMs = (endMs - startMs) / count;
  const slices = Array.from({ length: count }, (_, i) => ({
    startMs: Math.floor(startMs + i * widthMs),
    endMs: i === count - 1 ? endMs : Math.floor(startMs + (i + 1) * widthMs) - 1,
  }));
  const find = async (slice: { startMs: number; endMs: number }, limit: number) =>
    (await engine.search("{ }", { ...slice, limit, spansPerSet: 1, signal })).traces;
  const each = Math.ceil(tracesMax / count);
  const first = await Promise.all(slices.map((slice) => find(slice, each)));
  const full = first.filter((found) => found.length >= each).length;
  const spare = tracesMax - first.reduce((sum, found) => sum + found.length, 0);
  const more = full === 0 ? 0 : Math.floor(spare / full);
  const limit = each + Math.max(0, more);
  const found = await Promise.all(
    slices.map((slice, i) => {
      const known = first[i] ?? [];
      return more > 0 && known.length >= each ? find(slice, limit) : Promise.resolve(known);
    }),
  );
  const all = new Map(found.flat().map(({ traceId, spanCount }) => [traceId, spanCount]));
  const short = [...all].filter(([, spans]) => spans <= request.spansPerTraceMax);
  const spans = short.reduce((sum, [, spanCount]) => sum + spanCount, 0);
  const every = Math.max(1, Math.ceil(spans / spansMax));
  const ids = short.flatMap(([traceId], i) => (i % every === 0 ? [traceId] : []));
  const traces = ids.length === 0 ? [] : await engine.traces(ids, signal, { startMs, endMs });
  const isWhole = ids.length === all.size && found.every((one) => one.length < limit);
  return { traces, share: isWhole ? 1 : await shareOf(engine, traces, request, signal) };
}

async function shareOf(
  engine: Engine,
  traces: readonly (readonly Span[])[],
  { startMs, endMs }: SampleRequest,
  signal: AbortSignal,
): Promise<number> {
  const stepMs = Math.max(1, Math.ceil(endMs - startMs));
  const query = "{ } | count_over_time()";
  const { value } = await engine.metrics(query, { startMs, endMs, stepMs, signal });
  const series = value.type === "matrix" ? value.series : [];
  const total = series.reduce((sum, { values }) => sum + values.reduce((a, b) => a + b, 0), 0);
  const fromNs = BigInt(Math.floor(startMs)) * nsPerMs;
  const toNs = BigInt(Math.ceil(endMs)) * nsPerMs;
  let seen = 0;
  for (const spans of traces)
    for (const { startNs, weight = 1 } of spans)
      if (startNs > fromNs && startNs <= toNs) seen += weight;
  return total === 0 ? 1 : Math.min(1, seen / total);
}
