import { clone, listAt, mapAt, stringAt } from "./json.ts";
import type { Kind } from "./kinds.ts";
import { type KubeObject, timestamp } from "./object.ts";

/** How objects go: at once, after a grace period, or when the last finalizer is dropped. */
export type DeleteOptions = {
  dryRun?: boolean;
  /** Pods only; default the pod's own terminationGracePeriodSeconds. 0 removes at once. */
  gracePeriodSeconds?: number;
  propagation?: "Background" | "Foreground" | "Orphan";
  preconditions?: { uid?: string; resourceVersion?: string };
};

export const foregroundFinalizer = "foregroundDeletion";
export const orphanFinalizer = "orphan";

/** The object with its deletion begun, or undefined when it goes at once. */
export function markDeleted(
  kind: Kind,
  previous: KubeObject,
  options: DeleteOptions,
  nowMs: number,
): KubeObject | undefined {
  const next = clone(previous);
  const metadata = next.metadata;
  const graceSeconds = kind.kind === "Pod" ? podGraceSeconds(previous, options) : 0;
  const finalizers = new Set(metadata.finalizers);
  if (options.propagation === "Foreground") finalizers.add(foregroundFinalizer);
  if (options.propagation === "Orphan") finalizers.add(orphanFinalizer);
  if (kind.kind === "Namespace")
    next["status"] = { ...mapAt(next, "status"), phase: "Terminating" };
  else if (graceSeconds === 0 && finalizers.size === 0) return undefined;
  const already = metadata.deletionGracePeriodSeconds;
  if (metadata.deletionTimestamp === undefined || (already ?? 0) > graceSeconds) {
    metadata.deletionTimestamp = timestamp(nowMs + graceSeconds * 1000);
    if (kind.kind !== "Namespace") metadata.deletionGracePeriodSeconds = graceSeconds;
  }
  if (finalizers.size > 0) metadata.finalizers = [...finalizers];
  if (already === undefined && metadata.generation !== undefined) metadata.generation++;
  return next;
}

/** Deletion has begun and nothing holds the object any more. */
export function isFinalized(object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  if (deletionTimestamp === undefined || finalizers.length > 0) return false;
  if (object.kind === "Namespace") return listAt(object, "spec", "finalizers").length === 0;
  return deletionGracePeriodSeconds === 0;
}

function podGraceSeconds(pod: KubeObject, options: DeleteOptions): number {
  const phase = stringAt(pod, "status", "phase");
  const unscheduled = (stringAt(pod, "spec", "nodeName") ?? "") === "";
  if (unscheduled || phase === "Succeeded" || phase === "Failed") return 0;
  const own = mapAt(pod, "spec")["terminationGracePeriodSeconds"];
  return options.gracePeriodSeconds ?? (typeof own === "number" ? own : 30);
}
