/** Reads `key=value key="quoted value" key` lines. Source: the go-logfmt decoder, as Loki uses it. */

/** Code units up to and including the blank separate pairs. */
const blank = 0x20;

export interface LogfmtFault {
  readonly at: number;
  readonly reason: string;
}

/**
 * Calls `visit` for every pair; a key without "=" has the value "". What cannot be read is passed over and reported
 * (the first of it), unless `strict`: then reading ends there.
 */
export function scanLogfmt(
  line: string,
  strict: boolean,
  visit: (key: string, value: string) => void,
): LogfmtFault | undefined {
  let fault: LogfmtFault | undefined;
  let at = 0;
  while (at < line.length) {
    if (line.charCodeAt(at) <= blank) {
      at++;
      continue;
    }
    const start = at;
    while (at < line.length && isKeyPart(line.charCodeAt(at))) at++;
    if (at === start) {
      fault ??= { at, reason: `unexpected ${JSON.stringify(line[at])}` };
      if (strict) return fault;
      at = pastToken(line, at);
      continue;
    }
    const key = line.slice(start, at);
    const next = line.charCodeAt(at);
    if (next === 0x3d) {
      at++;
      if (line.charCodeAt(at) === 0x22) {
        const end = closingQuote(line, at);
        if (end < 0) {
          fault ??= { at, reason: "unterminated quoted value" };
          return fault;
        }
        visit(key, unquoted(line.slice(at + 1, end)));
        at = end + 1;
      } else {
        const from = at;
        while (at < line.length && isValuePart(line.charCodeAt(at))) at++;
        const stop = line.charCodeAt(at);
        if (at < line.length && stop > blank) {
          fault ??= { at, reason: `unexpected ${JSON.stringify(line[at])}` };
          if (strict) return fault;
          at = pastToken(line, at);
          continue;
        }
        visit(key, line.slice(from, at));
      }
    } else if (at < line.length && next > blank) {
      fault ??= { at, reason: `unexpected ${JSON.stringify(line[at])}` };
      if (strict) return fault;
      at = pastToken(line, at);
    } else visit(key, "");
  }
  return fault;
}

function isKeyPart(code: number): boolean {
  return code > blank && code !== 0x3d && code !== 0x22 && code !== 0xfffd;
}

function isValuePart(code: number): boolean {
  return code > blank && code !== 0x3d && code !== 0x22;
}

function pastToken(line: string, from: number): number {
  let at = from + 1;
  while (at < line.length && line.charCodeAt(at) > blank) at++;
  return at;
}

function closingQuote(line: string, open: number): number {
  for (let i = open + 1; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (code === 0x5c) i++;
    else if (code === 0x22) return i;
  }
  return -1;
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };

function unquoted(body: string): string {
  if (!body.includes("\\")) return body;
  return body.replaceAll(/\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g, (_, unit?: string, char?: string) => {
    if (unit !== undefined) return String.fromCharCode(Number.parseInt(unit, 16));
    return escapes[char ?? ""] ?? char ?? "";
  });
}

/** The pairs as label names and values; a later pair of a name wins. */
export function logfmtFields(line: string): Map<string, string> {
  const fields = new Map<string, string>();
  scanLogfmt(line, false, (key, value) => {
    const name = key.replaceAll(/[^a-zA-Z0-9_]/g, "_").replace(/^(?=\d)/, "_");
    fields.set(name, value);
  });
  return fields;
}
