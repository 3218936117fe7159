import { canonical, field, isObject, type Json, type JsonObject, jsonEqual } from "./json.ts";
import type { ListSchema, Schema, StructSchema } from "./schema.ts";

/**
 * Sets of fields and their `FieldsV1` form, after sigs.k8s.io/structured-merge-diff. A path is a list of elements
 * (`f:name`, `k:{"name":"app"}`, `v:"text"`) joined by NUL; a set is a set of paths.
 */
export type FieldSet = Set<string>;

const separator = "\0";

/** Values of the key fields of map lists that their types default. */
const keyDefaults: Readonly<Record<string, Json>> = { protocol: "TCP" };

/** Fields that are values, not pointers, in Go: they always exist, so nobody owns their existence. */
const valueStructs = new Set([
  "metadata",
  "spec",
  "status",
  "template",
  "strategy",
  "updateStrategy",
  "resources",
  "source",
  "involvedObject",
  "loadBalancer",
  "containers",
]);

const exists = Symbol("exists");
/** What each owned path holds: a leaf's value, or that an entry exists. */
export type Fields = Map<string, Json | typeof exists>;

/** Children of a struct or granular map: none for what is owned as one. */
function childSchema(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema?.kind === "use") return schema.struct.fields.get(key);
  return schema?.kind === "map" ? schema.value : undefined;
}

function isGranular(schema: Schema | undefined): boolean {
  if (schema === undefined || schema.kind === "map") return true;
  if (schema.kind === "use") return !schema.atomic;
  return schema.kind === "scalar" && schema.type === "any";
}

function itemElement(schema: ListSchema, item: Json): string {
  if (schema.listType === "set") return `v:${canonical(item)}`;
  const keys: JsonObject = {};
  for (const key of schema.keys) {
    const value = isObject(item) ? field(item, key) : undefined;
    keys[key] = value ?? keyDefaults[key] ?? null;
  }
  return `k:${canonical(keys)}`;
}

/**
 * The fields an object holds. With `pointers`, the existence of optional structs and maps counts too, as it does when
 * two states of an object are compared.
 */
export function fieldsOf(object: JsonObject, schema: StructSchema, pointers: boolean): Fields {
  const fields: Fields = new Map();
  for (const [key, value] of Object.entries(object)) {
    if (key === "apiVersion" || key === "kind") continue;
    collect(value, schema.fields.get(key), `f:${key}`, { fields, pointers, declared: true });
  }
  for (const path of fields.keys()) if (isIdentity(path)) fields.delete(path);
  return fields;
}

const identity = [
  "name",
  "namespace",
  "creationTimestamp",
  "selfLink",
  "uid",
  "generation",
  "managedFields",
  "resourceVersion",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
].map((name) => `f:metadata${separator}f:${name}`);

function isIdentity(path: string): boolean {
  return (
    path === "f:metadata" ||
    identity.some((each) => path === each || path.startsWith(each + separator))
  );
}

type Walk = { fields: Fields; pointers: boolean; declared: boolean };

function collect(value: Json, schema: Schema | undefined, path: string, walk: Walk): void {
  const { fields, pointers, declared } = walk;
  if (value === null) return;
  if (isObject(value) && isGranular(schema)) {
    const name = path.slice(path.lastIndexOf(":") + 1);
    const optional = pointers && !valueStructs.has(name);
    const isEmpty = Object.keys(value).length === 0;
    if (isEmpty || !declared || optional) fields.set(path, exists);
    const struct = schema?.kind === "use";
    for (const [key, inner] of Object.entries(value)) {
      const next = { fields, pointers, declared: struct };
      collect(inner, childSchema(schema, key), `${path}${separator}f:${key}`, next);
    }
  } else if (Array.isArray(value) && schema?.kind === "list" && schema.listType !== "atomic") {
    const name = path.slice(path.lastIndexOf(":") + 1);
    if (pointers && !valueStructs.has(name)) fields.set(path, exists);
    for (const item of value) {
      const at = `${path}${separator}${itemElement(schema, item)}`;
      if (schema.listType === "set") fields.set(at, exists);
      else collect(item, schema.item, at, { fields, pointers, declared: false });
    }
  } else fields.set(path, value);
}

/** What a change from `before` to `after` did. */
export function compareFields(
  before: Fields,
  after: Fields,
): { changed: FieldSet; removed: FieldSet } {
  const changed: FieldSet = new Set();
  const removed: FieldSet = new Set();
  for (const [path, value] of after) {
    const old = before.get(path);
    if (old === value) continue;
    const same = typeof old !== "symbol" && typeof value !== "symbol" && jsonEqual(old, value);
    if (!same || !before.has(path)) changed.add(path);
  }
  for (const path of before.keys()) if (!after.has(path)) removed.add(path);
  return { changed, removed };
}

export function encodeFields(set: FieldSet): JsonObject {
  const root: JsonObject = {};
  for (const path of [...set].sort()) {
    let node = root;
    for (const element of path.split(separator)) {
      const child = field(node, element);
      if (isObject(child)) node = child;
      else {
        const made: JsonObject = {};
        node[element] = made;
        node = made;
      }
    }
    node["."] = {};
  }
  unmarkLeaves(root);
  return root;
}

/** A leaf is written `{}`; the dot is only for members that also have children. */
function unmarkLeaves(node: JsonObject): void {
  for (const child of Object.values(node)) {
    if (!isObject(child)) continue;
    if (Object.keys(child).length === 1 && isObject(child["."])) delete child["."];
    else unmarkLeaves(child);
  }
}

export function decodeFields(value: JsonObject): FieldSet {
  const set: FieldSet = new Set();
  const walk = (node: JsonObject, path: string) => {
    if (path !== "" && Object.keys(node).length === 0) set.add(path);
    for (const [element, child] of Object.entries(node)) {
      if (element === ".") set.add(path);
      else if (isObject(child)) walk(child, path === "" ? element : path + separator + element);
    }
  };
  walk(value, "");
  return set;
}

/** `.spec.template.spec.containers[name="app"].image` */
export function formatPath(path: string): string {
  return path
    .split(separator)
    .map((element) => {
      const text = element.slice(2);
      if (element.startsWith("f:")) return `.${text}`;
      if (element.startsWith("v:")) return `[=${text}]`;
      const keys: unknown = JSON.parse(text);
      if (!isObject(keys)) return `[${text}]`;
      const pairs = Object.entries(keys).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      return `[${pairs.join(",")}]`;
    })
    .join("");
}

/** Whether a set has a path or anything below it. */
export function ownsWithin(set: FieldSet, path: string): boolean {
  if (set.has(path)) return true;
  const below = path + separator;
  for (const each of set) if (each.startsWith(below)) return true;
  return false;
}

/** Lays `applied` over `live`: structs and maps field by field, map lists item by item, the rest whole. */
export function mergeApplied(
  live: Json | undefined,
  applied: Json,
  schema: Schema | undefined,
): Json {
  if (isObject(applied) && isObject(live) && isGranular(schema)) {
    const result: JsonObject = { ...live };
    for (const [key, value] of Object.entries(applied)) {
      result[key] = mergeApplied(field(live, key), value, childSchema(schema, key));
    }
    return result;
  }
  const merges = schema?.kind === "list" && schema.listType !== "atomic";
  if (!merges || !Array.isArray(applied) || !Array.isArray(live)) return applied;
  const wanted = new Map(applied.map((item) => [itemElement(schema, item), item]));
  const kept = live.map((item) => {
    const element = itemElement(schema, item);
    const over = wanted.get(element);
    wanted.delete(element);
    return over === undefined ? item : mergeApplied(item, over, schema.item);
  });
  return [...kept, ...wanted.values()];
}

/** Takes the value at `path` out of `object`, in place. */
export function removePath(object: JsonObject, path: string, schema: StructSchema): void {
  let node: Json | undefined = object;
  let at: Schema | undefined = { kind: "use", struct: schema, atomic: false, retainKeys: false };
  const elements = path.split(separator);
  for (const [index, element] of elements.entries()) {
    const last = index === elements.length - 1;
    if (element.startsWith("f:")) {
      if (!isObject(node)) return;
      const key = element.slice(2);
      if (last) delete node[key];
      node = field(node, key);
      at = childSchema(at, key);
    } else {
      if (!Array.isArray(node) || at?.kind !== "list") return;
      const list: ListSchema = at;
      const found = node.findIndex((item) => itemElement(list, item) === element);
      if (found === -1) return;
      const item: Json | undefined = node[found];
      if (last) node.splice(found, 1);
      node = item;
      at = list.item;
    }
  }
}
