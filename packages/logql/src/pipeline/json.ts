/**
 * Reads JSON lines without building objects: numbers keep their digits, and what is not asked for is only skipped over.
 * Nested objects become labels joined by "_", arrays and nulls do not become labels.
 */
const depthMax = 64;
const keysKnownMax = 10_000;

/** Called with the path of an object's member; `value` is text without quotes and escapes, or raw JSON of a number or word. */
type Visit = (path: readonly string[], value: string, isText: boolean) => void;

class JsonFault extends Error {}

/** Letters, digits and "_" as they are, anything else "_"; never a digit in front. */
export function sanitizeName(name: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) return name;
  const clean = name.trim().replaceAll(/[^a-zA-Z0-9_]/g, "_");
  return /^\d/.test(clean) ? `_${clean}` : clean;
}

/** Names of paths are asked for again with every line. */
export class NameCache {
  readonly #names = new Map<string, string>();

  of(path: readonly string[]): string {
    const key = path.length === 1 ? (path[0] ?? "") : path.join("\u0000");
    let name = this.#names.get(key);
    if (name === undefined) {
      name = path.map((part, i) => sanitizePart(part, i)).join("_");
      if (this.#names.size < keysKnownMax) this.#names.set(key, name);
    }
    return name;
  }
}

function sanitizePart(part: string, index: number): string {
  const clean = sanitizeName(part);
  return index > 0 && /^_\d/.test(clean) && /^\s*\d/.test(part) ? clean.slice(1) : clean;
}

class Scanner {
  readonly #text: string;
  readonly #visit: Visit;
  readonly #path: string[] = [];
  #at = 0;

  constructor(text: string, visit: Visit) {
    this.#text = text;
    this.#visit = visit;
  }

  whole(): void {
    this.#blank();
    if (this.#text.charCodeAt(this.#at) !== 0x7b) this.#fail("not an object");
    this.#object(true);
  }

  #fail(reason: string): never {
    throw new JsonFault(`${reason} at ${this.#at}`);
  }

  #blank(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #object(visited: boolean): void {
    if (this.#path.length > depthMax) this.#fail("nested too deep");
    this.#at++;
    this.#blank();
    if (this.#text.charCodeAt(this.#at) === 0x7d) {
      this.#at++;
      return;
    }
    for (;;) {
      this.#blank();
      if (this.#text.charCodeAt(this.#at) !== 0x22) this.#fail("a key is missing");
      this.#path.push(this.#string());
      this.#blank();
      if (this.#text.charCodeAt(this.#at) !== 0x3a) this.#fail("a colon is missing");
      this.#at++;
      this.#member(visited);
      this.#path.pop();
      this.#blank();
      const code = this.#text.charCodeAt(this.#at++);
      if (code === 0x7d) return;
      if (code !== 0x2c) this.#fail("a comma or a brace is missing");
    }
  }

  #member(visited: boolean): void {
    this.#blank();
    const code = this.#text.charCodeAt(this.#at);
    if (code === 0x7b) return this.#object(visited);
    if (code === 0x5b) return this.#array();
    if (code === 0x22) {
      const value = this.#string();
      if (visited) this.#visit(this.#path, value, true);
      return;
    }
    const start = this.#at;
    word.lastIndex = start;
    const found = word.exec(this.#text);
    if (!found) this.#fail("not a value");
    this.#at = word.lastIndex;
    if (visited && found[0] !== "null") this.#visit(this.#path, found[0], false);
  }

  #array(): void {
    this.#path.push("");
    if (this.#path.length > depthMax) this.#fail("nested too deep");
    this.#at++;
    this.#blank();
    if (this.#text.charCodeAt(this.#at) === 0x5d) this.#at++;
    else
      for (;;) {
        this.#member(false);
        this.#blank();
        const code = this.#text.charCodeAt(this.#at++);
        if (code === 0x5d) break;
        if (code !== 0x2c) this.#fail("a comma or a bracket is missing");
      }
    this.#path.pop();
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let end = start;
    let isPlain = true;
    for (;;) {
      const code = text.charCodeAt(end);
      if (code === 0x22) break;
      if (Number.isNaN(code)) this.#fail("a text is not closed");
      if (code === 0x5c) {
        isPlain = false;
        end++;
      }
      end++;
    }
    this.#at = end + 1;
    const body = text.slice(start, end);
    return isPlain ? body : unescapeJson(body);
  }
}

const word = /-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null/y;

/** Lenient: an escape that JSON does not know stands for its letter. */
function unescapeJson(body: string): string {
  return body.replaceAll(/\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g, (_, unit?: string, char?: string) => {
    if (unit !== undefined) return String.fromCharCode(Number.parseInt(unit, 16));
    return escapes[char ?? ""] ?? char ?? "";
  });
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
};

/** Visits every text, number and boolean of nested objects. The result says what is wrong with the line. */
export function scanJson(line: string, visit: Visit): string | undefined {
  try {
    new Scanner(line, visit).whole();
    return undefined;
  } catch (error) {
    if (error instanceof JsonFault) return error.message;
    throw error;
  }
}

/** Every leaf with its label name; undefined when the line is not an object. */
export function jsonPaths(
  line: string,
): { name: string; path: readonly string[]; value: string }[] | undefined {
  const names = new NameCache();
  const found: { name: string; path: readonly string[]; value: string }[] = [];
  const fault = scanJson(line, (path, value) =>
    found.push({ name: names.of(path), path: [...path], value }),
  );
  return fault === undefined ? found : undefined;
}
