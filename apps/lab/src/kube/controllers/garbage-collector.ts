import { clone } from "../json.ts";
import { kinds } from "../kinds.ts";
import { foregroundFinalizer, orphanFinalizer } from "../deletion.ts";
import { isStatus } from "../store.ts";
import type { KubeObject } from "../object.ts";
import { type ControllerContext, startReconciler } from "./reconciler.ts";

/**
 * Deletes what its owners left behind, and carries out foreground and orphaning deletions. Dependents are indexed by
 * the uid of each owner.
 */
const fieldManager = "kube-controller-manager";

type Ref = { kind: string; namespace: string | undefined; name: string };

export function startGarbageCollector(context: ControllerContext): () => void {
  const { store } = context;
  const dependents = new Map<string, Map<string, Ref>>();
  const alive = new Set<string>();
  const owners = new Map<string, Ref>();
  const queue = startReconciler(context, "garbage-collector", (uid) => {
    const refs = [...(dependents.get(uid)?.values() ?? [])];
    const present = refs.flatMap((ref) => store.get(ref.kind, ref.namespace, ref.name) ?? []);
    const owned = present.filter((object) => ownerUids(object).includes(uid));
    if (!alive.has(uid)) {
      dependents.delete(uid);
      for (const object of owned) collect(context, object, alive);
      return;
    }
    const ref = owners.get(uid);
    const owner = ref && store.get(ref.kind, ref.namespace, ref.name);
    if (owner?.metadata.deletionTimestamp !== undefined) finalize(context, owner, owned);
  });

  const note = (type: string, object: KubeObject) => {
    const uid = object.metadata.uid ?? "";
    const ref = refOf(object);
    for (const owner of ownerUids(object)) {
      if (type === "DELETED") dependents.get(owner)?.delete(uid);
      else if (!dependents.has(owner)) dependents.set(owner, new Map([[uid, ref]]));
      else dependents.get(owner)?.set(uid, ref);
      // An owner that never was, or went before its dependent came, still has to be noticed.
      queue.enqueue(owner);
    }
    if (type === "DELETED") {
      alive.delete(uid);
      owners.delete(uid);
      if (dependents.has(uid)) queue.enqueue(uid);
      return;
    }
    alive.add(uid);
    owners.set(uid, ref);
    if (object.metadata.deletionTimestamp !== undefined) queue.enqueue(uid);
  };

  const stored = kinds.filter((kind) => kind.source === "stored" && kind.kind !== "Event");
  const stops = stored.map((kind) =>
    store.watch<string>(kind.kind, ({ type, object }) => note(type, object), { replay: true }),
  );
  return () => {
    for (const stop of stops) stop();
    queue.stop();
  };
}

function refOf({ kind, metadata }: KubeObject): Ref {
  return { kind, namespace: metadata.namespace, name: metadata.name };
}

function ownerUids(object: KubeObject): string[] {
  return (object.metadata.ownerReferences ?? []).map((owner) => owner.uid);
}

/** Deletes an object none of whose owners is left; else forgets those that are gone. */
function collect(
  { store }: ControllerContext,
  object: KubeObject,
  alive: ReadonlySet<string>,
): void {
  const { namespace, name, ownerReferences = [] } = object.metadata;
  const left = ownerReferences.filter((owner) => alive.has(owner.uid));
  if (left.length === 0) {
    remove({ store }, object, "Background");
    return;
  }
  const body = { metadata: { ownerReferences: left } };
  store.patch(object.kind, namespace, name, "merge", body, { fieldManager });
}

function remove(
  { store }: Pick<ControllerContext, "store">,
  { kind, metadata }: KubeObject,
  propagation: "Background" | "Foreground",
): void {
  if (metadata.deletionTimestamp !== undefined) return;
  try {
    store.delete(kind, metadata.namespace, metadata.name, { propagation });
  } catch (error) {
    if (!isStatus(error, "NotFound")) throw error;
  }
}

function finalize(
  context: ControllerContext,
  owner: KubeObject,
  owned: readonly KubeObject[],
): void {
  const uid = owner.metadata.uid;
  const finalizers = owner.metadata.finalizers ?? [];
  if (finalizers.includes(orphanFinalizer)) {
    for (const object of owned) {
      const ownerReferences = (object.metadata.ownerReferences ?? []).filter(
        (each) => each.uid !== uid,
      );
      const body = { metadata: { ownerReferences } };
      const { namespace, name } = object.metadata;
      context.store.patch(object.kind, namespace, name, "merge", body, { fieldManager });
    }
    dropFinalizer(context, owner, orphanFinalizer);
  } else if (finalizers.includes(foregroundFinalizer)) {
    for (const object of owned) remove(context, object, "Foreground");
    const blocking = owned.filter((object) =>
      object.metadata.ownerReferences?.some((each) => each.uid === uid && each.blockOwnerDeletion),
    );
    const left = blocking.filter(({ kind, metadata }) =>
      context.store.get(kind, metadata.namespace, metadata.name),
    );
    if (left.length === 0) dropFinalizer(context, owner, foregroundFinalizer);
  }
}

function dropFinalizer({ store }: ControllerContext, owner: KubeObject, finalizer: string): void {
  const next = clone(owner);
  next.metadata.finalizers = (owner.metadata.finalizers ?? []).filter((each) => each !== finalizer);
  store.update(next, { fieldManager });
}
