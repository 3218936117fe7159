/** The types of expressions, and the rules that a tree must keep beyond its grammar. */
import { compileMatcher } from "@skopos/model";
import {
  type Binary,
  type Call,
  type Expr,
  isComparison,
  isSetOp,
  unwrapParens,
  type ValueType,
  type VectorSelector,
} from "./ast.ts";
import { PromqlSyntaxError } from "./error.ts";
import { functionTable } from "./functions.ts";

const typeNames: Readonly<Record<ValueType, string>> = {
  scalar: "scalar",
  vector: "instant vector",
  matrix: "range vector",
  string: "string",
};

export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case "number":
      return "scalar";
    case "string":
      return "string";
    case "vector-selector":
    case "aggregate":
      return "vector";
    case "matrix-selector":
    case "subquery":
      return "matrix";
    case "call":
      return functionTable.get(expr.name)?.returns ?? "vector";
    case "unary":
    case "paren":
      return typeOf(expr.expr);
    case "binary":
      return typeOf(expr.left) === "scalar" && typeOf(expr.right) === "scalar"
        ? "scalar"
        : "vector";
  }
}

/** Throws `PromqlSyntaxError` where the tree breaks a rule. */
export function checkTypes(text: string, expr: Expr): void {
  const fail = (span: Expr, reason: string): never => {
    throw new PromqlSyntaxError(text, span, reason);
  };
  const expect = (node: Expr, wanted: ValueType, context: string): void => {
    checkTypes(text, node);
    const got = typeOf(node);
    if (got !== wanted)
      fail(node, `expected type ${typeNames[wanted]} in ${context}, got ${typeNames[got]}`);
  };
  switch (expr.kind) {
    case "aggregate":
      expect(expr.expr, "vector", "aggregation expression");
      if (expr.param) {
        expect(
          expr.param,
          expr.op === "count_values" ? "string" : "scalar",
          "aggregation parameter",
        );
      }
      return;
    case "binary":
      return checkBinary(text, expr, fail);
    case "call":
      return checkCall(expr, fail, expect);
    case "paren":
      return checkTypes(text, expr.expr);
    case "unary": {
      checkTypes(text, expr.expr);
      const type = typeOf(expr.expr);
      if (type !== "scalar" && type !== "vector") {
        fail(
          expr,
          `unary expression only allowed on expressions of type scalar or instant vector, got ${JSON.stringify(typeNames[type])}`,
        );
      }
      return;
    }
    case "subquery":
      checkTypes(text, expr.expr);
      if (typeOf(expr.expr) !== "vector") {
        fail(
          expr,
          `subquery is only allowed on instant vector, got ${typeNames[typeOf(expr.expr)]} instead`,
        );
      }
      return;
    case "vector-selector":
      if (expr.extend === "anchored")
        fail(expr, "anchored modifier can only be used on range vectors");
      return checkNonEmpty(expr, fail);
    case "matrix-selector":
      return checkNonEmpty(expr.selector, fail);
    default:
  }
}

type Fail = (span: Expr, reason: string) => never;

function checkNonEmpty(selector: VectorSelector, fail: Fail): void {
  if (!selector.matchers.some((matcher) => !compileMatcher(matcher).test("")))
    fail(selector, "vector selector must contain at least one non-empty matcher");
}

function checkBinary(text: string, expr: Binary, fail: Fail): void {
  checkTypes(text, expr.left);
  checkTypes(text, expr.right);
  const left = typeOf(expr.left);
  const right = typeOf(expr.right);
  if (expr.bool && !isComparison(expr.op))
    fail(expr, "bool modifier can only be used on comparison operators");
  for (const [node, type] of [
    [expr.left, left],
    [expr.right, right],
  ] as const) {
    if (type !== "scalar" && type !== "vector")
      fail(node, "binary expression must contain only scalar and instant vector types");
  }
  if (left === "scalar" && right === "scalar" && isComparison(expr.op) && !expr.bool) {
    fail(expr, "comparisons between scalars must use BOOL modifier");
  }
  if (left === "vector" && right === "vector") return;
  if (expr.matching) {
    const fills = expr.matching.fillLeft !== undefined || expr.matching.fillRight !== undefined;
    if (expr.matching.labels.length > 0 || expr.matching.on)
      fail(expr, "vector matching only allowed between instant vectors");
    if (fills) fail(expr, "filling in missing series only allowed between instant vectors");
  }
  if (isSetOp(expr.op))
    fail(expr, `set operator ${JSON.stringify(expr.op)} not allowed in binary scalar expression`);
}

function checkCall(
  expr: Call,
  fail: Fail,
  expect: (node: Expr, wanted: ValueType, context: string) => void,
): void {
  const fn = functionTable.get(expr.name);
  if (!fn) return fail(expr, `unknown function with name ${JSON.stringify(expr.name)}`);
  const least = fn.args.length - fn.optional;
  const quoted = JSON.stringify(expr.name);
  const got = expr.args.length;
  if (!fn.repeats && fn.optional === 0 && got !== least)
    fail(expr, `expected ${least} argument(s) in call to ${quoted}, got ${got}`);
  if (got < least)
    fail(expr, `expected at least ${least} argument(s) in call to ${quoted}, got ${got}`);
  if (!fn.repeats && got > fn.args.length)
    fail(expr, `expected at most ${fn.args.length} argument(s) in call to ${quoted}, got ${got}`);
  expr.args.forEach((arg, i) => {
    // The second argument of info() only narrows what is joined, so it may match anything.
    if (expr.name === "info" && i === 1 && unwrapParens(arg).kind === "vector-selector") return;
    const wanted = fn.args[Math.min(i, fn.args.length - 1)] ?? "vector";
    expectArgument(arg, wanted);
  });
  function expectArgument(arg: Expr, wanted: ValueType): void {
    const inner = unwrapParens(arg);
    if (inner.kind === "matrix-selector" && inner.selector.extend)
      checkExtend(inner.selector.extend);
    expect(arg, wanted, `call to function ${quoted}`);
  }
  function checkExtend(extend: "anchored" | "smoothed"): void {
    const allowed = extend === "anchored" ? anchoredFunctions : smoothedFunctions;
    if (!allowed.includes(expr.name)) {
      fail(
        expr,
        `${extend} modifier can only be used with: ${allowed.join(", ")} - not with ${expr.name}`,
      );
    }
  }
}

const anchoredFunctions = ["changes", "delta", "increase", "rate", "resets"];
const smoothedFunctions = ["delta", "increase", "rate"];
