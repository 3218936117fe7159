export type {
  LabelFilter,
  LogqlExpr,
  LogSelector,
  MetricExpr,
  RangeAggregation,
  Stage,
  VectorAggregation,
} from "./ast.ts";
export { LogqlError } from "./error.ts";
export { parse, parseSelector } from "./parse.ts";
