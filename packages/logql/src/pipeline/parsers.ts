/** The stages that take labels from lines. */
import { compileRegex } from "@skopos/model";
import type { Extraction, Stage } from "../syntax/ast.ts";
import { parseJsonPath } from "../syntax/json-path.ts";
import { parsePattern } from "../syntax/pattern.ts";
import { NameCache, sanitizeName, scanJson } from "./json.ts";
import type { LineState } from "./line-state.ts";
import { scanLogfmt } from "./logfmt.ts";

export type Step = (line: LineState) => boolean;

const fieldsMax = 1000;
const entryField = "_entry";

/** Sets what a parser found under its own name, or another when the stream or metadata has that name. */
function extract(line: LineState, name: string, value: string): void {
  line.set(line.isTaken(name) ? `${name}_extracted` : name, value);
}

/** `wanted`: the only names that anything later looks at. */
export function compileJson(
  fields: readonly Extraction[],
  wanted: ReadonlySet<string> | undefined,
): Step {
  if (fields.length > 0) return compileJsonFields(fields);
  const names = new NameCache();
  return (line) => {
    let count = 0;
    const fault = scanJson(line.text, (path, value) => {
      const name = names.of(path);
      if (name === "" || ++count > fieldsMax) return;
      if (wanted && !wanted.has(name) && !wanted.has(`${name}_extracted`)) return;
      extract(line, name, value);
    });
    if (fault !== undefined) line.fail("JSONParserErr", fault);
    return true;
  };
}

function compileJsonFields(fields: readonly Extraction[]): Step {
  const paths = fields.map(({ name, expression }) => ({
    name,
    path: parseJsonPath(expression) ?? [],
  }));
  return (line) => {
    let value: unknown;
    try {
      value = JSON.parse(line.text);
    } catch (error) {
      line.fail("JSONParserErr", error instanceof Error ? error.message : String(error));
      value = undefined;
    }
    for (const { name, path } of paths) extract(line, name, jsonText(memberAt(value, path)));
    return true;
  };
}

function memberAt(value: unknown, path: readonly (string | number)[]): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = Object.hasOwn(found, step) ? Reflect.get(found, step) : undefined;
  }
  return found;
}

function jsonText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

type LogfmtStage = Extract<Stage, { type: "logfmt" }>;

export function compileLogfmt(
  { strict, keepEmpty, fields }: LogfmtStage,
  wanted: ReadonlySet<string> | undefined,
): Step {
  const names = new Map<string, string>();
  const byKey = new Map<string, string[]>();
  for (const { name, expression } of fields)
    byKey.set(expression, [...(byKey.get(expression) ?? []), name]);
  const nameOf = (key: string) => {
    let name = names.get(key);
    if (name === undefined) {
      name = sanitizeName(key);
      if (names.size < fieldsMax * 10) names.set(key, name);
    }
    return name;
  };
  return (line) => {
    let count = 0;
    if (byKey.size > 0) for (const { name } of fields) if (!line.isTaken(name)) line.set(name, "");
    const fault = scanLogfmt(line.text, strict, (key, value) => {
      if (byKey.size > 0) {
        for (const name of byKey.get(key) ?? []) extract(line, name, value);
        return;
      }
      if ((value === "" && !keepEmpty) || ++count > fieldsMax) return;
      const name = nameOf(key);
      if (wanted && !wanted.has(name) && !wanted.has(`${name}_extracted`)) return;
      extract(line, name, value);
    });
    if (fault && strict)
      line.fail("LogfmtParserErr", `logfmt syntax error at pos ${fault.at + 1} : ${fault.reason}`);
    return true;
  };
}

export function compilePattern(source: string): Step {
  const parts = parsePattern(source);
  return (line) => {
    const { text } = line;
    let at = 0;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      if (part?.type === "literal") {
        if (i > 0) continue;
        if (!text.startsWith(part.text)) return true;
        at = part.text.length;
        continue;
      }
      const next = parts[i + 1];
      const end = next?.type === "literal" ? text.indexOf(next.text, at) : text.length;
      const value = end < 0 ? text.slice(at) : text.slice(at, end);
      if (part && part.name !== "_") extract(line, part.name, value);
      if (end < 0) return true;
      at = end + (next?.type === "literal" ? next.text.length : 0);
    }
    return true;
  };
}

export function compileRegexp(source: string): Step {
  const pattern = compileRegex(source);
  const groups = Object.entries(pattern.namedGroups());
  return (line) => {
    const matcher = pattern.matcher(line.text);
    if (!matcher.find()) return true;
    for (const [name, index] of groups)
      extract(line, sanitizeName(name), matcher.group(index) ?? "");
    return true;
  };
}

/** What Promtail's `pack` stage wrote: labels, and the line itself under `_entry`. */
export function compileUnpack(): Step {
  return (line) => {
    let entry: string | undefined;
    let isPacked = false;
    const found: [string, string][] = [];
    const fault = scanJson(line.text, (path, value, isText) => {
      if (path.length !== 1 || !isText) return;
      const [name = ""] = path;
      if (name === entryField) {
        entry = value;
        isPacked = true;
      } else found.push([sanitizeName(name), value]);
    });
    if (fault !== undefined) {
      line.fail("JSONParserErr", fault);
      return true;
    }
    for (const [name, value] of found) extract(line, name, value);
    if (isPacked) line.text = entry ?? "";
    return true;
  };
}
