/** Splits TraceQL text into tokens. Strings are double-quoted with escapes or raw in backticks. */
import { TraceqlError } from "./error.ts";

export interface Token {
  readonly type: "punctuation" | "operator" | "string" | "number" | "duration" | "word" | "end";
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

const patterns: readonly [Token["type"] | "space", RegExp][] = [
  ["space", /[ \t\r\n]+/y],
  ["string", /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ["duration", /\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h)(?![a-zA-Z0-9_])/y],
  ["number", /-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/y],
  ["operator", />>|<<|&&|\|\||!=|=~|!~|>=|<=|[=<>~!|+\-*/%^]/y],
  ["punctuation", /[{}(),]/y],
  ["word", /[.a-zA-Z_][-\w.:/]*/y],
];

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    let matched = false;
    for (const [type, pattern] of patterns) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (!match) continue;
      if (type !== "space") tokens.push({ type, text: match[0], column: at + 1 });
      at += match[0].length;
      matched = true;
      break;
    }
    if (!matched) throw new TraceqlError(`unexpected ${JSON.stringify(text[at])}`, at + 1);
  }
  tokens.push({ type: "end", text: "", column: text.length + 1 });
  return tokens;
}
