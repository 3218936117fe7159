import type { Matcher } from "@skopos/model";
import { childrenOf, type Expr, type VectorSelector } from "./ast.ts";
import { Cursor, type SyntaxFeatures } from "./cursor.ts";
import { parseExpr } from "./parse-expr.ts";
import { checkTypes } from "./type-check.ts";

const stableSyntax: SyntaxFeatures = {
  experimentalFunctions: false,
  durationExpressions: false,
  extendedRangeSelectors: false,
  fillModifiers: false,
};

/** Parses and type-checks a query. Throws `PromqlSyntaxError`. */
export function parse(text: string, features: Partial<SyntaxFeatures> = {}): Expr {
  const cursor = new Cursor(text, { ...stableSyntax, ...features });
  if (cursor.token.kind === "end") cursor.fail(cursor.token, "no expression found in input");
  const expr = parseExpr(cursor);
  if (cursor.token.kind !== "end") cursor.unexpected("");
  checkTypes(text, expr);
  return expr;
}

/** Parses `name{label="value"}` as series requests send it (`match[]`). Throws `PromqlSyntaxError`. */
export function parseSelector(text: string): readonly Matcher[] {
  const expr = parse(text);
  if (expr.kind === "vector-selector" && expr.offset === undefined && expr.at === undefined) {
    return expr.matchers;
  }
  return new Cursor(text, stableSyntax).fail(expr, 'expected a series selector like up{job="api"}');
}

/** Every selector of the expression, in the order written. */
export function selectorsOf(expr: Expr): VectorSelector[] {
  if (expr.kind === "vector-selector") return [expr];
  return childrenOf(expr).flatMap(selectorsOf);
}
