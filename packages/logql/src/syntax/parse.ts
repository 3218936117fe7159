/** Parses LogQL. What is valid but not evaluated yet is refused by name, with its place. */
import {
  type LineFilter,
  type Matcher,
  type MatchOp,
  parseDuration,
  SkoposError,
} from "@skopos/model";
import type {
  LabelFilter,
  LogqlExpr,
  LogSelector,
  MetricExpr,
  RangeFunction,
  Stage,
  VectorAggregation,
} from "./ast.ts";
import { LogqlError } from "./error.ts";
import { type Token, tokenize, unquote } from "./lexer.ts";

const rangeFunctions: ReadonlySet<string> = new Set<RangeFunction>([
  "rate",
  "count_over_time",
  "bytes_rate",
  "bytes_over_time",
]);
const aggregations: ReadonlySet<string> = new Set<VectorAggregation["op"]>([
  "sum",
  "avg",
  "min",
  "max",
  "count",
]);
const matchOps: ReadonlySet<string> = new Set<MatchOp>(["=", "!=", "=~", "!~"]);
const lineOps: ReadonlySet<string> = new Set<LineFilter["op"]>(["|=", "!=", "|~", "!~"]);
const numberOps: ReadonlySet<string> = new Set(["==", "!=", ">", ">=", "<", "<="]);
const queryLengthMax = 5000;

/** Throws `LogqlError` with the column. */
export function parse(text: string): LogqlExpr {
  if (text.length > queryLengthMax)
    throw new SkoposError("bad-query", `a query has at most ${queryLengthMax} characters`);
  const parser = new Parser(tokenize(text));
  return parser.whole();
}

/** Parses `{a="b"}` alone. */
export function parseSelector(text: string): Matcher[] {
  const expr = parse(text);
  if (expr.type !== "log" || expr.stages.length > 0)
    throw new LogqlError('expected a stream selector like {app="x"}', 1);
  return [...expr.matchers];
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): LogqlExpr {
    const expr = this.#peek().text === "{" ? this.#log() : this.#metric();
    const rest = this.#peek();
    if (rest.type !== "end") throw new LogqlError(`unexpected ${describe(rest)}`, rest.column);
    return expr;
  }

  #log(): LogSelector {
    const open = this.#expect("{");
    const matchers: Matcher[] = [];
    while (this.#peek().text !== "}") {
      matchers.push(this.#matcher());
      if (!this.#take(",")) break;
    }
    this.#expect("}");
    if (
      !matchers.some(
        (m) => !((m.op === "=" && m.value === "") || (m.op === "=~" && m.value === ".*")),
      )
    ) {
      throw new LogqlError(
        'name at least one label that is not empty, like {app="user-service"}',
        open.column,
      );
    }
    const stages: Stage[] = [];
    for (let stage = this.#stage(); stage; stage = this.#stage()) stages.push(stage);
    return { type: "log", matchers, stages };
  }

  #matcher(): Matcher {
    const name = this.#word("a label name");
    const op = this.#next();
    if (!matchOps.has(op.text))
      throw new LogqlError(`expected =, !=, =~ or !~, found ${describe(op)}`, op.column);
    return { name: name.text, op: op.text as MatchOp, value: this.#string() };
  }

  #stage(): Stage | undefined {
    const token = this.#peek();
    if (lineOps.has(token.text) && token.type === "symbol") {
      this.#at += 1;
      const values = [this.#string()];
      while (this.#takeWord("or")) values.push(this.#string());
      return { type: "line", filter: { op: token.text as LineFilter["op"], values } };
    }
    if (!this.#take("|")) return undefined;
    const name = this.#peek();
    if (this.#takeWord("json")) return { type: "json" };
    if (this.#takeWord("logfmt")) return { type: "logfmt" };
    if (this.#takeWord("drop")) return { type: "drop", names: this.#names() };
    if (this.#takeWord("keep")) return { type: "keep", names: this.#names() };
    const after = this.#tokens[this.#at + 1];
    if (name.type === "word" && after && !matchOps.has(after.text) && !numberOps.has(after.text)) {
      throw new LogqlError(
        `the stage ${name.text} is not evaluated; there are json, logfmt, drop, keep and label filters`,
        name.column,
      );
    }
    return { type: "label", filter: this.#labelOr() };
  }

  #names(): string[] {
    const names = [this.#word("a label name").text];
    while (this.#take(",")) names.push(this.#word("a label name").text);
    return names;
  }

  #labelOr(): LabelFilter {
    let left = this.#labelAnd();
    while (this.#takeWord("or")) left = { type: "or", left, right: this.#labelAnd() };
    return left;
  }

  #labelAnd(): LabelFilter {
    let left = this.#labelTerm();
    while (this.#takeWord("and") || this.#take(","))
      left = { type: "and", left, right: this.#labelTerm() };
    return left;
  }

  #labelTerm(): LabelFilter {
    if (this.#take("(")) {
      const inner = this.#labelOr();
      this.#expect(")");
      return inner;
    }
    const name = this.#word("a label name").text;
    const op = this.#next();
    const value = this.#peek();
    if (value.type === "string" && matchOps.has(op.text))
      return { type: "text", name, op: op.text as MatchOp, value: this.#string() };
    if (!numberOps.has(op.text))
      throw new LogqlError(`cannot compare with ${describe(op)} here`, op.column);
    this.#at += 1;
    const number =
      value.type === "duration" ? parseDuration(value.text) / 1000 : Number(value.text);
    if ((value.type !== "number" && value.type !== "duration") || Number.isNaN(number)) {
      throw new LogqlError(
        `expected a number, a duration or a string, found ${describe(value)}`,
        value.column,
      );
    }
    return { type: "number", name, op: op.text as "==", value: number };
  }

  #metric(): MetricExpr {
    const name = this.#word("a stream selector or a function");
    if (rangeFunctions.has(name.text)) return this.#range(name.text as RangeFunction);
    if (!aggregations.has(name.text)) {
      throw new LogqlError(
        `${name.text} is not evaluated; there are ${[...rangeFunctions, ...aggregations].join(", ")}`,
        name.column,
      );
    }
    let grouping = this.#grouping();
    this.#expect("(");
    const inner = this.#metric();
    this.#expect(")");
    grouping ??= this.#grouping();
    return {
      type: "aggregate",
      op: name.text as VectorAggregation["op"],
      grouping: grouping ?? { type: "by", names: [] },
      inner,
    };
  }

  #grouping(): VectorAggregation["grouping"] | undefined {
    const type = this.#takeWord("by") ? "by" : this.#takeWord("without") ? "without" : undefined;
    if (!type) return undefined;
    this.#expect("(");
    const names = this.#peek().text === ")" ? [] : this.#names();
    this.#expect(")");
    return { type, names };
  }

  #range(func: RangeFunction): MetricExpr {
    this.#expect("(");
    const selector = this.#log();
    this.#expect("[");
    const rangeMs = this.#duration();
    this.#expect("]");
    const offsetMs = this.#takeWord("offset") ? this.#duration() : 0;
    this.#expect(")");
    return { type: "range", func, selector, rangeMs, offsetMs };
  }

  #duration(): number {
    const token = this.#next();
    if (token.type !== "duration")
      throw new LogqlError(`expected a duration like 5m, found ${describe(token)}`, token.column);
    return parseDuration(token.text);
  }

  #string(): string {
    const token = this.#next();
    if (token.type !== "string")
      throw new LogqlError(`expected a quoted string, found ${describe(token)}`, token.column);
    return unquote(token);
  }

  #word(what: string): Token {
    const token = this.#next();
    if (token.type !== "word")
      throw new LogqlError(`expected ${what}, found ${describe(token)}`, token.column);
    return token;
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
    if (token.type !== "symbol" || token.text !== text) return false;
    this.#at += 1;
    return true;
  }

  #takeWord(text: string): boolean {
    const token = this.#peek();
    if (token.type !== "word" || token.text !== text) return false;
    this.#at += 1;
    return true;
  }

  #expect(text: string): Token {
    const token = this.#peek();
    if (!this.#take(text))
      throw new LogqlError(`expected ${text}, found ${describe(token)}`, token.column);
    return token;
  }
}

function describe(token: Token): string {
  return token.type === "end" ? "the end of the query" : JSON.stringify(token.text);
}
