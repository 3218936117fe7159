/** The measurements a diagnosis works on: series per edge and node on one grid of steps, whatever engine they came from. */
import { emptySeries, type Range, type Series, type Windows } from "./statistics.ts";

export type Reporter = "source" | "destination";

export interface EdgeSignals {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  /** The Kubernetes Service that is called, as proxies name it: what queries select by. */
  readonly serviceName: string;
  /** Requests per second. */
  readonly requests: Record<Reporter, Series>;
  /** Requests per second that were refused or failed, denials included. */
  readonly failures: Record<Reporter, Series>;
  /** Milliseconds of waiting per second: requests times latency. */
  readonly work: Record<Reporter, Series>;
  /** Requests per second by response flag, as the caller's proxy saw them. */
  readonly flags: Map<string, Series>;
  /** Requests per second by response code. */
  readonly codes: Map<string, Series>;
  readonly isTcp: boolean;
}

export interface NodeSignals {
  readonly id: string;
  /** By the destination's canonical revision. */
  readonly revisions: Map<string, { requests: Series; failures: Series }>;
  cpuCores: Series;
  memoryBytes: Series;
  /** Share of the scheduler's periods in which the containers were held back. */
  throttledRatio: Series;
  /** Containers' restarts, counted from their creation. */
  restarts: Series;
  cpuLimitCores: number | undefined;
  memoryLimitBytes: number | undefined;
}

export interface Signals {
  readonly edges: Map<string, EdgeSignals>;
  readonly nodes: Map<string, NodeSignals>;
  readonly range: Range;
  readonly stepMs: number;
  /** PromQL range of the rates. */
  readonly window: string;
  readonly windowMs: number;
  readonly warnings: string[];
}

const pair = () => ({ source: emptySeries, destination: emptySeries });

export function emptyEdge(
  source: string,
  target: string,
  serviceName: string,
  isTcp: boolean,
): EdgeSignals {
  return {
    id: `${source}->${target}`,
    source,
    target,
    serviceName,
    requests: pair(),
    failures: pair(),
    work: pair(),
    flags: new Map(),
    codes: new Map(),
    isTcp,
  };
}

export function emptyNode(id: string): NodeSignals {
  return {
    id,
    revisions: new Map(),
    cpuCores: emptySeries,
    memoryBytes: emptySeries,
    throttledRatio: emptySeries,
    restarts: emptySeries,
    cpuLimitCores: undefined,
    memoryLimitBytes: undefined,
  };
}

export const incomingOf = (signals: Signals, id: string) =>
  [...signals.edges.values()].filter((edge) => edge.target === id && edge.source !== id);
export const outgoingOf = (signals: Signals, id: string) =>
  [...signals.edges.values()].filter((edge) => edge.source === id && edge.target !== id);

/** The stretches before the onset that nothing else disturbed, and the incident from its onset. */
export function windowsOf(
  range: Range,
  onsetMs: number,
  windowMs: number,
  excluded: readonly Range[],
): Windows {
  // A rate at time t looks back over its window: keep the blurred part out of both sides.
  const normalEnd = onsetMs - Math.min(windowMs / 4, 5000);
  let normal: Range[] = [{ startMs: range.startMs, endMs: normalEnd }];
  for (const hole of excluded)
    normal = normal.flatMap((part) =>
      [
        { startMs: part.startMs, endMs: Math.min(part.endMs, hole.startMs - windowMs) },
        { startMs: Math.max(part.startMs, hole.endMs + windowMs), endMs: part.endMs },
      ].filter(({ startMs, endMs }) => endMs > startMs),
    );
  // Late in an incident its last minutes say more than its beginning; early there is only the beginning.
  const startMs = Math.max(
    Math.min(onsetMs + windowMs / 2, range.endMs - windowMs / 2),
    range.endMs - 180_000,
  );
  return { normal, incident: { startMs, endMs: range.endMs } };
}
