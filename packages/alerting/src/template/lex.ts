/** Splits a template into text and actions, and an action into tokens. Source: Go text/template's lexer. */
import { TemplateError } from "./error.ts";

export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly tokens: readonly Token[]; readonly line: number };

export interface Token {
  readonly kind: "string" | "number" | "word" | "field" | "variable" | "dot" | "punct" | "space";
  readonly text: string;
}

/** Text beside `{{-` and `-}}` is trimmed; comments vanish. Throws `TemplateError` with the line. */
export function lexTemplate(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf("{{", at);
    const textEnd = open === -1 ? source.length : open;
    let text = source.slice(at, textEnd);
    if (trimNext) text = text.trimStart();
    const trimsBefore = open !== -1 && /^\{\{-\s/.test(source.slice(open, open + 4));
    if (trimsBefore) text = text.trimEnd();
    if (text !== "") pieces.push({ kind: "text", text });
    if (open === -1) break;
    const line = source.slice(0, open).split("\n").length;
    const start = open + (trimsBefore ? 3 : 2);
    const action = lexAction(source, start, line);
    if (action.tokens) pieces.push({ kind: "action", tokens: action.tokens, line });
    trimNext = action.trimsAfter;
    at = action.end;
  }
  return pieces;
}

const token =
  /(\s+)|("(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)+')|([+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))|(\.[\p{L}_][\p{L}\p{Nd}_]*)|(\$[\p{L}\p{Nd}_]*)|([\p{L}_][\p{L}\p{Nd}_]*)|(\.)|(:=|=|\||\(|\)|,)/uy;

const kinds = ["space", "string", "number", "field", "variable", "word", "dot", "punct"] as const;

function lexAction(
  source: string,
  start: number,
  line: number,
): { tokens: Token[] | undefined; end: number; trimsAfter: boolean } {
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
    const trim = /^\s-\}\}/.exec(source.slice(at, at + 4));
    if (trim) return { tokens, end: at + trim[0].length, trimsAfter: true };
    token.lastIndex = at;
    const match = token.exec(source);
    if (!match) {
      const reason =
        at >= source.length
          ? "an action is not closed with }}"
          : `unexpected ${JSON.stringify(source.slice(at, at + 10))}`;
      throw new TemplateError(`template line ${line}: ${reason}`);
    }
    const index = match.slice(1).findIndex((group) => group !== undefined);
    // Blank before the closing trim mark belongs to it.
    const isTrim = index === 0 && source.startsWith("-}}", token.lastIndex);
    if (isTrim) return { tokens, end: token.lastIndex + 3, trimsAfter: true };
    tokens.push({ kind: kinds[index] ?? "punct", text: match[0] });
    at = token.lastIndex;
  }
}
