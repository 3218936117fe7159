/**
 * Plain JSON values, as they lie in storage and travel over the wire. Stored values are deep-frozen; whoever wants to
 * change one clones it first.
 */
export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value below `path`, or undefined where any step is missing. */
export function valueAt(
  value: Json | undefined,
  ...path: readonly (string | number)[]
): Json | undefined {
  let current = value;
  for (const step of path) {
    if (Array.isArray(current) && typeof step === "number") current = current[step];
    else if (isObject(current) && Object.hasOwn(current, step)) current = current[step];
    else return undefined;
  }
  return current;
}

export function stringAt(value: Json | undefined, ...path: readonly (string | number)[]) {
  const found = valueAt(value, ...path);
  return typeof found === "string" ? found : undefined;
}

export function numberAt(value: Json | undefined, ...path: readonly (string | number)[]) {
  const found = valueAt(value, ...path);
  return typeof found === "number" ? found : undefined;
}

/** The list below `path`; an absent list has no elements. */
export function listAt(value: Json | undefined, ...path: readonly (string | number)[]): Json[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The map below `path`; an absent map has no keys. */
export function mapAt(value: Json | undefined, ...path: readonly (string | number)[]): JsonObject {
  const found = valueAt(value, ...path);
  return isObject(found) ? found : {};
}

/** Own value of `key` or undefined: index signatures promise more than objects hold. */
export function field(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

/** A mutable deep copy. */
export function clone<T>(value: T): T {
  return structuredClone(value);
}

/** Equality of JSON values; the order of keys does not matter. */
export function jsonEqual(left: Json | undefined, right: Json | undefined): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, i) => jsonEqual(item, right[i]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && jsonEqual(left[key], right[key]));
}

/** JSON text with sorted keys, so that equal values have equal text. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const parts = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`);
  return `{${parts.join(",")}}`;
}

/** Puts `value` at `key` unless something is there already. */
export function setDefault(object: JsonObject, key: string, value: Json): void {
  const present = field(object, key);
  if (present === undefined || present === null) object[key] = value;
}

/** The mutable map at `key`, put there when absent. */
export function ensureMap(object: JsonObject, key: string): JsonObject {
  const present = field(object, key);
  if (isObject(present)) return present;
  const made: JsonObject = {};
  object[key] = made;
  return made;
}

/** Scalars as text, anything else as JSON; nothing for what is absent. */
export function textOf(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
