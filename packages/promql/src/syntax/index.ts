/** PromQL's syntax alone: parsing, printing and the function table. Runs in browsers too. */
export {
  type Aggregate,
  type AggregateOp,
  type Binary,
  type BinaryOp,
  type Call,
  childrenOf,
  type Expr,
  type MatrixSelector,
  type Subquery,
  type ValueType,
  type VectorMatching,
  type VectorSelector,
} from "./ast.ts";
export { exprJson, type JsonNode } from "./ast-json.ts";
export type { SyntaxFeatures } from "./cursor.ts";
export { PromqlSyntaxError } from "./error.ts";
export { format, formatExpr, formatMatcher } from "./format.ts";
export { functionTable, type PromqlFunction } from "./functions.ts";
export { formatNumber } from "./number.ts";
export { parse, parseSelector, selectorsOf } from "./parse.ts";
export { typeOf } from "./type-check.ts";
