import { clone } from "../json.ts";
import { kinds } from "../kinds.ts";
import { type ControllerContext, startReconciler } from "./reconciler.ts";

/** Gives each namespace its default ServiceAccount, and empties and removes those being deleted. */
const fieldManager = "kube-controller-manager";
const emptyAgainMs = 50;

export function startNamespaceController(context: ControllerContext): () => void {
  const { store } = context;
  const queue = startReconciler(context, "namespace-controller", (name) => {
    const namespace = store.get("Namespace", undefined, name);
    if (namespace === undefined) return;
    if (namespace.metadata.deletionTimestamp === undefined) {
      if (store.get("ServiceAccount", name, "default") !== undefined) return;
      const metadata = { name: "default", namespace: name };
      store.create({ apiVersion: "v1", kind: "ServiceAccount", metadata }, { fieldManager });
    } else if (empty(context, name)) {
      const next = clone(namespace);
      next["spec"] = { finalizers: [] };
      store.update(next, { fieldManager });
    } else queue.enqueue(name, emptyAgainMs);
  });
  const stops = [
    store.watch("Namespace", ({ object }) => queue.enqueue(object.metadata.name), { replay: true }),
    store.watch("ServiceAccount", ({ type, object }) => {
      if (type === "DELETED") queue.enqueue(object.metadata.namespace ?? "");
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    queue.stop();
  };
}

/** Deletes everything in a namespace; true once nothing is left (pods stay until their node lets go of them). */
function empty({ store }: ControllerContext, namespace: string): boolean {
  let left = 0;
  for (const kind of kinds) {
    if (!kind.namespaced || kind.source !== "stored") continue;
    for (const object of store.list(kind.kind, { namespace })) {
      if (object.metadata.deletionTimestamp === undefined) {
        store.delete(kind.kind, namespace, object.metadata.name);
      }
      if (store.get(kind.kind, namespace, object.metadata.name) !== undefined) left++;
    }
  }
  return left === 0;
}
