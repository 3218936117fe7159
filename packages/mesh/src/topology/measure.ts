/** Asks the engine for one moment's mesh-wide measurements, all queries in parallel. */
import { messageOf, type MetricEngine, type VectorSample } from "@skopos/model";
import { queries, type Reporter, windowText } from "./queries.ts";

/** Times the average over this long before the window is taken as usual. */
const usualWindowMs = 1_800_000;

export interface Measurements {
  readonly requests: Readonly<Record<Reporter, readonly VectorSample[]>>;
  readonly edgeP50: readonly VectorSample[];
  readonly edgeP95: readonly VectorSample[];
  readonly edgeP99: readonly VectorSample[];
  /** As the destination's proxies saw it. */
  readonly edgeDestinationP50: readonly VectorSample[];
  readonly edgeDestinationP95: readonly VectorSample[];
  readonly edgeDestinationP99: readonly VectorSample[];
  readonly nodeQuantiles: readonly (readonly VectorSample[])[];
  readonly sourceQuantiles: readonly (readonly VectorSample[])[];
  readonly tcpSent: Readonly<Record<Reporter, readonly VectorSample[]>>;
  readonly tcpReceived: Readonly<Record<Reporter, readonly VectorSample[]>>;
  readonly usualP95: readonly VectorSample[];
  /** Queries that failed, in words. */
  readonly warnings: readonly string[];
}

const quantiles = [0.5, 0.95, 0.99] as const;

/** A failing query costs its part of the picture and says so; it throws only when nothing at all could be asked. */
export async function measure(
  engine: MetricEngine,
  timeMs: number,
  windowMs: number,
): Promise<Measurements> {
  const warnings: string[] = [];
  let answered = 0;
  let lastError: unknown;
  const ask = async (query: string, part: string): Promise<readonly VectorSample[]> => {
    try {
      const { value } = await engine.instant({ query, timeMs, timeoutMs: 20_000 });
      answered++;
      return value.type === "vector" ? value.samples : [];
    } catch (error) {
      lastError = error;
      warnings.push(`${part} could not be measured: ${messageOf(error)}`);
      return [];
    }
  };
  const w = windowText(windowMs);
  const edge = (quantile: number, reporter: Reporter) =>
    ask(queries.edgeQuantile(quantile, reporter, w), "latency per edge");
  const found = await Promise.all([
    ask(queries.requests("source", w), "requests seen by callers"),
    ask(queries.requests("destination", w), "requests seen by destinations"),
    ask(queries.tcp("sent", "source", w), "TCP traffic"),
    ask(queries.tcp("sent", "destination", w), "TCP traffic"),
    ask(queries.tcp("received", "source", w), "TCP traffic"),
    ask(queries.tcp("received", "destination", w), "TCP traffic"),
    ask(
      queries.nodeQuantile(0.95, windowText(usualWindowMs), windowText(windowMs)),
      "usual latency",
    ),
  ]);
  const latency = await Promise.all([
    ...quantiles.map((q) => edge(q, "source")),
    ...quantiles.map((q) => edge(q, "destination")),
  ]);
  const nodeQuantiles = await Promise.all(
    quantiles.map((q) => ask(queries.nodeQuantile(q, w), "latency per service")),
  );
  const sourceQuantiles = await Promise.all(
    quantiles.map((q) => ask(queries.sourceQuantile(q, w), "latency at gateways")),
  );
  if (answered === 0) throw lastError;
  const none: readonly VectorSample[] = [];
  return {
    requests: { source: found[0], destination: found[1] },
    tcpSent: { source: found[2], destination: found[3] },
    tcpReceived: { source: found[4], destination: found[5] },
    usualP95: found[6],
    edgeP50: latency[0] ?? none,
    edgeP95: latency[1] ?? none,
    edgeP99: latency[2] ?? none,
    edgeDestinationP50: latency[3] ?? none,
    edgeDestinationP95: latency[4] ?? none,
    edgeDestinationP99: latency[5] ?? none,
    nodeQuantiles,
    sourceQuantiles,
    warnings: [...new Set(warnings)],
  };
}
