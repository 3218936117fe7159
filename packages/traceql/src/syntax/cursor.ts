/** Goes through the tokens of a query, and keeps the limits of its size. */
import { LimitError } from "@skopos/model";
import type { Place } from "./ast.ts";
import { TraceqlError } from "./error.ts";
import { type Token, tokenize } from "./lexer.ts";

const charactersMax = 32_768;
const depthMax = 100;
const operatorsMax = 2000;

export class Cursor {
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;
  #operators = 0;

  constructor(text: string) {
    if (text.length > charactersMax)
      throw new LimitError(`a query has at most ${charactersMax} characters`);
    this.#tokens = tokenize(text);
  }

  peek(ahead = 0): Token {
    const token = this.#tokens[this.#index + ahead] ?? this.#tokens.at(-1);
    return token ?? { type: "end", text: "", offset: 0, line: 1, column: 1 };
  }

  next(): Token {
    const token = this.peek();
    this.#index += 1;
    return token;
  }

  is(text: string): boolean {
    const token = this.peek();
    return (token.type === "symbol" || token.type === "word") && token.text === text;
  }

  take(text: string): boolean {
    if (!this.is(text)) return false;
    this.#index += 1;
    return true;
  }

  expect(text: string, after?: string): void {
    if (!this.take(text)) this.fail(after === undefined ? text : `${text} after ${after}`);
  }

  fail(expected: string): never {
    const token = this.peek();
    const found = token.type === "end" ? "the end of the query" : JSON.stringify(token.text);
    throw new TraceqlError(`expected ${expected}, found ${found}`, token);
  }

  nested<Result>(parse: () => Result): Result {
    this.#depth += 1;
    if (this.#depth > depthMax) throw new TraceqlError("nested too deeply", this.peek());
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  countOperator(at: Place): void {
    this.#operators += 1;
    if (this.#operators > operatorsMax)
      throw new TraceqlError(`more than ${operatorsMax} operators`, at);
  }
}
