import { clone, field, isObject, type Json, type JsonObject, jsonEqual } from "./json.ts";
import { badRequest, StatusError } from "./status-error.ts";

/** JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386). Neither changes its arguments. */
type Operation =
  | { op: "add" | "replace" | "test"; path: string; value: Json }
  | { op: "remove"; path: string }
  | { op: "move" | "copy"; path: string; from: string };

/** Most operations in one JSON patch; the real server has the same limit. */
const maxJsonPatchOperations = 10_000;

export function applyJsonPatch(document: Json, patch: Json): Json {
  if (!Array.isArray(patch)) {
    throw badRequest(
      "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch",
    );
  }
  if (patch.length > maxJsonPatchOperations) {
    throw badRequest(
      `The allowed maximum operations in a JSON patch is ${maxJsonPatchOperations}, got ${patch.length}`,
    );
  }
  let result = clone(document);
  for (const step of patch) result = applyOperation(result, operationOf(step));
  return result;
}

function rejected(): StatusError {
  const message = "the server rejected our request due to an error in our request";
  return new StatusError(422, "Invalid", message, {});
}

function operationOf(step: Json): Operation {
  if (!isObject(step)) throw badRequest("error decoding patch: an operation must be an object");
  const { op, path, from } = step;
  if (typeof path !== "string") throw rejected();
  if (op === "remove") return { op, path };
  if ((op === "move" || op === "copy") && typeof from === "string") return { op, path, from };
  if (op === "add" || op === "replace" || op === "test") {
    return { op, path, value: field(step, "value") ?? null };
  }
  throw rejected();
}

function applyOperation(document: Json, operation: Operation): Json {
  switch (operation.op) {
    case "add":
      return insert(document, operation.path, clone(operation.value));
    case "replace":
      if (find(document, operation.path) === undefined) throw rejected();
      return insert(remove(document, operation.path), operation.path, clone(operation.value));
    case "remove":
      return remove(document, operation.path);
    case "test":
      if (!jsonEqual(find(document, operation.path), operation.value)) throw rejected();
      return document;
    default: {
      const value = find(document, operation.from);
      if (value === undefined) throw rejected();
      const copy = clone(value);
      const rest = operation.op === "move" ? remove(document, operation.from) : document;
      return insert(rest, operation.path, copy);
    }
  }
}

function pointer(path: string): string[] {
  if (path === "") return [];
  if (!path.startsWith("/")) throw rejected();
  return path
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function step(container: Json | undefined, key: string): Json | undefined {
  if (Array.isArray(container)) return /^\d+$/.test(key) ? container[Number(key)] : undefined;
  return isObject(container) ? field(container, key) : undefined;
}

function find(document: Json, path: string): Json | undefined {
  let current: Json | undefined = document;
  for (const key of pointer(path)) current = step(current, key);
  return current;
}

function parentOf(document: Json, keys: readonly string[]): Json[] | JsonObject {
  let current: Json | undefined = document;
  for (const key of keys.slice(0, -1)) current = step(current, key);
  if (Array.isArray(current) || isObject(current)) return current;
  throw rejected();
}

function insert(document: Json, path: string, value: Json): Json {
  const keys = pointer(path);
  const last = keys.at(-1);
  if (last === undefined) return value;
  const parent = parentOf(document, keys);
  if (!Array.isArray(parent)) parent[last] = value;
  else {
    const at = last === "-" ? parent.length : Number(last);
    if (!Number.isInteger(at) || at < 0 || at > parent.length) throw rejected();
    parent.splice(at, 0, value);
  }
  return document;
}

function remove(document: Json, path: string): Json {
  const keys = pointer(path);
  const last = keys.at(-1);
  if (last === undefined) return null;
  const parent = parentOf(document, keys);
  if (step(parent, last) === undefined) throw rejected();
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return document;
}

/** RFC 7386: nulls delete, maps merge, anything else replaces. */
export function applyMergePatch(document: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return clone(patch);
  const result: JsonObject = isObject(document) ? { ...document } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applyMergePatch(field(result, key), value);
  }
  return result;
}
