/** Fields of a log line as columns: labels, what stands beside the line, and what JSON or logfmt in it says. */
import type { LogLine } from "@skopos/api";

const depthMax = 4;
const pair = /([\w.-]+)=("(?:[^"\\]|\\.)*"|[^\s"]+)/g;

function flatten(value: unknown, name: string, into: Map<string, string>, depth: number): void {
  if (value === null || value === undefined) return;
  if (Array.isArray(value)) into.set(name, JSON.stringify(value));
  else if (typeof value !== "object") into.set(name, `${value as string | number | boolean}`);
  else if (depth < depthMax)
    for (const [key, inner] of Object.entries(value))
      flatten(inner, name === "" ? key : `${name}_${key}`, into, depth + 1);
}

function parsed(line: string): Map<string, string> {
  const found = new Map<string, string>();
  if (line.startsWith("{")) {
    try {
      flatten(JSON.parse(line), "", found, 0);
    } catch {
      return found; // Looks like JSON but is not.
    }
    return found;
  }
  for (const [, name = "", value = ""] of line.matchAll(pair))
    found.set(name, value.startsWith('"') ? value.slice(1, -1) : value);
  return found;
}

/** Values of the named fields; "" where the line has none. Nested JSON is named `outer_inner`, as detected fields are. */
export function fieldValues(line: LogLine, names: readonly string[]): string[] {
  let inside: Map<string, string> | undefined;
  return names.map((name) => {
    const known = line.metadata[name] ?? line.labels[name];
    if (known !== undefined) return known;
    inside ??= parsed(line.line);
    return inside.get(name) ?? "";
  });
}
