import { createHash } from "node:crypto";
import { canonical, type JsonObject } from "../json.ts";
import { apiVersionOf, type Kind, kinds } from "../kinds.ts";
import type { ListSchema, ScalarType, Schema, StructSchema } from "../schema.ts";
import { noSuchPath, StatusError } from "../status-error.ts";
import { groupVersions } from "./discovery.ts";
import { type Exchange, sendJson } from "./exchange.ts";

/**
 * OpenAPI v3 (one document per group and version) and v2, written from the schemas that requests are checked against,
 * as far as kubectl reads them: validation support, `explain`, and merge keys for `apply`.
 */
const scalars: Readonly<Record<ScalarType, JsonObject>> = {
  string: { type: "string" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  bool: { type: "boolean" },
  time: { type: "string", format: "date-time" },
  bytes: { type: "string", format: "byte" },
  quantity: { oneOf: [{ type: "string" }, { type: "number" }] },
  intstr: { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] },
  any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
};

/** Version 2 knows no oneOf. */
const scalarsV2: Readonly<Partial<Record<ScalarType, JsonObject>>> = {
  quantity: { type: "string" },
  intstr: { type: "string", format: "int-or-string" },
};

type Dialect = { refPrefix: string; isV2: boolean };
const v3: Dialect = { refPrefix: "#/components/schemas/", isV2: false };
const v2: Dialect = { refPrefix: "#/definitions/", isV2: true };

function schemaOf(schema: Schema, dialect: Dialect): JsonObject {
  switch (schema.kind) {
    case "scalar":
      return (dialect.isV2 ? scalarsV2[schema.type] : undefined) ?? scalars[schema.type];
    case "map":
      return { type: "object", additionalProperties: schemaOf(schema.value, dialect) };
    case "list":
      return listSchema(schema, dialect);
    default: {
      const ref = { $ref: dialect.refPrefix + definitionName(schema.struct) };
      const extensions: JsonObject = {};
      if (schema.atomic) extensions["x-kubernetes-map-type"] = "atomic";
      if (schema.retainKeys) extensions["x-kubernetes-patch-strategy"] = "retainKeys";
      return dialect.isV2 ? ref : { allOf: [ref], default: {}, ...extensions };
    }
  }
}

function listSchema(schema: ListSchema, dialect: Dialect): JsonObject {
  const { listType, keys, patchMergeKey } = schema;
  return {
    type: "array",
    items: schemaOf(schema.item, dialect),
    "x-kubernetes-list-type": listType,
    ...(keys.length > 0 ? { "x-kubernetes-list-map-keys": [...keys] } : {}),
    ...(patchMergeKey === undefined ? {} : { "x-kubernetes-patch-strategy": "merge" }),
    ...(patchMergeKey === undefined || patchMergeKey === ""
      ? {}
      : { "x-kubernetes-patch-merge-key": patchMergeKey }),
  };
}

function definitionName(struct: StructSchema): string {
  return `io.k8s.api.${struct.name}`;
}

/** The kind's own definition per version: the same struct under several group-version-kinds. */
function rootName(kind: Kind, version: string): string {
  const group = kind.group === "" ? "core" : kind.group;
  return `${group.split(".").toReversed().join(".")}.${version}.${kind.kind}`;
}

function structBody(struct: StructSchema, dialect: Dialect): JsonObject {
  const required = [...struct.required];
  return {
    type: "object",
    description: `${struct.name} as this server stores it.`,
    properties: Object.fromEntries(
      [...struct.fields].map(([name, schema]) => [name, schemaOf(schema, dialect)]),
    ),
    ...(required.length > 0 ? { required } : {}),
  };
}

function addReferenced(struct: StructSchema, into: JsonObject, dialect: Dialect): void {
  for (const schema of struct.fields.values()) {
    let inner: Schema = schema;
    while (inner.kind === "map" || inner.kind === "list") {
      inner = inner.kind === "map" ? inner.value : inner.item;
    }
    if (inner.kind !== "use") continue;
    const name = definitionName(inner.struct);
    if (Object.hasOwn(into, name)) continue;
    into[name] = structBody(inner.struct, dialect);
    addReferenced(inner.struct, into, dialect);
  }
}

function definitions(of: readonly { kind: Kind; version: string }[], dialect: Dialect): JsonObject {
  const result: JsonObject = {};
  for (const { kind, version } of of) {
    result[rootName(kind, version)] = {
      ...structBody(kind.schema, dialect),
      "x-kubernetes-group-version-kind": [{ group: kind.group, version, kind: kind.kind }],
    };
    addReferenced(kind.schema, result, dialect);
  }
  return result;
}

const writeParameters = ["dryRun", "fieldManager", "fieldValidation"];
const methods = { get: "get", put: "put", patch: "patch", delete: "delete" } as const;

function parameter(name: string, dialect: Dialect): JsonObject {
  const typed = dialect.isV2
    ? { type: "string", uniqueItems: true }
    : { schema: { type: "string" } };
  return { name, in: "query", ...typed };
}

function operation(kind: Kind, version: string, action: string, dialect: Dialect): JsonObject {
  const writes = action === "put" || action === "patch" || action === "post";
  const ref = { $ref: dialect.refPrefix + rootName(kind, version) };
  const ok = dialect.isV2
    ? { description: "OK", schema: ref }
    : { description: "OK", content: { "application/json": { schema: ref } } };
  return {
    operationId: `${action}${kind.kind}${version}${kind.group.replace(/\W/g, "")}`,
    parameters: writes ? writeParameters.map((name) => parameter(name, dialect)) : [],
    responses: { "200": ok },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": { group: kind.group, version, kind: kind.kind },
  };
}

function paths(of: readonly { kind: Kind; version: string }[], dialect: Dialect): JsonObject {
  const result: JsonObject = {};
  for (const { kind, version } of of) {
    const root = kind.group === "" ? `/api/${version}` : `/apis/${kind.group}/${version}`;
    const base = `${root}${kind.namespaced ? "/namespaces/{namespace}" : ""}/${kind.plural}`;
    const make = (action: string) => operation(kind, version, action, dialect);
    result[base] =
      kind.source === "usage" ? { get: make("list") } : { get: make("list"), post: make("post") };
    if (kind.source === "review") continue;
    const actions = kind.source === "usage" ? ["get"] : Object.keys(methods);
    result[`${base}/{name}`] = Object.fromEntries(actions.map((each) => [each, make(each)]));
  }
  return result;
}

const documents = new Map<string, JsonObject>();
const info = { title: "Kubernetes", version: "v1.32.4" };

function document(group: string, version: string): JsonObject {
  const key = apiVersionOf(group, version);
  const made = documents.get(key);
  if (made !== undefined) return made;
  const of = kinds
    .filter((kind) => kind.group === group && kind.versions.includes(version))
    .map((kind) => ({ kind, version }));
  const built = {
    openapi: "3.0.0",
    info,
    paths: paths(of, v3),
    components: { schemas: definitions(of, v3) },
  };
  documents.set(key, built);
  return built;
}

function documentPath(group: string, version: string): string {
  return group === "" ? `api/${version}` : `apis/${group}/${version}`;
}

/** Answers `/openapi/v3…` and `/openapi/v2`; false where the path is neither. */
export function answerOpenApi(exchange: Exchange): boolean {
  const { pathname } = exchange.url;
  if (pathname === "/openapi/v3") {
    const entries = groupVersions().map(({ group, version }) => {
      const path = documentPath(group, version);
      const hash = createHash("sha256")
        .update(canonical(document(group, version)))
        .digest("hex");
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash.slice(0, 32)}` }];
    });
    sendJson(exchange, 200, { paths: Object.fromEntries(entries) });
    return true;
  }
  if (pathname.startsWith("/openapi/v3/")) {
    const path = pathname.slice("/openapi/v3/".length);
    const found = groupVersions().find((each) => documentPath(each.group, each.version) === path);
    if (found === undefined) throw noSuchPath();
    requireJson(exchange);
    sendJson(exchange, 200, document(found.group, found.version));
    return true;
  }
  if (pathname !== "/openapi/v2") return false;
  requireJson(exchange);
  const all = kinds.flatMap((kind) => kind.versions.map((version) => ({ kind, version })));
  const body = { swagger: "2.0", info, paths: paths(all, v2), definitions: definitions(all, v2) };
  sendJson(exchange, 200, body);
  return true;
}

function requireJson({ request }: Exchange): void {
  const accept = request.headers.accept ?? "*/*";
  if (/application\/json|\*\/\*|application\/\*/.test(accept)) return;
  throw new StatusError(406, "NotAcceptable", "only application/json is served here");
}
