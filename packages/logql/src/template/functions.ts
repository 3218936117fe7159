/** The functions Loki adds to templates. Source: Loki's `pkg/logql/log/fmt.go` and its documentation; Sprig for most names. */
import { compileRegex } from "@skopos/model";
import { GoTime, parseTime, printValue, TemplateError, zoneOffset } from "@skopos/template";
import { expand } from "../pipeline/regex-expand.ts";
import { parseBytes, parseSeconds } from "../syntax/units.ts";

type Function = (...args: unknown[]) => unknown;

const resultCharsMax = 1024 * 1024;
const patternsKnownMax = 100;

function text(value: unknown): string {
  return value === undefined || value === null ? "" : printValue(value);
}

/** Like Sprig's casts: what is no number is 0. */
function float(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "bigint") return Number(value);
  const number = Number(text(value).trim());
  return Number.isNaN(number) ? 0 : number;
}

function integer(value: unknown): number {
  return Math.trunc(float(value));
}

function time(value: unknown): GoTime {
  if (value instanceof GoTime) return value;
  throw new TemplateError(`not a time: ${text(value)}`);
}

const patterns = new Map<string, ReturnType<typeof compileRegex>>();

function pattern(source: unknown): ReturnType<typeof compileRegex> {
  const key = text(source);
  let compiled = patterns.get(key);
  if (!compiled) {
    try {
      compiled = compileRegex(key);
    } catch (cause) {
      throw new TemplateError(`not a regular expression: ${key}`, { cause });
    }
    if (patterns.size >= patternsKnownMax) patterns.clear();
    patterns.set(key, compiled);
  }
  return compiled;
}

function cutLeft(value: string, cutset: string): string {
  let at = 0;
  while (at < value.length && cutset.includes(value.charAt(at))) at++;
  return value.slice(at);
}

function cutRight(value: string, cutset: string): string {
  let end = value.length;
  while (end > 0 && cutset.includes(value.charAt(end - 1))) end--;
  return value.slice(0, end);
}

function withoutPrefix(value: string, prefix: string): string {
  return value.startsWith(prefix) ? value.slice(prefix.length) : value;
}

function withoutSuffix(value: string, suffix: string): string {
  return suffix !== "" && value.endsWith(suffix) ? value.slice(0, -suffix.length) : value;
}

function truncated(count: unknown, value: unknown): string {
  const size = integer(count);
  const whole = text(value);
  if (size >= 0) return whole.slice(0, size);
  return whole.length + size > 0 ? whole.slice(whole.length + size) : whole;
}

function substring(from: unknown, to: unknown, value: unknown): string {
  const whole = text(value);
  const start = integer(from);
  const end = integer(to);
  if (start < 0) return whole.slice(0, Math.max(0, end));
  return end < 0 || end > whole.length ? whole.slice(start) : whole.slice(start, end);
}

function titled(value: string): string {
  return value.replaceAll(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before: string, letter: string) => {
    return before + letter.toUpperCase();
  });
}

function indented(spaces: unknown, value: unknown): string {
  const pad = " ".repeat(Math.min(Math.max(0, integer(spaces)), 1000));
  return pad + text(value).replaceAll("\n", `\n${pad}`);
}

function repeated(count: unknown, value: unknown): string {
  const times = Math.max(0, integer(count));
  const whole = text(value);
  if (times * whole.length > resultCharsMax)
    throw new TemplateError("repeat makes too long a text");
  return whole.repeat(times);
}

function aligned(count: unknown, value: unknown, side: "left" | "right"): string {
  const runes = Array.from(text(value));
  const size = Math.min(Math.max(0, integer(count)), 10_000);
  const pad = " ".repeat(Math.max(0, size - runes.length));
  if (side === "left") return runes.slice(0, size).join("") + pad;
  return pad + runes.slice(Math.max(0, runes.length - size)).join("");
}

function replacedAll(source: unknown, value: unknown, by: string, isLiteral: boolean): string {
  const compiled = pattern(source);
  const whole = text(value);
  const matcher = compiled.matcher(whole);
  let result = "";
  let at = 0;
  while (matcher.find()) {
    result += whole.slice(at, matcher.start()) + (isLiteral ? by : expand(by, compiled, matcher));
    at = matcher.end();
    if (result.length > resultCharsMax) throw new TemplateError("the replacement is too long");
  }
  return result + whole.slice(at);
}

function matches(source: unknown, value: unknown): number {
  const matcher = pattern(source).matcher(text(value));
  let count = 0;
  while (matcher.find()) count++;
  return count;
}

function divided(a: unknown, b: unknown): number {
  const by = integer(b);
  if (by === 0) throw new TemplateError("division by zero");
  return Math.trunc(integer(a) / by);
}

function remainder(a: unknown, b: unknown): number {
  const by = integer(b);
  if (by === 0) throw new TemplateError("division by zero");
  return integer(a) % by;
}

function folded(values: readonly unknown[], step: (a: number, b: number) => number): number {
  const numbers = values.map(float);
  return numbers.length === 0 ? 0 : numbers.reduce(step);
}

function rounded(value: unknown, digits: unknown, half: unknown = 0.5): number {
  const power = 10 ** integer(digits);
  const scaled = float(value) * power;
  const fraction = scaled - Math.floor(scaled);
  return (fraction >= float(half) ? Math.ceil(scaled) : Math.floor(scaled)) / power;
}

function fromJson(value: unknown): unknown {
  try {
    return JSON.parse(text(value));
  } catch (cause) {
    throw new TemplateError("fromJson: not JSON", { cause });
  }
}

function base64(value: unknown): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text(value))) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function fromBase64(value: unknown): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text(value)), (c) => c.charCodeAt(0)));
  } catch (cause) {
    throw new TemplateError("b64dec: not base64", { cause });
  }
}

function urlDecoded(value: unknown): string {
  try {
    return decodeURIComponent(text(value).replaceAll("+", " "));
  } catch (cause) {
    throw new TemplateError("urldecode: not an encoded text", { cause });
  }
}

function urlEncoded(value: unknown): string {
  return encodeURIComponent(text(value))
    .replaceAll("%20", "+")
    .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function seconds(value: unknown): number {
  const found = parseSeconds(text(value));
  if (found === undefined) throw new TemplateError(`not a duration: ${text(value)}`);
  return found;
}

function bytes(value: unknown): number {
  const found = parseBytes(text(value));
  if (found === undefined) throw new TemplateError(`not a number of bytes: ${text(value)}`);
  return found;
}

/** Days, seconds, milliseconds, microseconds or nanoseconds, by the number of digits. */
function unixToTime(value: unknown): GoTime {
  const digits = text(value);
  const units: Readonly<Record<number, bigint>> = {
    5: 86_400_000_000_000n,
    10: 1_000_000_000n,
    13: 1_000_000n,
    16: 1000n,
    19: 1n,
  };
  const unit = units[digits.length];
  if (unit === undefined || !/^\d+$/.test(digits))
    throw new TemplateError(`unixToTime: not a Unix time: ${digits}`);
  return new GoTime(BigInt(digits) * unit);
}

const table: Readonly<Record<string, Function>> = {
  ToLower: (value) => text(value).toLowerCase(),
  ToUpper: (value) => text(value).toUpperCase(),
  Title: (value) => titled(text(value)),
  Replace: (value, old, by, count) => {
    const limit = integer(count);
    const parts = text(value).split(text(old));
    if (limit < 0 || parts.length <= limit + 1) return parts.join(text(by));
    return [...parts.slice(0, limit), parts.slice(limit).join(text(old))].join(text(by));
  },
  Trim: (value, cutset) => cutRight(cutLeft(text(value), text(cutset)), text(cutset)),
  TrimLeft: (value, cutset) => cutLeft(text(value), text(cutset)),
  TrimRight: (value, cutset) => cutRight(text(value), text(cutset)),
  TrimPrefix: (value, prefix) => withoutPrefix(text(value), text(prefix)),
  TrimSuffix: (value, suffix) => withoutSuffix(text(value), text(suffix)),
  TrimSpace: (value) => text(value).trim(),
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  title: (value) => titled(text(value)),
  trunc: truncated,
  substr: substring,
  replace: (old, by, value) => text(value).replaceAll(text(old), () => text(by)),
  repeat: repeated,
  trim: (value) => text(value).trim(),
  trimAll: (cutset, value) => cutRight(cutLeft(text(value), text(cutset)), text(cutset)),
  trimLeft: (cutset, value) => cutLeft(text(value), text(cutset)),
  trimRight: (cutset, value) => cutRight(text(value), text(cutset)),
  trimPrefix: (prefix, value) => withoutPrefix(text(value), text(prefix)),
  trimSuffix: (suffix, value) => withoutSuffix(text(value), text(suffix)),
  indent: indented,
  nindent: (spaces, value) => `\n${indented(spaces, value)}`,
  alignLeft: (count, value) => aligned(count, value, "left"),
  alignRight: (count, value) => aligned(count, value, "right"),
  contains: (part, value) => text(value).includes(text(part)),
  hasPrefix: (part, value) => text(value).startsWith(text(part)),
  hasSuffix: (part, value) => text(value).endsWith(text(part)),
  regexReplaceAll: (source, value, by) => replacedAll(source, value, text(by), false),
  regexReplaceAllLiteral: (source, value, by) => replacedAll(source, value, text(by), true),
  count: matches,
  urlencode: urlEncoded,
  urldecode: urlDecoded,
  b64enc: base64,
  b64dec: fromBase64,
  default: (other, value) => (value === undefined || value === "" || value === 0 ? other : value),
  fromJson,
  add: (...values) => folded(values.map(integer), (a, b) => a + b),
  sub: (a, b) => integer(a) - integer(b),
  mul: (...values) => folded(values.map(integer), (a, b) => a * b),
  div: divided,
  mod: remainder,
  addf: (...values) => folded(values, (a, b) => a + b),
  subf: (...values) => folded(values, (a, b) => a - b),
  mulf: (...values) => folded(values, (a, b) => a * b),
  divf: (...values) => folded(values, (a, b) => a / b),
  max: (...values) => folded(values.map(integer), (a, b) => Math.max(a, b)),
  min: (...values) => folded(values.map(integer), (a, b) => Math.min(a, b)),
  maxf: (...values) => folded(values, (a, b) => Math.max(a, b)),
  minf: (...values) => folded(values, (a, b) => Math.min(a, b)),
  ceil: (value) => Math.ceil(float(value)),
  floor: (value) => Math.floor(float(value)),
  round: rounded,
  int: integer,
  float64: float,
  bytes,
  duration: seconds,
  duration_seconds: seconds,
  date: (layout, value) => time(value).format(text(layout)),
  toDate: (layout, value) => parseTime(text(layout), text(value)),
  toDateInZone: (layout, zone, value) => {
    const there = parseTime(text(layout), text(value));
    const offset = zoneOffset(text(zone), Number(there.ns / 1_000_000n));
    return new GoTime(there.ns - BigInt(offset) * 1_000_000_000n, offset);
  },
  unixEpoch: (value) => String(time(value).ns / 1_000_000_000n),
  unixEpochMillis: (value) => String(time(value).ns / 1_000_000n),
  unixEpochNanos: (value) => String(time(value).ns),
  unixToTime,
};

export const lokiFunctions: ReadonlyMap<string, Function> = new Map(Object.entries(table));
