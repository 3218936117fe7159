/** Walks over tokens; complaints name the place and are worded as Loki's are. */
import { aggregations, functionNames, stageNames } from "./functions.ts";
import { unquoteGo } from "@skopos/model";
import { errorAt, type Token, tokenize } from "./lexer.ts";
import { parseSeconds } from "./units.ts";

const keywords: ReadonlySet<string> = new Set([
  ...functionNames,
  ...aggregations,
  ...stageNames,
  "and",
  "bool",
  "by",
  "bytes",
  "duration",
  "duration_seconds",
  "group_left",
  "group_right",
  "ignoring",
  "ip",
  "offset",
  "on",
  "or",
  "unless",
  "without",
]);
const depthMax = 100;

export class Cursor {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
  }

  peek(ahead = 0): Token {
    return this.#tokens[this.#at + ahead] ?? { type: "end", text: "", at: this.#text.length };
  }

  next(): Token {
    const token = this.peek();
    this.#at += 1;
    return token;
  }

  /** Takes a symbol or a word, if it is the next token. */
  take(text: string): boolean {
    if (!this.isNext(text)) return false;
    this.#at += 1;
    return true;
  }

  isNext(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return (token.type === "symbol" || token.type === "word") && token.text === text;
  }

  expect(text: string): Token {
    if (!this.isNext(text)) this.unexpected(text);
    return this.next();
  }

  word(): string {
    if (this.peek().type !== "word") this.unexpected("IDENTIFIER");
    return this.next().text;
  }

  string(): string {
    const token = this.peek();
    if (token.type !== "string") this.unexpected("STRING");
    const text = unquoteGo(token.text);
    if (text === undefined)
      this.fail("invalid char escape: write a regular expression in `backticks`", token);
    this.#at += 1;
    return text;
  }

  /** A duration as queries write it, in milliseconds. */
  durationMs(): number {
    const token = this.next();
    const seconds = token.type === "duration" ? parseSeconds(token.text, true) : undefined;
    if (seconds === undefined) return this.fail("not a duration (like 30s, 5m or 1h30m)", token);
    return seconds * 1000;
  }

  unexpected(expected?: string): never {
    const token = this.peek();
    const end = expected === undefined ? "" : `, expecting ${expected}`;
    return this.fail(`syntax error: unexpected ${named(token)}${end}`, token);
  }

  fail(message: string, token: Token = this.peek()): never {
    throw errorAt(this.#text, token.at, message);
  }

  /** Runs `parse` one level deeper. */
  nested<Value>(parse: () => Value): Value {
    if (++this.#depth > depthMax) this.fail("the query nests too deep");
    const value = parse();
    this.#depth -= 1;
    return value;
  }
}

function named({ type, text }: Token): string {
  switch (type) {
    case "end":
      return "$end";
    case "string":
      return "STRING";
    case "number":
      return "NUMBER";
    case "duration":
      return "DURATION";
    case "bytes":
      return "BYTES";
    case "flag":
      return "PARSER_FLAG";
    case "word":
      return keywords.has(text) ? text : "IDENTIFIER";
    case "symbol":
      return text === "[" ? "RANGE" : text;
  }
}
