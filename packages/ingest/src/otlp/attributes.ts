/**
 * OTLP attributes, bounded: how many, how long keys and texts, how deep values nest. What is cut is counted, not hidden.
 * Source: opentelemetry/proto/common/v1/common.proto (KeyValue, AnyValue).
 */
import type { Attributes, AttributeValue } from "@skopos/model";
import { asInt64, asList, asObject, asText, badJson } from "../wire/json.ts";
import type { ProtobufReader } from "../wire/protobuf.ts";

export interface AttributeLimits {
  readonly count: number;
  readonly keyChars: number;
  readonly valueChars: number;
  /** Elements of a list or map value. */
  readonly elements: number;
  readonly depth: number;
}

const attributeLimits: AttributeLimits = {
  count: 128,
  keyChars: 256,
  valueChars: 8192,
  elements: 256,
  depth: 6,
};

/** Collects attributes under limits. `cut` counts attributes, elements and texts that lost something. */
export class AttributeCutter {
  readonly limits: AttributeLimits;
  cut = 0;

  constructor(limits: AttributeLimits = attributeLimits) {
    this.limits = limits;
  }

  text(value: string): string {
    if (value.length <= this.limits.valueChars) return value;
    this.cut++;
    return value.slice(0, this.limits.valueChars);
  }

  /** Adds one attribute unless there are too many. */
  put(attributes: AttributeTarget, key: string, value: AttributeValue): void {
    const { keyChars, count } = this.limits;
    const short = key.length > keyChars ? key.slice(0, keyChars) : key;
    if (short !== key) this.cut++;
    if (attributes.size >= count && !attributes.has(short)) this.cut++;
    else attributes.set(short, value);
  }
}

/** Where attributes are collected: a Map, or `AttributePairs` where a record is wanted in the end. */
interface AttributeTarget {
  readonly size: number;
  has(key: string): boolean;
  set(key: string, value: AttributeValue): unknown;
}

/** Attributes being collected. A key such as `__proto__` is a plain key. */
export class AttributePairs {
  readonly attributes: Record<string, AttributeValue> = {};
  size = 0;

  has(key: string): boolean {
    return this.attributes[key] !== undefined;
  }

  set(key: string, value: AttributeValue): void {
    if (this.attributes[key] === undefined) this.size++;
    if (key !== "__proto__") this.attributes[key] = value;
    else
      Object.defineProperty(this.attributes, key, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
}

/** Reads the KeyValue message that the reader's field holds into `pairs`. */
export function readKeyValue(
  reader: ProtobufReader,
  cutter: AttributeCutter,
  pairs: AttributeTarget,
): void {
  const outer = reader.enter();
  let key = "";
  let value: AttributeValue | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) key = reader.name();
    else if (field === 2) {
      const pair = reader.enter();
      value = readAnyValue(reader, cutter, 0);
      reader.leave(pair);
    } else reader.skip();
  }
  reader.leave(outer);
  if (value !== undefined) cutter.put(pairs, key, value);
}

/** Reads an AnyValue, to the reader's end. Undefined when it is empty. Maps become JSON text, bytes base64. */
export function readAnyValue(
  reader: ProtobufReader,
  cutter: AttributeCutter,
  depth: number,
): AttributeValue | undefined {
  let value: AttributeValue | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) value = cutter.text(reader.repeatedText());
    else if (field === 2) value = reader.int32() !== 0;
    else if (field === 3) value = integer(reader.int64());
    else if (field === 4) value = reader.double();
    else if (field === 5) value = readList(reader.message("ArrayValue"), cutter, depth + 1);
    else if (field === 6) value = readMap(reader.message("KeyValueList"), cutter, depth + 1);
    else if (field === 7) value = cutter.text(Buffer.from(reader.bytes()).toString("base64"));
    else reader.skip();
  }
  return value;
}

/** Integers that a double cannot hold stay exact as text. */
function integer(value: bigint): AttributeValue {
  const plain = Number(value);
  return Number.isSafeInteger(plain) ? plain : value.toString();
}

function readList(reader: ProtobufReader, cutter: AttributeCutter, depth: number): AttributeValue {
  const list: AttributeValue[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 1 || list.length >= cutter.limits.elements || depth > cutter.limits.depth) {
      if (field === 1) cutter.cut++;
      reader.skip();
      continue;
    }
    const value = readAnyValue(reader.message("AnyValue"), cutter, depth);
    list.push(value ?? "");
  }
  return list;
}

function readMap(reader: ProtobufReader, cutter: AttributeCutter, depth: number): AttributeValue {
  const pairs = new AttributePairs();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 1 || depth > cutter.limits.depth) {
      if (field === 1) cutter.cut++;
      reader.skip();
      continue;
    }
    readMapEntry(reader.message("KeyValue"), cutter, depth, pairs);
  }
  return cutter.text(JSON.stringify(pairs.attributes));
}

function readMapEntry(
  reader: ProtobufReader,
  cutter: AttributeCutter,
  depth: number,
  pairs: AttributePairs,
): void {
  let key = "";
  let value: AttributeValue | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) key = reader.name();
    else if (field === 2) value = readAnyValue(reader.message("AnyValue"), cutter, depth);
    else reader.skip();
  }
  cutter.put(pairs, key, value ?? "");
}

/** As the protobuf reading, for OTLP/JSON: `[{key, value: {stringValue | …}}]`. */
export function attributesFromJson(
  value: unknown,
  cutter: AttributeCutter,
  path: string,
): Attributes {
  const pairs = new AttributePairs();
  for (const [i, entry] of asList(value, path).entries()) {
    const at = `${path}[${i}]`;
    const { key, value: any } = asObject(entry, at);
    const read = anyValueFromJson(any, cutter, `${at}.value`, 0);
    if (read !== undefined) cutter.put(pairs, asText(key, `${at}.key`), read);
  }
  return pairs.attributes;
}

export function anyValueFromJson(
  value: unknown,
  cutter: AttributeCutter,
  path: string,
  depth: number,
): AttributeValue | undefined {
  if (value === undefined || value === null) return undefined;
  const any = asObject(value, path);
  if (any["stringValue"] !== undefined)
    return cutter.text(asText(any["stringValue"], `${path}.stringValue`));
  if (any["boolValue"] !== undefined)
    return typeof any["boolValue"] === "boolean"
      ? any["boolValue"]
      : badJson(`${path}.boolValue`, "true or false");
  if (any["intValue"] !== undefined) return integer(asInt64(any["intValue"], `${path}.intValue`));
  if (any["doubleValue"] !== undefined) return jsonDouble(any["doubleValue"], path);
  if (any["bytesValue"] !== undefined)
    return cutter.text(asText(any["bytesValue"], `${path}.bytesValue`));
  if (depth >= cutter.limits.depth) {
    cutter.cut++;
    return undefined;
  }
  if (any["arrayValue"] !== undefined) return jsonArray(any["arrayValue"], cutter, path, depth);
  if (any["kvlistValue"] === undefined) return undefined;
  const list = asObject(any["kvlistValue"], `${path}.kvlistValue`);
  const pairs = new AttributePairs();
  for (const [i, entry] of asList(list["values"], `${path}.kvlistValue.values`).entries()) {
    const at = `${path}.kvlistValue.values[${i}]`;
    const { key, value: inner } = asObject(entry, at);
    cutter.put(pairs, asText(key, at), anyValueFromJson(inner, cutter, at, depth + 1) ?? "");
  }
  return cutter.text(JSON.stringify(pairs.attributes));
}

function jsonArray(
  value: unknown,
  cutter: AttributeCutter,
  path: string,
  depth: number,
): AttributeValue {
  const at = `${path}.arrayValue.values`;
  const items = asList(asObject(value, `${path}.arrayValue`)["values"], at);
  const kept = items.slice(0, cutter.limits.elements);
  cutter.cut += items.length - kept.length;
  return kept.map((item, i) => anyValueFromJson(item, cutter, `${at}[${i}]`, depth + 1) ?? "");
}

function jsonDouble(value: unknown, path: string): number {
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" ? number : badJson(`${path}.doubleValue`, "a number");
}
