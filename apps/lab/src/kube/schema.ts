import { invariant } from "@skopos/model";

/**
 * Types of objects as data. One description serves strict decoding, strategic merge, server-side apply's field
 * ownership and OpenAPI.
 *
 * Notation, one type per line: `Name: field:type field!:type …` (`!` required). Types are
 * - scalars `string int32 int64 double bool time quantity intstr bytes any`
 * - a type's name, with `@atomic` (owned as one) or `@retain` (patchStrategy retainKeys)
 * - `{T}` a map of strings to T
 * - `[]T` an atomic list; `[]T(set)` a set; `[]T(a,b)` a map list with keys a and b; `[]T(a,b|k)` the same, merged by
 *   strategic merge on k; `[]T(-|k)` merged by strategic merge on k but atomic for server-side apply.
 */
const scalarTypes = [
  "string",
  "int32",
  "int64",
  "double",
  "bool",
  "time",
  "quantity",
  "intstr",
  "bytes",
  "any",
] as const;
export type ScalarType = (typeof scalarTypes)[number];

type ScalarSchema = { kind: "scalar"; type: ScalarType };
export type StructSchema = {
  kind: "struct";
  name: string;
  fields: ReadonlyMap<string, Schema>;
  required: ReadonlySet<string>;
};
type StructUse = {
  kind: "use";
  struct: StructSchema;
  atomic: boolean;
  retainKeys: boolean;
};
type MapSchema = { kind: "map"; value: Schema };
export type ListSchema = {
  kind: "list";
  item: Schema;
  /** Server-side apply: the keys of a map list, "set", or undefined for an atomic list. */
  listType: "atomic" | "set" | "map";
  keys: readonly string[];
  /** Strategic merge: the key, "" for a merged list of scalars, undefined for replacement. */
  patchMergeKey: string | undefined;
};
export type Schema = ScalarSchema | StructUse | MapSchema | ListSchema;

export type SchemaSet = ReadonlyMap<string, StructSchema>;

type OpenStruct = { schema: StructSchema; fields: Map<string, Schema>; required: Set<string> };

/** Reads the notation above. Wrong notation is a mistake in the program, hence an invariant. */
export function parseSchemas(text: string): SchemaSet {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const open = new Map<string, OpenStruct>();
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(":")).trim();
    const fields = new Map<string, Schema>();
    const required = new Set<string>();
    invariant(!open.has(name), `schema ${name} is described twice`);
    open.set(name, { schema: { kind: "struct", name, fields, required }, fields, required });
  }
  for (const line of lines) {
    const colon = line.indexOf(":");
    const struct = open.get(line.slice(0, colon).trim());
    invariant(struct !== undefined, "every line was opened above");
    for (const part of line
      .slice(colon + 1)
      .split(" ")
      .filter((each) => each !== "")) {
      const [head, type] = splitOnce(part, ":");
      const name = head.replace("!", "");
      if (head.endsWith("!")) struct.required.add(name);
      struct.fields.set(name, parseType(type, open));
    }
  }
  return new Map([...open].map(([name, struct]) => [name, struct.schema]));
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

function parseType(text: string, open: ReadonlyMap<string, OpenStruct>): Schema {
  if (text.startsWith("{")) return { kind: "map", value: parseType(text.slice(1, -1), open) };
  if (text.startsWith("[]")) return parseList(text.slice(2), open);
  const scalar = scalarTypes.find((each) => each === text);
  if (scalar !== undefined) return { kind: "scalar", type: scalar };
  const [name, flag] = splitOnce(text, "@");
  const struct = open.get(name);
  invariant(struct !== undefined, `schema type ${JSON.stringify(text)} is not described`);
  return {
    kind: "use",
    struct: struct.schema,
    atomic: flag === "atomic",
    retainKeys: flag === "retain",
  };
}

function parseList(text: string, open: ReadonlyMap<string, OpenStruct>): ListSchema {
  const paren = text.endsWith(")") ? text.lastIndexOf("(") : -1;
  const item = parseType(paren === -1 ? text : text.slice(0, paren), open);
  if (paren === -1)
    return { kind: "list", item, listType: "atomic", keys: [], patchMergeKey: undefined };
  const inner = text.slice(paren + 1, -1);
  if (inner === "set") return { kind: "list", item, listType: "set", keys: [], patchMergeKey: "" };
  const [keyText, mergeKey] = splitOnce(inner, "|");
  const keys = keyText === "-" ? [] : keyText.split(",");
  const listType = keys.length === 0 ? "atomic" : "map";
  return {
    kind: "list",
    item,
    listType,
    keys,
    patchMergeKey: mergeKey === "" ? keys[0] : mergeKey,
  };
}
