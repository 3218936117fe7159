/** Fields found in lines: their types, how many values they have, and the parser that yields them. */
import type { DetectedField, LogLine } from "@skopos/model";
import { jsonPaths } from "../pipeline/json.ts";
import { logfmtFields } from "../pipeline/logfmt.ts";

const valuesPerFieldMax = 10_000;

interface Seen {
  readonly counts: Map<string, number>;
  readonly parsers: Set<string>;
  jsonPath: readonly string[];
  type: DetectedField["type"] | undefined;
}

/** Looks at lines as a query left them: what its stages parsed counts too. */
export function detectFields(lines: readonly LogLine[]): Map<string, Seen> {
  const fields = new Map<string, Seen>();
  for (const line of lines) {
    for (const [name, value] of Object.entries(line.metadata)) note(fields, name, value);
    for (const [name, value] of Object.entries(line.parsed))
      if (!name.startsWith("__")) note(fields, name, value);
    noteParsed(fields, line);
  }
  return fields;
}

function noteParsed(fields: Map<string, Seen>, { line, labels }: LogLine): void {
  const named = (name: string) => (name in labels ? `${name}_extracted` : name);
  if (line.trimStart().startsWith("{")) {
    for (const { name, path, value } of jsonPaths(line) ?? []) {
      const field = note(fields, named(name), value);
      field?.parsers.add("json");
      if (field) field.jsonPath = path;
    }
    return;
  }
  if (!line.includes("=")) return;
  for (const [name, value] of logfmtFields(line))
    if (value !== "") note(fields, named(name), value)?.parsers.add("logfmt");
}

function note(fields: Map<string, Seen>, name: string, value: string): Seen | undefined {
  if (value === "") return undefined;
  let field = fields.get(name);
  if (!field) {
    field = { counts: new Map(), parsers: new Set(), jsonPath: [], type: undefined };
    fields.set(name, field);
  }
  const known = field.counts.get(value);
  if (known === undefined && field.counts.size >= valuesPerFieldMax) return field;
  field.counts.set(value, (known ?? 0) + 1);
  if (known === undefined) field.type = widened(field.type, typeOf(value));
  return field;
}

export function toDetectedFields(
  fields: ReadonlyMap<string, Seen>,
  limit: number,
): DetectedField[] {
  return [...fields]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, limit)
    .map(([label, { counts, parsers, jsonPath, type }]) => ({
      label,
      type: type ?? "string",
      cardinality: counts.size,
      parsers: [...parsers].sort(),
      jsonPath,
    }));
}

function typeOf(value: string): DetectedField["type"] {
  if (value === "true" || value === "false") return "boolean";
  if (/^[-+]?\d{1,18}$/.test(value)) return "int";
  if (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(value)) return "float";
  if (/^-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(value)) return "duration";
  if (/^\d+(\.\d+)?\s?[kmgtpe]?i?b$/i.test(value)) return "bytes";
  return "string";
}

function widened(
  known: DetectedField["type"] | undefined,
  next: DetectedField["type"],
): DetectedField["type"] {
  if (known === undefined || known === next) return next;
  const numbers = new Set<string>(["int", "float"]);
  return numbers.has(known) && numbers.has(next) ? "float" : "string";
}
