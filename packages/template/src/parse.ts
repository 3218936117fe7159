/** Parses templates. Source: Go text/template/parse. */
import { unquoteGo } from "@skopos/model";
import type { Command, Node, Operand, Pipe, Template } from "./ast.ts";
import { errorAt, TemplateError } from "./error.ts";
import { lexTemplate, type Piece, type Token } from "./lex.ts";

const sourceCharsMax = 64 * 1024;
const depthMax = 50;

/** What a template may name. */
export interface TemplateNames {
  readonly functions: ReadonlySet<string>;
  /** With their `$`; `$` itself is always there. */
  readonly variables?: readonly string[];
}

/** Throws `TemplateError` with the line, in Go's words. */
export function parseTemplate(source: string, names: TemplateNames): Template {
  if (source.length > sourceCharsMax)
    throw new TemplateError(`a template has at most ${sourceCharsMax} characters`);
  return new Parser(lexTemplate(source), names).parse();
}

class Parser {
  readonly #pieces: readonly Piece[];
  readonly #functions: ReadonlySet<string>;
  readonly #defined = new Map<string, readonly Node[]>();
  #at = 0;
  #line = 1;
  #depth = 0;
  #tokens: readonly Token[] = [];
  #token = 0;
  /** Innermost last. */
  #scopes: Set<string>[];

  constructor(pieces: readonly Piece[], { functions, variables = [] }: TemplateNames) {
    this.#pieces = pieces;
    this.#functions = functions;
    this.#scopes = [new Set(["$", ...variables])];
  }

  parse(): Template {
    const { nodes, end } = this.#block();
    if (end !== undefined) this.#fail(`unexpected {{${end}}}`);
    return { nodes, defined: this.#defined };
  }

  #fail(reason: string): never {
    throw errorAt(this.#line, reason);
  }

  /** Nodes up to `end` or `else`, whose word is consumed; undefined at the end of the template. */
  #block(): { nodes: Node[]; end: "end" | "else" | undefined } {
    if (++this.#depth > depthMax) this.#fail("blocks nest too deep");
    const nodes: Node[] = [];
    let end: "end" | "else" | undefined;
    while (this.#at < this.#pieces.length && end === undefined) {
      const piece = this.#pieces[this.#at++];
      if (!piece) break;
      if (piece.type === "text") {
        nodes.push(piece);
        continue;
      }
      this.#line = piece.line;
      this.#tokens = piece.tokens.filter(
        (one, i) => one.type !== "space" || parts(piece.tokens, i),
      );
      this.#token = 0;
      const word = this.#word();
      if (word === "end" || word === "else") {
        this.#token++;
        if (word === "end") this.#expectEnd();
        end = word;
      } else if (word === "define") this.#define();
      else nodes.push(this.#action(word));
    }
    this.#depth--;
    return { nodes, end };
  }

  #action(word: string | undefined): Node {
    if (word === "if" || word === "with" || word === "range") {
      this.#token++;
      return this.#control(word);
    }
    if (word === "break" || word === "continue") {
      this.#token++;
      this.#expectEnd();
      return { type: word };
    }
    if (word === "template") {
      this.#token++;
      const name = this.#name();
      const pipe = this.#token < this.#tokens.length ? this.#pipe() : undefined;
      this.#expectEnd();
      return { type: "template", name, pipe };
    }
    if (word === "block") this.#fail("{{block}} is not supported: use {{define}} and {{template}}");
    const pipe = this.#pipe();
    this.#expectEnd();
    return { type: "action", pipe };
  }

  #define(): void {
    this.#token++;
    const name = this.#name();
    this.#expectEnd();
    const outer = this.#scopes;
    this.#scopes = [new Set(["$"])];
    const { nodes, end } = this.#block();
    this.#scopes = outer;
    if (end !== "end") this.#fail(`unexpected EOF: {{define}} is not closed with {{end}}`);
    this.#defined.set(name, nodes);
  }

  #control(type: "if" | "with" | "range"): Node {
    this.#scopes.push(new Set());
    if (this.#tokens[this.#token]?.type === "space") this.#token++;
    const pipe = this.#pipe();
    this.#expectEnd();
    const body = this.#block();
    let otherwise: readonly Node[] = [];
    let { end } = body;
    if (end === "else") {
      const word = this.#word();
      if (word === "if" || word === "with") {
        this.#token++;
        otherwise = [this.#control(word)];
        end = "end";
      } else {
        this.#expectEnd();
        const rest = this.#block();
        otherwise = rest.nodes;
        end = rest.end;
      }
    }
    if (end !== "end") this.#fail(`unexpected EOF: {{${type}}} is not closed with {{end}}`);
    this.#scopes.pop();
    return { type, pipe, body: body.nodes, otherwise };
  }

  #word(): string | undefined {
    const token = this.#tokens[this.#token];
    return token?.type === "word" ? token.text : undefined;
  }

  #expectEnd(): void {
    const token = this.#tokens[this.#token];
    if (token) this.#fail(`unexpected ${JSON.stringify(token.text)} in an action`);
  }

  #name(): string {
    const token = this.#tokens[this.#token++];
    if (token?.type !== "string") return this.#fail("expected a name in quotes");
    return String(this.#literal(token.text));
  }

  #isPunctuation(text: string): boolean {
    const token = this.#tokens[this.#token];
    return token?.type === "punctuation" && token.text === text;
  }

  #pipe(): Pipe {
    const { variables, declares } = this.#declaration();
    const commands: Command[] = [this.#command()];
    while (this.#isPunctuation("|")) {
      this.#token++;
      commands.push(this.#command());
    }
    for (const name of variables) if (declares) this.#scopes.at(-1)?.add(name);
    return { variables, declares, commands };
  }

  /** `$x :=`, `$x =` or `$i, $x :=`; nothing is consumed when there is none. */
  #declaration(): { variables: string[]; declares: boolean } {
    const start = this.#token;
    const variables: string[] = [];
    while (this.#tokens[this.#token]?.type === "variable") {
      variables.push(this.#tokens[this.#token++]?.text ?? "");
      if (this.#tokens[this.#token]?.type === "space") this.#token++;
      if (!this.#isPunctuation(",")) break;
      this.#token++;
    }
    const sign = this.#tokens[this.#token]?.text;
    if (variables.length > 0 && variables.length <= 2 && (sign === ":=" || sign === "=")) {
      this.#token++;
      return { variables, declares: sign === ":=" };
    }
    this.#token = start;
    return { variables: [], declares: false };
  }

  #command(): Command {
    const operands: Operand[] = [];
    for (;;) {
      const token = this.#tokens[this.#token];
      if (!token || this.#isPunctuation("|") || this.#isPunctuation(")")) break;
      operands.push(this.#operand(token));
    }
    if (operands.length === 0) this.#fail("missing value for command");
    const [first] = operands;
    if (operands.length > 1 && first?.type === "literal")
      this.#fail(`can't give argument to non-function ${JSON.stringify(first.value)}`);
    return operands;
  }

  #operand(token: Token): Operand {
    this.#token++;
    switch (token.type) {
      case "string":
        return { type: "literal", value: this.#literal(token.text) };
      case "number":
        return { type: "literal", value: Number(token.text) };
      case "dot":
        return { type: "dot", fields: [] };
      case "field":
        return { type: "dot", fields: [token.text.slice(1), ...this.#fields()] };
      case "variable":
        if (!this.#scopes.some((scope) => scope.has(token.text)))
          this.#fail(`undefined variable ${JSON.stringify(token.text)}`);
        return { type: "variable", name: token.text, fields: this.#fields() };
      case "word":
        return this.#withFields(this.#named(token.text));
      default:
        if (token.text !== "(") this.#fail(`unexpected ${JSON.stringify(token.text)} in an action`);
    }
    if (++this.#depth > depthMax) this.#fail("parentheses nest too deep");
    const pipe = this.#pipe();
    if (!this.#isPunctuation(")")) this.#fail("unclosed left paren");
    this.#token++;
    this.#depth--;
    return { type: "paren", pipe, fields: this.#fields() };
  }

  /** `now.Unix` is a field of what the function gives. */
  #withFields(operand: Operand): Operand {
    const fields = this.#fields();
    if (fields.length === 0) return operand;
    const pipe = { variables: [], declares: false, commands: [[operand]] };
    return { type: "paren", pipe, fields };
  }

  #literal(text: string): string | number {
    if (text.startsWith("'")) {
      const body = unquoteGo(`"${text.slice(1, -1).replaceAll('"', String.raw`\"`)}"`);
      return body?.codePointAt(0) ?? 0;
    }
    return unquoteGo(text) ?? this.#fail(`bad escape in ${text}`);
  }

  #named(text: string): Operand {
    if (text === "true" || text === "false") return { type: "literal", value: text === "true" };
    if (text === "nil") return { type: "literal", value: undefined };
    if (!this.#functions.has(text)) this.#fail(`function ${JSON.stringify(text)} not defined`);
    return { type: "function", name: text };
  }

  /** Fields that follow without a blank: `$x.y`, `(fromJson .z).y`. */
  #fields(): string[] {
    const fields: string[] = [];
    while (this.#tokens[this.#token]?.type === "field")
      fields.push(this.#tokens[this.#token++]?.text.slice(1) ?? "");
    if (this.#tokens[this.#token]?.type === "space") this.#token++;
    return fields;
  }
}

/** A blank matters only where it keeps a field from the operand before it: `$x .y` is not `$x.y`. */
function parts(tokens: readonly Token[], i: number): boolean {
  const before = tokens[i - 1];
  return (
    tokens[i + 1]?.type === "field" &&
    (before?.type === "variable" ||
      before?.type === "field" ||
      before?.type === "word" ||
      before?.text === ")")
  );
}
