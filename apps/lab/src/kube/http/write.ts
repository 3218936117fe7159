import { isObject, type JsonObject, listAt, mapAt, numberAt, stringAt, textOf } from "../json.ts";
import { splitApiVersion } from "../kinds.ts";
import type { KubeObject } from "../object.ts";
import { badRequest, forbiddenField, invalid, required } from "../status-error.ts";
import type { DeleteOptions } from "../deletion.ts";
import type { PatchType } from "../store.ts";
import { mediaTypeOf, parseBody, parseObject, readBody } from "./body.ts";
import {
  type Exchange,
  flag,
  integer,
  isDryRun,
  sendJson,
  shapeOf,
  writeOptionsOf,
} from "./exchange.ts";
import { filterOf, listBody, passes, shaped } from "./read.ts";
import type { Target } from "./target.ts";
import { fromVersion } from "./versions.ts";

/** `create`, `update`, `patch`, `delete` and `deletecollection`. */
export async function createObject(exchange: Exchange, target: Target): Promise<void> {
  const shape = shapeOf(exchange);
  const body = parseObject(await readBody(exchange.request), mediaTypeOf(exchange.request));
  const object = identified(target, body);
  const created = exchange.store.create(object, writeOptionsOf(exchange, "CreateOptions"));
  sendJson(exchange, 201, shaped(exchange, target, created, shape));
}

export async function updateObject(
  exchange: Exchange,
  target: Target,
  name: string,
): Promise<void> {
  const shape = shapeOf(exchange);
  const body = parseObject(await readBody(exchange.request), mediaTypeOf(exchange.request));
  const object = identified(target, body);
  if (object.metadata.name !== name) {
    throw badRequest(
      `the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`,
    );
  }
  const options = writeOptionsOf(exchange, "UpdateOptions");
  const updated =
    target.subresource === "status"
      ? exchange.store.updateStatus(object, options)
      : exchange.store.update(object, options);
  sendJson(exchange, 200, shaped(exchange, target, updated, shape));
}

/** Checks that a body is of the kind and namespace its path says, and completes what it leaves out. */
function identified(target: Target, body: JsonObject): KubeObject {
  const { kind, apiVersion, namespace } = target;
  const givenKind = stringAt(body, "kind") ?? kind.kind;
  const givenVersion = stringAt(body, "apiVersion") ?? apiVersion;
  if (givenKind !== kind.kind) {
    const { version } = splitApiVersion(givenVersion);
    throw badRequest(
      `${givenKind} in version ${JSON.stringify(version)} cannot be handled as a ${kind.kind}: converting (${givenVersion}, Kind=${givenKind}) to (${apiVersion}, Kind=${kind.kind}): unknown conversion`,
    );
  }
  if (givenVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${givenVersion}) does not match the expected API version (${apiVersion})`,
    );
  }
  const object = fromVersion(kind, body);
  const given = object.metadata.namespace ?? "";
  if (namespace === undefined) return object;
  if (given !== "" && given !== namespace) {
    throw badRequest(
      "the namespace of the provided object does not match the namespace sent on the request",
    );
  }
  return { ...object, metadata: { ...object.metadata, namespace } };
}

const patchTypes: Readonly<Record<string, PatchType>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};

/** The media types a resource can be patched with. */
function patchMediaTypes({ kind }: Target): string[] {
  const all = Object.keys(patchTypes);
  return kind.custom ? all.filter((type) => patchTypes[type] !== "strategic") : all;
}

export async function patchObject(exchange: Exchange, target: Target, name: string): Promise<void> {
  const shape = shapeOf(exchange);
  const mediaType = mediaTypeOf(exchange.request);
  const bytes = await readBody(exchange.request);
  const body = parseBody(bytes, mediaType, patchMediaTypes(target));
  const type = patchTypes[mediaType] ?? "merge";
  const query = exchange.url.searchParams;
  const subject = { group: "meta.k8s.io", kind: "PatchOptions", plural: "patchoptions" };
  if (type === "apply" && (query.get("fieldManager") ?? "") === "") {
    throw invalid(subject, "", [required("fieldManager", "is required for apply patch")]);
  }
  if (type !== "apply" && query.has("force")) {
    const why = "may not be specified for non-apply patch";
    throw invalid(subject, "", [forbiddenField("force", why)]);
  }
  const { kind, namespace, subresource } = target;
  const existed = exchange.store.get(kind.kind, namespace, name) !== undefined;
  const renamed = isObject(body) ? withoutTypeMeta(fromVersion(kind, body), body) : body;
  const patched = exchange.store.patch(kind.kind, namespace, name, type, renamed, {
    ...writeOptionsOf(exchange, "PatchOptions"),
    force: flag(query, "force"),
    ...(subresource === "status" ? { subresource } : {}),
  });
  sendJson(exchange, existed ? 200 : 201, shaped(exchange, target, patched, shape));
}

/** A patch in stored field names, with no more members than it came with. */
function withoutTypeMeta(renamed: KubeObject, body: JsonObject): JsonObject {
  const patch: JsonObject = renamed;
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = patch;
  return { ...rest, ...(body["metadata"] === undefined ? {} : { metadata: metadata ?? {} }) };
}

async function deleteOptionsOf(exchange: Exchange): Promise<DeleteOptions> {
  const query = exchange.url.searchParams;
  const bytes = await readBody(exchange.request);
  const body = bytes.length === 0 ? {} : parseObject(bytes, mediaTypeOf(exchange.request));
  const graceSeconds = numberAt(body, "gracePeriodSeconds") ?? integer(query, "gracePeriodSeconds");
  const policy =
    stringAt(body, "propagationPolicy") ?? query.get("propagationPolicy") ?? "Background";
  const propagation = (["Background", "Foreground", "Orphan"] as const).find(
    (each) => each === policy,
  );
  if (propagation === undefined)
    throw badRequest(`unknown propagationPolicy ${JSON.stringify(policy)}`);
  const dryRun = [...listAt(body, "dryRun").map(textOf), ...query.getAll("dryRun")];
  const preconditions = mapAt(body, "preconditions");
  const uid = stringAt(preconditions, "uid");
  const resourceVersion = stringAt(preconditions, "resourceVersion");
  const orphans = body["orphanDependents"] === true;
  return {
    dryRun: isDryRun(dryRun, "DeleteOptions"),
    propagation: orphans ? "Orphan" : propagation,
    ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
    preconditions: {
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}

/** Kinds whose deletion answers with the object; the others answer with a Status. */
const answeredWithObject = new Set(["Pod", "Service", "ServiceAccount"]);

export async function deleteObject(
  exchange: Exchange,
  target: Target,
  name: string,
): Promise<void> {
  const { kind, namespace } = target;
  const shape = shapeOf(exchange);
  const options = await deleteOptionsOf(exchange);
  const last = exchange.store.delete(kind.kind, namespace, name, options);
  const remains = exchange.store.get(kind.kind, namespace, name) !== undefined;
  if ((remains && options.dryRun !== true) || answeredWithObject.has(kind.kind)) {
    sendJson(exchange, 200, shaped(exchange, target, last, shape));
    return;
  }
  sendJson(exchange, 200, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name,
      ...(kind.group === "" ? {} : { group: kind.group }),
      kind: kind.plural,
      uid: last.metadata.uid ?? "",
    },
  });
}

export async function deleteObjects(exchange: Exchange, target: Target): Promise<void> {
  const shape = shapeOf(exchange);
  const { kind } = target.kind;
  const filter = filterOf(exchange, target);
  const options = await deleteOptionsOf(exchange);
  const deleted = exchange.store
    .list(kind)
    .filter((object) => passes(filter, object))
    .map(({ metadata }) => exchange.store.delete(kind, metadata.namespace, metadata.name, options));
  const metadata = { resourceVersion: String(exchange.store.storage.revision) };
  sendJson(exchange, 200, listBody(exchange, target, deleted, metadata, shape));
}
