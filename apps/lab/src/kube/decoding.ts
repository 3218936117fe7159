import { type JsonObject, stringAt } from "./json.ts";
import { type Kind, splitApiVersion, storedApiVersion } from "./kinds.ts";
import { decode, type SchemaFindings } from "./schema-check.ts";
import { badRequest, invalid, invalidValue, required } from "./status-error.ts";

/**
 * Turns a body into an object of its kind, or refuses it in the server's words: built-in kinds are refused by Go's
 * decoder (400), custom ones by their structural schema (422); unknown fields by the wish of the client.
 */
export type FieldValidation = "Strict" | "Warn" | "Ignore";

export type DecodingOptions = {
  fieldValidation?: FieldValidation;
  onWarning?: (text: string) => void;
  /** The body is a part of an object (an applied configuration): required fields may be absent. */
  partial?: boolean;
};

export function decodeObject(kind: Kind, body: JsonObject, options: DecodingOptions): JsonObject {
  const { object, findings } = decode(body, kind.schema);
  if (options.partial === true) findings.missing.length = 0;
  if (!kind.custom) refuseMistyped(kind, body, findings);
  refuseUnknown(kind, body, findings.unknown, options);
  refuseSchema(kind, body, findings);
  return object;
}

function versionOf(kind: Kind, body: JsonObject): string {
  const { version } = splitApiVersion(stringAt(body, "apiVersion") ?? storedApiVersion(kind));
  return `${kind.kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind.kind}`;
}

const goTypes: Readonly<Record<string, string>> = {
  array: "slice",
  time: "string",
  double: "float64",
};

function refuseMistyped(kind: Kind, body: JsonObject, { mistyped }: SchemaFindings): void {
  const [first] = mistyped;
  if (first === undefined) return;
  const { value, expected, struct, path } = first;
  const got = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
  const type = goTypes[expected] ?? expected;
  const where = path.replace(/\[\d+\]/g, "");
  throw badRequest(
    `${versionOf(kind, body)}: json: cannot unmarshal ${got} into Go struct field ${struct}.${where} of type ${type}`,
  );
}

function refuseUnknown(
  kind: Kind,
  body: JsonObject,
  unknown: readonly string[],
  options: DecodingOptions,
): void {
  if (unknown.length === 0 || options.fieldValidation === "Ignore") return;
  const texts = unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
  if (options.fieldValidation === "Strict") {
    const prefix = kind.custom ? "" : `${versionOf(kind, body)}: `;
    throw badRequest(`${prefix}strict decoding error: ${texts.join(", ")}`);
  }
  for (const text of texts) options.onWarning?.(text);
}

const jsonTypes: Readonly<Record<string, string>> = {
  int32: "integer",
  int64: "integer",
  double: "number",
  bool: "boolean",
};

function refuseSchema(kind: Kind, body: JsonObject, { mistyped, missing }: SchemaFindings): void {
  const errors = mistyped.map(({ path, expected, value }) => {
    const got = Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;
    const type = jsonTypes[expected] ?? expected;
    const why = `${path} in body must be of type ${type}: ${JSON.stringify(got)}`;
    return invalidValue(path, got, why);
  });
  errors.push(...missing.map((path) => required(path)));
  const name = stringAt(body, "metadata", "name") ?? "";
  if (errors.length > 0) throw invalid(kind, name, errors);
}
