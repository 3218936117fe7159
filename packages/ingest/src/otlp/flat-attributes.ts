/**
 * Attributes as Loki's structured metadata: one text per name, maps flattened with `_` between the names, characters that
 * labels cannot have written as `_`. Source: grafana/loki pkg/loghttp/push/otlp.go.
 */
import type { AttributeValue } from "@skopos/model";
import { asList, asObject, asText } from "../wire/json.ts";
import type { ProtobufReader } from "../wire/protobuf.ts";
import { type AttributeCutter, anyValueFromJson, readAnyValue } from "./attributes.ts";

const labelNamesMax = 10_000;
const labelNames = new Map<string, string>();

/** An attribute's name as a label's. */
export function labelNameOf(key: string): string {
  const known = labelNames.get(key);
  if (known !== undefined) return known;
  const plain = key.replaceAll(/[^a-zA-Z0-9_]/g, "_");
  const name = /^\d/.test(plain) ? `_${plain}` : plain;
  if (labelNames.size >= labelNamesMax) labelNames.clear();
  labelNames.set(key, name);
  return name;
}

/** Texts by label name, bounded by the cutter's limits; what does not fit is counted there. */
export class FlatAttributes {
  readonly pairs: Record<string, string> = {};
  readonly #cutter: AttributeCutter;
  #size = 0;

  constructor(cutter: AttributeCutter) {
    this.#cutter = cutter;
  }

  put(key: string, value: AttributeValue): void {
    const { count, keyChars } = this.#cutter.limits;
    const name = labelNameOf(key.length > keyChars ? key.slice(0, keyChars) : key);
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    if (text === "" || name === "" || name === "__proto__") return;
    if (this.pairs[name] === undefined && this.#size++ >= count) this.#cutter.cut++;
    else this.pairs[name] = this.#cutter.text(text);
  }

  /** Reads one KeyValue message. */
  read(reader: ProtobufReader, prefix = "", depth = 0): void {
    let key = "";
    let value: ProtobufReader | undefined;
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === 1) key = reader.name();
      else if (field === 2) value = reader.message("AnyValue");
      else reader.skip();
    }
    if (!value) return;
    const name = prefix === "" ? key : `${prefix}_${key}`;
    const isMap = value.next() === 6;
    if (isMap && depth < this.#cutter.limits.depth) {
      const list = value.message("KeyValueList");
      for (let field = list.next(); field !== 0; field = list.next()) {
        if (field === 1) this.read(list.message("KeyValue"), name, depth + 1);
        else list.skip();
      }
      return;
    }
    const plain = readAnyValue(value.rewind(), this.#cutter, depth);
    if (plain !== undefined) this.put(name, plain);
  }

  /** The same from OTLP/JSON: `[{key, value: {stringValue | …}}]`. */
  readJson(list: unknown, path: string, prefix = "", depth = 0): void {
    for (const [i, entry] of asList(list, path).entries()) {
      const at = `${path}[${i}]`;
      const { key, value } = asObject(entry, at);
      if (value === undefined || value === null) continue;
      const text = asText(key, `${at}.key`);
      const name = prefix === "" ? text : `${prefix}_${text}`;
      const { kvlistValue } = asObject(value, `${at}.value`);
      if (kvlistValue !== undefined && kvlistValue !== null && depth < this.#cutter.limits.depth) {
        const where = `${at}.value.kvlistValue`;
        this.readJson(asObject(kvlistValue, where)["values"], `${where}.values`, name, depth + 1);
        continue;
      }
      const plain = anyValueFromJson(value, this.#cutter, `${at}.value`, depth);
      if (plain !== undefined) this.put(name, plain);
    }
  }
}
