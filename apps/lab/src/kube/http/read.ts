import { type JsonObject, isObject } from "../json.ts";
import type { Kind } from "../kinds.ts";
import type { KubeObject } from "../object.ts";
import {
  type FieldSelector,
  parseFieldSelector,
  parseLabelSelector,
  type Selector,
  selects,
  selectsFields,
} from "../selectors.ts";
import { badRequest, expired, notFound } from "../status-error.ts";
import { storageKey } from "../storage.ts";
import { partialMetadata, tableOf, type TableOptions } from "../tables/table.ts";
import { type Exchange, integer, sendJson, type Shape, shapeOf } from "./exchange.ts";
import type { Target } from "./target.ts";
import { toVersion } from "./versions.ts";

/** `get` and `list`: objects, Tables or metadata, selected by labels and fields, a page at a time where asked. */
export function includeObjectOf(exchange: Exchange): TableOptions["includeObject"] {
  const value = exchange.url.searchParams.get("includeObject");
  return value === "None" || value === "Object" ? value : "Metadata";
}

/** One object in the form the client asked for. */
export function shaped(
  exchange: Exchange,
  target: Target,
  object: KubeObject,
  shape: Shape = shapeOf(exchange),
): JsonObject {
  const shown = (each: KubeObject) => toVersion(target.kind, target.version, each);
  if (shape === "metadata") return partialMetadata(object);
  if (shape === "object") return shown(object);
  return tableOf(target.kind, [object], shown, {
    includeObject: includeObjectOf(exchange),
    withColumns: true,
    metadata: { resourceVersion: object.metadata.resourceVersion ?? "" },
    nowMs: exchange.clock.nowMs(),
  });
}

export function getObject(exchange: Exchange, target: Target, name: string): void {
  const shape = shapeOf(exchange);
  const found = exchange.store.get(target.kind.kind, target.namespace, name);
  if (found === undefined) throw notFound(target.kind, name);
  sendJson(exchange, 200, shaped(exchange, target, found, shape));
}

export type Filter = {
  namespace: string | undefined;
  labels: Selector;
  fields: FieldSelector;
};

/** The selection of a list or watch; a path with a name selects that one object. */
export function filterOf(exchange: Exchange, target: Target): Filter {
  const query = exchange.url.searchParams;
  const { kind } = target.kind;
  const fields = parseFieldSelector(query.get("fieldSelector") ?? "", kind);
  return {
    namespace: target.namespace,
    labels: parseLabelSelector(query.get("labelSelector") ?? ""),
    fields:
      target.name === undefined
        ? fields
        : [...fields, { path: ["metadata", "name"], value: target.name, equal: true }],
  };
}

export function passes(filter: Filter, object: KubeObject): boolean {
  const { namespace, labels, fields } = filter;
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  return selects(labels, object.metadata.labels) && selectsFields(fields, object);
}

export function listObjects(exchange: Exchange, target: Target): void {
  const shape = shapeOf(exchange);
  const filter = filterOf(exchange, target);
  const all = exchange.store.list(target.kind.kind).filter((object) => passes(filter, object));
  const { items, metadata } = page(exchange, all);
  sendJson(exchange, 200, listBody(exchange, target, items, metadata, shape));
}

export function listBody(
  exchange: Exchange,
  { kind, version, apiVersion }: Target,
  items: readonly KubeObject[],
  metadata: JsonObject,
  shape: Shape,
): JsonObject {
  const shown = (object: KubeObject) => toVersion(kind, version, object);
  if (shape === "table") {
    return tableOf(kind, items, shown, {
      includeObject: includeObjectOf(exchange),
      withColumns: true,
      metadata,
      nowMs: exchange.clock.nowMs(),
    });
  }
  if (shape === "metadata") {
    return {
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata,
      items: items.map(partialMetadata),
    };
  }
  return {
    kind: `${kind.kind}List`,
    apiVersion,
    metadata,
    items: items.map((object) => listItem(kind, shown(object))),
  };
}

/** Items of built-in lists carry no kind and apiVersion, those of custom resources do. */
function listItem(kind: Kind, object: KubeObject): JsonObject {
  if (kind.custom) return object;
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  return rest;
}

type Continue = { revision: number; after: string };

/** One page by `limit` and `continue`. Later pages show the present state of what follows, at the first page's revision. */
function page(
  exchange: Exchange,
  all: readonly KubeObject[],
): { items: readonly KubeObject[]; metadata: JsonObject } {
  const query = exchange.url.searchParams;
  const limit = integer(query, "limit") ?? 0;
  const token = query.get("continue") ?? "";
  const from = token === "" ? undefined : parseContinue(token);
  const revision = from?.revision ?? exchange.store.storage.revision;
  const rest = from === undefined ? all : all.filter((object) => keyOf(object) > from.after);
  const items = limit === 0 ? rest : rest.slice(0, limit);
  const metadata: JsonObject = { resourceVersion: String(revision) };
  const last = items.at(-1);
  if (items.length < rest.length && last !== undefined) {
    const next: Continue = { revision, after: keyOf(last) };
    metadata["continue"] = Buffer.from(JSON.stringify(next)).toString("base64url");
    metadata["remainingItemCount"] = rest.length - items.length;
  }
  return { items, metadata };
}

function keyOf({ metadata }: KubeObject): string {
  return storageKey(metadata.namespace, metadata.name);
}

function parseContinue(token: string): Continue {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (isObject(value)) {
      const { revision, after } = value;
      if (typeof revision === "number" && typeof after === "string") return { revision, after };
    }
  } catch {
    throw badRequest("continue key is not valid: illegal base64 data");
  }
  throw expired(
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
  );
}
