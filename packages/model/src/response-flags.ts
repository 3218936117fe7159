/** Envoy's response flags in plain words (source: Envoy's access log documentation). */
const meanings: Readonly<Record<string, string>> = {
  UH: "no healthy host",
  UF: "connecting failed",
  UO: "connection pool overflow",
  NR: "no route",
  NC: "no cluster",
  URX: "retries used up",
  DT: "time limit of the request",
  DC: "caller hung up",
  LH: "local health check failed",
  UT: "callee too slow (timeout)",
  LR: "reset by the proxy",
  UR: "reset by the callee",
  UC: "callee closed the connection",
  DI: "delay injected",
  FI: "fault injected",
  RL: "rate limited",
  UAEX: "denied by external authorization",
  RLSE: "rate limit service failed",
  IH: "invalid header",
  SI: "idle timeout",
  DPE: "caller broke the protocol",
  UPE: "callee broke the protocol",
  UMSDR: "stream lasted too long",
  OM: "proxy overloaded",
  DF: "name not resolved",
  DO: "dropped by overload rule",
  DR: "caller reset",
  UDO: "dropped",
};

/** Several flags are comma-joined: "UF,URX". */
export function flagMeaning(flags: string): string {
  return flags
    .split(",")
    .map((flag) => meanings[flag] ?? "unknown flag")
    .join(", ");
}
