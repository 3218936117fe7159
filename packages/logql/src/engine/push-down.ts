/**
 * Decides what of a selection the store does. What is exact goes down: line filters as long as the line is what was stored,
 * filters of text on labels as long as those are the line's own, and counting when no stage is left. Of a comparison with a
 * number, of the line's own labels or of those that `json` makes, goes down what a line needs for it; it runs here still.
 */
import type {
  LabelCondition,
  LineFilter,
  LogCountRequest,
  LogFilter,
  NumberNeed,
} from "@skopos/model";
import { errorDetailsLabel, errorLabel } from "../pipeline/line-state.ts";
import type {
  Grouping,
  LabelFilter,
  LineFilterStage,
  LogSelector,
  RangeAggregation,
  Stage,
} from "../syntax/ast.ts";
import { parsePattern } from "../syntax/pattern.ts";

export interface PushDown {
  readonly filter: LogFilter & { readonly conditions: readonly LabelCondition[] };
  /** What is left to run on the lines, in order. */
  readonly stages: readonly Stage[];
}

export function pushDown({ matchers, stages }: LogSelector): PushDown {
  const filters: LineFilter[] = [];
  const conditions: LabelCondition[] = [];
  const needs: NumberNeed[] = [];
  const left: Stage[] = [];
  let isStoredLine = true;
  let labels: "own" | "json" | "changed" = "own";
  for (const stage of stages) {
    if (stage.type === "line" && isStoredLine) {
      const exact = exactFilters(stage);
      if (exact) {
        filters.push(...exact);
        continue;
      }
    }
    if (stage.type === "label" && labels === "own") {
      const condition = conditionOf(stage.filter);
      if (condition === "true") continue;
      if (condition) {
        conditions.push(condition);
        continue;
      }
    }
    if (stage.type === "label" && labels !== "changed")
      needs.push(...needsOf(stage.filter, labels === "json"));
    left.push(stage);
    if (changesLabels(stage))
      labels = labels === "own" && isStoredLine && isWholeJson(stage) ? "json" : "changed";
    isStoredLine &&= !changesLine(stage);
  }
  return { filter: { matchers, filters, conditions, needs }, stages: left };
}

const isWholeJson = (stage: Stage) => stage.type === "json" && stage.fields.length === 0;

function changesLine(stage: Stage): boolean {
  return stage.type === "line_format" || stage.type === "decolorize" || stage.type === "unpack";
}

function changesLabels(stage: Stage): boolean {
  // A label filter may set an error, which only a filter on `__error__` sees.
  return stage.type !== "line" && stage.type !== "decolorize";
}

function exactFilters({ op, operands }: LineFilterStage): LineFilter[] | undefined {
  if (operands.some(({ type }) => type === "ip")) return undefined;
  const filter: LineFilter = { op, values: operands.map(({ value }) => value) };
  return op === "|>" ? [...longestTexts(filter.values), filter] : [filter];
}

/** What every line that one of the patterns matches contains, which an index may know. */
function longestTexts(patterns: readonly string[]): LineFilter[] {
  const values = patterns.map((pattern) => {
    const texts = parsePattern(pattern).map((part) => (part.type === "literal" ? part.text : ""));
    return texts.reduce((best, text) => (text.length > best.length ? text : best), "");
  });
  return values.includes("") ? [] : [{ op: "|=", values }];
}

/** "true": every line passes; undefined: not for the store. */
function conditionOf(filter: LabelFilter): LabelCondition | "true" | undefined {
  if (filter.type === "and" || filter.type === "or") {
    const left = conditionOf(filter.left);
    const right = conditionOf(filter.right);
    if (!left || !right) return undefined;
    if (left === "true") return filter.type === "and" ? right : "true";
    if (right === "true") return filter.type === "and" ? left : "true";
    return { type: filter.type, conditions: [left, right] };
  }
  if (filter.type !== "text") return undefined;
  const { name, op, value } = filter;
  if (name === errorLabel || name === errorDetailsLabel)
    // No stage has run that could have failed.
    return op === "=" && value === "" ? "true" : undefined;
  return name.endsWith("_extracted") ? undefined : { type: "match", matcher: { name, op, value } };
}

/**
 * Of the first comparison alone: what it cannot read passes with an error, and with one a line passes all that follow. So
 * of several joined in one filter.
 */
function needsOf(filter: LabelFilter, json: boolean): NumberNeed[] {
  if (filter.type !== "number" || !Number.isFinite(filter.value)) return [];
  const { name, op, value } = filter;
  return name.endsWith("_extracted") || name.startsWith("__") ? [] : [{ name, op, value, json }];
}

/** Which functions only ask how many lines or bytes there are. */
function measureOf(func: string): LogCountRequest["measure"] | undefined {
  if (func === "count_over_time" || func === "rate") return "lines";
  return func === "bytes_over_time" || func === "bytes_rate" ? "bytes" : undefined;
}

export interface CountPushDown {
  readonly filter: LogFilter;
  readonly measure: LogCountRequest["measure"];
  readonly grouping: LogCountRequest["grouping"];
}

/** The counting a store can do for a range aggregation, grouped as `grouping` says; undefined when lines must be looked at. */
export function pushDownCounts(
  expr: RangeAggregation,
  grouping: Grouping | undefined,
): CountPushDown | undefined {
  const measure = measureOf(expr.func);
  if (!measure || expr.unwrap) return undefined;
  const { filter, stages } = pushDown(expr.selector);
  let group: Grouping = grouping ?? { type: "without", names: [] };
  // From the last stage to the first, since each names what is there after it.
  for (const stage of needed(stages, measure, group).toReversed()) {
    if (stage.type !== "drop" && stage.type !== "keep") return undefined;
    if (stage.targets.some(({ matcher }) => matcher !== undefined)) return undefined;
    const names = stage.targets.map(({ name }) => name);
    group = stage.type === "drop" ? afterDrop(group, names) : afterKeep(group, names);
  }
  const isStoreLabel = (name: string) => !name.endsWith("_extracted") && !name.startsWith("__");
  if (!group.names.every(isStoreLabel)) return undefined;
  return { filter, measure, grouping: group };
}

/**
 * Stages whose effect can be seen in the count. When no label is asked for at all, those that only make labels have none,
 * nor have their failures: Loki passes them over then too.
 */
export function needed(
  stages: readonly Stage[],
  measure: LogCountRequest["measure"],
  { type, names }: Grouping,
): readonly Stage[] {
  if (type !== "by" || names.length > 0) return stages;
  const isLabelsOnly = ({ type: kind }: Stage) =>
    kind === "json" ||
    kind === "logfmt" ||
    kind === "pattern" ||
    kind === "regexp" ||
    kind === "label_format" ||
    kind === "drop" ||
    kind === "keep" ||
    (kind === "line_format" && measure === "lines") ||
    (kind === "decolorize" && measure === "lines");
  let end = stages.length;
  while (end > 0) {
    const stage = stages[end - 1];
    if (!stage || !isLabelsOnly(stage)) break;
    end--;
  }
  return stages.slice(0, end);
}

function afterDrop({ type, names }: Grouping, dropped: readonly string[]): Grouping {
  if (type === "by") return { type, names: names.filter((name) => !dropped.includes(name)) };
  return { type, names: [...new Set([...names, ...dropped])] };
}

function afterKeep({ type, names }: Grouping, kept: readonly string[]): Grouping {
  const keeps = (name: string) => names.includes(name) === (type === "by");
  return { type: "by", names: [...new Set(kept)].filter(keeps) };
}
