export type {
  Grouping,
  LabelFilter,
  LogqlExpr,
  LogSelector,
  MetricExpr,
  RangeAggregation,
  Stage,
  VectorAggregation,
} from "./ast.ts";
export { LogqlError } from "./error.ts";
export { format } from "./format.ts";
export { functionNames, stageNames } from "./functions.ts";
export { parse, parseSelector } from "./parse.ts";
