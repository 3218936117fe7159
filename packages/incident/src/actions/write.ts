/** Works out and carries out writes: each is one call to the API, with a precondition, in our field manager's name. */
import {
  canonicalObject,
  type KubeApi,
  type KubeObject,
  type ObjectRef,
  refOf,
} from "@skopos/mesh";
import { SkoposError } from "@skopos/model";
import { isDeepStrictEqual } from "node:util";
import type { Write } from "../desk/events.ts";

const fieldManager = "skopos";

/** The live object; null when there is none. */
export async function readLive(kube: KubeApi, ref: ObjectRef): Promise<KubeObject | null> {
  try {
    return await kube.get(ref);
  } catch (error) {
    if (error instanceof SkoposError && error.code === "not-found") return null;
    throw error;
  }
}

/** Answers with the object as the server has it after the write; null when it is gone. */
async function carryOut(
  kube: KubeApi,
  write: Write,
  options: { readonly dryRun: boolean; readonly resourceVersion: string | undefined },
): Promise<KubeObject | null> {
  const { dryRun, resourceVersion } = options;
  const guard = {
    dryRun,
    fieldManager,
    ...(resourceVersion !== undefined && { resourceVersion }),
  };
  switch (write.method) {
    case "create":
      return await kube.create(write.object, { dryRun, fieldManager });
    case "delete":
      await kube.delete(cleanRef(write.ref), guard);
      return null;
    case "json-patch":
      return await kube.patch(cleanRef(write.ref), { type: "json", body: write.operations }, guard);
    case "merge-patch":
      return await kube.patch(cleanRef(write.ref), { type: "merge", body: write.body }, guard);
    default:
      return await kube.replace(write.object, guard);
  }
}

/** Status updates move an object's version as well: so often is a write tried again that meets no other desired state. */
const attemptsMax = 6;

/**
 * Carries a write out only while the object's desired state is still `expected`. A version that moved with the state
 * unchanged is followed; a state that moved is a `conflict`, and nothing is written.
 */
export async function carryOutAgainst(
  kube: KubeApi,
  write: Write,
  about: {
    readonly ref: ObjectRef;
    readonly expected: KubeObject | null;
    readonly dryRun: boolean;
  },
): Promise<KubeObject | null> {
  for (let attempt = 1; ; attempt++) {
    const live = await readLive(kube, about.ref);
    if (!sameDesired(live, about.expected))
      throw new SkoposError("conflict", `${about.ref.name} was changed by somebody else meanwhile`);
    const resourceVersion = live?.metadata.resourceVersion;
    try {
      return await carryOut(kube, withVersion(write, resourceVersion), {
        dryRun: about.dryRun,
        resourceVersion,
      });
    } catch (error) {
      const moved = error instanceof SkoposError && error.code === "conflict";
      if (!moved || attempt >= attemptsMax) throw error;
    }
  }
}

/** A replacing write carries the object's own version: it must be the one that was checked. */
function withVersion(write: Write, resourceVersion: string | undefined): Write {
  if (write.method !== "replace" || resourceVersion === undefined) return write;
  const { object } = write;
  return {
    method: "replace",
    object: { ...object, metadata: { ...object.metadata, resourceVersion } },
  };
}

function cleanRef(ref: { kind: string; name: string; namespace?: string | undefined }): ObjectRef {
  return {
    kind: ref.kind,
    name: ref.name,
    ...(ref.namespace !== undefined && { namespace: ref.namespace }),
  };
}

function desiredOf(object: KubeObject) {
  const { metadata: _metadata, ...rest } = canonicalObject(object);
  return rest;
}

/** Whether two states mean the same: desired state and labels, whatever the bookkeeping says. */
export function sameDesired(a: KubeObject | null, b: KubeObject | null): boolean {
  if (!a || !b) return a === b;
  return isDeepStrictEqual(desiredOf(a), desiredOf(b));
}

/** The live object with another's desired state: identity and bookkeeping stay, so that the server accepts it. */
export function withDesired(live: KubeObject, desired: KubeObject): KubeObject {
  const { metadata: _metadata, ...body } = canonicalObject(desired);
  return {
    ...body,
    apiVersion: live.apiVersion,
    kind: live.kind,
    metadata: live.metadata,
    ...(live["status"] !== undefined && { status: live["status"] }),
  };
}

/** What puts the object back as it was before: undefined when it is so already. */
export function undoWrite(preImage: KubeObject | null, live: KubeObject | null): Write | undefined {
  if (sameDesired(preImage, live)) return undefined;
  if (preImage && live) return { method: "replace", object: withDesired(live, preImage) };
  if (preImage) return { method: "create", object: canonicalObject(preImage) };
  return live ? { method: "delete", ref: refOf(live) } : undefined;
}
