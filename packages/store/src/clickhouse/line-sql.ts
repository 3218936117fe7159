/**
 * Tests of one line that are more than a text or a regular expression, as SQL: patterns, and what a comparison of a label as
 * a number needs.
 */
import type { NumberNeed } from "@skopos/model";
import type { Bindings } from "./sql.ts";

/** `<_>` in a pattern. */
const gap = "<_>";

/** As `LineFilter` defines patterns: each text is looked for after the one before, and only its first place counts. */
export function patternSql(bindings: Bindings, pattern: string): string {
  const [first = "", ...rest] = pattern.split(gap);
  if (rest.length === 0) return `line = ${bindings.text(first)}`;
  const tests = first === "" ? [] : [`startsWith(line, ${bindings.text(first)})`];
  // How many bytes of the line are used up.
  let used = String(Buffer.byteLength(first));
  const last = rest.length - 1;
  for (const [i, text] of rest.entries()) {
    if (text === "") {
      tests.push(`length(line) > ${used}`);
      continue;
    }
    const bound = bindings.text(text);
    const at = `at_${bound.slice(1, bound.indexOf(":"))}`;
    tests.push(`(position(line, ${bound}, toUInt64(${used} + 1)) AS ${at}) > ${used} + 1`);
    used = `${at} + ${Buffer.byteLength(text) - 1}`;
    if (i === last) tests.push(`length(line) = ${used}`);
  }
  return `(${tests.join(" AND ")})`;
}

/** Only whole numbers are compared: of others the store may read other digits. */
const wholeNumber = "'^-?[0-9]{1,15}$'";
const operators = { "==": "=", "!=": "!=", ">": ">", ">=": ">=", "<": "<", "<=": "<=" } as const;

/** For a label that no stream has. */
export function needSql(bindings: Bindings, { name, op, value, json }: NumberNeed): string {
  const key = bindings.text(name);
  const number = bindings.bind("Float64", value);
  const mayHold = (text: string) =>
    `(NOT match(${text}, ${wholeNumber}) OR toInt64OrZero(${text}) ${operators[op]} ${number})`;
  const isOwn = `mapContains(metadata, ${key})`;
  const own = `${isOwn} AND ${mayHold(`metadata[${key}]`)}`;
  if (!json) return `(${own})`;
  const member = memberSql(bindings, name, mayHold);
  return member === undefined ? "1" : `(${own} OR NOT ${isOwn} AND ${member} OR ${unreadable})`;
}

/** Members of JSON, at any depth, whose name may become the label; the end of their name has its last letters. */
function memberSql(
  bindings: Bindings,
  name: string,
  mayHold: (text: string) => string,
): string | undefined {
  const end = /[A-Za-z0-9]+$/.exec(name)?.[0];
  if (end === undefined) return undefined;
  const values = `${end}[^A-Za-z0-9"]*"\\s*:\\s*("[^"]*"|[^",}\\]\\s]*)`;
  return `arrayExists(v -> ${mayHold(`trim(BOTH '"' FROM v)`)}, extractAll(line, ${bindings.text(values)}))`;
}

/** Lines whose members are not found so, or that are no objects and pass with an error. */
const unreadable = `position(line, '\\\\') > 0 OR NOT match(line, '^[ \\\\t\\\\r\\\\n]*\\\\{')
  OR countSubstrings(line, '{') + countSubstrings(line, '[') > 64 OR NOT isValidJSON(line)`;
