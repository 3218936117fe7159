import type { ControllerContext } from "./reconciler.ts";

/** Says in Events that a pod's containers are being stopped, once, when its deletion begins. */
export function startPodDeletionEvents({ store, events }: ControllerContext): () => void {
  const told = new Set<string>();
  return store.watch("Pod", ({ type, object }) => {
    const uid = object.metadata.uid ?? "";
    const begun = object.metadata.deletionTimestamp !== undefined && !told.has(uid);
    if (type === "DELETED") told.delete(uid);
    if (!begun || object.spec.nodeName === undefined) return;
    if (type !== "DELETED") told.add(uid);
    for (const { name } of object.spec.containers) {
      events.record(object, {
        reason: "Killing",
        message: `Stopping container ${name}`,
        component: "kubelet",
        fieldPath: `spec.containers{${name}}`,
        host: object.spec.nodeName,
      });
    }
  });
}
