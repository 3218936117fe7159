/**
 * Executes a parsed template. Functions may be asynchronous (`query` is). Bounded: steps, output, depth of `template` calls.
 * A missing key of a map prints as nothing, as Prometheus sets `missingkey=zero`.
 */
import type { Command, Node, Operand, ParsedTemplate, Pipe } from "./ast.ts";
import { TemplateError } from "./error.ts";
import { builtins } from "./builtins.ts";
import { printValue } from "./format.ts";

type TemplateFunction = (...args: unknown[]) => unknown;
export type TemplateFunctions = Readonly<Record<string, TemplateFunction>>;

const stepsMax = 100_000;
const outputCharsMax = 64 * 1024;
const callDepthMax = 20;

/** Executes `template` on `data` (the dot) with `variables` (names with their `$`). Throws `TemplateError`. */
export async function executeTemplate(
  template: ParsedTemplate,
  data: unknown,
  variables: Readonly<Record<string, unknown>>,
  functions: TemplateFunctions,
): Promise<string> {
  const scope = new Scope(undefined);
  for (const [name, value] of Object.entries({ $: data, ...variables })) scope.declare(name, value);
  const execution = new Execution(template, functions);
  await execution.block(template.nodes, data, scope);
  return execution.output;
}

class Scope {
  readonly #parent: Scope | undefined;
  readonly #values = new Map<string, unknown>();

  constructor(parent: Scope | undefined) {
    this.#parent = parent;
  }

  declare(name: string, value: unknown): void {
    this.#values.set(name, value);
  }

  get(name: string): unknown {
    return this.#holder(name).#values.get(name);
  }

  set(name: string, value: unknown): void {
    this.#holder(name).#values.set(name, value);
  }

  #holder(name: string): Scope {
    if (this.#values.has(name)) return this;
    if (!this.#parent) throw new TemplateError(`undefined variable ${JSON.stringify(name)}`);
    return this.#parent.#holder(name);
  }
}

type Flow = "on" | "break" | "continue";

class Execution {
  output = "";
  readonly #template: ParsedTemplate;
  readonly #functions: TemplateFunctions;
  #steps = 0;
  #callDepth = 0;

  constructor(template: ParsedTemplate, functions: TemplateFunctions) {
    this.#template = template;
    this.#functions = functions;
  }

  async block(nodes: readonly Node[], dot: unknown, scope: Scope): Promise<Flow> {
    for (const node of nodes) {
      if (++this.#steps > stepsMax) throw new TemplateError("the template runs too long");
      const flow = await this.#node(node, dot, scope);
      if (flow !== "on") return flow;
    }
    return "on";
  }

  #write(text: string): void {
    if (this.output.length + text.length > outputCharsMax)
      throw new TemplateError(`the template writes more than ${outputCharsMax} characters`);
    this.output += text;
  }

  async #node(node: Node, dot: unknown, scope: Scope): Promise<Flow> {
    switch (node.kind) {
      case "text":
        this.#write(node.text);
        return "on";
      case "action": {
        const value = await this.#pipe(node.pipe, dot, scope);
        if (node.pipe.variables.length === 0) this.#write(printValue(value));
        return "on";
      }
      case "if":
      case "with": {
        const inner = new Scope(scope);
        const value = await this.#pipe(node.pipe, dot, inner);
        const next = node.kind === "with" ? value : dot;
        if (isTrue(value)) return this.block(node.body, next, inner);
        return this.block(node.otherwise, dot, inner);
      }
      case "range":
        return this.#range(node, dot, scope);
      case "template": {
        const data = node.pipe ? await this.#pipe(node.pipe, dot, scope) : undefined;
        await this.#call(node.name, data);
        return "on";
      }
      default:
        return node.kind;
    }
  }

  async #range(node: Extract<Node, { kind: "range" }>, dot: unknown, scope: Scope): Promise<Flow> {
    const { variables, declares, commands } = node.pipe;
    const value = await this.#pipe({ variables: [], declares: false, commands }, dot, scope);
    const entries = rangeEntries(value);
    if (entries.length === 0) return this.block(node.otherwise, dot, new Scope(scope));
    for (const [key, item] of entries) {
      const inner = new Scope(scope);
      const last = variables.at(-1);
      const pairs = variables.length === 2 ? [key, item] : [item];
      if (last !== undefined)
        for (const [i, name] of variables.entries())
          if (declares) inner.declare(name, pairs[i]);
          else inner.set(name, pairs[i]);
      if ((await this.block(node.body, item, inner)) === "break") break;
    }
    return "on";
  }

  async #call(name: string, data: unknown): Promise<void> {
    const nodes = this.#template.defined.get(name);
    if (!nodes) throw new TemplateError(`template "${name}" not defined`);
    if (++this.#callDepth > callDepthMax) throw new TemplateError("templates call too deep");
    const scope = new Scope(undefined);
    scope.declare("$", data);
    await this.block(nodes, data, scope);
    this.#callDepth--;
  }

  /** The output of a defined template as a value: what `tmpl` does. */
  async #render(name: unknown, data: unknown): Promise<string> {
    const before = this.output;
    this.output = "";
    await this.#call(String(name), data);
    const text = this.output;
    this.output = before;
    return text;
  }

  async #pipe(pipe: Pipe, dot: unknown, scope: Scope): Promise<unknown> {
    let value: unknown;
    for (const [i, command] of pipe.commands.entries())
      value = await this.#command(command, dot, scope, i === 0 ? [] : [value]);
    for (const name of pipe.variables)
      if (pipe.declares) scope.declare(name, value);
      else scope.set(name, value);
    return value;
  }

  async #command(
    command: Command,
    dot: unknown,
    scope: Scope,
    last: readonly unknown[],
  ): Promise<unknown> {
    if (++this.#steps > stepsMax) throw new TemplateError("the template runs too long");
    const [first, ...rest] = command;
    if (!first) return undefined;
    if (first.kind !== "function") {
      if (rest.length > 0 || last.length > 0)
        throw new TemplateError("can't give argument to non-function");
      return this.#operand(first, dot, scope);
    }
    if (first.name === "and" || first.name === "or")
      return this.#shortCircuit(first.name, rest, dot, scope, last);
    const args: unknown[] = [];
    for (const operand of rest) args.push(await this.#operand(operand, dot, scope));
    return this.#apply(first.name, [...args, ...last]);
  }

  async #shortCircuit(
    name: "and" | "or",
    operands: readonly Operand[],
    dot: unknown,
    scope: Scope,
    last: readonly unknown[],
  ): Promise<unknown> {
    let value: unknown;
    for (const operand of operands) {
      value = await this.#operand(operand, dot, scope);
      if (isTrue(value) === (name === "or")) return value;
    }
    return last.length > 0 ? last[0] : value;
  }

  async #apply(name: string, args: readonly unknown[]): Promise<unknown> {
    if (name === "tmpl") return this.#render(args[0], args[1]);
    const own = Object.hasOwn(this.#functions, name) ? this.#functions[name] : undefined;
    const called = own ?? builtins.get(name);
    if (!called) throw new TemplateError(`function "${name}" not defined`);
    return called(...args);
  }

  async #operand(operand: Operand, dot: unknown, scope: Scope): Promise<unknown> {
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return fieldsOf(dot, operand.fields);
      case "variable":
        return fieldsOf(scope.get(operand.name), operand.fields);
      case "function":
        return this.#apply(operand.name, []);
      case "paren":
        return fieldsOf(await this.#pipe(operand.pipe, dot, scope), operand.fields);
    }
  }
}

/** Own properties only: a label called "constructor" that is absent is absent. */
function fieldsOf(value: unknown, fields: readonly string[]): unknown {
  let found = value;
  for (const field of fields) {
    if (typeof found !== "object" || found === null)
      throw new TemplateError(`can't evaluate field ${field} of ${printValue(found)}`);
    found = Object.hasOwn(found, field) ? (found as Record<string, unknown>)[field] : "";
  }
  return found;
}

/** Go's truth: not the zero value of its type, not an empty collection. */
function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null)
    return Object.getPrototypeOf(value) !== Object.prototype || Object.keys(value).length > 0;
  return Boolean(value) || Number.isNaN(value);
}

function rangeEntries(value: unknown): (readonly [unknown, unknown])[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map((item, i) => [i, item] as const);
  if (typeof value === "number" && Number.isInteger(value) && value <= stepsMax)
    return Array.from({ length: Math.max(0, value) }, (_, i) => [i, i] as const);
  if (typeof value === "object") return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  throw new TemplateError(`range can't iterate over ${printValue(value)}`);
}
