import { clone, jsonEqual } from "../json.ts";
import {
  controllerOf,
  controllerReference,
  type Deployment,
  isControlledBy,
  type ReplicaSet,
} from "../object.ts";
import { selectorOf, selects } from "../selectors.ts";
import { deploymentStatus, progressDeadlineMs } from "./deployment-status.ts";
import { type ControllerContext, splitKey, startReconciler } from "./reconciler.ts";
import {
  copiedAnnotations,
  historyAnnotation,
  revisionAnnotation,
  revisionOf,
  sizeAnnotations,
} from "./revisions.ts";
import { planRecreate, planRollingUpdate, type Resize } from "./rollout-plan.ts";
import { templateHash, templateHashLabel, withoutHash } from "./template-hash.ts";

/**
 * Rolls Deployments: one ReplicaSet per revision of the template, sized step by step as rollout-plan.ts says. After
 * kubernetes `pkg/controller/deployment`. `kubectl rollout undo` works by putting an old ReplicaSet's template back,
 * which makes that set the newest revision again.
 */
const component = "deployment-controller";
const fieldManager = "kube-controller-manager";

export function startDeploymentController(context: ControllerContext): () => void {
  const { store } = context;
  const queue = startReconciler(context, component, (key) => {
    const waitMs = reconcile(context, key);
    if (waitMs !== undefined) queue.enqueue(key, waitMs);
  });
  const stops = [
    store.watch(
      "Deployment",
      ({ object }) => queue.enqueue(`${object.metadata.namespace}/${object.metadata.name}`),
      { replay: true },
    ),
    store.watch("ReplicaSet", ({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === "Deployment") queue.enqueue(`${object.metadata.namespace}/${owner.name}`);
    }),
    store.watch("Pod", ({ type, object }) => {
      // Recreate waits for the old pods to be gone, which no ReplicaSet reports.
      if (type !== "DELETED") return;
      const set = store.get(
        "ReplicaSet",
        object.metadata.namespace,
        controllerOf(object)?.name ?? "",
      );
      const owner = set && controllerOf(set);
      if (owner !== undefined) queue.enqueue(`${object.metadata.namespace}/${owner.name}`);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    queue.stop();
  };
}

/** One step of one Deployment; returns when to look again for a missed progress deadline. */
function reconcile(context: ControllerContext, key: string): number | undefined {
  const { store } = context;
  const [namespace, name] = splitKey(key);
  const deployment = store.get("Deployment", namespace, name);
  if (deployment === undefined) return undefined;
  const sets = ownSets(context, deployment);
  if (deployment.metadata.deletionTimestamp !== undefined)
    return writeStatus(context, deployment, sets);
  let newest = sets.find((set) =>
    jsonEqual(withoutHash(set.spec.template), withoutHash(deployment.spec.template)),
  );
  const others = sets.filter((set) => set.metadata.uid !== newest?.metadata.uid);
  if (deployment.spec.paused === true) {
    resizePaused(context, deployment, newest, others);
  } else {
    newest =
      newest === undefined && mayCreate(context, deployment, others)
        ? createSet(context, deployment, others)
        : newest && claimRevision(context, deployment, newest, others);
    const plan = deployment.spec.strategy.type === "Recreate" ? planRecreate : planRollingUpdate;
    if (newest !== undefined) resizeAll(context, deployment, plan(deployment, newest, others));
    else
      resizeAll(
        context,
        deployment,
        others.map((set) => ({ set, replicas: 0 })),
      );
    dropOldSets(context, deployment, others);
  }
  return writeStatus(context, deployment, ownSets(context, deployment));
}

/** The ReplicaSets of a Deployment; matching ones without a controller become its own. */
function ownSets({ store }: ControllerContext, deployment: Deployment): ReplicaSet[] {
  const selector = selectorOf(deployment.spec.selector);
  return store
    .list("ReplicaSet", { namespace: deployment.metadata.namespace ?? "" })
    .flatMap((set) => {
      if (isControlledBy(set, deployment)) return [set];
      const adoptable =
        controllerOf(set) === undefined && deployment.metadata.deletionTimestamp === undefined;
      if (!adoptable || !selects(selector, set.metadata.labels)) return [];
      const adopted = clone(set);
      adopted.metadata.ownerReferences = [
        ...(set.metadata.ownerReferences ?? []),
        controllerReference(deployment),
      ];
      store.update(adopted, { fieldManager });
      return store.get("ReplicaSet", set.metadata.namespace, set.metadata.name) ?? [];
    });
}

/** Recreate makes the new set only when no pod of an old one is left. */
function mayCreate(
  { store }: ControllerContext,
  deployment: Deployment,
  others: readonly ReplicaSet[],
): boolean {
  if (deployment.spec.strategy.type !== "Recreate") return true;
  const owners = new Set(others.map((set) => set.metadata.uid));
  return !store
    .list("Pod", { namespace: deployment.metadata.namespace ?? "" })
    .some((pod) => owners.has(controllerOf(pod)?.uid));
}

function createSet(
  { store, events }: ControllerContext,
  deployment: Deployment,
  others: readonly ReplicaSet[],
): ReplicaSet | undefined {
  const hash = templateHash(deployment.spec.template, deployment.status.collisionCount ?? 0);
  const template = clone(deployment.spec.template);
  template.metadata.labels = { ...template.metadata.labels, [templateHashLabel]: hash };
  const selector = clone(deployment.spec.selector);
  selector.matchLabels = { ...selector.matchLabels, [templateHashLabel]: hash };
  const name = `${deployment.metadata.name}-${hash}`;
  const draft: ReplicaSet = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name,
      namespace: deployment.metadata.namespace ?? "",
      labels: template.metadata.labels,
      annotations: {
        ...copiedAnnotations(deployment),
        ...sizeAnnotations(deployment),
        [revisionAnnotation]: String(Math.max(0, ...others.map(revisionOf)) + 1),
      },
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas: 0,
      selector,
      template,
      ...(deployment.spec.minReadySeconds === undefined
        ? {}
        : { minReadySeconds: deployment.spec.minReadySeconds }),
    },
    status: { replicas: 0 },
  };
  const size = planRollingUpdate(deployment, draft, others).find(({ set }) => set === draft);
  draft.spec.replicas =
    deployment.spec.strategy.type === "Recreate" ? deployment.spec.replicas : (size?.replicas ?? 0);
  store.create(draft, { fieldManager });
  if (draft.spec.replicas > 0) {
    events.record(deployment, {
      reason: "ScalingReplicaSet",
      message: `Scaled up replica set ${name} from 0 to ${draft.spec.replicas}`,
      component,
    });
  }
  return store.get("ReplicaSet", deployment.metadata.namespace, name);
}

/** Makes `set` the newest revision (it may be an old one that came back) and carries annotations over to it. */
function claimRevision(
  { store }: ControllerContext,
  deployment: Deployment,
  set: ReplicaSet,
  others: readonly ReplicaSet[],
): ReplicaSet {
  const next = clone(set);
  const annotations: { [key: string]: string } = {
    ...set.metadata.annotations,
    ...copiedAnnotations(deployment),
    ...sizeAnnotations(deployment),
  };
  const revision = Math.max(0, ...others.map(revisionOf)) + 1;
  if (revisionOf(set) < revision) {
    const past = [annotations[historyAnnotation], annotations[revisionAnnotation]];
    if (annotations[revisionAnnotation] !== undefined) {
      annotations[historyAnnotation] = past.filter((each) => each !== undefined).join(",");
    }
    annotations[revisionAnnotation] = String(revision);
  }
  next.metadata.annotations = annotations;
  const { minReadySeconds } = deployment.spec;
  if (minReadySeconds !== undefined) next.spec.minReadySeconds = minReadySeconds;
  store.update(next, { fieldManager });
  return store.get("ReplicaSet", set.metadata.namespace, set.metadata.name) ?? set;
}

function resizeAll(
  { store, events }: ControllerContext,
  deployment: Deployment,
  resizes: readonly Resize[],
): void {
  for (const { set, replicas } of resizes) {
    const current = store.get("ReplicaSet", set.metadata.namespace, set.metadata.name);
    if (current === undefined || current.spec.replicas === replicas) continue;
    const next = clone(current);
    next.spec.replicas = replicas;
    next.metadata.annotations = { ...next.metadata.annotations, ...sizeAnnotations(deployment) };
    store.update(next, { fieldManager });
    const verb = replicas > current.spec.replicas ? "Scaled up" : "Scaled down";
    events.record(deployment, {
      reason: "ScalingReplicaSet",
      message: `${verb} replica set ${set.metadata.name} from ${current.spec.replicas} to ${replicas}`,
      component,
    });
  }
}

/** A paused Deployment still follows its replica count, on the set that serves now. */
function resizePaused(
  context: ControllerContext,
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  others: readonly ReplicaSet[],
): void {
  const all = newest === undefined ? others : [newest, ...others];
  const active = all.filter((set) => set.spec.replicas > 0);
  const [only] = active.length > 0 ? active : all;
  if (only === undefined || active.length > 1) return;
  resizeAll(context, deployment, [{ set: only, replicas: deployment.spec.replicas }]);
}

function dropOldSets(
  { store }: ControllerContext,
  deployment: Deployment,
  others: readonly ReplicaSet[],
): void {
  const idle = others
    .filter((set) => set.spec.replicas === 0 && set.status.replicas === 0)
    .filter((set) => set.metadata.deletionTimestamp === undefined)
    .sort((left, right) => revisionOf(left) - revisionOf(right));
  const surplus = others.length - deployment.spec.revisionHistoryLimit;
  for (const set of idle.slice(0, Math.max(surplus, 0))) {
    store.delete("ReplicaSet", set.metadata.namespace, set.metadata.name);
  }
}

function writeStatus(
  { store, clock }: ControllerContext,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
): number | undefined {
  const current = store.get("Deployment", deployment.metadata.namespace, deployment.metadata.name);
  if (current === undefined) return undefined;
  const newest = sets.find((set) =>
    jsonEqual(withoutHash(set.spec.template), withoutHash(current.spec.template)),
  );
  const status = deploymentStatus(current, sets, newest, clock.nowMs());
  const revision = newest?.metadata.annotations?.[revisionAnnotation];
  const annotations = {
    ...current.metadata.annotations,
    ...(revision === undefined || current.spec.paused === true
      ? {}
      : { [revisionAnnotation]: revision }),
  };
  const changed =
    !jsonEqual(status, current.status) ||
    !jsonEqual(annotations, current.metadata.annotations ?? {});
  if (changed) {
    const metadata = { ...current.metadata, annotations };
    store.updateStatus({ ...current, metadata, status }, { fieldManager });
  }
  return progressDeadlineMs(current, status, clock.nowMs());
}
