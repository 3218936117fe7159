import { randomInt, randomUUID } from "node:crypto";
import { type Clock, LimitError, SkoposError } from "@skopos/model";
import { admitPod, admitService } from "./admission.ts";
import { type DeleteOptions, isFinalized, markDeleted } from "./deletion.ts";
import { applyDefaults } from "./defaults.ts";
import { clone, field, type Json, type JsonObject, jsonEqual, mapAt } from "./json.ts";
import { type Kind, kindNamed, storageOf, storedApiVersion } from "./kinds.ts";
import { applyServerSide, trackUpdate } from "./managed-fields.ts";
import { type KubeObject, type ObjectMeta, type ObjectOf, timestamp } from "./object.ts";
import { applyJsonPatch, applyMergePatch } from "./patch-json.ts";
import { applyStrategicPatch } from "./patch-strategic.ts";
import { decodeObject, type DecodingOptions, type FieldValidation } from "./decoding.ts";
import {
  type FieldSelector,
  parseLabelSelector,
  type Selector,
  selects,
  selectsFields,
} from "./selectors.ts";
import {
  alreadyExists,
  badRequest,
  conflict,
  type FieldError,
  forbidden,
  invalid,
  invalidValue,
  notFound,
  StatusError,
  unsupportedMediaType,
} from "./status-error.ts";
import {
  type Change,
  defaultStorageLimits,
  Storage,
  storageKey,
  type StorageLimits,
} from "./storage.ts";
import { validate } from "./validate.ts";

/**
 * The one storage of the lab's cluster, with the semantics of the Kubernetes API: defaulting, validation, optimistic
 * concurrency, generations, finalizers, field ownership. HTTP and the in-process controllers and node agent write
 * through the same methods. Returned objects are frozen; `clone` one to change it.
 */
export type PatchType = "json" | "merge" | "strategic" | "apply";

export type WriteOptions = {
  /** Everything but keeping the result. */
  dryRun?: boolean;
  /** Who owns the fields written; default "skopos-lab". */
  fieldManager?: string;
  fieldValidation?: FieldValidation;
  /** Server-side apply only: take fields from other managers. */
  force?: boolean;
  subresource?: "status" | "scale";
  onWarning?: (text: string) => void;
};

export type ListFilter = {
  namespace?: string;
  /** Text in query-string grammar, or a parsed selector. */
  labelSelector?: string | Selector;
  fieldSelector?: FieldSelector;
};

export type StoreEvent<K extends string> = { type: Change["type"]; object: ObjectOf<K> };

export type KubeStoreOptions = {
  clock: Clock;
  limits?: StorageLimits;
  /** Where Services get their cluster addresses; default 10.96.0.0/16. */
  serviceCidr?: string;
};

const defaultManager = "skopos-lab";

/** Kinds outside apps/* and custom resources whose spec changes count a generation. */
const generationKinds = new Set([
  "EndpointSlice",
  "PodDisruptionBudget",
  "CustomResourceDefinition",
]);

function countsGenerations(kind: Kind): boolean {
  return kind.custom || kind.group === "apps" || generationKinds.has(kind.kind);
}

const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789";

/** Five characters as the real server appends to generated names. */
export function randomSuffix(): string {
  return Array.from({ length: 5 }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join("");
}

export class KubeStore {
  /** Raw objects and change history, for the HTTP face: list revisions and resumable watches. */
  readonly storage: Storage;
  private readonly clock: Clock;
  private readonly serviceCidr: string;

  constructor(options: KubeStoreOptions) {
    this.clock = options.clock;
    this.serviceCidr = options.serviceCidr ?? "10.96.0.0/16";
    this.storage = new Storage(options.limits ?? defaultStorageLimits);
  }

  get<K extends string>(kind: K, namespace: string | undefined, name: string) {
    const found = this.storage.get(storedKind(kind).kind, storageKey(namespace, name));
    // Every write was checked against the kind's schema, which is what the view states.
    return found as ObjectOf<K> | undefined;
  }

  /** Objects of a kind by namespace and name; all namespaces when none is given. */
  list<K extends string>(kind: K, filter: ListFilter = {}): ObjectOf<K>[] {
    const { namespace, labelSelector, fieldSelector } = filter;
    const selector =
      typeof labelSelector === "string" ? parseLabelSelector(labelSelector) : labelSelector;
    const found = this.storage
      .all(storedKind(kind).kind)
      .filter(
        (object) =>
          (namespace === undefined || object.metadata.namespace === namespace) &&
          (selector === undefined || selects(selector, object.metadata.labels)) &&
          (fieldSelector === undefined || selectsFields(fieldSelector, object)),
      );
    return found as ObjectOf<K>[];
  }

  create(object: KubeObject, options: WriteOptions = {}): KubeObject {
    const kind = storedKind(object.kind);
    const next = this.decoded(kind, object, options);
    this.prepareCreate(kind, next);
    const { namespace, name } = next.metadata;
    this.requireNamespace(kind, namespace, name);
    return this.write(kind, undefined, next, options);
  }

  /** Replaces an object (all but its status). A resourceVersion, where given, must be the current one. */
  update(object: KubeObject, options: WriteOptions = {}): KubeObject {
    const kind = storedKind(object.kind);
    const previous = this.require(kind, object.metadata.namespace, object.metadata.name);
    if (kind.custom && (object.metadata.resourceVersion ?? "") === "") {
      const path = "metadata.resourceVersion";
      throw invalid(kind, object.metadata.name, [
        invalidValue(path, 0, "must be specified for an update"),
      ]);
    }
    this.checkPreconditions(kind, previous, object.metadata);
    // Of a status update nothing but the status counts, so the rest need not be whole.
    const partial = options.subresource === "status";
    const next = this.decoded(kind, object, { ...options, partial });
    return this.replace(kind, previous, next, options);
  }

  /** Replaces an object's status, and nothing else of it. */
  updateStatus(object: KubeObject, options: WriteOptions = {}): KubeObject {
    return this.update(object, { ...options, subresource: "status" });
  }

  /** Patches an object; `apply` creates it when absent. `body` is the parsed patch. */
  patch(
    kindName: string,
    namespace: string | undefined,
    name: string,
    type: PatchType,
    body: Json,
    options: WriteOptions = {},
  ): KubeObject {
    const kind = storedKind(kindName);
    const previous = this.storage.get(kind.kind, storageKey(namespace, name));
    if (type === "apply") return this.apply(kind, namespace, name, previous, body, options);
    if (previous === undefined) throw notFound(kind, name);
    const patched = patchedObject(kind, previous, type, body);
    const next = this.decoded(kind, patched, options);
    if (next.metadata.name !== name || next.metadata.namespace !== namespace) {
      throw badRequest(
        `the name of the object (${next.metadata.name}) does not match the name on the URL (${name})`,
      );
    }
    this.checkPreconditions(kind, previous, next.metadata);
    return this.replace(kind, previous, next, options);
  }

  /** Deletes: at once, or by setting a deletionTimestamp where grace or finalizers ask for it. Returns the last state. */
  delete(
    kindName: string,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions = {},
  ): KubeObject {
    const kind = storedKind(kindName);
    const previous = this.require(kind, namespace, name);
    const expected = options.preconditions ?? {};
    if (expected.uid !== undefined && expected.uid !== previous.metadata.uid) {
      const why = `Precondition failed: UID in precondition: ${expected.uid}, UID in object meta: ${previous.metadata.uid}`;
      throw conflict(kind, name, why);
    }
    this.checkPreconditions(kind, previous, expected);
    const next = markDeleted(kind, previous, options, this.clock.nowMs());
    if (next === undefined) {
      if (options.dryRun === true) return previous;
      return this.storage.remove(kind.kind, storageKey(namespace, name)) ?? previous;
    }
    if (options.dryRun === true || jsonEqual(next, previous)) return next;
    return this.storage.put(kind.kind, next);
  }

  /** Calls `listener` with every change from now on; with `replay`, first with each present object as ADDED. */
  watch<K extends string>(
    kindName: K,
    listener: (event: StoreEvent<K>) => void,
    options: { replay?: boolean } = {},
  ): () => void {
    const kind = storedKind(kindName);
    const stop = this.storage.subscribe(kind.kind, this.storage.revision, ({ type, object }) =>
      listener({ type, object: object as ObjectOf<K> }),
    );
    if (options.replay === true) {
      for (const object of this.list(kindName)) listener({ type: "ADDED", object });
    }
    return stop;
  }

  private require(kind: Kind, namespace: string | undefined, name: string): KubeObject {
    const found = this.storage.get(kind.kind, storageKey(namespace, name));
    if (found === undefined) throw notFound(kind, name);
    return found;
  }

  private requireNamespace(kind: Kind, namespace: string | undefined, name: string): void {
    if (namespace === undefined) return;
    const found = this.storage.get("Namespace", storageKey(undefined, namespace));
    if (found === undefined) throw notFound(storedKind("Namespace"), namespace);
    if (found.metadata.deletionTimestamp === undefined) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    throw forbidden(kind, name, why, [
      {
        reason: "NamespaceTerminating",
        message: `namespace ${namespace} is being terminated`,
        field: "metadata.namespace",
      },
    ]);
  }

  private checkPreconditions(
    kind: Kind,
    previous: KubeObject,
    expected: { uid?: string; resourceVersion?: string },
  ): void {
    const { uid, resourceVersion } = expected;
    if (uid !== undefined && uid !== "" && uid !== previous.metadata.uid) {
      const why = `StorageError: invalid object, Code: 4, Precondition failed: UID in precondition: ${uid}, UID in object meta: ${previous.metadata.uid}`;
      throw conflict(kind, previous.metadata.name, why);
    }
    if (resourceVersion === undefined || resourceVersion === "") return;
    if (resourceVersion !== previous.metadata.resourceVersion) {
      throw conflict(kind, previous.metadata.name);
    }
  }

  private decoded(kind: Kind, object: JsonObject, options: DecodingOptions): KubeObject {
    const known = decodeObject(kind, object, options);
    const metadata = mapAt(known, "metadata");
    if (!kind.namespaced) delete metadata["namespace"];
    // The decoded form has the types the schema states; apiVersion is the one the kind is stored in.
    return {
      ...known,
      apiVersion: storedApiVersion(kind),
      kind: kind.kind,
      metadata,
    } as KubeObject;
  }

  private prepareCreate(kind: Kind, next: KubeObject): void {
    const metadata = next.metadata;
    if ((metadata.resourceVersion ?? "") !== "") {
      throw badRequest("resourceVersion should not be set on objects to be created");
    }
    if ((metadata.name ?? "") === "" && metadata.generateName !== undefined) {
      metadata.name = metadata.generateName.slice(0, 58) + randomSuffix();
    }
    metadata.name ??= "";
    if (kind.namespaced) metadata.namespace ??= "default";
    metadata.uid = randomUUID();
    metadata.creationTimestamp = timestamp(this.clock.nowMs());
    delete metadata.resourceVersion;
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
    delete metadata.managedFields;
    if (countsGenerations(kind)) metadata.generation = 1;
    else delete metadata.generation;
    if (kind.subresources.includes("status") && kind.kind !== "Node") delete next["status"];
  }

  /** Carries over what an update may not touch, then writes. */
  private replace(
    kind: Kind,
    previous: KubeObject,
    wanted: KubeObject,
    options: WriteOptions,
  ): KubeObject {
    const hasStatus = kind.subresources.includes("status");
    let next = wanted;
    if (options.subresource === "status") {
      next = clone(previous);
      const { managedFields } = wanted.metadata;
      if (managedFields !== undefined) next.metadata.managedFields = managedFields;
      const status = field(wanted, "status");
      if (status === undefined) delete next["status"];
      else next["status"] = status;
      // A Deployment's status writer also keeps its revision annotation (registry/apps/deployment strategy).
      const { annotations } = wanted.metadata;
      if (kind.kind === "Deployment" && annotations !== undefined) {
        next.metadata.annotations = annotations;
      }
    } else if (hasStatus) {
      const status = field(previous, "status");
      if (status === undefined) delete next["status"];
      else next["status"] = clone(status);
    }
    keepSystemFields(next.metadata, previous.metadata);
    return this.write(kind, previous, next, options);
  }

  private apply(
    kind: Kind,
    namespace: string | undefined,
    name: string,
    previous: KubeObject | undefined,
    body: Json,
    options: WriteOptions,
  ): KubeObject {
    const identified = withIdentity(body, namespace, name);
    const applied = this.decoded(kind, identified, { ...options, partial: true });
    this.checkPreconditions(
      kind,
      previous ?? applied,
      previous === undefined ? {} : applied.metadata,
    );
    const manager = options.fieldManager ?? defaultManager;
    const context = {
      manager,
      force: options.force === true,
      subresource: options.subresource ?? "",
      nowMs: this.clock.nowMs(),
    };
    const next = this.decoded(kind, applyServerSide(kind, previous, applied, context), {});
    if (previous !== undefined)
      return this.replace(kind, previous, next, { ...options, fieldManager: "" });
    const managedFields = next.metadata.managedFields;
    this.prepareCreate(kind, next);
    if (managedFields !== undefined) next.metadata.managedFields = managedFields;
    this.requireNamespace(kind, namespace, name);
    return this.write(kind, undefined, next, { ...options, fieldManager: "" });
  }

  /** The last steps of every write: defaults, admission, validation, generation, ownership, storage. */
  private write(
    kind: Kind,
    previous: KubeObject | undefined,
    next: KubeObject,
    options: WriteOptions,
  ): KubeObject {
    applyDefaults(kind.kind, next);
    const errors = this.admit(kind, previous, next);
    errors.push(...validate(kind, next, previous));
    const { namespace, name } = next.metadata;
    if (errors.length > 0) throw invalid(kind, name, errors);
    if (previous === undefined && this.storage.get(kind.kind, storageKey(namespace, name))) {
      throw alreadyExists(kind, name);
    }
    if (previous !== undefined && options.subresource !== "status") {
      bumpGeneration(kind, previous, next);
    }
    // Server-side apply has settled ownership already and passes an empty manager.
    if (options.fieldManager !== "") {
      trackUpdate(kind, previous, next, {
        manager: options.fieldManager ?? defaultManager,
        subresource: options.subresource ?? "",
        nowMs: this.clock.nowMs(),
      });
    }
    if (previous !== undefined && sameBesidesTimes(previous, next)) return previous;
    if (options.dryRun === true) return next;
    try {
      const stored = this.storage.put(kind.kind, next);
      if (previous === undefined || !isFinalized(next)) return stored;
      return (
        this.storage.remove(kind.kind, storageKey(next.metadata.namespace, next.metadata.name)) ??
        stored
      );
    } catch (error) {
      if (error instanceof LimitError) throw forbidden(kind, next.metadata.name, error.message);
      throw error;
    }
  }

  private admit(kind: Kind, previous: KubeObject | undefined, next: KubeObject): FieldError[] {
    if (kind.kind === "Pod" && previous === undefined) admitPod(next);
    if (kind.kind !== "Service") return [];
    const services = () => this.storage.all("Service");
    return admitService(next, previous, { serviceCidr: this.serviceCidr, services });
  }
}

function storedKind(name: string): Kind {
  const kind = kindNamed(name);
  if (kind === undefined || kind.source !== "stored") {
    throw new SkoposError("kube-unknown-kind", `no kind ${JSON.stringify(name)} is stored here`);
  }
  return storageOf(kind);
}

function patchedObject(kind: Kind, previous: KubeObject, type: PatchType, body: Json): JsonObject {
  if (type === "json") return objectOrReject(applyJsonPatch(previous, body));
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw badRequest(
      "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
    );
  }
  if (type === "merge") return objectOrReject(applyMergePatch(previous, body));
  if (kind.custom) {
    throw unsupportedMediaType([
      "application/json-patch+json",
      "application/merge-patch+json",
      "application/apply-patch+yaml",
    ]);
  }
  return applyStrategicPatch(previous, body, kind.schema);
}

function objectOrReject(value: Json): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw badRequest("the patch does not leave an object");
}

function withIdentity(body: Json, namespace: string | undefined, name: string): JsonObject {
  const object = objectOrReject(clone(body));
  const metadata = mapAt(object, "metadata");
  if (field(metadata, "managedFields") !== undefined) {
    throw badRequest("metadata.managedFields must be nil");
  }
  const own = { name, ...(namespace === undefined ? {} : { namespace }) };
  return { ...object, metadata: { ...metadata, ...own } };
}

/** Identity and life-cycle fields belong to the server, whatever the writer sent. */
function keepSystemFields(next: ObjectMeta, previous: ObjectMeta): void {
  const kept = next as { [key: string]: Json };
  const from: JsonObject = previous;
  for (const key of [
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "resourceVersion",
  ]) {
    const value = field(from, key);
    if (value === undefined) delete kept[key];
    else kept[key] = value;
  }
}

function bumpGeneration(kind: Kind, previous: KubeObject, next: KubeObject): void {
  if (!countsGenerations(kind)) return;
  const desired = ({ metadata, status, ...rest }: JsonObject) => {
    void status;
    // Deployments count annotation changes too (registry/apps/deployment strategy).
    return kind.kind === "Deployment"
      ? { ...rest, annotations: mapAt(metadata, "annotations") }
      : rest;
  };
  if (!jsonEqual(desired(previous), desired(next))) {
    next.metadata.generation = (previous.metadata.generation ?? 0) + 1;
  }
}

/** Equal but for the times in managedFields: such a write changes nothing and gets no new revision. */
function sameBesidesTimes(previous: KubeObject, next: KubeObject): boolean {
  return jsonEqual(timeless(previous), timeless(next));
}

function timeless(object: KubeObject): JsonObject {
  const managedFields = (object.metadata.managedFields ?? []).map((each) => ({
    ...each,
    time: "",
  }));
  return { ...object, metadata: { ...object.metadata, managedFields } };
}

/** Whether an error is one of the API's refusals with that reason. */
export function isStatus(error: unknown, reason: string): boolean {
  return error instanceof StatusError && error.reason === reason;
}
