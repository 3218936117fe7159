/** Splits LogQL text into tokens. Strings are double-quoted with Go's escapes, or raw in backticks; `#` begins a comment. */
import { LogqlError } from "./error.ts";

export interface Token {
  readonly type: "symbol" | "string" | "number" | "duration" | "bytes" | "flag" | "word" | "end";
  readonly text: string;
  /** Its place in the query, from 0. */
  readonly at: number;
}

const patterns: readonly [Token["type"] | "space", RegExp][] = [
  ["space", /[ \t\r\n]+|#[^\n]*/y],
  ["string", /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ["flag", /--(?:strict|keep-empty)\b/y],
  ["duration", /(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d|w|y))+(?![a-zA-Z0-9_.])/y],
  ["bytes", /\d+(?:\.\d*)?(?:[kKmMgGtTpPeE][iI]?)?[bB](?![a-zA-Z0-9_])/y],
  [
    "number",
    /0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][-+]?\d+)?|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?/y,
  ],
  ["symbol", /\|=|\|~|\|>|!=|!~|!>|=~|==|>=|<=|[|={}[\](),<>+\-*/%^]/y],
  ["word", /[a-zA-Z_][a-zA-Z0-9_]*/y],
];

/** Throws `LogqlError`. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const token = tokenAt(text, at);
    if (!token) throw errorAt(text, at, whatIsWrong(text, at));
    if (token.type !== "space") tokens.push({ type: token.type, text: token.text, at });
    at += token.text.length;
  }
  tokens.push({ type: "end", text: "", at: text.length });
  return tokens;
}

function tokenAt(
  text: string,
  at: number,
): { type: Token["type"] | "space"; text: string } | undefined {
  for (const [type, pattern] of patterns) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) return { type, text: match[0] };
  }
  return undefined;
}

function whatIsWrong(text: string, at: number): string {
  const char = text[at] ?? "";
  if (char === '"' || char === "`") return "literal not terminated";
  return `syntax error: unexpected ${JSON.stringify(char)}`;
}

export function errorAt(text: string, at: number, message: string): LogqlError {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  return new LogqlError(message, line, at - before.lastIndexOf("\n"));
}
