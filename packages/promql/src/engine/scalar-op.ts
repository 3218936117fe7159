import type { ArithmeticOp, ComparisonOp } from "../syntax/ast.ts";

/** The arithmetic of two floats, as Go's math package does it. Comparisons give 1 or 0. */
export function combine(
  op: ArithmeticOp | ComparisonOp | "min_of" | "max_of",
  a: number,
  b: number,
): number {
  switch (op) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "%":
      return a % b;
    case "^":
      return power(a, b);
    case "atan2":
      return Math.atan2(a, b);
    case "min_of":
      return Math.min(a, b);
    case "max_of":
      return Math.max(a, b);
    default:
      return compare(op, a, b) ? 1 : 0;
  }
}

export function compare(op: ComparisonOp, a: number, b: number): boolean {
  switch (op) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case ">":
      return a > b;
    case "<":
      return a < b;
    case ">=":
      return a >= b;
    case "<=":
      return a <= b;
  }
}

/** As IEEE 754 pow: 1 to any power is 1, and −1 to ±infinity; JavaScript says NaN to both. */
function power(a: number, b: number): number {
  if (a === 1) return 1;
  if (a === -1 && (b === Infinity || b === -Infinity)) return 1;
  return a ** b;
}
