/**
 * The vocabulary of causes. A diagnosis names one per hypothesis, a practice scenario's ground truth names the one it plants;
 * `docs/mechanisms.md` explains each. Mechanisms say how a service comes to harm, never which scenario did it.
 */
export const mechanisms = {
  "bad-rollout": "a rollout of the workload made it fail requests",
  "slow-rollout": "a rollout of the workload made it slow by itself",
  "client-pool-exhausted": "the workload waits for a connection from its own pool to a dependency",
  "connection-pool-overflow": "a DestinationRule's connection pool limit refuses requests (UO)",
  "no-healthy-upstream": "every endpoint is gone, unready or ejected (UH)",
  "upstream-unreachable": "connections to the workload fail (UF)",
  "upstream-reset": "the workload closes connections in the middle of requests (UC, UR)",
  "upstream-timeout": "a route's timeout is shorter than the workload needs (UT)",
  "route-missing": "no route or no cluster for the request (NR, NC)",
  "fault-injected": "a VirtualService injects faults (FI, DI)",
  "mtls-conflict": "caller and callee disagree on mutual TLS",
  "authorization-denied": "a policy denies the requests (RBAC, UAEX)",
  "rate-limited": "a rate limit refuses the requests (RL)",
  "dns-failure": "the name does not resolve (DF)",
  "network-delay": "time is lost between the proxies, not in the workload",
  "cpu-saturation": "the workload has less CPU than it needs",
  "memory-pressure": "the workload nears or passes its memory limit",
  "crash-loop": "the workload's containers keep ending",
  "too-few-replicas": "the workload was scaled below what its load needs",
  "traffic-surge": "more requests than the workload can serve",
  "retry-storm": "retries multiply the load",
  "own-errors": "the workload fails by itself; no change explains it",
  "own-latency": "the workload is slow by itself; no change explains it",
} as const;

export type Mechanism = keyof typeof mechanisms;
