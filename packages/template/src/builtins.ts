/** The functions that Go's text/template always has; `and` and `or` are the executor's, as they may stop early. */
import { TemplateError } from "./error.ts";
import { isTrue, printValue, sprintf } from "./print.ts";

type Builtin = (...args: unknown[]) => unknown;

function incomparable(a: unknown, b: unknown): TemplateError {
  const pair = `${printValue(a)}, ${printValue(b)}`;
  return new TemplateError(`incompatible types for comparison: ${pair}`);
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number")
    return a < b ? -1 : a > b ? 1 : a === b ? 0 : Number.NaN;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : Number(a > b);
  throw incomparable(a, b);
}

function isEqual(a: unknown, b: unknown): boolean {
  const isNil = a === undefined || b === undefined;
  if ((typeof a !== typeof b && !isNil) || typeof a === "object" || typeof b === "object")
    throw incomparable(a, b);
  return a === b;
}

function index(collection: unknown, ...keys: unknown[]): unknown {
  let found = collection;
  for (const key of keys) {
    if (Array.isArray(found)) {
      if (typeof key !== "number" || !(key >= 0 && key < found.length))
        throw new TemplateError(`index out of range: ${printValue(key)}`);
      found = found[key];
    } else if (typeof found === "object" && found !== null) {
      const name = printValue(key);
      found = Object.hasOwn(found, name) ? Reflect.get(found, name) : "";
    } else throw new TemplateError(`can't index ${printValue(found)}`);
  }
  return found;
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  if (typeof value !== "string" && !Array.isArray(value))
    throw new TemplateError(`can't slice ${printValue(value)}`);
  const start = Number(from);
  const end = to === undefined ? value.length : Number(to);
  if (!(start >= 0 && start <= end && end <= value.length))
    throw new TemplateError(`slice out of range: ${start}:${end}`);
  return value.slice(start, end);
}

function length(value: unknown): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (Array.isArray(value)) return value.length;
  if (typeof value === "object" && value !== null) return Object.keys(value).length;
  throw new TemplateError(`len of ${printValue(value)}`);
}

/** fmt.Sprint puts a blank between operands when neither is a text. */
function print(...args: unknown[]): string {
  let text = "";
  for (const [i, arg] of args.entries()) {
    if (i > 0 && typeof arg !== "string" && typeof args[i - 1] !== "string") text += " ";
    text += printValue(arg);
  }
  return text;
}

const htmlEscapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
};

const table: Readonly<Record<string, Builtin>> = {
  not: (value) => !isTrue(value),
  eq: (first, ...others) => others.some((other) => isEqual(first, other)),
  ne: (a, b) => !isEqual(a, b),
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  index,
  slice,
  len: length,
  print,
  println: (...args) => `${args.map(printValue).join(" ")}\n`,
  printf: (format, ...args) => sprintf(printValue(format), args),
  html: (...args) => print(...args).replaceAll(/[&<>"']/g, (char) => htmlEscapes[char] ?? char),
  js: (...args) => JSON.stringify(print(...args)).slice(1, -1),
  urlquery: (...args) => encodeURIComponent(print(...args)).replaceAll("%20", "+"),
};

export const builtins: ReadonlyMap<string, Builtin> = new Map(Object.entries(table));

/** With the two that stop early. */
export const builtinNames: readonly string[] = [...builtins.keys(), "and", "or"];
