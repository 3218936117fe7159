/** Parses TraceQL. What is valid but not evaluated yet is refused by name, with its place. */
import { SkoposError } from "@skopos/model";
import type { CompareOp, Field, Literal, SpanExpr, SpansetFilter } from "./ast.ts";
import { TraceqlError } from "./error.ts";
import { type Token, tokenize } from "./lexer.ts";

const compareOps: ReadonlySet<string> = new Set<CompareOp>([
  "=",
  "!=",
  ">",
  ">=",
  "<",
  "<=",
  "=~",
  "!~",
]);
const intrinsics = new Set([
  "name",
  "kind",
  "status",
  "duration",
  "statusMessage",
  "rootName",
  "rootServiceName",
  "traceDuration",
]);
const durationUnitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const queryLengthMax = 5000;
const depthMax = 100;

/** Throws `TraceqlError` with the column. */
export function parse(text: string): SpansetFilter {
  if (text.length > queryLengthMax)
    throw new SkoposError("bad-query", `a query has at most ${queryLengthMax} characters`);
  const parser = new Parser(tokenize(text));
  return parser.query();
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  query(): SpansetFilter {
    this.#expect("{");
    const filter = this.#peek().text === "}" ? undefined : this.#or();
    this.#expect("}");
    const rest = this.#peek();
    if (rest.type !== "end") {
      throw new TraceqlError(
        `${JSON.stringify(rest.text)} after the first spanset is not evaluated: use one { … } filter`,
        rest.column,
      );
    }
    return { filter };
  }

  #or(): SpanExpr {
    let left = this.#and();
    while (this.#take("||")) left = { type: "or", left, right: this.#and() };
    return left;
  }

  #and(): SpanExpr {
    let left = this.#term();
    while (this.#take("&&")) left = { type: "and", left, right: this.#term() };
    return left;
  }

  #term(): SpanExpr {
    if (this.#take("(")) {
      this.#depth += 1;
      if (this.#depth > depthMax) throw new TraceqlError("nested too deeply", this.#peek().column);
      const inner = this.#or();
      this.#expect(")");
      this.#depth -= 1;
      return inner;
    }
    const token = this.#next();
    if (token.type !== "word")
      throw new TraceqlError(
        `expected a field like span.http.method or duration, found ${describe(token)}`,
        token.column,
      );
    const field = fieldOf(token);
    const op = this.#next();
    if (!compareOps.has(op.text))
      throw new TraceqlError(
        `expected a comparison after ${token.text}, found ${describe(op)}`,
        op.column,
      );
    const value = this.#literal();
    return { type: "compare", field, op: op.text as CompareOp, value, column: token.column };
  }

  #literal(): Literal {
    const token = this.#next();
    if (token.type === "string") return { type: "string", value: unquote(token) };
    if (token.type === "number") return { type: "number", value: Number(token.text) };
    if (token.type === "duration") return { type: "duration", valueMs: durationMs(token.text) };
    if (token.type !== "word")
      throw new TraceqlError(`expected a value, found ${describe(token)}`, token.column);
    if (token.text === "true" || token.text === "false")
      return { type: "boolean", value: token.text === "true" };
    if (token.text === "nil") return { type: "nil" };
    return { type: "word", value: token.text };
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { type: "end", text: "", column: 1 };
  }

  #next(): Token {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }

  #take(text: string): boolean {
    const token = this.#peek();
    if (token.text !== text || token.type === "string") return false;
    this.#at += 1;
    return true;
  }

  #expect(text: string): void {
    const token = this.#peek();
    if (!this.#take(text))
      throw new TraceqlError(`expected ${text}, found ${describe(token)}`, token.column);
  }
}

function describe(token: Token): string {
  return token.type === "end" ? "the end of the query" : JSON.stringify(token.text);
}

function fieldOf(token: Token): Field {
  const { text } = token;
  for (const scope of ["span", "resource"] as const) {
    if (text.startsWith(`${scope}.`) && text.length > scope.length + 1)
      return { scope, name: text.slice(scope.length + 1) };
  }
  if (text.startsWith(".") && text.length > 1) return { scope: "any", name: text.slice(1) };
  if (intrinsics.has(text)) return { scope: "intrinsic", name: text };
  throw new TraceqlError(
    `${text} is no field: attributes start with span., resource. or a dot; intrinsics are ${[...intrinsics].join(", ")}`,
    token.column,
  );
}

function unquote(token: Token): string {
  if (token.text.startsWith("`")) return token.text.slice(1, -1);
  try {
    return JSON.parse(token.text) as string;
  } catch (cause) {
    throw new TraceqlError(`bad escape in ${token.text}: ${String(cause)}`, token.column);
  }
}

function durationMs(text: string): number {
  const match = /^([\d.]+)(\D+)$/.exec(text);
  return Number(match?.[1]) * (durationUnitMs[match?.[2] ?? ""] ?? Number.NaN);
}
