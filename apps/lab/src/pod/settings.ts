/**
 * The environment variables that every application of the lab understands. A scenario changes behaviour by changing
 * these on a Deployment; nothing else reaches into a running application.
 */
export interface AppSettings {
  /** WORK_MS: mean wait per request, in place of the topology's "work" steps. */
  readonly workWaitMs: number | undefined;
  /** WORK_CPU_MS: CPU per request, likewise. */
  readonly workCpuMs: number | undefined;
  /** EXTRA_LATENCY_MS: wait added to every request. */
  readonly extraLatencyMs: number;
  /** ERROR_RATE: share of requests that fail, 0 to 1. */
  readonly errorRate: number;
  /** ERROR_PATHS: comma-separated route patterns ("/posts/:id") or prefixes ending in "*"; empty: all. */
  readonly errorPaths: readonly string[];
  /** ERROR_STATUS. */
  readonly errorStatus: number;
  /** MAX_CONCURRENCY: requests worked on at once; others wait. 0: no bound. */
  readonly maxConcurrency: number;
  /** QUEUE_MAX: requests that may wait; beyond, 503. */
  readonly queueMax: number;
  /** CALL_TIMEOUT_MS of calls to other services. */
  readonly callTimeoutMs: number;
  /** DATABASE: "host:port"; absent: none. */
  readonly database: string | undefined;
  readonly dbPoolSize: number;
  readonly dbPoolTimeoutMs: number;
  /** QUERY_FACTOR: of a database: multiplies the time of every statement. */
  readonly queryFactor: number;
  /** MAX_CONNECTIONS: of a database. */
  readonly maxConnections: number;
  readonly memoryLeakMbPerS: number;
  readonly memoryBallastMb: number;
  /** CRASH_AFTER_S: the process ends with code 1 after that long. 0: never. */
  readonly crashAfterS: number;
  /** READY_DELAY_S: time until the readiness probe is answered with 200. */
  readonly readyDelayS: number;
}

/** A setting that is no number counts as an error of the Deployment: the container ends with this message. */
class SettingError extends Error {}

export function readSettings(environment: Readonly<Record<string, string>>): AppSettings {
  const number = (name: string, fallback: number) => optionalNumber(environment, name) ?? fallback;
  return {
    workWaitMs: optionalNumber(environment, "WORK_MS"),
    workCpuMs: optionalNumber(environment, "WORK_CPU_MS"),
    extraLatencyMs: number("EXTRA_LATENCY_MS", 0),
    errorRate: number("ERROR_RATE", 0),
    errorPaths: (environment["ERROR_PATHS"] ?? "").split(",").filter((path) => path !== ""),
    errorStatus: number("ERROR_STATUS", 500),
    maxConcurrency: number("MAX_CONCURRENCY", 0),
    queueMax: number("QUEUE_MAX", 1000),
    callTimeoutMs: number("CALL_TIMEOUT_MS", 10_000),
    database: environment["DATABASE"],
    dbPoolSize: Math.max(1, number("DB_POOL_SIZE", 16)),
    dbPoolTimeoutMs: number("DB_POOL_TIMEOUT_MS", 2000),
    queryFactor: number("QUERY_FACTOR", 1),
    maxConnections: number("MAX_CONNECTIONS", 200),
    memoryLeakMbPerS: number("MEMORY_LEAK_MB_PER_S", 0),
    memoryBallastMb: number("MEMORY_BALLAST_MB", 0),
    crashAfterS: number("CRASH_AFTER_S", 0),
    readyDelayS: number("READY_DELAY_S", 0),
  };
}

function optionalNumber(
  environment: Readonly<Record<string, string>>,
  name: string,
): number | undefined {
  const text = environment[name];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) {
    throw new SettingError(`${name}="${text}" is not a number ≥ 0: correct it in the Deployment`);
  }
  return value;
}
