/** Writes expressions back as text: on one line, or broken over indented lines where one line would be too long. */
import type { Matcher } from "@skopos/model";
import { formatDuration, metricNameLabel } from "@skopos/model";
import type { Aggregate, Binary, Duration, DurationExpr, Expr, VectorSelector } from "./ast.ts";
import { formatNumber } from "./number.ts";

const lineMax = 100;
const plainName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const plainLabel = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** What `quote` has to escape. */
const special = /["\\\u0000-\u001f\u007f\udc80-\udcff]/;

/** Go's %q: control characters and invalid bytes (lone surrogates, see the lexer) are escaped. */
export function quote(text: string): string {
  if (!special.test(text)) return `"${text}"`;
  let out = "";
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) out += `\\x${(code - 0xdc00).toString(16)}`;
    else if (char === '"' || char === "\\") out += `\\${char}`;
    else if (char === "\n") out += "\\n";
    else if (char === "\t") out += "\\t";
    else if (char === "\r") out += "\\r";
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, "0")}`;
    else out += char;
  }
  return `"${out}"`;
}

/** Whether a string holds bytes that are not UTF-8 (the lexer's lone surrogates). */
export function hasInvalidBytes(text: string): boolean {
  return /[\ud800-\udfff]/u.test(text);
}

export function formatMatcher({ name, op, value }: Matcher): string {
  return `${plainLabel.test(name) ? name : quote(name)}${op}${quote(value)}`;
}

/**
 * The expression on one line. Numbers, labels and parentheses as upstream prints them. Looks into `known` for the texts of
 * parts, and adds them: whoever wants the text of every part of an expression hands the same map in again.
 */
export function formatExpr(expr: Expr, known?: Map<Expr, string>): string {
  const before = known?.get(expr);
  if (before !== undefined) return before;
  const text = written(expr, (part) => formatExpr(part, known));
  known?.set(expr, text);
  return text;
}

function written(expr: Expr, textOf: (part: Expr) => string): string {
  switch (expr.kind) {
    case "number":
      return expr.duration ? formatDuration(expr.value * 1000) : formatNumber(expr.value);
    case "string":
      return quote(expr.value);
    case "vector-selector":
      return selectorBody(expr) + modifiers(expr);
    case "matrix-selector":
      return `${selectorBody(expr.selector)}[${durationText(expr.range)}]${modifiers(expr.selector)}`;
    case "subquery":
      return `${textOf(expr.expr)}${subqueryBrackets(expr)}`;
    case "call":
      return `${expr.name}(${expr.args.map(textOf).join(", ")})`;
    case "aggregate":
      return `${aggregateHead(expr)}(${aggregateArgs(expr).map(textOf).join(", ")})`;
    case "binary":
      return `${textOf(expr.left)} ${binaryHead(expr)} ${textOf(expr.right)}`;
    case "unary":
      return `${expr.op}${textOf(expr.expr)}`;
    case "paren":
      return `(${textOf(expr.expr)})`;
  }
}

/** The expression with line breaks and two spaces of indentation where it is longer than 100 characters. */
export function format(expr: Expr): string {
  return pretty(expr, 0);
}

function pretty(expr: Expr, level: number): string {
  const indent = "  ".repeat(level);
  const line = indent + formatExpr(expr);
  if (line.length <= lineMax) return line;
  switch (expr.kind) {
    case "call":
      return `${indent}${expr.name}(\n${prettyList(expr.args, level + 1)}\n${indent})`;
    case "aggregate":
      return `${indent}${aggregateHead(expr)}(\n${prettyList(aggregateArgs(expr), level + 1)}\n${indent})`;
    case "paren":
      return `${indent}(\n${pretty(expr.expr, level + 1)}\n${indent})`;
    case "unary":
      return `${indent}${expr.op}${pretty(expr.expr, level).trimStart()}`;
    case "subquery":
      return `${pretty(expr.expr, level)}${subqueryBrackets(expr)}`;
    case "binary":
      return `${pretty(expr.left, level + 1)}\n${indent}${binaryHead(expr)}\n${pretty(expr.right, level + 1)}`;
    default:
      return line;
  }
}

function prettyList(exprs: readonly Expr[], level: number): string {
  return exprs.map((expr) => pretty(expr, level)).join(",\n");
}

function aggregateArgs(expr: Aggregate): Expr[] {
  return expr.param ? [expr.param, expr.expr] : [expr.expr];
}

function labelList(labels: readonly string[]): string {
  return labels.map((label) => (plainLabel.test(label) ? label : quote(label))).join(", ");
}

function aggregateHead({ op, without, labels }: Aggregate): string {
  if (without) return `${op} without (${labelList(labels)}) `;
  return labels.length > 0 ? `${op} by (${labelList(labels)}) ` : op;
}

function binaryHead({ op, bool, matching }: Binary): string {
  let text: string = op;
  if (bool) text += " bool";
  if (!matching) return text;
  const { on, labels, card, include, fillLeft, fillRight } = matching;
  if (on || labels.length > 0) text += ` ${on ? "on" : "ignoring"} (${labelList(labels)})`;
  if (card === "many-to-one" || card === "one-to-many") {
    text += ` ${card === "many-to-one" ? "group_left" : "group_right"} (${labelList(include)})`;
  }
  if (fillLeft !== undefined && Object.is(fillLeft, fillRight))
    return `${text} fill (${formatNumber(fillLeft)})`;
  if (fillLeft !== undefined) text += ` fill_left (${formatNumber(fillLeft)})`;
  if (fillRight !== undefined) text += ` fill_right (${formatNumber(fillRight)})`;
  return text;
}

function selectorBody({ name, matchers }: VectorSelector): string {
  const plain = plainName.test(name);
  const shown = matchers.filter(
    (matcher, i) => !(name && i === 0 && matcher.name === metricNameLabel),
  );
  const parts = shown.map(formatMatcher);
  if (name && !plain) parts.unshift(quote(name));
  if (plain && parts.length === 0) return name;
  return `${plain ? name : ""}{${parts.join(",")}}`;
}

function modifiers(
  expr: Pick<VectorSelector, "at" | "offset"> & { extend?: VectorSelector["extend"] },
): string {
  let text = expr.extend ? ` ${expr.extend}` : "";
  if (expr.at !== undefined) {
    text += typeof expr.at === "number" ? ` @ ${(expr.at / 1000).toFixed(3)}` : ` @ ${expr.at}()`;
  }
  if (expr.offset !== undefined && expr.offset !== 0)
    text += ` offset ${durationText(expr.offset)}`;
  return text;
}

function subqueryBrackets(expr: Extract<Expr, { kind: "subquery" }>): string {
  const step = expr.step === undefined ? "" : durationText(expr.step);
  return `[${durationText(expr.range)}:${step}]${modifiers(expr)}`;
}

export function durationText(value: Duration): string {
  return typeof value === "number" ? formatDuration(value) : durationExpr(value);
}

function durationExpr(expr: DurationExpr): string {
  switch (expr.kind) {
    case "seconds":
      return formatDuration(expr.seconds * 1000);
    case "step":
    case "range":
      return `${expr.kind}()`;
    case "negate":
      return `-${durationExpr(expr.operand)}`;
    case "arithmetic":
      if (expr.op === "min_of" || expr.op === "max_of")
        return `${expr.op}(${durationExpr(expr.left)}, ${durationExpr(expr.right)})`;
      return `(${durationExpr(expr.left)} ${expr.op} ${durationExpr(expr.right)})`;
  }
}
