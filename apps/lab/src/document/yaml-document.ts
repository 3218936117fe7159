/**
 * YAML files that people write (topologies, scenarios): parsed, checked against a schema, and when wrong answered with
 * file, line, column and what was expected.
 */
import { SkoposError } from "@skopos/model";
import { isCollection, LineCounter, parseDocument, type Document } from "yaml";
import type { z } from "zod";

const textBytesMax = 1024 * 1024;

class DocumentError extends SkoposError {
  readonly line: number;
  readonly column: number;

  constructor(source: string, line: number, column: number, message: string) {
    super("bad-document", `${source}:${line}:${column}: ${message}`);
    this.line = line;
    this.column = column;
  }
}

/** Throws `DocumentError` at the first fault. `source`: what messages call the text, usually its path. */
export function parseYamlDocument<Schema extends z.ZodType>(
  text: string,
  source: string,
  schema: Schema,
): z.output<Schema> {
  if (text.length > textBytesMax) {
    throw new DocumentError(source, 1, 1, `the file is larger than ${textBytesMax} bytes`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fault = document.errors[0];
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    throw new DocumentError(source, line, col, fault.message);
  }
  const checked = schema.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (checked.success) return checked.data;
  const issue = deepest(checked.error.issues);
  const offset = unknownKeyOffset(document, issue) ?? offsetOf(document, issue?.path ?? []);
  const { line, col } = lines.linePos(offset);
  const where = issue === undefined || issue.path.length === 0 ? "" : `${pathText(issue.path)}: `;
  throw new DocumentError(source, line, col, `${where}${issue?.message ?? "not valid"}`);
}

type Issue = z.core.$ZodIssue;

/** Of alternatives that all failed, the fault of the one that got furthest says most. */
function deepest(issues: readonly Issue[]): Issue | undefined {
  const [first] = issues;
  if (first === undefined || first.code !== "invalid_union") return first;
  let best: Issue = first;
  for (const branch of first.errors) {
    const inner = deepest(branch);
    if (inner === undefined || inner.path.length === 0) continue;
    if (inner.path.length + first.path.length > best.path.length) {
      best = { ...inner, path: [...first.path, ...inner.path] };
    }
  }
  return best;
}

/** A key that should not be there is shown itself, not its value. */
function unknownKeyOffset(document: Document, issue: Issue | undefined): number | undefined {
  if (issue?.code !== "unrecognized_keys") return undefined;
  const owner = issue.path.length === 0 ? document.contents : document.getIn(issue.path, true);
  return keyRange(owner, issue.keys[0]);
}

/** Where the value at `path` begins, or the nearest thing around it that exists. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown =
      length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = rangeOf(node);
    if (range !== undefined) return range;
    const parent = length > 1 ? document.getIn(path.slice(0, length - 1), true) : document.contents;
    const key = isCollection(parent) ? keyRange(parent, path[length - 1]) : undefined;
    if (key !== undefined) return key;
  }
  return 0;
}

function keyRange(collection: unknown, key: PropertyKey | undefined): number | undefined {
  if (!isCollection(collection)) return undefined;
  for (const item of collection.items) {
    if (typeof item === "object" && item !== null && "key" in item) {
      const { key: node } = item;
      if (typeof node === "object" && node !== null && "value" in node && node.value === key) {
        return rangeOf(node);
      }
    }
  }
  return undefined;
}

function rangeOf(node: unknown): number | undefined {
  if (typeof node !== "object" || node === null || !("range" in node)) return undefined;
  const { range } = node;
  return Array.isArray(range) && typeof range[0] === "number" ? range[0] : undefined;
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) =>
      typeof part === "number" ? `[${part}]` : `${i === 0 ? "" : "."}${String(part)}`,
    )
    .join("");
}
