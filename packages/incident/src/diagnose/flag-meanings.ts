/** The mechanism that each of Envoy's response flags names, and why requests fail by it. */
import type { Mechanism } from "@skopos/model";

export const flagMechanisms: Readonly<Record<string, Mechanism>> = {
  UO: "connection-pool-overflow",
  UH: "no-healthy-upstream",
  UF: "upstream-unreachable",
  UC: "upstream-reset",
  UR: "upstream-reset",
  LR: "upstream-reset",
  UPE: "upstream-reset",
  UT: "upstream-timeout",
  DT: "upstream-timeout",
  NR: "route-missing",
  NC: "route-missing",
  FI: "fault-injected",
  DI: "fault-injected",
  UAEX: "authorization-denied",
  RL: "rate-limited",
  RLSE: "rate-limited",
  DF: "dns-failure",
};

/** For sentences: "Requests to x fail: …". */
export const flagReasons: Readonly<Record<string, string>> = {
  UO: "its connection pool limit refuses them",
  UH: "no healthy endpoint is left",
  UF: "connections to it fail",
  UC: "it closes connections in the middle of requests",
  UR: "it resets connections",
  LR: "its connections are reset",
  UT: "it does not answer within the route's timeout",
  DT: "it does not answer in time",
  NR: "no route leads to it",
  NC: "the cluster or subset they are routed to does not exist",
  FI: "a fault is injected on purpose",
  DI: "a delay is injected on purpose",
  UAEX: "the external authorizer denies them",
  RL: "a rate limit refuses them",
  RLSE: "the rate limit service fails",
  DF: "its name does not resolve",
};
