/** Writes a query in one form: `parse(format(q))` is `q` again. */
import type {
  FieldExpr,
  Hints,
  Literal,
  MetricExpr,
  Query,
  ScalarExpr,
  SpansetExpr,
  Stage,
} from "./ast.ts";
import { formatField } from "./fields.ts";

export function format(query: Query): string {
  const body = query.type === "spans" ? formatStages(query.stages) : formatSeries(query.expr);
  return body + formatHints(query.hints);
}

function formatHints(hints: Hints): string {
  if (hints.size === 0) return "";
  const pairs = [...hints].map(([key, value]) => `${key}=${formatLiteral(value)}`);
  return ` with (${pairs.join(", ")})`;
}

function formatStages(stages: readonly Stage[]): string {
  return stages.map(formatStage).join(" | ");
}

function formatStage(stage: Stage): string {
  switch (stage.type) {
    case "scalarFilter":
      return `${formatScalar(stage.left)} ${stage.op} ${formatScalar(stage.right)}`;
    case "group":
      return `by(${formatExpr(stage.by)})`;
    case "coalesce":
      return "coalesce()";
    case "select":
      return `select(${stage.fields.map(formatField).join(", ")})`;
    case "combine":
      return `${formatOperand(stage.left)} ${stage.op} ${formatOperand(stage.right)}`;
    default:
      return formatOperand(stage);
  }
}

function formatOperand(expr: SpansetExpr): string {
  if (expr.type === "filter") return expr.expr ? `{ ${formatExpr(expr.expr)} }` : "{ }";
  if (expr.type === "pipeline") return `(${formatStages(expr.stages)})`;
  return `(${formatStage(expr)})`;
}

function formatScalar(expr: ScalarExpr): string {
  switch (expr.type) {
    case "aggregate":
      return `${expr.name}(${expr.expr ? formatExpr(expr.expr) : ""})`;
    case "number":
      return expr.duration ? formatDuration(expr.value) : formatNumber(expr.value);
    case "arithmetic":
      return `(${formatScalar(expr.left)} ${expr.op} ${formatScalar(expr.right)})`;
    case "scalarPipeline":
      return `(${formatStages(expr.stages)} | ${formatScalar(expr.aggregate)})`;
  }
}

function formatSeries(expr: MetricExpr): string {
  switch (expr.type) {
    case "number":
      return formatNumber(expr.value);
    case "math":
      return `${formatTerm(expr.left)} ${expr.op} ${formatTerm(expr.right)}`;
    case "top":
      return `${formatSource(expr.of)} | ${expr.name}(${expr.k})`;
    case "threshold":
      return `${formatSource(expr.of)} ${expr.op} ${formatNumber(expr.value)}`;
    case "compare": {
      const selection = expr.selection ? `{ ${formatExpr(expr.selection)} }` : "{ }";
      const window = expr.window ? [expr.window.startNs, expr.window.endNs] : [];
      const parameters = [selection, String(expr.topN), ...window.map(String)];
      return `${formatStages(expr.stages)} | compare(${parameters.join(", ")})`;
    }
    case "metric": {
      const field = expr.field ? [formatField(expr.field)] : [];
      const parameters = [...field, ...expr.quantiles.map(String)].join(", ");
      const by = expr.by.length > 0 ? ` by (${expr.by.map(formatField).join(", ")})` : "";
      return `${formatStages(expr.stages)} | ${expr.name}(${parameters})${by}`;
    }
  }
}

/** Before a bar or a comparison. */
function formatSource(expr: MetricExpr): string {
  return expr.type === "math" || expr.type === "threshold"
    ? `(${formatSeries(expr)})`
    : formatSeries(expr);
}

function formatTerm(expr: MetricExpr): string {
  return expr.type === "number" ? formatSeries(expr) : `(${formatSeries(expr)})`;
}

export function formatExpr(expr: FieldExpr): string {
  switch (expr.type) {
    case "literal":
      return formatLiteral(expr.literal);
    case "field":
      return formatField(expr.field);
    case "unary":
      return `${expr.op}${formatTight(expr.operand)}`;
    case "binary":
      return `${formatTight(expr.left)} ${expr.op} ${formatTight(expr.right)}`;
  }
}

function formatTight(expr: FieldExpr): string {
  const written = formatExpr(expr);
  // A power binds its operand tighter than a minus in front of it.
  const isSimple = expr.type === "field" || (expr.type === "literal" && !written.startsWith("-"));
  return isSimple ? written : `(${written})`;
}

function formatLiteral(literal: Literal): string {
  switch (literal.type) {
    case "string":
      return quoted(literal.value);
    case "int":
      return Math.abs(literal.value) === 2 ** 63
        ? literal.value > 0
          ? "maxInt"
          : "minInt"
        : formatNumber(literal.value);
    case "float":
      return formatFloat(literal.value);
    case "duration":
      return formatDuration(literal.value);
    case "nil":
      return "nil";
    default:
      return String(literal.value);
  }
}

/** A string of the language, with its quotes. */
export function quoted(text: string): string {
  const body = text.replaceAll(/["\\\p{Cc}\p{Cs}]/gu, (char) => {
    if (char === '"' || char === "\\") return `\\${char}`;
    return `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
  });
  return `"${body}"`;
}

function formatNumber(value: number): string {
  return String(value).replace("e+", "e");
}

/** With a mark that makes it a float. */
function formatFloat(value: number): string {
  const text = formatNumber(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

const units = [
  ["h", 3600e9],
  ["m", 60e9],
  ["s", 1e9],
  ["ms", 1e6],
  ["us", 1e3],
] as const;

export function formatDuration(valueNs: number): string {
  const [unit, size] = units.find(([, each]) => valueNs !== 0 && valueNs % each === 0) ?? ["ns", 1];
  const amount = valueNs / size;
  // The language has no exponents in durations.
  return `${Number.isInteger(amount) ? amount.toFixed(0) : String(amount)}${unit}`;
}
