import { clone, jsonEqual } from "../json.ts";
import {
  conditionOf,
  controllerOf,
  controllerReference,
  isControlledBy,
  isPodActive,
  isPodReady,
  type Pod,
  type ReplicaSet,
} from "../object.ts";
import { selectorOf, selects } from "../selectors.ts";
import { randomSuffix } from "../store.ts";
import { type ControllerContext, splitKey, startReconciler } from "./reconciler.ts";

/** Keeps as many pods as a ReplicaSet asks for, adopting matching orphans and preferring to delete what does not serve. */
const component = "replicaset-controller";
const fieldManager = "kube-controller-manager";

export function startReplicaSetController(context: ControllerContext): () => void {
  const { store } = context;
  const queue = startReconciler(context, component, (key) => {
    const waitMs = reconcile(context, key);
    if (waitMs !== undefined) queue.enqueue(key, waitMs);
  });
  const stops = [
    store.watch(
      "ReplicaSet",
      ({ object }) => queue.enqueue(`${object.metadata.namespace}/${object.metadata.name}`),
      { replay: true },
    ),
    store.watch("Pod", ({ object }) => {
      const namespace = object.metadata.namespace ?? "";
      const owner = controllerOf(object);
      if (owner?.kind === "ReplicaSet") queue.enqueue(`${namespace}/${owner.name}`);
      else if (owner === undefined) enqueueMatching(context, object, (key) => queue.enqueue(key));
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    queue.stop();
  };
}

function enqueueMatching(
  { store }: ControllerContext,
  pod: Pod,
  enqueue: (key: string) => void,
): void {
  for (const set of store.list("ReplicaSet", { namespace: pod.metadata.namespace ?? "" })) {
    if (selects(selectorOf(set.spec.selector), pod.metadata.labels)) {
      enqueue(`${set.metadata.namespace}/${set.metadata.name}`);
    }
  }
}

/** Returns when to look again, where a pod only needs time to count as available. */
function reconcile(context: ControllerContext, key: string): number | undefined {
  const { store } = context;
  const [namespace, name] = splitKey(key);
  const set = store.get("ReplicaSet", namespace, name);
  if (set === undefined) return undefined;
  if (set.metadata.deletionTimestamp === undefined) {
    const active = ownPods(context, set).filter(isPodActive);
    const missing = set.spec.replicas - active.length;
    for (let made = 0; made < missing; made++) createPod(context, set);
    for (const pod of worstFirst(active).slice(0, Math.max(-missing, 0))) {
      store.delete("Pod", namespace, pod.metadata.name);
      context.events.record(set, {
        reason: "SuccessfulDelete",
        message: `Deleted pod: ${pod.metadata.name}`,
        component,
      });
    }
  }
  return updateStatus(context, set);
}

/** The pods of a set; matching pods without a controller become its own. */
function ownPods({ store }: ControllerContext, set: ReplicaSet): Pod[] {
  const selector = selectorOf(set.spec.selector);
  const pods = store.list("Pod", { namespace: set.metadata.namespace ?? "" });
  return pods.flatMap((pod) => {
    if (isControlledBy(pod, set)) return [pod];
    const adoptable = controllerOf(pod) === undefined && isPodActive(pod);
    if (!adoptable || !selects(selector, pod.metadata.labels)) return [];
    const adopted = clone(pod);
    adopted.metadata.ownerReferences = [
      ...(pod.metadata.ownerReferences ?? []),
      controllerReference(set),
    ];
    store.update(adopted, { fieldManager });
    return [adopted];
  });
}

function createPod({ store, events }: ControllerContext, set: ReplicaSet): void {
  const { metadata, spec } = set.spec.template;
  const name = `${set.metadata.name.slice(0, 247)}-${randomSuffix()}`;
  store.create(
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name,
        generateName: `${set.metadata.name}-`,
        namespace: set.metadata.namespace ?? "",
        labels: metadata.labels ?? {},
        ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
        ownerReferences: [controllerReference(set)],
      },
      spec: clone(spec),
    },
    { fieldManager },
  );
  events.record(set, { reason: "SuccessfulCreate", message: `Created pod: ${name}`, component });
}

/** Pods in the order they should go: unscheduled, pending, not ready, restarted most, youngest. */
function worstFirst(pods: readonly Pod[]): Pod[] {
  const phases = ["Pending", "Unknown", "Running"];
  const rank = (pod: Pod) => [
    (pod.spec.nodeName ?? "") === "" ? 0 : 1,
    phases.indexOf(pod.status.phase ?? "Pending"),
    isPodReady(pod) ? 1 : 0,
    -restartsOf(pod),
    -Date.parse(pod.metadata.creationTimestamp ?? ""),
  ];
  return [...pods].sort((left, right) => {
    const a = rank(left);
    const b = rank(right);
    for (let at = 0; at < a.length; at++) {
      const difference = (a[at] ?? 0) - (b[at] ?? 0);
      if (difference !== 0) return difference;
    }
    return 0;
  });
}

function restartsOf(pod: Pod): number {
  return (pod.status.containerStatuses ?? []).reduce((sum, each) => sum + each.restartCount, 0);
}

function updateStatus(context: ControllerContext, set: ReplicaSet): number | undefined {
  const { store, clock } = context;
  const current = store.get("ReplicaSet", set.metadata.namespace, set.metadata.name);
  if (current === undefined) return undefined;
  const pods = ownPods(context, current).filter(isPodActive);
  const minReadyMs = (current.spec.minReadySeconds ?? 0) * 1000;
  const ready = pods.filter(isPodReady);
  const waits = ready.map((pod) => {
    const since = conditionOf(pod.status.conditions, "Ready")?.lastTransitionTime;
    if (minReadyMs === 0 || since === undefined) return 0;
    return Date.parse(since) + minReadyMs - clock.nowMs();
  });
  const templateLabels = Object.entries(current.spec.template.metadata.labels ?? {});
  const labeled = pods.filter((pod) =>
    templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value),
  );
  const available = waits.filter((waitMs) => waitMs <= 0).length;
  const status = {
    replicas: pods.length,
    ...(labeled.length > 0 ? { fullyLabeledReplicas: labeled.length } : {}),
    ...(ready.length > 0 ? { readyReplicas: ready.length } : {}),
    ...(available > 0 ? { availableReplicas: available } : {}),
    observedGeneration: current.metadata.generation ?? 0,
  };
  if (!jsonEqual(status, current.status))
    store.updateStatus({ ...current, status }, { fieldManager });
  const pending = waits.filter((waitMs) => waitMs > 0);
  return pending.length === 0 ? undefined : Math.min(...pending);
}
