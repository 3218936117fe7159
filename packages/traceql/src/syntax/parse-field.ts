/**
 * Parses what stands in braces: an expression over the fields of one span. From loose to tight: `&& ||` (of one level, from
 * the left, as in Tempo), comparisons, `+ -`, `* / %`, `! -` in front, `^` (from the right).
 */
import { spanKinds, spanStatuses } from "@skopos/model";
import type { ArithmeticOp, CompareOp, Field, FieldExpr, Literal, LogicalOp } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import type { Token } from "./lexer.ts";

const levels: readonly ReadonlySet<string>[] = [
  new Set(["&&", "||"]),
  new Set(["=", "!=", ">", ">=", "<", "<=", "=~", "!~"]),
  new Set(["+", "-"]),
  new Set(["*", "/", "%"]),
];

type Operator = CompareOp | ArithmeticOp | LogicalOp;

export function parseFieldExpr(cursor: Cursor, level = 0): FieldExpr {
  const operators = levels[level];
  if (!operators) return parseUnary(cursor);
  let left = parseFieldExpr(cursor, level + 1);
  for (;;) {
    const token = cursor.peek();
    if (token.type !== "symbol" || !operators.has(token.text)) return left;
    cursor.next();
    cursor.countOperator(token);
    const right = parseFieldExpr(cursor, level + 1);
    // One of `levels`.
    left = { type: "binary", op: token.text as Operator, left, right, at: placeOf(token) };
  }
}

function parseUnary(cursor: Cursor): FieldExpr {
  const token = cursor.peek();
  if (!cursor.take("-") && !cursor.take("!")) return parsePower(cursor);
  cursor.countOperator(token);
  const operand = cursor.nested(() => parseUnary(cursor));
  const op = token.text === "-" ? "-" : "!";
  const at = placeOf(token);
  if (op === "-" && operand.type === "literal" && "value" in operand.literal) {
    const { type, value } = operand.literal;
    if (type === "int" || type === "float" || type === "duration")
      return { type: "literal", literal: { type, value: -value }, at };
  }
  return { type: "unary", op, operand, at };
}

function parsePower(cursor: Cursor): FieldExpr {
  const left = parsePrimary(cursor);
  const token = cursor.peek();
  if (!cursor.take("^")) return left;
  cursor.countOperator(token);
  const right = cursor.nested(() => parseUnary(cursor));
  return { type: "binary", op: "^", left, right, at: placeOf(token) };
}

function parsePrimary(cursor: Cursor): FieldExpr {
  const token = cursor.peek();
  if (cursor.take("(")) {
    const inner = cursor.nested(() => parseFieldExpr(cursor));
    cursor.expect(")");
    return inner;
  }
  if (token.type === "field") {
    cursor.next();
    return { type: "field", field: token.field, at: placeOf(token) };
  }
  const literal = literalOf(token);
  if (!literal)
    cursor.fail("a field (span.http.method, resource.service.name, .foo, duration) or a value");
  cursor.next();
  return { type: "literal", literal, at: placeOf(token) };
}

export function literalOf(token: Token): Literal | undefined {
  switch (token.type) {
    case "string":
    case "int":
    case "float":
    case "duration":
      return { type: token.type, value: token.value } as Literal;
    case "word":
      return wordLiteral(token.text);
    default:
      return undefined;
  }
}

const int64Max = 2 ** 63;

function wordLiteral(word: string): Literal | undefined {
  if (word === "true" || word === "false") return { type: "bool", value: word === "true" };
  if (word === "nil") return { type: "nil" };
  if (word === "maxInt" || word === "minInt")
    return { type: "int", value: word === "maxInt" ? int64Max : -int64Max };
  if (spanStatuses.some((each) => each === word)) return { type: "status", value: word };
  if (spanKinds.some((each) => each === word)) return { type: "kind", value: word };
  return undefined;
}

export function placeOf({ line, column }: Token) {
  return { line, column };
}

/** `a, b, c` with at least one. */
export function parseFields(cursor: Cursor): Field[] {
  const fields: Field[] = [];
  do {
    const token = cursor.peek();
    if (token.type !== "field") cursor.fail("a field, like span.http.method");
    cursor.next();
    fields.push(token.field);
  } while (cursor.take(","));
  return fields;
}

export function arithmetic(op: ArithmeticOp, left: number, right: number): number {
  switch (op) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
    case "%":
      return left % right;
    case "^":
      return left ** right;
  }
}
