/** Executes a parsed template on a map of labels. A missing key is "", as Loki has it. Bounded in steps and output. */
import type { Command, Node, Operand, Pipe } from "./ast.ts";
import { TemplateFault } from "./error.ts";
import { printValue } from "./print.ts";
import { GoTime } from "./time.ts";

export type TemplateFunction = (...args: unknown[]) => unknown;

/** What a template sees of the line it is executed on. */
export interface TemplateScope {
  /** A label's value; undefined when there is none. */
  label(name: string): string | undefined;
  labels(): Record<string, string>;
  function(name: string): TemplateFunction | undefined;
}

const stepsMax = 100_000;
const outputCharsMax = 1024 * 1024;

/** Stands for the labels until a template asks for all of them. */
const dotOfLabels = Symbol("labels");

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
  readonly #scope: TemplateScope;
  #output = "";
  #steps = 0;

  constructor(scope: TemplateScope) {
    this.#scope = scope;
  }

  get output(): string {
    return this.#output;
  }

  block(
    nodes: readonly Node[],
    dot: unknown,
    variables: Variables,
  ): "break" | "continue" | undefined {
    for (const node of nodes) {
      if (++this.#steps > stepsMax) throw new TemplateFault("the template runs too long");
      if (node.type === "text") this.#write(node.text);
      else if (!("pipe" in node)) return node.type;
      else if ("body" in node) {
        const left = this.#control(node, dot, new Variables(variables));
        if (left) return left;
      } else {
        const value = this.#pipe(node.pipe, dot, variables);
        if (node.pipe.variables.length === 0) this.#write(printValue(this.#shown(value)));
      }
    }
    return undefined;
  }

  #control(node: Control, dot: unknown, variables: Variables): "break" | "continue" | undefined {
    if (node.type === "range") return this.#range(node, dot, variables);
    const value = this.#pipe(node.pipe, dot, variables);
    if (!isTrue(this.#shown(value))) return this.block(node.otherwise, dot, variables);
    return this.block(node.body, node.type === "with" ? value : dot, variables);
  }

  #range(node: Control, dot: unknown, variables: Variables) {
    const [first, second] = node.pipe.variables;
    const value = this.#shown(this.#commands(node.pipe, dot, variables));
    const entries = entriesOf(value);
    if (entries.length === 0) return this.block(node.otherwise, dot, variables);
    for (const [key, item] of entries) {
      const inner = new Variables(variables);
      if (second !== undefined) {
        inner.declare(first ?? "", key);
        inner.declare(second, item);
      } else if (first !== undefined) inner.declare(first, item);
      if (this.block(node.body, item, inner) === "break") break;
    }
    return undefined;
  }

  #write(text: string): void {
    this.#output += text;
    if (this.#output.length > outputCharsMax)
      throw new TemplateFault("the template writes too much");
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
    if (++this.#steps > stepsMax) throw new TemplateFault("the template runs too long");
    const [head, ...rest] = command;
    if (!head) return undefined;
    if (head.type === "function" && (head.name === "and" || head.name === "or"))
      return this.#logic(head.name, rest, dot, variables, last);
    const args = () => [
      ...rest.map((operand) => this.#shown(this.#operand(operand, dot, variables))),
      ...last.map((value) => this.#shown(value)),
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
      value = this.#shown(this.#operand(operand, dot, variables));
      if (isTrue(value) === (name === "or")) return value;
    }
    return last.length > 0 ? last[0] : value;
  }

  #call(name: string, args: readonly unknown[]): unknown {
    const called = this.#scope.function(name);
    if (!called) throw new TemplateFault(`function ${JSON.stringify(name)} not defined`);
    return called(...args);
  }

  /** The one method with arguments: `.Format` of a time. */
  #method(head: Operand, args: readonly unknown[], dot: unknown, variables: Variables): unknown {
    if ("fields" in head && head.fields.at(-1) === "Format") {
      const fields = head.fields.slice(0, -1);
      const owner = this.#operand({ ...head, fields }, dot, variables);
      if (owner instanceof GoTime) return owner.format(printValue(args[0]));
    }
    throw new TemplateFault("can't give arguments to what is not a function");
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
      if (found === dotOfLabels) found = this.#scope.label(field) ?? "";
      else if (found instanceof GoTime) found = timeField(found, field);
      else if (typeof found === "object" && found !== null && !Array.isArray(found))
        found = Object.hasOwn(found, field) ? Reflect.get(found, field) : undefined;
      else throw new TemplateFault(`can't evaluate field ${field} in ${printValue(found)}`);
    }
    return found;
  }

  #shown(value: unknown): unknown {
    return value === dotOfLabels ? this.#scope.labels() : value;
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
      throw new TemplateFault(`can't evaluate field ${field} of a time`);
  }
}

/** Go's truth: not the zero value of its type, not an empty collection. */
function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof GoTime) return true;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value) || Number.isNaN(value);
}

function entriesOf(value: unknown): (readonly [unknown, unknown])[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map((item, i) => [i, item] as const);
  if (typeof value === "number" && Number.isInteger(value) && value <= stepsMax)
    return Array.from({ length: Math.max(0, value) }, (_, i) => [i, i] as const);
  if (typeof value === "object") return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  throw new TemplateFault(`range can't iterate over ${printValue(value)}`);
}

/** Throws `TemplateFault` when a function refuses its arguments. */
export function executeTemplate(nodes: readonly Node[], scope: TemplateScope): string {
  const [only] = nodes;
  if (nodes.length === 1 && only?.type === "text") return only.text;
  const variables = new Variables(undefined);
  variables.declare("$", dotOfLabels);
  const execution = new Execution(scope);
  execution.block(nodes, dotOfLabels, variables);
  return execution.output;
}
