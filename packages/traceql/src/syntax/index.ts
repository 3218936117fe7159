export type {
  Field,
  FieldExpr,
  Literal,
  MetricExpr,
  Place,
  Query,
  ScalarExpr,
  SpansetExpr,
  Stage,
} from "./ast.ts";
export { TraceqlError, UnsupportedError } from "./error.ts";
export { completions, formatField } from "./fields.ts";
export { format } from "./format.ts";
export { parse, parseField } from "./parse.ts";
export { validate } from "./validate.ts";
