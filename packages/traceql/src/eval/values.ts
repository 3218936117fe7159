/** Values that fields have, and how they are compared: only with values of their own type. */
import { type AttributeValue, compileAnchored } from "@skopos/model";
import type { CompareOp } from "../syntax/ast.ts";

/** The values of a field of which a span may have several, as it has events and links. Never empty. */
export class Several {
  readonly values: readonly AttributeValue[];

  constructor(values: readonly AttributeValue[]) {
    this.values = values;
  }
}

/** Undefined: nil. */
export type Value = AttributeValue | Several | undefined;
type Scalar = string | number | boolean;

export type Comparison = (left: Value, right: Value) => boolean;

/**
 * A list matches when one of its elements does; != and !~ when it has elements of that type and none is equal. One of
 * several events or links is enough. `pattern` is the right side where it is known beforehand.
 */
export function comparison(op: CompareOp, pattern?: string): Comparison {
  const negative = op === "!=" || op === "!~";
  const test = scalarTest(op === "!=" ? "=" : op === "!~" ? "=~" : op, pattern);
  const single = (left: Scalar, right: Scalar) =>
    typeof left === typeof right && test(left, right) !== negative;
  const compare: Comparison = (left, right) => {
    if (left instanceof Several) return left.values.some((value) => compare(value, right));
    if (right instanceof Several) return right.values.some((value) => compare(left, value));
    if (left === undefined || right === undefined) return false;
    if (isList(left)) return listHolds(left, isList(right) ? right : [right], test, negative);
    if (isList(right)) return listHolds([left], right, test, negative);
    if (negative && op === "!~" && typeof left !== "string") return false;
    return single(left, right);
  };
  return compare;
}

function isList(value: AttributeValue): value is readonly AttributeValue[] {
  return Array.isArray(value);
}

function listHolds(
  left: readonly AttributeValue[],
  right: readonly AttributeValue[],
  test: (left: Scalar, right: Scalar) => boolean,
  negative: boolean,
): boolean {
  let comparable = false;
  for (const a of left) {
    for (const b of right) {
      if (isList(a) || isList(b) || typeof a !== typeof b) continue;
      comparable = true;
      if (test(a, b)) return !negative;
    }
  }
  return negative && comparable;
}

/** Tests two scalars of one type. */
function scalarTest(
  op: Exclude<CompareOp, "!=" | "!~">,
  pattern?: string,
): (left: Scalar, right: Scalar) => boolean {
  switch (op) {
    case "=":
      return (left, right) => left === right;
    case "=~": {
      const known = pattern === undefined ? undefined : compileAnchored(pattern);
      return (left, right) =>
        typeof left === "string" &&
        typeof right === "string" &&
        (known ?? compileAnchored(right)).test(left);
    }
    case ">":
      return (left, right) => typeof left !== "boolean" && order(left, right) > 0;
    case ">=":
      return (left, right) => typeof left !== "boolean" && order(left, right) >= 0;
    case "<":
      return (left, right) => typeof left !== "boolean" && order(left, right) < 0;
    case "<=":
      return (left, right) => typeof left !== "boolean" && order(left, right) <= 0;
  }
}

/** NaN where neither is before the other. Texts by code point, as their bytes in UTF-8 are. */
function order(left: Scalar, right: Scalar): number {
  if (typeof left === "number" && typeof right === "number") {
    if (left === right) return 0;
    return left < right ? -1 : left > right ? 1 : Number.NaN;
  }
  return textOrder(String(left), String(right));
}

function textOrder(left: string, right: string): number {
  const count = Math.min(left.length, right.length);
  for (let i = 0; i < count; i++) {
    const a = left.charCodeAt(i);
    const b = right.charCodeAt(i);
    if (a === b) continue;
    // Halves of a pair stand for characters beyond all others.
    const aPair = a >= 0xd800 && a <= 0xdfff;
    const bPair = b >= 0xd800 && b <= 0xdfff;
    return aPair === bPair ? a - b : aPair ? 1 : -1;
  }
  return left.length - right.length;
}
