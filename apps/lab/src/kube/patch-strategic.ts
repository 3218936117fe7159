import { clone, field, isObject, type Json, type JsonObject, jsonEqual } from "./json.ts";
import type { ListSchema, Schema, StructSchema } from "./schema.ts";
import { badRequest } from "./status-error.ts";

/**
 * Strategic merge patch: merge patch that knows list merge keys, with the directives `$patch`, `$retainKeys`,
 * `$setElementOrder/<list>` and `$deleteFromPrimitiveList/<list>`.
 * https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 */
export function applyStrategicPatch(
  original: JsonObject,
  patch: JsonObject,
  schema: StructSchema,
): JsonObject {
  return mergeMap(original, patch, (key) => schema.fields.get(key));
}

type FieldSchema = (key: string) => Schema | undefined;

const orderPrefix = "$setElementOrder/";
const deletePrefix = "$deleteFromPrimitiveList/";

function mergeMap(original: JsonObject, patch: JsonObject, fieldSchema: FieldSchema): JsonObject {
  const directive = field(patch, "$patch");
  if (directive === "replace") return withoutDirectives(patch);
  if (directive === "delete") return {};
  if (directive !== undefined && directive !== "merge") {
    throw badRequest(`Unknown patch type found: ${JSON.stringify(directive)}`);
  }
  const result: JsonObject = { ...original };
  const retained = field(patch, "$retainKeys");
  if (Array.isArray(retained)) {
    for (const key of Object.keys(result)) if (!retained.includes(key)) delete result[key];
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$")) continue;
    if (value === null) delete result[key];
    else result[key] = mergeValue(field(result, key), value, fieldSchema(key), key);
  }
  return applyListDirectives(result, original, patch, fieldSchema);
}

function mergeValue(
  original: Json | undefined,
  patch: Json,
  schema: Schema | undefined,
  key: string,
): Json {
  if (isObject(patch)) return mergeMap(isObject(original) ? original : {}, patch, fieldsOf(schema));
  if (Array.isArray(patch)) {
    const merges = schema?.kind === "list" && schema.patchMergeKey !== undefined;
    if (!merges) return patch.map(stripped);
    return mergeList(Array.isArray(original) ? original : [], patch, schema, key);
  }
  return patch;
}

function fieldsOf(schema: Schema | undefined): FieldSchema {
  if (schema?.kind === "use") return (key) => schema.struct.fields.get(key);
  if (schema?.kind === "map") return () => schema.value;
  return () => undefined;
}

function stripped(value: Json): Json {
  return isObject(value) ? withoutDirectives(value) : value;
}

function withoutDirectives(value: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const [key, inner] of Object.entries(value)) {
    if (!key.startsWith("$") && inner !== null) result[key] = clone(inner);
  }
  return result;
}

function mergeList(
  original: readonly Json[],
  patch: readonly Json[],
  schema: ListSchema,
  listName: string,
): Json[] {
  const mergeKey = schema.patchMergeKey ?? "";
  if (mergeKey === "") {
    const added = patch.filter((item) => !original.some((each) => jsonEqual(each, item)));
    return [...original, ...added];
  }
  if (patch.some((item) => isObject(item) && field(item, "$patch") === "replace")) {
    return patch
      .filter((item) => !(isObject(item) && field(item, "$patch") === "replace"))
      .map(stripped);
  }
  const result = [...original];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`${listName} must hold objects`);
    const key = field(item, mergeKey);
    if (key === undefined) {
      throw badRequest(
        `map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`,
      );
    }
    mergeItem(result, item, key, mergeKey, schema);
  }
  return result;
}

function mergeItem(
  result: Json[],
  item: JsonObject,
  key: Json,
  mergeKey: string,
  schema: ListSchema,
): void {
  const at = result.findIndex((each) => isObject(each) && jsonEqual(field(each, mergeKey), key));
  const present = result[at];
  if (field(item, "$patch") === "delete") {
    if (at !== -1) result.splice(at, 1);
  } else if (isObject(present)) result[at] = mergeMap(present, item, fieldsOf(schema.item));
  else result.push(mergeMap({}, item, fieldsOf(schema.item)));
}

/** The directives that stand beside a list: removals of scalars, and the order its sender saw. */
function applyListDirectives(
  result: JsonObject,
  original: JsonObject,
  patch: JsonObject,
  fieldSchema: FieldSchema,
): JsonObject {
  for (const [key, value] of Object.entries(patch)) {
    if (!Array.isArray(value)) continue;
    if (key.startsWith(deletePrefix)) {
      const name = key.slice(deletePrefix.length);
      const list = field(result, name);
      if (Array.isArray(list)) {
        result[name] = list.filter((item) => !value.some((gone) => jsonEqual(gone, item)));
      }
    } else if (key.startsWith(orderPrefix)) {
      const name = key.slice(orderPrefix.length);
      const list = field(result, name);
      const schema = fieldSchema(name);
      if (!Array.isArray(list) || schema?.kind !== "list") continue;
      const before = field(original, name);
      result[name] = inOrder(
        list,
        Array.isArray(before) ? before : [],
        value,
        schema.patchMergeKey ?? "",
      );
    }
  }
  return result;
}

/** Items the sender named come in its order; items only the server has keep their place relative to the server's. */
function inOrder(
  list: readonly Json[],
  serverList: readonly Json[],
  order: readonly Json[],
  mergeKey: string,
): Json[] {
  const keyOf = (item: Json | undefined) =>
    mergeKey === "" ? item : isObject(item) ? field(item, mergeKey) : undefined;
  const position = (items: readonly Json[], item: Json | undefined) =>
    items.findIndex((each) => jsonEqual(keyOf(each), keyOf(item)));
  const named = list
    .filter((item) => position(order, item) !== -1)
    .sort((left, right) => position(order, left) - position(order, right));
  const serverOnly = list.filter((item) => position(order, item) === -1);
  const result: Json[] = [];
  let next = 0;
  for (const item of serverOnly) {
    const at = position(serverList, item);
    while (next < named.length) {
      const namedAt = position(serverList, named[next]);
      if (namedAt !== -1 && namedAt > at) break;
      const candidate = named[next++];
      if (candidate !== undefined) result.push(candidate);
    }
    result.push(item);
  }
  return [...result, ...named.slice(next)];
}
