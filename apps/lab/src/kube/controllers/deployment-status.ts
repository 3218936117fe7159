import {
  type Condition,
  conditionOf,
  type Deployment,
  type ReplicaSet,
  timestamp,
} from "../object.ts";
import { maxUnavailableOf } from "./rollout-plan.ts";

/** What a Deployment reports: counts over its ReplicaSets, and the Available and Progressing conditions. */
type Status = Deployment["status"];

const sum = (sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number | undefined) =>
  sets.reduce((total, set) => total + (count(set) ?? 0), 0);

export function deploymentStatus(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  newest: ReplicaSet | undefined,
  nowMs: number,
): Status {
  const available = sum(sets, (set) => set.status.availableReplicas);
  const total = sum(sets, (set) => set.status.replicas);
  const counts = {
    replicas: total,
    updatedReplicas: newest?.status.replicas ?? 0,
    readyReplicas: sum(sets, (set) => set.status.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(
      0,
      Math.max(
        total,
        sum(sets, (set) => set.spec.replicas),
      ) - available,
    ),
  };
  const present = Object.entries(counts).filter(([, count]) => count > 0);
  const before = deployment.status.conditions ?? [];
  const conditions = [
    availableCondition(deployment, available),
    progressingCondition(deployment, counts, newest, nowMs),
  ].map((condition) => dated(condition, conditionOf(before, condition.type), nowMs));
  const { collisionCount } = deployment.status;
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...Object.fromEntries(present),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions,
  };
}

function availableCondition(deployment: Deployment, available: number): Condition {
  if (available >= deployment.spec.replicas - maxUnavailableOf(deployment)) {
    return {
      type: "Available",
      status: "True",
      reason: "MinimumReplicasAvailable",
      message: "Deployment has minimum availability.",
    };
  }
  return {
    type: "Available",
    status: "False",
    reason: "MinimumReplicasUnavailable",
    message: "Deployment does not have minimum availability.",
  };
}

type Counts = {
  replicas: number;
  updatedReplicas: number;
  availableReplicas: number;
  readyReplicas: number;
};

function isComplete(deployment: Deployment, counts: Counts): boolean {
  const { replicas } = deployment.spec;
  return (
    counts.updatedReplicas === replicas &&
    counts.replicas === replicas &&
    counts.availableReplicas === replicas
  );
}

function progressingCondition(
  deployment: Deployment,
  counts: Counts,
  newest: ReplicaSet | undefined,
  nowMs: number,
): Condition {
  const previous = conditionOf(deployment.status.conditions, "Progressing");
  const made = { type: "Progressing", status: "True" };
  if (deployment.spec.paused === true) {
    return {
      type: "Progressing",
      status: "Unknown",
      reason: "DeploymentPaused",
      message: "Deployment is paused",
    };
  }
  const about = `ReplicaSet ${JSON.stringify(newest?.metadata.name ?? "")}`;
  if (newest !== undefined && isComplete(deployment, counts)) {
    const message = `${about} has successfully progressed.`;
    return { ...made, reason: "NewReplicaSetAvailable", message };
  }
  // A finished rollout stays finished while only its size or its pods' health changes.
  const settled = counts.replicas === counts.updatedReplicas && newest !== undefined;
  if (previous?.reason === "NewReplicaSetAvailable" && settled) return { ...previous };
  if (previous?.reason === "DeploymentPaused") {
    return { ...made, reason: "DeploymentResumed", message: "Deployment is resumed" };
  }
  const { status } = deployment;
  const moved =
    counts.updatedReplicas > (status.updatedReplicas ?? 0) ||
    counts.readyReplicas > (status.readyReplicas ?? 0) ||
    counts.availableReplicas > (status.availableReplicas ?? 0) ||
    counts.replicas - counts.updatedReplicas <
      (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  if (moved || previous === undefined || previous.reason === "NewReplicaSetAvailable") {
    if (previous === undefined && newest !== undefined) {
      const message = `Created new replica set ${JSON.stringify(newest.metadata.name)}`;
      return { ...made, reason: "NewReplicaSetCreated", message };
    }
    return {
      ...made,
      reason: "ReplicaSetUpdated",
      message: `${about} is progressing.`,
      lastUpdateTime: timestamp(nowMs),
    };
  }
  const since = Date.parse(previous.lastUpdateTime ?? "");
  if (nowMs - since >= deployment.spec.progressDeadlineSeconds * 1000) {
    return {
      type: "Progressing",
      status: "False",
      reason: "ProgressDeadlineExceeded",
      message: `${about} has timed out progressing.`,
    };
  }
  return { ...previous };
}

/** Keeps the transition time while the status stays, and the whole condition while it says the same. */
function dated(condition: Condition, previous: Condition | undefined, nowMs: number): Condition {
  const now = timestamp(nowMs);
  const same =
    previous?.status === condition.status &&
    previous.reason === condition.reason &&
    previous.message === condition.message;
  const transition =
    previous?.status === condition.status ? previous.lastTransitionTime : undefined;
  return {
    type: condition.type,
    status: condition.status,
    lastUpdateTime: condition.lastUpdateTime ?? (same ? (previous.lastUpdateTime ?? now) : now),
    lastTransitionTime: transition ?? now,
    ...(condition.reason === undefined ? {} : { reason: condition.reason }),
    ...(condition.message === undefined ? {} : { message: condition.message }),
  };
}

/** How long until the progress deadline passes; undefined when nothing is under way or it has passed. */
export function progressDeadlineMs(
  deployment: Deployment,
  status: Status,
  nowMs: number,
): number | undefined {
  const progressing = conditionOf(status.conditions, "Progressing");
  const waits = ["NewReplicaSetCreated", "ReplicaSetUpdated", "DeploymentResumed"];
  if (progressing === undefined || !waits.includes(progressing.reason ?? "")) return undefined;
  const since = Date.parse(progressing.lastUpdateTime ?? "");
  const leftMs = since + deployment.spec.progressDeadlineSeconds * 1000 - nowMs;
  return Math.max(leftMs, 1_000);
}
