/** The engines of other servers that the configuration names; what is not named is answered here. */
import type { Clock, TraceEngine } from "@skopos/model";
import {
  createJaegerEngine,
  createLokiEngine,
  createPrometheusEngine,
  createTempoEngine,
} from "@skopos/store";
import { jaegerAsking } from "@skopos/traceql";
import type { ServerConfig } from "./config.ts";
import type { Engines } from "./threads/engines.ts";

type RemoteSettings = Pick<ServerConfig, "metrics" | "traces" | "logs" | "query">;

export function remoteEngines(
  { metrics, traces, logs, query }: RemoteSettings,
  clock: Clock,
): Partial<Engines> {
  const timeoutMs = query.timeout;
  return {
    ...(metrics.engine && { metrics: createPrometheusEngine({ ...metrics.engine, timeoutMs }) }),
    ...(traces.engine && { traces: traceEngineOf(traces.engine, timeoutMs) }),
    ...(logs.engine && { logs: createLokiEngine({ ...logs.engine, timeoutMs, clock }) }),
  };
}

function traceEngineOf(
  { kind, ...remote }: NonNullable<ServerConfig["traces"]["engine"]>,
  timeoutMs: number,
): TraceEngine {
  if (kind === "tempo") return createTempoEngine({ ...remote, timeoutMs });
  return createJaegerEngine({ ...remote, timeoutMs, understand: jaegerAsking });
}
