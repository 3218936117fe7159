/** Writes a tree as LogQL on one line. What it writes parses to the same tree. */
import type {
  Grouping,
  LabelFilter,
  LogqlExpr,
  LogSelector,
  MetricExpr,
  RangeAggregation,
  Stage,
  Unwrap,
  VectorMatching,
} from "./ast.ts";

export function format(expr: LogqlExpr): string {
  return expr.type === "log" ? formatSelector(expr) : formatMetric(expr);
}

function quoted(text: string): string {
  // Everything JSON escapes is an escape of Go's, but for lone surrogates, which no query holds.
  return JSON.stringify(text);
}

function formatSelector({ matchers, stages }: LogSelector): string {
  const labels = matchers.map(({ name, op, value }) => `${name}${op}${quoted(value)}`).join(", ");
  return [`{${labels}}`, ...stages.map(formatStage)].join(" ");
}

export function formatStage(stage: Stage): string {
  switch (stage.type) {
    case "line": {
      const operands = stage.operands.map(({ type, value }) =>
        type === "ip" ? `ip(${quoted(value)})` : quoted(value),
      );
      return `${stage.op} ${operands.join(" or ")}`;
    }
    case "json":
      return `| json${fieldsOf(stage.fields)}`;
    case "logfmt": {
      const flags = `${stage.strict ? " --strict" : ""}${stage.keepEmpty ? " --keep-empty" : ""}`;
      return `| logfmt${flags}${fieldsOf(stage.fields)}`;
    }
    case "pattern":
    case "regexp":
      return `| ${stage.type} ${quoted(stage.pattern)}`;
    case "label":
      return `| ${formatLabelFilter(stage.filter)}`;
    case "line_format":
      return `| line_format ${quoted(stage.template)}`;
    case "label_format": {
      const formats = stage.formats.map(
        ({ name, type, value }) => `${name}=${type === "rename" ? value : quoted(value)}`,
      );
      return `| label_format ${formats.join(", ")}`;
    }
    case "drop":
    case "keep": {
      const targets = stage.targets.map(({ name, matcher }) =>
        matcher ? `${name}${matcher.op}${quoted(matcher.value)}` : name,
      );
      return `| ${stage.type} ${targets.join(", ")}`;
    }
    default:
      return `| ${stage.type}`;
  }
}

function fieldsOf(fields: readonly { name: string; expression: string }[]): string {
  if (fields.length === 0) return "";
  return ` ${fields.map(({ name, expression }) => `${name}=${quoted(expression)}`).join(", ")}`;
}

function formatLabelFilter(filter: LabelFilter): string {
  switch (filter.type) {
    case "and":
    case "or":
      return `(${formatLabelFilter(filter.left)} ${filter.type} ${formatLabelFilter(filter.right)})`;
    case "text":
      return `${filter.name}${filter.op}${quoted(filter.value)}`;
    case "ip":
      return `${filter.name}${filter.op}ip(${quoted(filter.value)})`;
    default:
      return `${filter.name}${filter.op}${filter.text}`;
  }
}

function formatUnwrap({ label, conversion, filters }: Unwrap): string {
  const value = conversion === undefined ? label : `${conversion}(${label})`;
  return [`| unwrap ${value}`, ...filters.map((one) => `| ${formatLabelFilter(one)}`)].join(" ");
}

function formatGrouping(grouping: Grouping | undefined): string {
  return grouping ? ` ${grouping.type} (${grouping.names.join(", ")})` : "";
}

export function formatRange(expr: RangeAggregation): string {
  const parameter = expr.parameter === undefined ? "" : `${formatNumber(expr.parameter)}, `;
  const unwrap = expr.unwrap ? ` ${formatUnwrap(expr.unwrap)}` : "";
  const offset = expr.offsetMs === 0 ? "" : ` offset ${formatMs(expr.offsetMs)}`;
  const range = `${formatSelector(expr.selector)}${unwrap} [${formatMs(expr.rangeMs)}]${offset}`;
  return `${expr.func}(${parameter}${range})${formatGrouping(expr.grouping)}`;
}

function formatMetric(expr: MetricExpr): string {
  switch (expr.type) {
    case "number":
      return formatNumber(expr.value);
    case "vector":
      return `vector(${formatNumber(expr.value)})`;
    case "range":
      return formatRange(expr);
    case "aggregate": {
      const parameter = expr.parameter === undefined ? "" : `${expr.parameter}, `;
      return `${expr.op}${formatGrouping(expr.grouping)}${expr.grouping ? " " : ""}(${parameter}${formatMetric(expr.inner)})`;
    }
    case "label_replace": {
      const texts = [expr.target, expr.replacement, expr.source, expr.pattern].map(quoted);
      return `label_replace(${formatMetric(expr.inner)}, ${texts.join(", ")})`;
    }
    case "binary": {
      const bool = expr.bool ? " bool" : "";
      const left = formatOperand(expr.left);
      const right = formatOperand(expr.right);
      return `${left} ${expr.op}${bool}${formatMatching(expr.matching)} ${right}`;
    }
  }
}

function formatOperand(expr: MetricExpr): string {
  return expr.type === "binary" ? `(${formatMetric(expr)})` : formatMetric(expr);
}

function formatMatching(matching: VectorMatching | undefined): string {
  if (!matching) return "";
  const { type, names, group, include } = matching;
  const on = ` ${type} (${names.join(", ")})`;
  return group ? `${on} group_${group} (${include.join(", ")})` : on;
}

/** Not finite only where arithmetic of literals was folded. */
function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "(0 / 0)";
  if (!Number.isFinite(value)) return value > 0 ? "(10 ^ 400)" : "(-1 * 10 ^ 400)";
  return String(value);
}

function formatMs(durationMs: number): string {
  const sign = durationMs < 0 ? "-" : "";
  let rest = Math.abs(durationMs);
  let text = "";
  for (const [unit, size] of [
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
    ["ms", 1],
  ] as const) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  const ns = Math.round(rest * 1e6);
  if (ns > 0) text += `${ns}ns`;
  return text === "" ? "0s" : sign + text;
}
