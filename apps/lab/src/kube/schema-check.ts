import { isObject, type Json, type JsonObject } from "./json.ts";
import type { Schema, ScalarType, StructSchema } from "./schema.ts";

/**
 * Decoding against a schema: drops fields nobody knows, finds wrong types and absent required ones. What Go's decoder
 * and a CRD's structural schema do for the real server.
 */
export type SchemaFindings = {
  /** Paths of fields the type does not have, e.g. `spec.template.spec.containers[0].imagee`. */
  unknown: string[];
  /** Values of the wrong type. */
  mistyped: {
    path: string;
    struct: string;
    expected: ScalarType | "object" | "array";
    value: Json;
  }[];
  /** Required fields that are absent. */
  missing: string[];
};

/** A copy of `value` holding known fields only; nulls are dropped as Go's decoder drops them. */
export function decode(
  value: JsonObject,
  schema: StructSchema,
): { object: JsonObject; findings: SchemaFindings } {
  const findings: SchemaFindings = { unknown: [], mistyped: [], missing: [] };
  const object = decodeStruct(value, schema, "", findings);
  return { object, findings };
}

function decodeStruct(
  value: JsonObject,
  schema: StructSchema,
  path: string,
  findings: SchemaFindings,
): JsonObject {
  const result: JsonObject = {};
  for (const [key, inner] of Object.entries(value)) {
    const field = schema.fields.get(key);
    const at = path === "" ? key : `${path}.${key}`;
    if (field === undefined) findings.unknown.push(at);
    else if (inner !== null) result[key] = decodeValue(inner, field, at, schema.name, findings);
  }
  for (const key of schema.required) {
    if (!Object.hasOwn(result, key)) findings.missing.push(path === "" ? key : `${path}.${key}`);
  }
  return result;
}

function decodeValue(
  value: Json,
  schema: Schema,
  path: string,
  owner: string,
  findings: SchemaFindings,
): Json {
  const wrong = (expected: ScalarType | "object" | "array") => {
    findings.mistyped.push({ path, struct: owner, expected, value });
    return value;
  };
  switch (schema.kind) {
    case "scalar":
      return fits(value, schema.type) ? value : wrong(schema.type);
    case "use":
      return isObject(value) ? decodeStruct(value, schema.struct, path, findings) : wrong("object");
    case "map": {
      if (!isObject(value)) return wrong("object");
      const result: JsonObject = {};
      for (const [key, inner] of Object.entries(value)) {
        const at = `${path}.${key}`;
        if (inner === null) result[key] = emptyOf(schema.value);
        else result[key] = decodeValue(inner, schema.value, at, owner, findings);
      }
      return result;
    }
    default:
      if (!Array.isArray(value)) return wrong("array");
      return value.map((item, index) =>
        decodeValue(item, schema.item, `${path}[${index}]`, owner, findings),
      );
  }
}

function emptyOf(schema: Schema): Json {
  if (schema.kind === "scalar") return schema.type === "string" || schema.type === "bytes" ? "" : 0;
  return schema.kind === "list" ? [] : {};
}

function fits(value: Json, type: ScalarType): boolean {
  switch (type) {
    case "any":
      return true;
    case "bool":
      return typeof value === "boolean";
    case "int32":
      return Number.isInteger(value) && Math.abs(Number(value)) <= 2 ** 31;
    case "int64":
      return Number.isInteger(value);
    case "double":
      return typeof value === "number";
    case "intstr":
      return typeof value === "string" || Number.isInteger(value);
    case "quantity":
      return typeof value === "string" || typeof value === "number";
    default:
      return typeof value === "string";
  }
}
