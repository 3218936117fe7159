/** Executes a parsed template. Bounded in steps, in output and in how deep templates call each other. */
import type { Command, Node, Operand, Pipe, Template } from "./ast.ts";
import { builtins } from "./builtins.ts";
import { TemplateError } from "./error.ts";
import { isTrue, printValue } from "./print.ts";
import { GoTime } from "./time.ts";

export type TemplateFunction = (...args: unknown[]) => unknown;

/** A map whose values are looked up one by one, and which is made whole only where a template wants all of it. */
export abstract class LazyMap {
  abstract field(name: string): unknown;
  abstract whole(): Readonly<Record<string, unknown>>;
}

export interface TemplateScope {
  /** The dot at the start, which is `$` too. */
  readonly data: unknown;
  /** With their `$`. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** What an absent key of a map is: `""` as with Go's `missingkey=zero` on maps of texts, else no value. */
  readonly missing?: "";
  readonly outputCharsMax: number;
  /** Beside Go's own. */
  function(name: string): TemplateFunction | undefined;
}

const stepsMax = 100_000;
const callDepthMax = 20;

/** Throws `TemplateError`, or what a function throws. */
export function executeTemplate(template: Template, scope: TemplateScope): string {
  const [only] = template.nodes;
  if (template.nodes.length === 1 && only?.type === "text") return only.text;
  const variables = new Variables(undefined);
  variables.declare("$", scope.data);
  if (scope.variables)
    for (const [name, value] of Object.entries(scope.variables)) variables.declare(name, value);
  const execution = new Execution(template, scope);
  execution.block(template.nodes, scope.data, variables);
  return execution.output;
}

class Variables {
  readonly #parent: Variables | undefined;
  readonly #values = new Map<string, unknown>();

  constructor(parent: Variables | undefined) {
    this.#parent = parent;
  }

  declare(name: string, value: unknown): void {
    this.#values.set(name, value);
  }

  assign(name: string, value: unknown): void {
    if (this.#values.has(name) || !this.#parent) this.#values.set(name, value);
    else this.#parent.assign(name, value);
  }

  get(name: string): unknown {
    return this.#values.has(name) ? this.#values.get(name) : this.#parent?.get(name);
  }
}

type Control = Extract<Node, { pipe: Pipe; body: readonly Node[] }>;

class Execution {
  readonly #template: Template;
  readonly #scope: TemplateScope;
  #output = "";
  #steps = 0;
  #callDepth = 0;

  constructor(template: Template, scope: TemplateScope) {
    this.#template = template;
    this.#scope = scope;
  }

  get output(): string {
    return this.#output;
  }

  /** Returns why it ended early. */
  block(
    nodes: readonly Node[],
    dot: unknown,
    variables: Variables,
  ): "break" | "continue" | undefined {
    for (const node of nodes) {
      this.#step();
      if (node.type === "text") this.#write(node.text);
      else if (node.type === "template")
        this.#callTemplate(node.name, node.pipe && this.#pipe(node.pipe, dot, variables));
      else if (!("pipe" in node)) return node.type;
      else if ("body" in node) {
        const left = this.#control(node, dot, new Variables(variables));
        if (left) return left;
      } else {
        const value = this.#pipe(node.pipe, dot, variables);
        if (node.pipe.variables.length === 0) this.#write(printValue(shown(value)));
      }
    }
    return undefined;
  }

  #control(node: Control, dot: unknown, variables: Variables): "break" | "continue" | undefined {
    if (node.type === "range") return this.#range(node, dot, variables);
    const value = this.#pipe(node.pipe, dot, variables);
    if (!isTrue(shown(value))) return this.block(node.otherwise, dot, variables);
    return this.block(node.body, node.type === "with" ? value : dot, variables);
  }

  #range(node: Control, dot: unknown, variables: Variables) {
    const { variables: names, declares } = node.pipe;
    const value = shown(this.#commands(node.pipe, dot, variables));
    const entries = entriesOf(value);
    if (entries.length === 0) return this.block(node.otherwise, dot, variables);
    for (const [key, item] of entries) {
      this.#step();
      const inner = new Variables(variables);
      const pair = names.length === 2 ? [key, item] : [item];
      for (const [i, name] of names.entries())
        if (declares) inner.declare(name, pair[i]);
        else inner.assign(name, pair[i]);
      if (this.block(node.body, item, inner) === "break") break;
    }
    return undefined;
  }

  #step(): void {
    if (++this.#steps > stepsMax) throw new TemplateError("the template runs too long");
  }

  #write(text: string): void {
    const { outputCharsMax } = this.#scope;
    if (this.#output.length + text.length > outputCharsMax)
      throw new TemplateError(`the template writes more than ${outputCharsMax} characters`);
    this.#output += text;
  }

  #pipe(pipe: Pipe, dot: unknown, variables: Variables): unknown {
    const value = this.#commands(pipe, dot, variables);
    for (const name of pipe.variables)
      if (pipe.declares) variables.declare(name, value);
      else variables.assign(name, value);
    return value;
  }

  #commands(pipe: Pipe, dot: unknown, variables: Variables): unknown {
    let value: unknown;
    for (const [i, command] of pipe.commands.entries())
      value = this.#command(command, dot, variables, i > 0 ? [value] : []);
    return value;
  }

  #command(
    command: Command,
    dot: unknown,
    variables: Variables,
    last: readonly unknown[],
  ): unknown {
    this.#step();
    const [head, ...rest] = command;
    if (!head) return undefined;
    if (head.type === "function" && (head.name === "and" || head.name === "or"))
      return this.#logic(head.name, rest, dot, variables, last);
    const args = () => [
      ...rest.map((operand) => shown(this.#operand(operand, dot, variables))),
      ...last.map((value) => shown(value)),
    ];
    if (head.type === "function") return this.#call(head.name, args());
    if (rest.length === 0 && last.length === 0) return this.#operand(head, dot, variables);
    return this.#method(head, args(), dot, variables);
  }

  /** Stops at the first operand that decides. */
  #logic(
    name: "and" | "or",
    operands: readonly Operand[],
    dot: unknown,
    variables: Variables,
    last: readonly unknown[],
  ): unknown {
    let value: unknown;
    for (const operand of operands) {
      value = shown(this.#operand(operand, dot, variables));
      if (isTrue(value) === (name === "or")) return value;
    }
    return last.length > 0 ? last[0] : value;
  }

  #call(name: string, args: readonly unknown[]): unknown {
    if (name === "tmpl") return this.#rendered(printValue(args[0]), args[1]);
    const called = this.#scope.function(name) ?? builtins.get(name);
    if (!called) throw new TemplateError(`function ${JSON.stringify(name)} not defined`);
    return called(...args);
  }

  #callTemplate(name: string, data: unknown): void {
    const nodes = this.#template.defined.get(name);
    if (!nodes) throw new TemplateError(`template ${JSON.stringify(name)} not defined`);
    if (++this.#callDepth > callDepthMax) throw new TemplateError("templates call too deep");
    const variables = new Variables(undefined);
    variables.declare("$", data);
    this.block(nodes, data, variables);
    this.#callDepth--;
  }

  /** The output of a defined template as a value: what `tmpl` gives. */
  #rendered(name: string, data: unknown): string {
    const before = this.#output;
    this.#output = "";
    this.#callTemplate(name, data);
    const text = this.#output;
    this.#output = before;
    return text;
  }

  /** The one method with arguments: `.Format` of a time. */
  #method(head: Operand, args: readonly unknown[], dot: unknown, variables: Variables): unknown {
    if ("fields" in head && head.fields.at(-1) === "Format") {
      const fields = head.fields.slice(0, -1);
      const owner = this.#operand({ ...head, fields }, dot, variables);
      if (owner instanceof GoTime) return owner.format(printValue(args[0]));
    }
    throw new TemplateError("can't give arguments to what is not a function");
  }

  #operand(operand: Operand, dot: unknown, variables: Variables): unknown {
    switch (operand.type) {
      case "literal":
        return operand.value;
      case "dot":
        return this.#fields(dot, operand.fields);
      case "variable":
        return this.#fields(variables.get(operand.name), operand.fields);
      case "function":
        return this.#call(operand.name, []);
      case "paren":
        return this.#fields(this.#pipe(operand.pipe, dot, variables), operand.fields);
    }
  }

  #fields(value: unknown, fields: readonly string[]): unknown {
    let found = value;
    for (const field of fields) {
      if (found instanceof LazyMap) found = found.field(field);
      else if (found instanceof GoTime) found = timeField(found, field);
      else if (typeof found === "object" && found !== null && !Array.isArray(found))
        found = Object.hasOwn(found, field) ? Reflect.get(found, field) : this.#scope.missing;
      else throw new TemplateError(`can't evaluate field ${field} in ${printValue(found)}`);
    }
    return found;
  }
}

function timeField(time: GoTime, field: string): unknown {
  switch (field) {
    case "Unix":
      return Number(time.ns / 1_000_000_000n);
    case "UnixMilli":
      return Number(time.ns / 1_000_000n);
    case "UnixNano":
      return time.ns;
    case "Year":
      return time.local.getUTCFullYear();
    case "Month":
      return time.format("January");
    case "Day":
      return time.local.getUTCDate();
    case "Hour":
      return time.local.getUTCHours();
    case "Minute":
      return time.local.getUTCMinutes();
    case "Second":
      return time.local.getUTCSeconds();
    case "Weekday":
      return time.format("Monday");
    default:
      throw new TemplateError(`can't evaluate field ${field} of a time`);
  }
}

function shown(value: unknown): unknown {
  return value instanceof LazyMap ? value.whole() : value;
}

function entriesOf(value: unknown): (readonly [unknown, unknown])[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map((item, i) => [i, item] as const);
  if (typeof value === "number" && Number.isInteger(value) && value <= stepsMax)
    return Array.from({ length: Math.max(0, value) }, (_, i) => [i, i] as const);
  if (typeof value === "object") return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  throw new TemplateError(`range can't iterate over ${printValue(value)}`);
}
