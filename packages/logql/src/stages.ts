/** Runs a selector's stages on lines that a reader returned. Leading line filters are the reader's work, see `splitFilters`. */
import {
  compileMatcher,
  compileRegex,
  type LabelMap,
  type LineFilter,
  type LogRecord,
} from "@skopos/model";
import type { LabelFilter, LogSelector, Stage } from "./syntax/ast.ts";

const extractedMax = 200;

/** One line on its way through the stages. */
export interface Entry {
  readonly record: LogRecord;
  /** Stream labels, structured metadata and what parsers took from the line. */
  labels: Record<string, string>;
}

type Step = (entry: Entry) => boolean;

/** The line filters that stand before any other stage, for the reader; and the rest. */
export function splitFilters(selector: LogSelector): { filters: LineFilter[]; rest: Stage[] } {
  const end = selector.stages.findIndex((stage) => stage.type !== "line");
  const head = end === -1 ? selector.stages : selector.stages.slice(0, end);
  return {
    filters: head.flatMap((stage) => (stage.type === "line" ? [stage.filter] : [])),
    rest: end === -1 ? [] : selector.stages.slice(end),
  };
}

/** Compiles stages once; the result says whether a line stays and fills in its labels. */
export function compileStages(stages: readonly Stage[]): Step {
  const steps = stages.map(compileStage);
  return (entry) => steps.every((step) => step(entry));
}

export function entryOf(record: LogRecord): Entry {
  return { record, labels: { ...record.labels, ...record.metadata } };
}

function compileStage(stage: Stage): Step {
  switch (stage.type) {
    case "line":
      return compileLineFilter(stage.filter);
    case "json":
      return (entry) => extract(entry, jsonFields(entry.record.line), "JSONParserErr");
    case "logfmt":
      return (entry) => extract(entry, logfmtFields(entry.record.line), "LogfmtParserErr");
    case "label": {
      const test = compileLabelFilter(stage.filter);
      return (entry) => test(entry.labels);
    }
    default: {
      const names = new Set(stage.names);
      const kept = stage.type === "keep";
      return (entry) => {
        entry.labels = Object.fromEntries(
          Object.entries(entry.labels).filter(([name]) => names.has(name) === kept),
        );
        return true;
      };
    }
  }
}

function compileLineFilter(filter: LineFilter): Step {
  const wanted = filter.op === "|=" || filter.op === "|~";
  if (filter.op === "|=" || filter.op === "!=") {
    return ({ record }) => filter.values.some((value) => record.line.includes(value)) === wanted;
  }
  const patterns = filter.values.map(compileRegex);
  return ({ record }) => patterns.some((pattern) => pattern.matcher(record.line).find()) === wanted;
}

function compileLabelFilter(filter: LabelFilter): (labels: LabelMap) => boolean {
  if (filter.type === "and" || filter.type === "or") {
    const left = compileLabelFilter(filter.left);
    const right = compileLabelFilter(filter.right);
    return filter.type === "and" ? (l) => left(l) && right(l) : (l) => left(l) || right(l);
  }
  if (filter.type === "text") {
    const matcher = compileMatcher(filter);
    return (labels) => matcher.test(labels[filter.name] ?? "");
  }
  const { name, op, value } = filter;
  return (labels) => {
    const text = labels[name];
    const number = text === undefined || text === "" ? Number.NaN : Number(text);
    if (Number.isNaN(number)) return false;
    if (op === "==") return number === value;
    if (op === "!=") return number !== value;
    if (op === ">") return number > value;
    if (op === ">=") return number >= value;
    return op === "<" ? number < value : number <= value;
  };
}

/** Labels of the stream win; a field of the same name is kept as `<name>_extracted`, as Loki does. */
function extract(entry: Entry, fields: LabelMap | undefined, error: string): boolean {
  if (!fields) {
    entry.labels["__error__"] = error;
    return true;
  }
  for (const [name, value] of Object.entries(fields)) {
    const taken = name in entry.record.labels;
    entry.labels[taken ? `${name}_extracted` : name] = value;
  }
  return true;
}

function jsonFields(line: string): Record<string, string> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const fields: Record<string, string> = {};
  flatten(value, "", fields);
  return fields;
}

function flatten(value: object, prefix: string, into: Record<string, string>): void {
  for (const [key, inner] of Object.entries(value)) {
    if (Object.keys(into).length >= extractedMax) return;
    const name = prefix + key.replaceAll(/[^a-zA-Z0-9_]/g, "_");
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner))
      flatten(inner as object, `${name}_`, into);
    else if (typeof inner === "string") into[name] = inner;
    else if (typeof inner === "number" || typeof inner === "boolean") into[name] = String(inner);
  }
}

function logfmtFields(line: string): Record<string, string> | undefined {
  const fields: Record<string, string> = {};
  for (const match of line.matchAll(/([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g)) {
    if (Object.keys(fields).length >= extractedMax) break;
    fields[(match[1] ?? "").replaceAll(/[^a-zA-Z0-9_]/g, "_")] =
      match[2]?.replaceAll(/\\(.)/g, "$1") ?? match[3] ?? "";
  }
  return Object.keys(fields).length > 0 ? fields : undefined;
}
