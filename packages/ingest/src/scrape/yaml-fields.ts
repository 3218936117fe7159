/** Settings of a YAML file with positions for errors: each setting is asked for by name and kind, the rest is reported. */
import path from "node:path";
import { messageOf, parseDuration } from "@skopos/model";
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { IngestError } from "../errors.ts";

/** Opens the YAML text of `fileName`. Throws "bad-config" with the position. */
export function openYaml(text: string, fileName: string): { root: Fields; ignored: string[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new IngestError("bad-config", `${fileName}:${line}:${col}: ${error.message}`);
  }
  const reader = new Reader(fileName, lines);
  return { root: reader.map(document.contents, "the file"), ignored: reader.ignored };
}

/** Where a file's reading stands: positions for errors, and the settings nobody asked for. */
class Reader {
  readonly fileName: string;
  readonly ignored: string[] = [];
  readonly #lines: LineCounter;

  constructor(fileName: string, lines: LineCounter) {
    this.fileName = fileName;
    this.#lines = lines;
  }

  position(node: unknown): string {
    const start = isMap(node) || isSeq(node) || isScalar(node) ? node.range?.[0] : undefined;
    if (start === undefined) return this.fileName;
    const { line, col } = this.#lines.linePos(start);
    return `${this.fileName}:${line}:${col}`;
  }

  fail(node: unknown, reason: string): never {
    throw new IngestError("bad-config", `${this.position(node)}: ${reason}`);
  }

  map(node: unknown, what: string): Fields {
    if (node === null || node === undefined || (isScalar(node) && node.value === null))
      return new Fields(this, undefined, new Map());
    if (!isMap(node)) return this.fail(node, `${what} must be a mapping`);
    const entries = new Map<string, Node | undefined>();
    for (const { key, value } of node.items)
      entries.set(String(key), (value as Node | null) ?? undefined);
    return new Fields(this, node, entries);
  }
}

/** The settings of one mapping; each is asked for once, `finish` reports the rest. */
export class Fields {
  readonly #reader: Reader;
  readonly #node: Node | undefined;
  readonly #entries: Map<string, Node | undefined>;
  readonly #asked = new Set<string>();

  constructor(reader: Reader, node: Node | undefined, entries: Map<string, Node | undefined>) {
    this.#reader = reader;
    this.#node = node;
    this.#entries = entries;
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  fail(reason: string, name?: string): never {
    return this.#reader.fail((name && this.#entries.get(name)) || this.#node, reason);
  }

  /** Has an effect elsewhere. */
  skip(name: string): void {
    this.#asked.add(name);
  }

  finish(): void {
    for (const [name, node] of this.#entries)
      if (!this.#asked.has(name))
        this.#reader.ignored.push(`${this.#reader.position(node)}: ${name} has no effect here`);
  }

  #scalar(name: string): string | number | boolean | undefined {
    this.#asked.add(name);
    const node = this.#entries.get(name);
    if (node === undefined) return undefined;
    if (!isScalar(node)) return this.fail(`${name} must be a single value`, name);
    const { value } = node;
    if (value === null || value === undefined) return undefined;
    if (typeof value === "number") return node.source ?? value;
    return typeof value === "boolean" || typeof value === "string" ? value : (node.source ?? "");
  }

  text(name: string, fallback: string): string {
    const value = this.#scalar(name);
    return value === undefined ? fallback : String(value);
  }

  file(name: string): string | undefined {
    const value = this.text(name, "");
    return value === "" ? undefined : path.resolve(path.dirname(this.#reader.fileName), value);
  }

  /** A list of files; relative ones are resolved as in `file`. */
  files(name: string): string[] {
    return this.texts(name).map((each) => path.resolve(path.dirname(this.#reader.fileName), each));
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#scalar(name);
    if (value === undefined) return fallback;
    if (typeof value !== "boolean") return this.fail(`${name} must be true or false`, name);
    return value;
  }

  count(name: string, fallback: number): number {
    const value = this.#scalar(name);
    if (value === undefined) return fallback;
    const count = Number(value);
    if (!Number.isSafeInteger(count) || count < 0)
      return this.fail(`${name} must be a whole number, not ${String(value)}`, name);
    return count;
  }

  duration(name: string, fallbackMs: number): number {
    const value = this.#scalar(name);
    if (value === undefined) return fallbackMs;
    try {
      return parseDuration(String(value));
    } catch (error) {
      return this.fail(`${name}: ${messageOf(error)}`, name);
    }
  }

  /** Sizes like 10MB, with powers of 1024 as Prometheus has them. */
  bytes(name: string, fallback: number): number {
    const value = this.text(name, String(fallback));
    const match = /^(\d+(?:\.\d+)?)\s*([KMGTPE]?)i?B?$/i.exec(value);
    if (!match) return this.fail(`${name}: not a size: ${value} (like 512KB or 10MB)`, name);
    const power = " KMGTPE".indexOf((match[2] ?? "").toUpperCase() || " ");
    return Math.round(Number(match[1]) * 1024 ** power);
  }

  oneOf<T extends string>(
    name: string,
    choices: readonly T[],
    fallback: T | undefined,
    anyCase = false,
  ): T {
    const raw = this.text(name, fallback ?? "");
    const value = anyCase ? raw.toLowerCase() : raw;
    const found = choices.find((choice) => choice === value);
    if (found === undefined)
      return this.fail(`${name} must be one of ${choices.join(", ")}, not "${raw}"`, name);
    return found;
  }

  child(name: string): Fields {
    this.#asked.add(name);
    return this.#reader.map(this.#entries.get(name), name);
  }

  #items(name: string): readonly unknown[] {
    this.#asked.add(name);
    const node = this.#entries.get(name);
    if (node === undefined || (isScalar(node) && node.value === null)) return [];
    if (!isSeq(node)) return this.fail(`${name} must be a list`, name);
    return node.items;
  }

  list(name: string): Fields[] {
    return this.#items(name).map((item) => this.#reader.map(item, `each entry of ${name}`));
  }

  texts(name: string): string[] {
    return this.#items(name).map((item) => {
      if (!isScalar(item)) return this.fail(`${name} must be a list of texts`, name);
      return String(item.value);
    });
  }

  strings(name: string): Record<string, string> {
    const child = this.child(name);
    const result: Record<string, string> = {};
    for (const key of child.#entries.keys()) result[key] = child.text(key, "");
    return result;
  }

  stringLists(name: string): Record<string, string[]> {
    const child = this.child(name);
    const result: Record<string, string[]> = {};
    for (const key of child.#entries.keys()) result[key] = child.texts(key);
    return result;
  }
}
