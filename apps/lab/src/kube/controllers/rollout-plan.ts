import type { Deployment, ReplicaSet } from "../object.ts";

/**
 * How large each ReplicaSet of a Deployment should be next. Pure arithmetic, after kubernetes
 * `pkg/controller/deployment/rolling.go`: never more pods than replicas + maxSurge, never fewer available than
 * replicas − maxUnavailable, unhealthy old pods go first.
 */
export type Resize = { set: ReplicaSet; replicas: number };

/** "25%" of `total`, or the number itself. */
function portion(value: number | string | undefined, total: number, round: (n: number) => number) {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value ?? "")?.[1];
  return percent === undefined ? 0 : round((Number(percent) * total) / 100);
}

export function maxSurgeOf({ spec }: Deployment): number {
  if (spec.strategy.type !== "RollingUpdate") return 0;
  return portion(spec.strategy.rollingUpdate?.maxSurge, spec.replicas, Math.ceil);
}

export function maxUnavailableOf(deployment: Deployment): number {
  const { spec } = deployment;
  if (spec.strategy.type !== "RollingUpdate") return 0;
  const allowed = portion(spec.strategy.rollingUpdate?.maxUnavailable, spec.replicas, Math.floor);
  // Both rounding to nothing would leave no way forward.
  const least = allowed === 0 && maxSurgeOf(deployment) === 0 ? 1 : allowed;
  return Math.min(least, spec.replicas);
}

const sizeOf = (sets: readonly ReplicaSet[]) =>
  sets.reduce((sum, set) => sum + set.spec.replicas, 0);
const availableOf = (sets: readonly ReplicaSet[]) =>
  sets.reduce((sum, set) => sum + (set.status.availableReplicas ?? 0), 0);

export function planRollingUpdate(
  deployment: Deployment,
  newest: ReplicaSet,
  others: readonly ReplicaSet[],
): Resize[] {
  const newSize = newestSize(deployment, newest, others);
  const resizes: Resize[] = [{ set: newest, replicas: newSize }];
  // Scaling up and down alternate, so that each decision sees what the last one did.
  if (newSize === newest.spec.replicas) resizes.push(...shrinkOthers(deployment, newest, others));
  return resizes;
}

function newestSize(
  deployment: Deployment,
  newest: ReplicaSet,
  others: readonly ReplicaSet[],
): number {
  const { replicas } = deployment.spec;
  const current = newest.spec.replicas;
  if (current >= replicas) return replicas;
  const room = replicas + maxSurgeOf(deployment) - (current + sizeOf(others));
  return current + Math.max(0, Math.min(room, replicas - current));
}

function shrinkOthers(
  deployment: Deployment,
  newest: ReplicaSet,
  others: readonly ReplicaSet[],
): Resize[] {
  const active = others
    .filter((set) => set.spec.replicas > 0)
    .sort((left, right) => (created(left) < created(right) ? -1 : 1));
  const minAvailable = deployment.spec.replicas - maxUnavailableOf(deployment);
  const newUnavailable = newest.spec.replicas - (newest.status.availableReplicas ?? 0);
  let mayGo = sizeOf(active) + newest.spec.replicas - minAvailable - newUnavailable;
  const sizes = new Map(active.map((set) => [set, set.spec.replicas]));
  for (const set of active) {
    const unhealthy = set.spec.replicas - (set.status.availableReplicas ?? 0);
    const gone = Math.max(0, Math.min(mayGo, unhealthy));
    sizes.set(set, set.spec.replicas - gone);
    mayGo -= gone;
  }
  let healthyToGo = availableOf([newest, ...active]) - minAvailable;
  for (const set of active) {
    const size = sizes.get(set) ?? 0;
    const gone = Math.max(0, Math.min(healthyToGo, size));
    sizes.set(set, size - gone);
    healthyToGo -= gone;
  }
  return active.map((set) => ({ set, replicas: sizes.get(set) ?? 0 }));
}

function created(set: ReplicaSet): string {
  return set.metadata.creationTimestamp ?? "";
}

/** Recreate: nothing old may be left before the new set is filled. */
export function planRecreate(
  deployment: Deployment,
  newest: ReplicaSet,
  others: readonly ReplicaSet[],
): Resize[] {
  const shrink = others.map((set) => ({ set, replicas: 0 }));
  const gone = others.every((set) => set.spec.replicas === 0 && set.status.replicas === 0);
  return gone ? [...shrink, { set: newest, replicas: deployment.spec.replicas }] : shrink;
}
