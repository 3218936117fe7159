/** Splits a template into text and actions, and an action into tokens. Source: Go text/template's lexer. */
import { errorAt } from "./error.ts";

export interface Token {
  readonly type:
    | "space"
    | "string"
    | "number"
    | "field"
    | "variable"
    | "word"
    | "dot"
    | "punctuation";
  readonly text: string;
}

export type Piece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "action"; readonly tokens: readonly Token[]; readonly line: number };

const token =
  /(\s+)|("(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)+')|([+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))|(\.[\p{L}_][\p{L}\p{Nd}_]*)|(\$[\p{L}\p{Nd}_]*)|([\p{L}_][\p{L}\p{Nd}_]*)|(\.)|(:=|=|\||\(|\)|,)/uy;
const types = [
  "space",
  "string",
  "number",
  "field",
  "variable",
  "word",
  "dot",
  "punctuation",
] as const;

/** Text beside `{{-` and `-}}` is trimmed, comments vanish. Throws `TemplateError` with the line. */
export function lexTemplate(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimsNext = false;
  let line = 1;
  let counted = 0;
  while (at < source.length) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open < 0 ? source.length : open);
    if (trimsNext) text = text.trimStart();
    const trimsBefore = open >= 0 && /^\{\{-\s/.test(source.slice(open, open + 4));
    if (trimsBefore) text = text.trimEnd();
    if (text !== "") pieces.push({ type: "text", text });
    if (open < 0) break;
    line += newlines(source, counted, open);
    counted = open;
    const action = lexAction(source, open + (trimsBefore ? 3 : 2), line);
    if (action.tokens) pieces.push({ type: "action", tokens: action.tokens, line });
    trimsNext = action.trimsAfter;
    at = action.end;
  }
  return pieces;
}

function newlines(source: string, from: number, to: number): number {
  let count = 0;
  for (let at = source.indexOf("\n", from); at >= 0 && at < to; at = source.indexOf("\n", at + 1))
    count++;
  return count;
}

interface Action {
  /** Undefined for a comment. */
  readonly tokens: Token[] | undefined;
  readonly end: number;
  readonly trimsAfter: boolean;
}

function lexAction(source: string, start: number, line: number): Action {
  const comment = /^\s*\/\*[\s\S]*?\*\/(\s-)?\s*\}\}/.exec(source.slice(start));
  if (comment)
    return {
      tokens: undefined,
      end: start + comment[0].length,
      trimsAfter: comment[1] !== undefined,
    };
  const tokens: Token[] = [];
  let at = start;
  for (;;) {
    if (source.startsWith("}}", at)) return { tokens, end: at + 2, trimsAfter: false };
    token.lastIndex = at;
    const match = token.exec(source);
    if (!match) {
      if (at >= source.length) throw errorAt(line, "unclosed action");
      throw errorAt(line, `unexpected ${JSON.stringify(source[at])} in an action`);
    }
    const index = match.slice(1).findIndex((group) => group !== undefined);
    // Blank before the closing trim mark belongs to it.
    if (index === 0 && source.startsWith("-}}", token.lastIndex))
      return { tokens, end: token.lastIndex + 3, trimsAfter: true };
    tokens.push({ type: types[index] ?? "punctuation", text: match[0] });
    at = token.lastIndex;
  }
}
