/**
 * What the API asks of whoever runs the pods: their logs and what they use. Pod life cycles go through the store: the
 * agent watches pods of its node, runs them, writes their status, and when a deletionTimestamp appears stops them and
 * deletes them with grace 0.
 */
export type LogOptions = {
  /** Only the last lines. */
  tailLines?: number;
  /** Only lines written since this Unix time in milliseconds. */
  sinceMs?: number;
  /** Keep the lines coming until the reader leaves. */
  follow?: boolean;
  /** Those of the container's previous run. */
  previous?: boolean;
  /** Each line begins with its RFC 3339 time and a space. */
  timestamps?: boolean;
  /** Aborted when the reader leaves: whoever follows must stop waiting for a next line. */
  signal?: AbortSignal;
};

export type ContainerUsage = {
  namespace: string;
  pod: string;
  container: string;
  cpuCores: number;
  memoryBytes: number;
};

export interface NodeAgent {
  /** Lines without their line ends. */
  logs(
    namespace: string,
    pod: string,
    container: string,
    options: LogOptions,
  ): AsyncIterable<string> | string[];
  /** What every running container uses now. */
  usage(): ContainerUsage[];
}
