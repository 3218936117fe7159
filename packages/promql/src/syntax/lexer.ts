/**
 * Cuts query text into tokens. Keywords are not told apart from identifiers here: most of them are also valid names, so the
 * parser decides by place. Inside square brackets ":" separates; elsewhere it is part of names.
 */
import { PromqlSyntaxError } from "./error.ts";

export interface Token {
  readonly kind: "identifier" | "number" | "duration" | "string" | "op" | "end";
  /** As written; for strings the unquoted value. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const space = /[ \t\r\n]+|#[^\n]*/y;
const identifier = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const bracketIdentifier = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const durationPattern = /(?:\d+(?:ms|[ywdhms]))+(?![a-zA-Z0-9_.])/y;
const numberPattern =
  /0[xX][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?/y;
const operators = [
  "</",
  ">/",
  "==",
  "!=",
  ">=",
  "<=",
  "=~",
  "!~",
  "+",
  "-",
  "*",
  "/",
  "%",
  "^",
  "=",
  ">",
  "<",
  "(",
  ")",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "@",
];

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const opened: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  const push = (kind: Token["kind"], length: number, value?: string): Token => {
    const token = { kind, text: value ?? text.slice(at, at + length), start: at, end: at + length };
    tokens.push(token);
    at += length;
    return token;
  };
  while (at < text.length) {
    const skipped = match(space);
    if (skipped !== undefined) {
      at += skipped.length;
      continue;
    }
    const char = text[at] ?? "";
    const inBrackets = opened.at(-1)?.text === "[" || opened.some((token) => token.text === "[");
    const name = match(inBrackets ? bracketIdentifier : identifier);
    if (name !== undefined) {
      push("identifier", name.length);
    } else if (char === '"' || char === "'" || char === "`") {
      const { value, length } = readString(text, at);
      push("string", length, value);
    } else if (/[0-9]/.test(char) || (char === "." && /[0-9]/.test(text[at + 1] ?? ""))) {
      lexNumber(text, at, match, push);
    } else {
      const op = operators.find((candidate) => text.startsWith(candidate, at));
      if (!op) {
        const reason = `unexpected character: ${JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0))}`;
        throw new PromqlSyntaxError(text, { start: at, end: at + 1 }, reason);
      }
      const token = push("op", op.length);
      if (op === "(" || op === "[" || op === "{") opened.push(token);
      else if (op === ")" || op === "]" || op === "}") closePair(text, opened, token);
    }
  }
  const unclosed = opened.at(-1);
  if (unclosed) throw new PromqlSyntaxError(text, endOf(text), unclosedReason(unclosed.text));
  tokens.push({ kind: "end", text: "", start: text.length, end: text.length });
  return tokens;
}

function endOf(text: string): { start: number; end: number } {
  return { start: text.length, end: text.length };
}

function unclosedReason(open: string): string {
  if (open === "(") return "unclosed left parenthesis";
  return open === "{" ? "unexpected end of input inside braces" : "unclosed left bracket";
}

function closePair(text: string, opened: Token[], token: Token): void {
  const pairs: Record<string, string> = { ")": "(", "]": "[", "}": "{" };
  const names: Record<string, string> = {
    ")": "right parenthesis ')'",
    "]": "right bracket ']'",
    "}": "right brace '}'",
  };
  const open = opened.pop();
  if (open?.text === pairs[token.text]) return;
  throw new PromqlSyntaxError(text, token, `unexpected ${names[token.text] ?? token.text}`);
}

function lexNumber(
  text: string,
  at: number,
  match: (pattern: RegExp) => string | undefined,
  push: (kind: Token["kind"], length: number) => Token,
): void {
  const duration = match(durationPattern);
  const number = duration ?? match(numberPattern) ?? "";
  const after = text[at + number.length] ?? "";
  if (number === "" || /[a-zA-Z0-9_.]/.test(after)) {
    const bad = /^[a-zA-Z0-9_.]+/.exec(text.slice(at))?.[0] ?? number;
    throw new PromqlSyntaxError(
      text,
      { start: at, end: at + bad.length },
      `bad number or duration syntax: ${JSON.stringify(bad)}`,
    );
  }
  push(duration === undefined ? "number" : "duration", number.length);
}

const simpleEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 92,
  "'": 39,
  '"': 34,
};

/** Bytes that are not UTF-8 become lone surrogates U+DC80…U+DCFF, so that they stay apart and are seen as invalid names. */
function decodeBytes(bytes: readonly number[]): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes));
  } catch {
    return bytes.map((byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join("");
  }
}

/** Go string syntax. */
function readString(text: string, start: number): { value: string; length: number } {
  const quote = text[start] ?? "";
  const fail = (offset: number, reason: string): never => {
    throw new PromqlSyntaxError(text, { start: offset, end: offset + 1 }, reason);
  };
  if (quote === "`") {
    const end = text.indexOf("`", start + 1);
    if (end < 0) fail(start, "unterminated raw string");
    return { value: text.slice(start + 1, end), length: end + 1 - start };
  }
  const end = text.indexOf(quote, start + 1);
  const body = text.slice(start + 1, end);
  if (end > 0 && !/[\\\n]/.test(body)) return { value: body, length: end + 1 - start };
  let value = "";
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length > 0) value += decodeBytes(bytes);
    bytes = [];
  };
  let at = start + 1;
  for (;;) {
    const char = text[at];
    if (char === undefined || char === "\n") return fail(start, "unterminated quoted string");
    if (char === quote) break;
    if (char !== "\\") {
      flush();
      value += char;
      at += 1;
      continue;
    }
    const next = text[at + 1] ?? "";
    const simple = next === (quote === '"' ? "'" : '"') ? undefined : simpleEscapes[next];
    const coded = /^(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(
      text.slice(at + 1, at + 10),
    );
    if (simple !== undefined) {
      flush();
      value += String.fromCodePoint(simple);
      at += 2;
    } else if (coded) {
      const point = parseInt(
        coded[1] ?? coded[3] ?? coded[4] ?? coded[2] ?? "",
        coded[2] === undefined ? 16 : 8,
      );
      if (coded[1] !== undefined || coded[2] !== undefined) {
        if (point > 255) fail(at, "octal escape value over 255");
        bytes.push(point);
      } else {
        flush();
        if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
          fail(at, "escape sequence is an invalid Unicode code point");
        value += String.fromCodePoint(point);
      }
      at += 1 + coded[0].length;
    } else {
      fail(at, `unknown escape sequence ${JSON.stringify(`\\${next}`)}`);
    }
  }
  flush();
  return { value, length: at + 1 - start };
}
