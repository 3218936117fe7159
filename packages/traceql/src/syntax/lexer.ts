/**
 * Splits TraceQL into tokens. Strings are in double quotes with Go's escapes, or raw in backticks. A field is one token:
 * its scope, and the name up to what cannot be in one; parts of a name may be quoted, with \" and \\ as the only escapes.
 * `#` has no meaning; white space separates.
 */
import { unquoteGo } from "@skopos/model";
import type { Field, Place } from "./ast.ts";
import { TraceqlError } from "./error.ts";
import { attributeScopes, intrinsicScopes, plainIntrinsics, scopedIntrinsics } from "./fields.ts";

export type Token = Place & { readonly text: string; readonly offset: number } & (
    | { readonly type: "symbol" | "word" | "end" }
    | { readonly type: "string"; readonly value: string }
    /** A duration is in nanoseconds. */
    | { readonly type: "int" | "float" | "duration"; readonly value: number }
    | { readonly type: "field"; readonly field: Field }
  );

const space = /[ \t\r\n]+/y;
const symbol = /&>>|&<<|!>>|!<<|&>|&<|&~|!>|!<|!~|>>|<<|&&|\|\||!=|=~|>=|<=|[{}(),|=<>~!+\-*/%^]/y;
const duration =
  /(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)(?:\d+(?:\.\d*)?(?:ns|us|µs|μs|ms|s|m|h))*(?![\w.])/y;
const float = /(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])|\d+[eE][-+]?\d+(?![\w.])/y;
const int = /(?:0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+|\d+)(?![\w.])/y;
const word = /[A-Za-z_]\w*/y;
const quoted = /"(?:[^"\\\n]|\\.)*"/y;
const raw = /`[^`]*`/y;
/** What ends the name of an attribute. */
const nameRun = /[^\s{}()=~!<>&|^,"`\\]+/y;
const quotedName = /"((?:[^"\\]|\\["\\])*)"/y;

const nsPerUnit: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const scopePrefix = new RegExp(
  `(?:parent\\.)?(?:${attributeScopes.join("|")})\\.|parent\\.|\\.(?!\\d)`,
  "y",
);
const scopedName = new RegExp(`(?:${intrinsicScopes.join("|")}):\\w+`, "y");

export function tokenize(text: string): Token[] {
  const lexer = new Lexer(text);
  const tokens: Token[] = [];
  for (;;) {
    const token = lexer.next();
    tokens.push(token);
    if (token.type === "end") return tokens;
  }
}

type Start = Place & { readonly offset: number };

class Lexer {
  readonly #text: string;
  #offset = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  next(): Token {
    this.#skipSpace();
    const start = this.#place();
    if (this.#offset >= this.#text.length) return { type: "end", text: "", ...start };
    const token =
      this.#string(start) ?? this.#field(start) ?? this.#number(start) ?? this.#plain(start);
    if (token) return token;
    throw new TraceqlError(`unexpected ${JSON.stringify(this.#text[this.#offset])}`, start);
  }

  #place(): Start {
    return {
      offset: this.#offset,
      line: this.#line,
      column: this.#offset - this.#lineStart + 1,
    };
  }

  #skipSpace(): void {
    const blank = this.#match(space);
    if (blank === undefined) return;
    for (let i = this.#offset - blank.length; i < this.#offset; i++) {
      if (this.#text[i] !== "\n") continue;
      this.#line += 1;
      this.#lineStart = i + 1;
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text);
    if (!match) return undefined;
    this.#offset += match[0].length;
    return match[0];
  }

  #string(start: Start): Token | undefined {
    const open = this.#text[this.#offset];
    if (open !== '"' && open !== "`") return undefined;
    const text = this.#match(open === '"' ? quoted : raw);
    if (text === undefined) throw new TraceqlError("the string does not end", start);
    const value = unquoteGo(text);
    if (value === undefined) throw new TraceqlError(`no such escape in ${text}`, start);
    return { type: "string", text, value, ...start };
  }

  #number(start: Start): Token | undefined {
    const period = this.#match(duration);
    if (period !== undefined)
      return { type: "duration", text: period, value: durationNs(period), ...start };
    const fraction = this.#match(float);
    if (fraction !== undefined)
      return { type: "float", text: fraction, value: Number(fraction), ...start };
    const whole = this.#match(int);
    return whole === undefined
      ? undefined
      : { type: "int", text: whole, value: Number(whole), ...start };
  }

  #plain(start: Start): Token | undefined {
    const found = this.#match(symbol);
    if (found !== undefined) return { type: "symbol", text: found, ...start };
    const name = this.#match(word);
    if (name === undefined) return undefined;
    const intrinsic = plainIntrinsics.get(name) ?? (name === "parent" ? name : undefined);
    if (intrinsic === undefined) return { type: "word", text: name, ...start };
    const field = { scope: "intrinsic", name: intrinsic, parent: false } as const;
    return { type: "field", text: name, field, ...start };
  }

  #field(start: Start): Token | undefined {
    const scoped = this.#match(scopedName);
    if (scoped !== undefined) {
      const name = scopedIntrinsics.get(scoped);
      if (name === undefined) throw new TraceqlError(`there is no intrinsic ${scoped}`, start);
      const field = { scope: "intrinsic", name, parent: false } as const;
      return { type: "field", text: scoped, field, ...start };
    }
    const prefix = this.#match(scopePrefix);
    if (prefix === undefined) return undefined;
    const name = this.#attributeName(start, prefix);
    const parent = prefix.startsWith("parent.");
    const scope = attributeScopes.find((each) => prefix.endsWith(`${each}.`)) ?? "any";
    const intrinsic = parent && scope === "any" ? plainIntrinsics.get(name) : undefined;
    const field: Field =
      intrinsic === undefined
        ? { scope, name, parent }
        : { scope: "intrinsic", name: intrinsic, parent };
    return { type: "field", text: this.#text.slice(start.offset, this.#offset), field, ...start };
  }

  #attributeName(start: Start, prefix: string): string {
    let name = "";
    for (;;) {
      const part = this.#match(nameRun);
      if (part !== undefined) {
        name += part;
        continue;
      }
      if (this.#text[this.#offset] !== '"') break;
      const quotedPart = this.#match(quotedName);
      if (quotedPart === undefined)
        throw new TraceqlError(
          'a quoted name ends with " and has no other escapes than \\" and \\\\',
          start,
        );
      name += quotedPart.slice(1, -1).replaceAll(/\\(["\\])/g, "$1");
    }
    if (name === "") throw new TraceqlError(`expected a name after ${prefix}`, start);
    return name;
  }
}

function durationNs(text: string): number {
  let total = 0;
  for (const [, amount = "", unit = ""] of text.matchAll(/([\d.]+)([a-zµμ]+)/g))
    total += Number(amount) * (nsPerUnit[unit] ?? Number.NaN);
  return total;
}
