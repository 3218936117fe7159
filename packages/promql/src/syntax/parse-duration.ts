/**
 * Durations in ranges, offsets and steps: "5m", plain seconds, and (behind a feature) arithmetic over them with step(),
 * range(), min_of() and max_of().
 */
import type { Duration, DurationExpr } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import { durationTextMs, parseNumberText } from "./number.ts";

const precedence: Readonly<Record<string, number>> = {
  "+": 1,
  "-": 1,
  "*": 2,
  "/": 2,
  "%": 2,
  "^": 3,
};

const power = 3;

/** The inside of brackets: the whole expression up to ":" or "]". */
export function parseBracketDuration(cursor: Cursor, positive: string): Duration {
  const start = cursor.token.start;
  const expr = parseSum(cursor, 0);
  return finish(cursor, expr, { start, end: cursor.lastEnd }, positive);
}

/** After `offset`: a signed single term, or an expression in parentheses. */
export function parseOffsetDuration(cursor: Cursor): Duration {
  const start = cursor.token.start;
  const negative = cursor.takeOp("-");
  if (!negative) cursor.takeOp("+");
  const operand = parseTerm(cursor);
  const expr: DurationExpr = negative ? { kind: "negate", operand } : operand;
  return finish(cursor, expr, { start, end: cursor.lastEnd }, "");
}

function finish(
  cursor: Cursor,
  expr: DurationExpr,
  span: { start: number; end: number },
  positive: string,
): Duration {
  const plain = expr.kind === "negate" ? expr.operand : expr;
  if (plain.kind !== "seconds" && !cursor.features.durationExpressions)
    cursor.fail(span, "duration expressions are experimental and must be enabled");
  const fixed = resolveDurationExpr(expr, undefined, undefined);
  if (fixed === undefined) return expr;
  if (!Number.isFinite(fixed)) cursor.fail(span, "duration out of range");
  if (positive && fixed <= 0) cursor.fail(span, `${positive} must be greater than 0`);
  return Math.trunc(fixed * 1000 + Math.sign(fixed) * 1e-6);
}

function parseSum(cursor: Cursor, minimum: number): DurationExpr {
  let left = parseTerm(cursor);
  for (;;) {
    const op = cursor.token.text;
    const level = cursor.token.kind === "op" ? (precedence[op] ?? 0) : 0;
    if (level === 0 || level < minimum) return left;
    cursor.take();
    const right = parseSum(cursor, op === "^" ? level : level + 1);
    if (op !== "+" && op !== "-" && op !== "*" && op !== "/" && op !== "%" && op !== "^")
      return left;
    if ((op === "/" || op === "%") && resolveDurationExpr(right, undefined, undefined) === 0)
      cursor.fail(cursor.token, op === "/" ? "division by zero" : "modulo by zero");
    left = { kind: "arithmetic", op, left, right };
  }
}

function parseTerm(cursor: Cursor): DurationExpr {
  const token = cursor.token;
  if (cursor.takeOp("-")) return { kind: "negate", operand: parseSum(cursor, power) };
  if (cursor.takeOp("+")) return parseSum(cursor, power);
  if (cursor.takeOp("(")) {
    const inner = parseSum(cursor, 0);
    cursor.expectOp(")", "duration expression");
    return inner;
  }
  if (token.kind === "number") {
    cursor.take();
    return { kind: "seconds", seconds: parseNumberText(token.text) };
  }
  if (token.kind === "duration") {
    const ms = durationTextMs(token.text);
    if (ms === undefined)
      cursor.fail(token, `not a valid duration string: ${JSON.stringify(token.text)}`);
    cursor.take();
    return { kind: "seconds", seconds: (ms ?? 0) / 1000 };
  }
  return parseDurationCall(cursor);
}

function parseDurationCall(cursor: Cursor): DurationExpr {
  if (cursor.takeWord("step", "range")) {
    const kind = cursor.peek(-1).text.toLowerCase() === "step" ? "step" : "range";
    cursor.expectOp("(", "duration expression");
    cursor.expectOp(")", "duration expression");
    return { kind };
  }
  if (cursor.takeWord("min_of", "max_of", "min", "max")) {
    const op = cursor.peek(-1).text.toLowerCase().startsWith("min") ? "min_of" : "max_of";
    cursor.expectOp("(", "duration expression");
    const left = parseSum(cursor, 0);
    cursor.expectOp(",", "duration expression");
    const right = parseSum(cursor, 0);
    cursor.expectOp(")", "duration expression");
    return { kind: "arithmetic", op, left, right };
  }
  return cursor.unexpected("duration expression", "number, duration, step(), or range()");
}

/** Seconds; undefined when the expression needs a step or range that is not given. */
export function resolveDurationExpr(
  expr: DurationExpr,
  stepSeconds: number | undefined,
  rangeSeconds: number | undefined,
): number | undefined {
  switch (expr.kind) {
    case "seconds":
      return expr.seconds;
    case "step":
      return stepSeconds;
    case "range":
      return rangeSeconds;
    case "negate": {
      const value = resolveDurationExpr(expr.operand, stepSeconds, rangeSeconds);
      return value === undefined ? undefined : -value;
    }
    case "arithmetic": {
      const left = resolveDurationExpr(expr.left, stepSeconds, rangeSeconds);
      const right = resolveDurationExpr(expr.right, stepSeconds, rangeSeconds);
      return left === undefined || right === undefined ? undefined : combine(expr.op, left, right);
    }
  }
}

function combine(op: string, left: number, right: number): number {
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
    case "min_of":
      return Math.min(left, right);
    default:
      return Math.max(left, right);
  }
}
