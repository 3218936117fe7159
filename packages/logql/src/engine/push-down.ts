/**
 * Decides what of a selection the store does. Only what is exact goes down: line filters as long as the line is what was
 * stored, filters of text on labels as long as those are the line's own, and counting when no stage is left.
 */
import type { LabelCondition, LineFilter, LogCountRequest, LogFilter } from "@skopos/model";
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
  const left: Stage[] = [];
  let isStoredLine = true;
  let isOwnLabels = true;
  for (const stage of stages) {
    if (stage.type === "line" && isStoredLine) {
      const exact = exactFilter(stage);
      if (exact) {
        filters.push(exact);
        continue;
      }
      filters.push(...necessaryFilters(stage));
    }
    if (stage.type === "label" && isOwnLabels) {
      const condition = conditionOf(stage.filter);
      if (condition === "true") continue;
      if (condition) {
        conditions.push(condition);
        continue;
      }
    }
    left.push(stage);
    isStoredLine &&= !changesLine(stage);
    isOwnLabels &&= !changesLabels(stage);
  }
  return { filter: { matchers, filters, conditions }, stages: left };
}

function changesLine(stage: Stage): boolean {
  return stage.type === "line_format" || stage.type === "decolorize" || stage.type === "unpack";
}

function changesLabels(stage: Stage): boolean {
  // A label filter may set an error, which only a filter on `__error__` sees.
  return stage.type !== "line" && stage.type !== "decolorize";
}

function exactFilter({ op, operands }: LineFilterStage): LineFilter | undefined {
  if (op === "|>" || op === "!>" || operands.some(({ type }) => type === "ip")) return undefined;
  return { op, values: operands.map(({ value }) => value) };
}

/** What every line that a pattern matches contains. */
function necessaryFilters({ op, operands }: LineFilterStage): LineFilter[] {
  const [only] = operands;
  if (op !== "|>" || operands.length !== 1 || !only) return [];
  return parsePattern(only.value).flatMap((part): LineFilter[] =>
    part.type === "literal" ? [{ op: "|=", values: [part.text] }] : [],
  );
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
