/** The tree of a template: the subset of Go's text/template that rules and notifications use. */

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipe: Pipe }
  | {
      readonly kind: "if" | "with";
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | {
      readonly kind: "range";
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: "template"; readonly name: string; readonly pipe: Pipe | undefined }
  | { readonly kind: "break" | "continue" };

/** Commands joined by `|`; the value of each is the last argument of the next. */
export interface Pipe {
  readonly variables: readonly string[];
  /** `:=` makes the variables, `=` changes them. */
  readonly declares: boolean;
  readonly commands: readonly Command[];
}

export type Command = readonly Operand[];

export type Operand =
  | { readonly kind: "literal"; readonly value: string | number | boolean | undefined }
  | { readonly kind: "dot"; readonly fields: readonly string[] }
  | { readonly kind: "variable"; readonly name: string; readonly fields: readonly string[] }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "paren"; readonly pipe: Pipe; readonly fields: readonly string[] };

export interface ParsedTemplate {
  readonly nodes: readonly Node[];
  /** By `define`. */
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}
