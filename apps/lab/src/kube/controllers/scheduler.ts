import { clone, type JsonObject, listAt, mapAt, stringAt, valueAt } from "../json.ts";
import { type KubeObject, type Pod, timestamp } from "../object.ts";
import { type ControllerContext, splitKey, startReconciler } from "./reconciler.ts";

/** Gives every pod a node: the ready, schedulable one with the fewest pods. Resources are not weighed. */
const component = "default-scheduler";
const fieldManager = "kube-scheduler";

export function startScheduler(context: ControllerContext): () => void {
  const { store } = context;
  const queue = startReconciler(context, component, (key) => schedule(context, key));
  const enqueueUnscheduled = () => {
    for (const pod of store.list("Pod")) if (isWaiting(pod)) queue.enqueue(keyOf(pod));
  };
  const stops = [
    store.watch("Pod", ({ type, object }) => {
      if (type !== "DELETED" && isWaiting(object)) queue.enqueue(keyOf(object));
    }),
    store.watch("Node", enqueueUnscheduled),
  ];
  enqueueUnscheduled();
  return () => {
    for (const stop of stops) stop();
    queue.stop();
  };
}

function keyOf(pod: Pod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}

function isWaiting(pod: Pod): boolean {
  return (pod.spec.nodeName ?? "") === "" && pod.metadata.deletionTimestamp === undefined;
}

function isSchedulable(node: KubeObject): boolean {
  const ready = listAt(node, "status", "conditions").some(
    (each) => stringAt(each, "type") === "Ready" && stringAt(each, "status") === "True",
  );
  return ready && valueAt(node, "spec", "unschedulable") !== true;
}

function schedule(context: ControllerContext, key: string): void {
  const { store, events } = context;
  const [namespace, name] = splitKey(key);
  const pod = store.get("Pod", namespace, name);
  if (pod === undefined || !isWaiting(pod)) return;
  const node = nodeFor(context, pod);
  if (node === undefined) {
    if (pod.status.conditions?.some((each) => each.reason === "Unschedulable")) return;
    const total = store.list("Node").length;
    const message = `0/${total} nodes are available: ${total} node(s) did not fit.`;
    events.record(pod, { type: "Warning", reason: "FailedScheduling", message, component });
    writeCondition(context, pod, { status: "False", reason: "Unschedulable", message });
    return;
  }
  const bound = clone(pod);
  bound.spec.nodeName = node.metadata.name;
  store.update(bound, { fieldManager });
  writeCondition(context, pod, { status: "True" });
  const message = `Successfully assigned ${namespace}/${name} to ${node.metadata.name}`;
  events.record(pod, { reason: "Scheduled", message, component });
}

function nodeFor({ store }: ControllerContext, pod: Pod): KubeObject | undefined {
  const counts = new Map<string, number>();
  for (const each of store.list("Pod")) {
    const node = each.spec.nodeName ?? "";
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const wanted = Object.entries(mapAt(pod.spec, "nodeSelector"));
  const [best] = store
    .list("Node")
    .filter(isSchedulable)
    .filter((node) => wanted.every(([label, value]) => node.metadata.labels?.[label] === value))
    .sort((a, b) => (counts.get(a.metadata.name) ?? 0) - (counts.get(b.metadata.name) ?? 0));
  return best;
}

function writeCondition({ store, clock }: ControllerContext, pod: Pod, says: JsonObject): void {
  const condition = {
    type: "PodScheduled",
    lastTransitionTime: timestamp(clock.nowMs()),
    ...says,
  };
  const body = { status: { conditions: [condition] } };
  const { namespace, name } = pod.metadata;
  store.patch("Pod", namespace, name, "strategic", body, { subresource: "status", fieldManager });
}
