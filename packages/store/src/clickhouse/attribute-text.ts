/**
 * Attribute values as the texts of a `Map(LowCardinality(String), String)`. Strings stand as they are, so that they are
 * found as they are; anything else is U+0001 and its JSON, or the name of a number that JSON lacks (NaN, Infinity,
 * -Infinity; in an array the names are strings). A string that itself begins with U+0001 or U+0002 gets U+0002 in front.
 */
import type { Attributes, AttributeValue } from "@skopos/model";

const typed = "\u0001";
const escaped = "\u0002";

export function attributeText(value: AttributeValue): string {
  if (typeof value === "string") {
    const first = value.charCodeAt(0);
    return first === 1 || first === 2 ? escaped + value : value;
  }
  if (typeof value !== "object") return typed + String(value);
  return typed + JSON.stringify(value, nameNumber);
}

function nameNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

export function attributeOf(text: string): AttributeValue {
  if (text.startsWith(escaped)) return text.slice(1);
  if (!text.startsWith(typed)) return text;
  if (/^.-?[NI]/.test(text)) return Number(text.slice(1));
  // Written by `attributeText`.
  return JSON.parse(text.slice(1)) as AttributeValue;
}

export function attributesOf(texts: Readonly<Record<string, string>>): Attributes {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, attributeOf(text)]));
}
