/** The tree of a TraceQL query, as far as it is evaluated: one spanset filter. */

export type CompareOp = "=" | "!=" | ">" | ">=" | "<" | "<=" | "=~" | "!~";

/** A field of a span: an intrinsic ("name", "duration", …) or an attribute with its scope. */
export interface Field {
  readonly scope: "intrinsic" | "span" | "resource" | "any";
  readonly name: string;
}

export type Literal =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "number"; readonly value: number }
  | { readonly type: "boolean"; readonly value: boolean }
  | { readonly type: "duration"; readonly valueMs: number }
  /** Words such as `error` in `status = error`. */
  | { readonly type: "word"; readonly value: string }
  | { readonly type: "nil" };

export type SpanExpr =
  | {
      readonly type: "compare";
      readonly field: Field;
      readonly op: CompareOp;
      readonly value: Literal;
      readonly column: number;
    }
  | { readonly type: "and" | "or"; readonly left: SpanExpr; readonly right: SpanExpr };

/** `{ … }`; undefined filter: every span. */
export interface SpansetFilter {
  readonly filter: SpanExpr | undefined;
}
