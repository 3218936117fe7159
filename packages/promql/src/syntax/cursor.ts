/** A place in the token list, with the look-ahead and complaints every part of the parser needs. */
import { type Span } from "./ast.ts";
import { PromqlSyntaxError } from "./error.ts";
import { type Token, tokenize } from "./lexer.ts";

/** What the text may use beyond the stable language. */
export interface SyntaxFeatures {
  readonly experimentalFunctions: boolean;
  readonly durationExpressions: boolean;
  /** `anchored` and `smoothed`. */
  readonly extendedRangeSelectors: boolean;
  /** `fill`, `fill_left`, `fill_right`. */
  readonly fillModifiers: boolean;
}

export class Cursor {
  readonly text: string;
  readonly features: SyntaxFeatures;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string, features: SyntaxFeatures) {
    this.text = text;
    this.features = features;
    this.#tokens = tokenize(text);
  }

  get token(): Token {
    return this.peek(0);
  }

  /** End offset of the last token taken. */
  get lastEnd(): number {
    return this.#tokens[this.#at - 1]?.end ?? 0;
  }

  peek(ahead: number): Token {
    const end = { kind: "end", text: "", start: this.text.length, end: this.text.length } as const;
    return this.#tokens[this.#at + ahead] ?? end;
  }

  take(): Token {
    const token = this.token;
    this.#at += 1;
    return token;
  }

  atOp(text: string): boolean {
    return this.token.kind === "op" && this.token.text === text;
  }

  /** Keywords are case-insensitive. */
  atWord(...words: string[]): boolean {
    return this.token.kind === "identifier" && words.includes(this.token.text.toLowerCase());
  }

  takeOp(text: string): boolean {
    if (!this.atOp(text)) return false;
    this.#at += 1;
    return true;
  }

  takeWord(...words: string[]): boolean {
    if (!this.atWord(...words)) return false;
    this.#at += 1;
    return true;
  }

  expectOp(text: string, context: string): Token {
    if (!this.atOp(text)) this.unexpected(context, JSON.stringify(text));
    return this.take();
  }

  fail(span: Span, reason: string): never {
    throw new PromqlSyntaxError(this.text, span, reason);
  }

  unexpected(context: string, expected?: string): never {
    const where = context ? ` in ${context}` : "";
    const wanted = expected ? `, expected ${expected}` : "";
    this.fail(this.token, `unexpected ${describe(this.token)}${where}${wanted}`);
  }
}

function describe(token: Token): string {
  switch (token.kind) {
    case "end":
      return "end of input";
    case "op":
      return JSON.stringify(token.text);
    default:
      return `${token.kind} ${JSON.stringify(token.text)}`;
  }
}
