/** Splits LogQL text into tokens. Strings are double-quoted with escapes or raw in backticks. */
import { LogqlError } from "./error.ts";

export interface Token {
  readonly type: "symbol" | "string" | "number" | "duration" | "word" | "end";
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

const patterns: readonly [Token["type"] | "space", RegExp][] = [
  ["space", /[ \t\r\n]+|#[^\n]*/y],
  ["string", /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ["duration", /(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d|w))+(?![a-zA-Z0-9_])/y],
  ["number", /-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/y],
  ["symbol", /\|=|\|~|!=|!~|=~|==|>=|<=|[|={}[\](),<>]/y],
  ["word", /[a-zA-Z_][a-zA-Z0-9_]*/y],
];

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const token = tokenAt(text, at);
    if (!token) throw new LogqlError(`unexpected ${JSON.stringify(text[at])}`, at + 1);
    if (token.type !== "space") tokens.push({ type: token.type, text: token.text, column: at + 1 });
    at += token.text.length;
  }
  tokens.push({ type: "end", text: "", column: text.length + 1 });
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

/** The text a string token stands for. Throws `LogqlError`. */
export function unquote(token: Token): string {
  if (token.text.startsWith("`")) return token.text.slice(1, -1);
  try {
    return JSON.parse(token.text.replaceAll(/\\([^"\\/bfnrtu])/g, "\\\\$1")) as string;
  } catch (cause) {
    throw new LogqlError(`bad escape in ${token.text}: ${String(cause)}`, token.column);
  }
}
