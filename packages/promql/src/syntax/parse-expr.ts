/**
 * Expressions by precedence climbing. Lowest to highest: or · and, unless · comparisons · + - · * / % atan2 · ^ (right).
 * Unary signs bind as `*` does, so -2^2 is -(2^2). Offsets, `@`, ranges and subqueries follow the operand they belong to.
 */
import type {
  Aggregate,
  AggregateOp,
  Binary,
  BinaryOp,
  Expr,
  VectorMatching,
  VectorSelector,
} from "./ast.ts";
import { isSetOp } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import { functionTable } from "./functions.ts";
import { durationTextMs, parseNumberText } from "./number.ts";
import { parseBracketDuration, parseOffsetDuration } from "./parse-duration.ts";
import { parseVectorSelector } from "./parse-selector.ts";

const precedence: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  "==": 3,
  "!=": 3,
  ">": 3,
  "<": 3,
  ">=": 3,
  "<=": 3,
  "+": 4,
  "-": 4,
  "*": 5,
  "/": 5,
  "%": 5,
  atan2: 5,
  "</": 5,
  ">/": 5,
  "^": 6,
};
const power = 6;
/** Deeper nesting is refused, so that hostile text cannot exhaust the stack. */
const depthMax = 250;

const aggregateOps: ReadonlySet<string> = new Set([
  "sum",
  "avg",
  "count",
  "min",
  "max",
  "group",
  "stddev",
  "stdvar",
  "topk",
  "bottomk",
  "count_values",
  "quantile",
  "limitk",
  "limit_ratio",
]);
const withParam: ReadonlySet<string> = new Set([
  "topk",
  "bottomk",
  "count_values",
  "quantile",
  "limitk",
  "limit_ratio",
]);

function isAggregateOp(text: string): text is AggregateOp {
  return aggregateOps.has(text);
}

function binaryOpAt(cursor: Cursor): BinaryOp | undefined {
  const text = cursor.token.text.toLowerCase();
  const { kind } = cursor.token;
  if (kind !== "op" && kind !== "identifier") return undefined;
  return Object.hasOwn(precedence, text) ? (text as BinaryOp) : undefined;
}

export function parseExpr(cursor: Cursor, minimum = 0, depth = 0): Expr {
  if (depth > depthMax)
    cursor.fail(cursor.token, `expression is nested deeper than ${depthMax} levels`);
  let left = parseUnary(cursor, depth);
  for (;;) {
    const op = binaryOpAt(cursor);
    const level = op ? (precedence[op] ?? 0) : 0;
    if (!op || level < minimum) return left;
    cursor.take();
    const modifiers = parseBinaryModifiers(cursor, op);
    const right = parseExpr(cursor, op === "^" ? level : level + 1, depth + 1);
    left = { kind: "binary", op, left, right, ...modifiers, start: left.start, end: right.end };
  }
}

function parseUnary(cursor: Cursor, depth: number): Expr {
  const { start, text } = cursor.token;
  if (!cursor.takeOp("-") && !cursor.takeOp("+"))
    return parsePostfix(cursor, parseAtom(cursor, depth));
  const expr = parseExpr(cursor, power, depth + 1);
  const op = text === "-" ? "-" : "+";
  if (expr.kind === "number" && !expr.duration) {
    return { ...expr, value: op === "-" ? -expr.value : expr.value, start };
  }
  return { kind: "unary", op, expr, start, end: expr.end };
}

function parseAtom(cursor: Cursor, depth: number): Expr {
  const token = cursor.token;
  if (token.kind === "number") {
    cursor.take();
    return {
      kind: "number",
      value: parseNumberText(token.text),
      duration: false,
      start: token.start,
      end: token.end,
    };
  }
  if (token.kind === "duration") {
    const ms = durationTextMs(token.text);
    if (ms === undefined)
      cursor.fail(token, `not a valid duration string: ${JSON.stringify(token.text)}`);
    cursor.take();
    return {
      kind: "number",
      value: (ms ?? 0) / 1000,
      duration: true,
      start: token.start,
      end: token.end,
    };
  }
  if (token.kind === "string") {
    cursor.take();
    return { kind: "string", value: token.text, start: token.start, end: token.end };
  }
  if (cursor.takeOp("(")) {
    const expr = parseExpr(cursor, 0, depth + 1);
    const close = cursor.expectOp(")", "");
    return { kind: "paren", expr, start: token.start, end: close.end };
  }
  if (cursor.atOp("{")) return parseVectorSelector(cursor);
  if (token.kind === "identifier") return parseNamed(cursor, depth);
  return cursor.unexpected("");
}

/** A number word, an aggregation, a call, or a selector with a name. */
function parseNamed(cursor: Cursor, depth: number): Expr {
  const token = cursor.token;
  const word = token.text.toLowerCase();
  const next = cursor.peek(1);
  const nextText = next.text.toLowerCase();
  if (word === "inf" || word === "nan") {
    cursor.take();
    return {
      kind: "number",
      value: parseNumberText(word),
      duration: false,
      start: token.start,
      end: token.end,
    };
  }
  const opens = next.kind === "op" && next.text === "(";
  const groups = next.kind === "identifier" && (nextText === "by" || nextText === "without");
  if (isAggregateOp(word) && (opens || groups)) return parseAggregate(cursor, word, depth);
  if (opens) return parseCall(cursor, depth);
  if (binaryOpAt(cursor)) cursor.unexpected("");
  return parseVectorSelector(cursor);
}

function parseCall(cursor: Cursor, depth: number): Expr {
  const name = cursor.take();
  const fn = functionTable.get(name.text);
  if (!fn) cursor.fail(name, `unknown function with name ${JSON.stringify(name.text)}`);
  if (fn?.experimental && !cursor.features.experimentalFunctions) {
    cursor.fail(name, `function ${JSON.stringify(name.text)} is experimental and must be enabled`);
  }
  cursor.expectOp("(", "function call");
  const args = parseArguments(cursor, depth);
  return { kind: "call", name: name.text, args, start: name.start, end: cursor.lastEnd };
}

/** After the opening parenthesis; takes the closing one. A trailing comma is an error, as upstream. */
function parseArguments(cursor: Cursor, depth: number): Expr[] {
  const args: Expr[] = [];
  if (cursor.takeOp(")")) return args;
  for (;;) {
    args.push(parseExpr(cursor, 0, depth + 1));
    if (cursor.takeOp(")")) return args;
    cursor.expectOp(",", "call");
    if (cursor.atOp(")"))
      cursor.fail(cursor.token, "trailing commas not allowed in function call args");
  }
}

function parseAggregate(cursor: Cursor, op: AggregateOp, depth: number): Aggregate {
  const start = cursor.take().start;
  let grouping = parseGrouping(cursor);
  cursor.expectOp("(", "aggregation");
  const args = parseArguments(cursor, depth);
  grouping ??= parseGrouping(cursor);
  const span = { start, end: cursor.lastEnd };
  const wanted = withParam.has(op) ? 2 : 1;
  if (args.length === 0) cursor.fail(span, "no arguments for aggregate expression provided");
  if (args.length !== wanted) {
    cursor.fail(
      span,
      `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`,
    );
  }
  if ((op === "limitk" || op === "limit_ratio") && !cursor.features.experimentalFunctions) {
    cursor.fail(span, `${op}() is experimental and must be enabled`);
  }
  const expr = args.at(-1);
  if (!expr) return cursor.unexpected("aggregation");
  return {
    kind: "aggregate",
    op,
    without: grouping?.without ?? false,
    labels: grouping?.labels ?? [],
    param: wanted === 2 ? args[0] : undefined,
    expr,
    ...span,
  };
}

function parseGrouping(cursor: Cursor): { without: boolean; labels: string[] } | undefined {
  if (!cursor.atWord("by", "without")) return undefined;
  const without = cursor.take().text.toLowerCase() === "without";
  return { without, labels: parseLabelList(cursor) };
}

function parseLabelList(cursor: Cursor): string[] {
  cursor.expectOp("(", "grouping opts");
  const labels: string[] = [];
  while (!cursor.takeOp(")")) {
    const token = cursor.token;
    if (token.kind !== "identifier" && token.kind !== "string")
      cursor.unexpected("grouping opts", "label");
    if (token.kind === "identifier" && token.text.includes(":"))
      cursor.unexpected("grouping opts", "label");
    labels.push(cursor.take().text);
    if (!cursor.takeOp(",") && !cursor.atOp(")")) cursor.unexpected("grouping opts", '"," or ")"');
  }
  return labels;
}

type BinaryModifiers = Pick<Binary, "bool" | "matching">;

/** `matching` is set when any of on, ignoring, group or fill was written; the type check fills in the rest. */
function parseBinaryModifiers(cursor: Cursor, op: BinaryOp): BinaryModifiers {
  const bool = cursor.takeWord("bool");
  let on = false;
  let labels: string[] | undefined;
  let include: string[] = [];
  let card: VectorMatching["card"] = isSetOp(op) ? "many-to-many" : "one-to-one";
  if (cursor.atWord("on", "ignoring")) {
    on = cursor.take().text.toLowerCase() === "on";
    labels = parseLabelList(cursor);
    if (cursor.atWord("group_left", "group_right")) {
      const token = cursor.take();
      if (isSetOp(op)) cursor.fail(token, `no grouping allowed for "${op}" operation`);
      card = token.text.toLowerCase() === "group_left" ? "many-to-one" : "one-to-many";
      if (cursor.atOp("(")) include = parseLabelList(cursor);
      const both = on ? include.find((label) => labels?.includes(label)) : undefined;
      if (both !== undefined) {
        cursor.fail(
          token,
          `label ${JSON.stringify(both)} must not occur in ON and GROUP clause at once`,
        );
      }
    }
  }
  const fills = parseFills(cursor, op);
  if (!labels && !fills) return { bool, matching: undefined };
  const matching = {
    on,
    labels: labels ?? [],
    card,
    include,
    fillLeft: fills?.left,
    fillRight: fills?.right,
  };
  return { bool, matching };
}

function parseFills(
  cursor: Cursor,
  op: BinaryOp,
): { left: number | undefined; right: number | undefined } | undefined {
  let left: number | undefined;
  let right: number | undefined;
  let seen = false;
  while (cursor.atWord("fill", "fill_left", "fill_right") && cursor.peek(1).text === "(") {
    const token = cursor.take();
    if (!cursor.features.fillModifiers)
      cursor.fail(token, "fill modifiers are experimental and must be enabled");
    if (isSetOp(op)) cursor.fail(token, "filling in missing series not allowed for set operators");
    cursor.expectOp("(", "fill modifier");
    const value = parseUnary(cursor, 0);
    if (value.kind !== "number") return cursor.fail(value, "fill value must be a number");
    cursor.expectOp(")", "fill modifier");
    const word = token.text.toLowerCase();
    if (word !== "fill_right") left = value.value;
    if (word !== "fill_left") right = value.value;
    seen = true;
  }
  return seen ? { left, right } : undefined;
}

function parsePostfix(cursor: Cursor, atom: Expr): Expr {
  let expr = atom;
  for (;;) {
    if (cursor.atOp("[")) expr = parseBrackets(cursor, expr);
    else if (cursor.atWord("offset")) expr = parseOffset(cursor, expr);
    else if (cursor.atOp("@")) expr = parseAt(cursor, expr);
    else if (cursor.atWord("anchored", "smoothed")) expr = parseExtend(cursor, expr);
    else return expr;
  }
}

function parseBrackets(cursor: Cursor, expr: Expr): Expr {
  const open = cursor.take();
  const range = parseBracketDuration(cursor, "duration");
  if (cursor.takeOp(":")) {
    const step = cursor.atOp("]") ? undefined : parseBracketDuration(cursor, "duration");
    cursor.expectOp("]", "subquery selector");
    return {
      kind: "subquery",
      expr,
      range,
      step,
      offset: undefined,
      at: undefined,
      start: expr.start,
      end: cursor.lastEnd,
    };
  }
  cursor.expectOp("]", "range selector");
  const span = { start: open.start, end: cursor.lastEnd };
  if (expr.kind !== "vector-selector")
    return cursor.fail(span, "ranges only allowed for vector selectors");
  if (expr.offset !== undefined) cursor.fail(span, "no offset modifiers allowed before range");
  if (expr.at !== undefined) cursor.fail(span, "no @ modifiers allowed before range");
  return { kind: "matrix-selector", selector: expr, range, start: expr.start, end: cursor.lastEnd };
}

/** Applies `change` to the selector or subquery that a modifier follows. */
function modify(
  cursor: Cursor,
  expr: Expr,
  change: Partial<Pick<VectorSelector, "offset" | "at">>,
  complaint: string,
): Expr {
  const end = cursor.lastEnd;
  if (expr.kind === "vector-selector" || expr.kind === "subquery")
    return { ...expr, ...change, end };
  if (expr.kind === "matrix-selector")
    return { ...expr, selector: { ...expr.selector, ...change }, end };
  return cursor.fail(expr, complaint);
}

function modifiersOf(expr: Expr): Partial<Pick<VectorSelector, "offset" | "at">> {
  if (expr.kind === "matrix-selector") return expr.selector;
  return expr.kind === "vector-selector" || expr.kind === "subquery" ? expr : {};
}

function parseOffset(cursor: Cursor, expr: Expr): Expr {
  const token = cursor.take();
  if (modifiersOf(expr).offset !== undefined)
    cursor.fail(token, "offset may not be set multiple times");
  const offset = parseOffsetDuration(cursor);
  return modify(
    cursor,
    expr,
    { offset },
    "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
  );
}

function parseAt(cursor: Cursor, expr: Expr): Expr {
  const token = cursor.take();
  if (modifiersOf(expr).at !== undefined)
    cursor.fail(token, "@ <timestamp> may not be set multiple times");
  const at = parseAtTime(cursor);
  return modify(
    cursor,
    expr,
    { at },
    "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
  );
}

function parseAtTime(cursor: Cursor): number | "start" | "end" {
  if (cursor.atWord("start", "end")) {
    const edge = cursor.take().text.toLowerCase() === "start" ? "start" : "end";
    cursor.expectOp("(", "@");
    cursor.expectOp(")", "@");
    return edge;
  }
  const { start } = cursor.token;
  const negative = cursor.takeOp("-");
  if (!negative) cursor.takeOp("+");
  const token = cursor.token;
  let seconds: number | undefined;
  if (token.kind === "number") seconds = parseNumberText(token.text);
  else if (token.kind === "duration") seconds = (durationTextMs(token.text) ?? NaN) / 1000;
  else if (cursor.atWord("inf", "nan")) seconds = NaN;
  else cursor.unexpected("@", "timestamp");
  cursor.take();
  const ms = (seconds ?? NaN) * (negative ? -1000 : 1000);
  if (!Number.isFinite(ms) || Math.abs(ms) >= 2 ** 63) {
    cursor.fail({ start, end: cursor.lastEnd }, "timestamp out of bounds for @ modifier");
  }
  return Math.round(ms);
}

function parseExtend(cursor: Cursor, expr: Expr): Expr {
  const token = cursor.take();
  const extend = token.text.toLowerCase() === "anchored" ? "anchored" : "smoothed";
  if (!cursor.features.extendedRangeSelectors) {
    cursor.fail(token, `${extend} modifier is experimental and must be enabled`);
  }
  const end = cursor.lastEnd;
  if (extendOf(expr)) cursor.fail(token, "anchored and smoothed may only be given once");
  if (expr.kind === "vector-selector") return { ...expr, extend, end };
  if (expr.kind === "matrix-selector")
    return { ...expr, selector: { ...expr.selector, extend }, end };
  return cursor.fail(
    expr,
    `${extend} modifier must be preceded by an instant or range vector selector`,
  );
}

function extendOf(expr: Expr): VectorSelector["extend"] {
  if (expr.kind === "matrix-selector") return expr.selector.extend;
  return expr.kind === "vector-selector" ? expr.extend : undefined;
}
