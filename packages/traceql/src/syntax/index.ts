export type { CompareOp, Field, Literal, SpanExpr, SpansetFilter } from "./ast.ts";
export { TraceqlError } from "./error.ts";
export { parse } from "./parse.ts";
