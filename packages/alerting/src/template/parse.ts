/** Parses templates. Source: Go text/template/parse. */
import type { Command, Node, Operand, ParsedTemplate, Pipe } from "./ast.ts";
import { TemplateError } from "./error.ts";
import { lexTemplate, type Piece, type Token } from "./lex.ts";

const sourceCharsMax = 64 * 1024;
const depthMax = 50;

/** `functions` are the names that may be called. Throws `TemplateError`. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): ParsedTemplate {
  if (source.length > sourceCharsMax)
    throw new TemplateError(`a template holds at most ${sourceCharsMax} characters`);
  return new Parser(lexTemplate(source), functions).parse();
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

  constructor(pieces: readonly Piece[], functions: ReadonlySet<string>) {
    this.#pieces = pieces;
    this.#functions = functions;
  }

  parse(): ParsedTemplate {
    const { nodes, end } = this.#block();
    if (end !== undefined) this.#fail(`unexpected {{${end}}}`);
    return { nodes, defined: this.#defined };
  }

  #fail(reason: string): never {
    throw new TemplateError(`template line ${this.#line}: ${reason}`);
  }

  /** Nodes up to `end` or `else`, which is consumed; undefined at the end of the template. */
  #block(): { nodes: Node[]; end: "end" | "else" | undefined } {
    if (++this.#depth > depthMax) this.#fail("blocks nest too deep");
    const nodes: Node[] = [];
    while (this.#at < this.#pieces.length) {
      const piece = this.#pieces[this.#at++];
      if (!piece) break;
      if (piece.kind === "text") {
        nodes.push(piece);
        continue;
      }
      this.#line = piece.line;
      this.#tokens = piece.tokens.filter(
        (token, i) => token.kind !== "space" || keepsSpace(piece.tokens, i),
      );
      this.#token = 0;
      const word = this.#peekWord();
      if (word === "end" || word === "else") {
        this.#token++;
        if (word === "end") this.#expectEnd();
        this.#depth--;
        return { nodes, end: word };
      }
      const node = this.#action(word);
      if (node) nodes.push(node);
    }
    this.#depth--;
    return { nodes, end: undefined };
  }

  #action(word: string | undefined): Node | undefined {
    switch (word) {
      case "if":
      case "with":
      case "range":
        this.#token++;
        return this.#control(word);
      case "break":
      case "continue":
        this.#token++;
        this.#expectEnd();
        return { kind: word };
      case "template": {
        this.#token++;
        const name = this.#name();
        const pipe = this.#token < this.#tokens.length ? this.#pipe() : undefined;
        this.#expectEnd();
        return { kind: "template", name, pipe };
      }
      case "define": {
        this.#token++;
        const name = this.#name();
        this.#expectEnd();
        const { nodes, end } = this.#block();
        if (end !== "end") this.#fail(`{{define}} of ${name} is not closed with {{end}}`);
        this.#defined.set(name, nodes);
        return undefined;
      }
      default: {
        const pipe = this.#pipe();
        this.#expectEnd();
        return { kind: "action", pipe };
      }
    }
  }

  #control(kind: "if" | "with" | "range"): Node {
    const pipe = this.#pipe();
    this.#expectEnd();
    const body = this.#block();
    let otherwise: readonly Node[] = [];
    if (body.end === "else") {
      const word = this.#peekWord();
      if (word === "if" || word === "with") {
        this.#token++;
        otherwise = [this.#control(word)];
      } else {
        this.#expectEnd();
        const rest = this.#block();
        if (rest.end !== "end") this.#fail(`{{${kind}}} is not closed with {{end}}`);
        otherwise = rest.nodes;
      }
    } else if (body.end !== "end") this.#fail(`{{${kind}}} is not closed with {{end}}`);
    return { kind, pipe, body: body.nodes, otherwise };
  }

  #peekWord(): string | undefined {
    const token = this.#tokens[this.#token];
    return token?.kind === "word" ? token.text : undefined;
  }

  #expectEnd(): void {
    const token = this.#tokens[this.#token];
    if (token) this.#fail(`unexpected ${JSON.stringify(token.text)}`);
  }

  #name(): string {
    const token = this.#tokens[this.#token++];
    if (token?.kind !== "string") return this.#fail("expected a name in quotes");
    return unquote(token.text);
  }

  #pipe(): Pipe {
    const { variables, declares } = this.#declaration();
    const commands: Command[] = [this.#command()];
    while (this.#isPunct("|")) {
      this.#token++;
      commands.push(this.#command());
    }
    return { variables, declares, commands };
  }

  /** `$x :=`, `$x =` or `$i, $x :=`; nothing is consumed when there is none. */
  #declaration(): { variables: string[]; declares: boolean } {
    const start = this.#token;
    const variables: string[] = [];
    while (this.#tokens[this.#token]?.kind === "variable") {
      variables.push(this.#tokens[this.#token++]?.text ?? "");
      if (!this.#isPunct(",")) break;
      this.#token++;
    }
    const assign = this.#tokens[this.#token]?.text;
    if (variables.length > 0 && variables.length <= 2 && (assign === ":=" || assign === "=")) {
      this.#token++;
      return { variables, declares: assign === ":=" };
    }
    this.#token = start;
    return { variables: [], declares: false };
  }

  #isPunct(text: string): boolean {
    const token = this.#tokens[this.#token];
    return token?.kind === "punct" && token.text === text;
  }

  #command(): Command {
    const operands: Operand[] = [];
    for (;;) {
      const token = this.#tokens[this.#token];
      if (!token || this.#isPunct("|") || this.#isPunct(")")) break;
      operands.push(this.#operand(token));
    }
    if (operands.length === 0) this.#fail("missing value for command");
    const [first] = operands;
    if (operands.length > 1 && first?.kind === "literal")
      this.#fail(`cannot give arguments to ${JSON.stringify(first.value)}`);
    return operands;
  }

  #operand(token: Token): Operand {
    this.#token++;
    switch (token.kind) {
      case "string":
        return { kind: "literal", value: unquote(token.text) };
      case "number":
        return { kind: "literal", value: Number(token.text) };
      case "dot":
        return { kind: "dot", fields: [] };
      case "field":
        return { kind: "dot", fields: [token.text.slice(1), ...this.#fields()] };
      case "variable":
        return { kind: "variable", name: token.text, fields: this.#fields() };
      case "word":
        return this.#word(token.text);
      default:
        if (token.text !== "(") return this.#fail(`unexpected ${JSON.stringify(token.text)}`);
    }
    if (++this.#depth > depthMax) this.#fail("parentheses nest too deep");
    const pipe = this.#pipe();
    if (!this.#isPunct(")")) this.#fail("a parenthesis is not closed");
    this.#token++;
    this.#depth--;
    return { kind: "paren", pipe, fields: this.#fields() };
  }

  #word(text: string): Operand {
    if (text === "true" || text === "false") return { kind: "literal", value: text === "true" };
    if (text === "nil") return { kind: "literal", value: undefined };
    if (!this.#functions.has(text)) return this.#fail(`function "${text}" not defined`);
    return { kind: "function", name: text };
  }

  /** Fields that follow without a blank: `$labels.job`, `(query "x").Value`. */
  #fields(): string[] {
    const fields: string[] = [];
    while (this.#tokens[this.#token]?.kind === "field")
      fields.push(this.#tokens[this.#token++]?.text.slice(1) ?? "");
    if (this.#tokens[this.#token]?.kind === "space") this.#token++;
    return fields;
  }
}

/** A blank matters only where it keeps a field from the operand before it: `f .X` is not `f.X`. */
function keepsSpace(tokens: readonly Token[], i: number): boolean {
  const before = tokens[i - 1];
  const after = tokens[i + 1];
  if (after?.kind !== "field") return false;
  return (
    before?.kind === "variable" ||
    before?.kind === "field" ||
    (before?.kind === "punct" && before.text === ")")
  );
}

function unquote(text: string): string {
  if (text.startsWith("`")) return text.slice(1, -1);
  const escapes: Readonly<Record<string, string>> = {
    n: "\n",
    t: "\t",
    r: "\r",
    a: "\u0007",
    b: "\b",
    f: "\f",
    v: "\v",
  };
  return text
    .slice(1, -1)
    .replaceAll(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))/g,
      (_, byte: string | undefined, unit: string | undefined, c: string | undefined) => {
        if (c !== undefined) return escapes[c] ?? c;
        return String.fromCharCode(Number.parseInt(byte ?? unit ?? "0", 16));
      },
    );
}
