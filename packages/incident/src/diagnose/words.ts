/** Hypotheses in plain words. */
import type { Mechanism } from "@skopos/model";
import { nameOf } from "./evidence.ts";
import type { Finding } from "./scene.ts";

type Say = (name: string, detail: string) => string;

const requestsFail: Say = (name, detail) => `Requests to ${name} fail: ${detail}`;
const becameSlow: Say = (name, detail) => `${name} has become slow: ${detail}`;

const titles: Readonly<Record<Mechanism, Say>> = {
  "bad-rollout": (name) => `A rollout of ${name} makes it fail requests`,
  "slow-rollout": (name) => `A rollout of ${name} made it slow`,
  "client-pool-exhausted": becameSlow,
  "connection-pool-overflow": requestsFail,
  "no-healthy-upstream": requestsFail,
  "upstream-unreachable": requestsFail,
  "upstream-reset": requestsFail,
  "upstream-timeout": requestsFail,
  "route-missing": requestsFail,
  "fault-injected": (name, detail) => `Requests to ${name} suffer: ${detail}`,
  "mtls-conflict": (name) =>
    `Requests to ${name} fail: callers and ${name} disagree about mutual TLS`,
  "authorization-denied": (name) => `Requests to ${name} are denied by a policy`,
  "rate-limited": requestsFail,
  "dns-failure": requestsFail,
  "network-delay": (name, detail) => `Requests to ${name} are slow: ${detail}`,
  "cpu-saturation": becameSlow,
  "memory-pressure": (name) => `${name} runs out of memory`,
  "crash-loop": (name) => `The containers of ${name} keep ending`,
  "too-few-replicas": (name) => `${name} has too few replicas for its load`,
  "traffic-surge": (name) => `${name} gets more requests than it can serve`,
  "retry-storm": (name, detail) => `Retries multiply the load of ${name}: ${detail}`,
  "own-errors": (name) => `${name} fails requests by itself`,
  "own-latency": (name) => `${name} has become slow by itself`,
};

export function titleOf(finding: Pick<Finding, "node" | "mechanism" | "detail">): string {
  return titles[finding.mechanism](nameOf(finding.node), finding.detail);
}

/** Two sentences: what, and since which change or without one. */
export function summaryOf(finding: Finding, onsetMs: number): string {
  const { change } = finding;
  const title = titleOf(finding);
  if (!change) return `${title}. No change of the last minutes explains it.`;
  const seconds = Math.round((onsetMs - change.change.at) / 1000);
  const when =
    seconds > 120
      ? `${Math.round(seconds / 60)} minutes after`
      : seconds > 0
        ? `${seconds} seconds after`
        : "together with";
  const by = change.change.by ? ` by ${change.change.by}` : "";
  return `${title}. It began ${when} a change${by}: ${change.change.summary}.`;
}
