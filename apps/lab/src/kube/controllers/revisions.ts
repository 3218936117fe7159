import type { Deployment, ReplicaSet } from "../object.ts";
import { maxSurgeOf } from "./rollout-plan.ts";

/** The annotations by which Deployments and their ReplicaSets remember revisions and sizes. */
export const revisionAnnotation = "deployment.kubernetes.io/revision";
export const historyAnnotation = "deployment.kubernetes.io/revision-history";
const desiredAnnotation = "deployment.kubernetes.io/desired-replicas";
const maxAnnotation = "deployment.kubernetes.io/max-replicas";
const notCopied = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deprecated.deployment.rollback.to",
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
]);

export function revisionOf(set: ReplicaSet): number {
  const revision = Number(set.metadata.annotations?.[revisionAnnotation]);
  return Number.isInteger(revision) ? revision : 0;
}

/** What a ReplicaSet takes over from its Deployment, the change cause among it. */
export function copiedAnnotations(deployment: Deployment): { [key: string]: string } {
  const entries = Object.entries(deployment.metadata.annotations ?? {});
  return Object.fromEntries(entries.filter(([key]) => !notCopied.has(key)));
}

export function sizeAnnotations(deployment: Deployment): { [key: string]: string } {
  const { replicas } = deployment.spec;
  return {
    [desiredAnnotation]: String(replicas),
    [maxAnnotation]: String(replicas + maxSurgeOf(deployment)),
  };
}
