import { field, type Json, type JsonObject } from "./json.ts";
import { schemaNamed } from "./kinds.ts";
import { timestamp } from "./object.ts";
import { protobufFields } from "./protobuf-fields.ts";
import type { ScalarType, Schema, StructSchema } from "./schema.ts";
import { badRequest, unsupportedMediaType } from "./status-error.ts";

/**
 * Reads `application/vnd.kubernetes.protobuf` bodies, which kubectl's typed commands send: the bytes "k8s\0", then a
 * `runtime.Unknown` holding the type and the message. Empty values are dropped, as `omitempty` does in JSON. A field
 * this table does not know is refused rather than lost.
 */
export const protobufMediaType = "application/vnd.kubernetes.protobuf";

type Numbered = { name: string; pointer: boolean; skipped: boolean };

const tables = new Map(
  protobufFields
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const colon = line.indexOf(":");
      const numbers = new Map<number, Numbered>();
      for (const match of line.slice(colon + 1).matchAll(/(\w+)=(\d+)([*-]?)/g)) {
        const [, name = "", number, mark] = match;
        numbers.set(Number(number), { name, pointer: mark === "*", skipped: mark === "-" });
      }
      return [line.slice(0, colon), numbers] as const;
    }),
);

type Token = { number: number; varint: bigint; bytes: Buffer };

/** The fields of a message in order; `bytes` is empty for numbers. */
function* tokens(message: Buffer): Generator<Token> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed();
  };
  while (at < message.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    if (wire === 0) yield { number: tag >>> 3, varint: varint(), bytes: Buffer.alloc(0) };
    else if (wire === 2) {
      const sizeBytes = Number(varint());
      if (at + sizeBytes > message.length) throw malformed();
      yield { number: tag >>> 3, varint: 0n, bytes: message.subarray(at, at + sizeBytes) };
      at += sizeBytes;
    } else throw malformed();
  }
}

function malformed() {
  return badRequest("error decoding the request body: malformed protobuf");
}

const magic = Buffer.from("k8s\0", "latin1");

/** The object in a body, with the apiVersion and kind it says. */
export function decodeProtobuf(body: Buffer): JsonObject {
  if (!body.subarray(0, magic.length).equals(magic)) throw malformed();
  let raw: Buffer = Buffer.alloc(0);
  const type = ["", ""];
  for (const { number, bytes } of tokens(body.subarray(magic.length))) {
    if (number === 2) raw = bytes;
    if (number !== 1) continue;
    for (const each of tokens(bytes)) type[each.number - 1] = each.bytes.toString("utf8");
  }
  const [apiVersion = "", kind = ""] = type;
  if (!tables.has(kind)) throw unreadable();
  return { apiVersion, kind, ...decodeMessage(raw, schemaNamed(kind)) };
}

function unreadable() {
  return unsupportedMediaType(["application/json", "application/yaml"]);
}

function decodeMessage(message: Buffer, schema: StructSchema): JsonObject {
  const numbers = tables.get(schema.name);
  if (numbers === undefined) throw unreadable();
  const result: JsonObject = {};
  for (const token of tokens(message)) {
    const known = numbers.get(token.number);
    const type = known && schema.fields.get(known.name);
    if (known === undefined || type === undefined) {
      if (token.bytes.length > 0 || token.varint !== 0n) throw unreadable();
    } else if (!known.skipped) put(result, known, type, token);
  }
  return result;
}

function put(into: JsonObject, { name, pointer }: Numbered, type: Schema, token: Token): void {
  const present = field(into, name);
  if (type.kind === "list") {
    const item = decodeValue(type.item, token);
    into[name] = [...(Array.isArray(present) ? present : []), item];
  } else if (type.kind === "map") {
    const [key, value] = entryOf(token.bytes, type.value);
    const map = typeof present === "object" && present !== null && !Array.isArray(present);
    into[name] = { ...(map ? present : {}), [key]: value };
  } else {
    const value = decodeValue(type, token);
    const isEmpty = value === "" || value === 0 || value === false || value === null;
    if (pointer || !isEmpty) into[name] = value;
  }
}

function entryOf(bytes: Buffer, valueType: Schema): [string, Json] {
  let key = "";
  let value: Json = "";
  for (const token of tokens(bytes)) {
    if (token.number === 1) key = token.bytes.toString("utf8");
    else value = decodeValue(valueType, token);
  }
  return [key, value];
}

function decodeValue(type: Schema, token: Token): Json {
  if (type.kind === "use") return decodeMessage(token.bytes, type.struct);
  if (type.kind === "scalar") return decodeScalar(type.type, token);
  throw unreadable();
}

function decodeScalar(type: ScalarType, { varint, bytes }: Token): Json {
  switch (type) {
    case "string":
      return bytes.toString("utf8");
    case "bytes":
      return bytes.toString("base64");
    case "bool":
      return varint !== 0n;
    case "int32":
    case "int64":
      return Number(BigInt.asIntN(64, varint));
    case "quantity":
      return [...tokens(bytes)][0]?.bytes.toString("utf8") ?? "0";
    case "intstr":
      return decodeIntOrString(bytes);
    case "time": {
      const seconds = [...tokens(bytes)].find((each) => each.number === 1)?.varint;
      return seconds === undefined ? null : timestamp(Number(BigInt.asIntN(64, seconds)) * 1000);
    }
    default:
      throw unreadable();
  }
}

function decodeIntOrString(bytes: Buffer): Json {
  let isText = false;
  let number = 0;
  let text = "";
  for (const token of tokens(bytes)) {
    if (token.number === 1) isText = token.varint === 1n;
    else if (token.number === 2) number = Number(BigInt.asIntN(64, token.varint));
    else text = token.bytes.toString("utf8");
  }
  return isText ? text : number;
}
