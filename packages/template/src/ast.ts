/** The tree of a template: Go's text/template without `block`. */

export type Node =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "action"; readonly pipe: Pipe }
  | {
      readonly type: "if" | "with" | "range";
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly type: "template"; readonly name: string; readonly pipe: Pipe | undefined }
  | { readonly type: "break" | "continue" };

/** Commands joined by `|`: the value of each is the last argument of the next. */
export interface Pipe {
  readonly variables: readonly string[];
  /** `:=` makes the variables, `=` changes them. */
  readonly declares: boolean;
  readonly commands: readonly Command[];
}

export type Command = readonly Operand[];

export type Operand =
  | { readonly type: "literal"; readonly value: string | number | boolean | undefined }
  | { readonly type: "dot"; readonly fields: readonly string[] }
  | { readonly type: "variable"; readonly name: string; readonly fields: readonly string[] }
  | { readonly type: "function"; readonly name: string }
  | { readonly type: "paren"; readonly pipe: Pipe; readonly fields: readonly string[] };

export interface Template {
  readonly nodes: readonly Node[];
  /** By `define`. */
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}
