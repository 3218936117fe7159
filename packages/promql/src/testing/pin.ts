/** Pins an expression to one time with `@`, for checking that it then gives the same answer at any evaluation time. */
import { childrenOf, type Expr } from "../syntax/index.ts";

/** Functions whose value depends on the evaluation time even when their argument does not. */
const timeDependent = new Set([
  "day_of_month",
  "day_of_week",
  "day_of_year",
  "days_in_month",
  "end",
  "hour",
  "minute",
  "month",
  "predict_linear",
  "range",
  "start",
  "step",
  "time",
  "timestamp",
  "year",
]);

/** Undefined when the expression cannot be pinned. Selectors inside a subquery follow the subquery. */
export function pinnedAt(expr: Expr, timeMs: number): Expr | undefined {
  return isTimeDependent(expr) ? undefined : pin(expr, timeMs);
}

function isTimeDependent(expr: Expr): boolean {
  if (expr.kind === "call" && timeDependent.has(expr.name)) return true;
  return childrenOf(expr).some(isTimeDependent);
}

function pin(expr: Expr, timeMs: number): Expr {
  switch (expr.kind) {
    case "vector-selector":
      return { ...expr, at: expr.at ?? timeMs };
    case "matrix-selector":
      return { ...expr, selector: { ...expr.selector, at: expr.selector.at ?? timeMs } };
    case "subquery":
      return { ...expr, at: expr.at ?? timeMs };
    case "call":
      return { ...expr, args: expr.args.map((arg) => pin(arg, timeMs)) };
    case "aggregate":
      return {
        ...expr,
        expr: pin(expr.expr, timeMs),
        param: expr.param && pin(expr.param, timeMs),
      };
    case "binary":
      return { ...expr, left: pin(expr.left, timeMs), right: pin(expr.right, timeMs) };
    case "unary":
    case "paren":
      return { ...expr, expr: pin(expr.expr, timeMs) };
    default:
      return expr;
  }
}
