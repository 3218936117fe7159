/**
 * Health of nodes and edges, with reasons in words. Below the traffic floor nothing is said about errors or latency: few
 * requests prove nothing, and none are neither health nor failure.
 */
import type { Health, HealthState, Traffic } from "@skopos/api";
import type { Replicas } from "../cluster/store.ts";

/** After Kiali's defaults, but one failing request in a thousand is not "degraded". */
const healthThresholds = {
  errorRatioDegraded: 0.01,
  errorRatioFailing: 0.1,
  /** Slower than usual by this factor and by this much. */
  latencyFactor: 3,
  latencyExcessMs: 50,
} as const;

const order: readonly HealthState[] = ["unknown", "idle", "healthy", "degraded", "failing"];

function worse(a: HealthState, b: HealthState): HealthState {
  return order.indexOf(a) >= order.indexOf(b) ? a : b;
}

export function percent(ratio: number): string {
  const value = ratio * 100;
  return `${value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2)} %`;
}

export function milliseconds(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(0)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return value >= 10 ? `${value.toFixed(0)} ms` : `${value.toFixed(1)} ms`;
}

/** "503 UO": the commonest failing code and flag, for reasons. */
function mainFailure(failures: ReadonlyMap<string, number>): string | undefined {
  let best: [string, number] | undefined;
  for (const entry of failures) if (!best || entry[1] > best[1]) best = entry;
  return best?.[0];
}

export interface HealthInput {
  readonly traffic: Traffic;
  /** "503 UO" → per second. */
  readonly failures: ReadonlyMap<string, number>;
  readonly usualP95Ms: number | null;
  readonly replicas: Replicas | null;
  /** Known to the cluster, so that silence means "idle" rather than "unknown". */
  readonly known: boolean;
}

export function judge(input: HealthInput): Health {
  const { traffic, replicas } = input;
  const reasons: string[] = [];
  const hasTraffic =
    (traffic.requestsPerSecond ?? 0) > 0 ||
    (traffic.sentBytesPerSecond ?? 0) > 0 ||
    (traffic.receivedBytesPerSecond ?? 0) > 0;
  let state: HealthState = hasTraffic ? "healthy" : input.known ? "idle" : "unknown";
  if (traffic.errorRatio !== null && traffic.errorRatio >= healthThresholds.errorRatioDegraded) {
    const failing = traffic.errorRatio >= healthThresholds.errorRatioFailing;
    state = worse(state, failing ? "failing" : "degraded");
    const main = mainFailure(input.failures);
    reasons.push(`${percent(traffic.errorRatio)} of requests fail${main ? ` (${main})` : ""}`);
  }
  const usual = input.usualP95Ms;
  if (
    traffic.errorRatio !== null &&
    traffic.p95Ms !== null &&
    usual !== null &&
    traffic.p95Ms > usual * healthThresholds.latencyFactor &&
    traffic.p95Ms > usual + healthThresholds.latencyExcessMs
  ) {
    state = worse(state, "degraded");
    reasons.push(
      `1 in 20 requests takes ${milliseconds(traffic.p95Ms)} or more, usually ${milliseconds(usual)}`,
    );
  }
  if (replicas && replicas.desired > 0 && replicas.ready < replicas.desired) {
    state = worse(state, replicas.ready === 0 ? "failing" : "degraded");
    reasons.push(`${replicas.ready} of ${replicas.desired} replicas are ready`);
  }
  if (replicas && replicas.desired === 0) reasons.push("scaled to no replicas");
  if (state === "idle" && reasons.length === 0) reasons.push("no traffic in this window");
  if (state === "unknown") reasons.push("nothing measured in this window");
  return { state, reasons };
}
