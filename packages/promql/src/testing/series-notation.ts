/**
 * The series notation of PromQL test scripts: `name{label="value"} 1 2 _ 4+2x3 stale {{schema:0 sum:1 count:1}}x2`.
 * Source: Prometheus documentation, "Unit testing for rules", series notation.
 */
import { LabelSet, metricNameLabel, type NativeHistogram, SkoposError } from "@skopos/model";
import { addHistograms } from "../engine/histogram-math.ts";
import { customSchema } from "../engine/native-histogram.ts";
import { parse } from "../syntax/index.ts";

export type NotedValue =
  | { readonly kind: "gap" }
  | { readonly kind: "stale" }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "histogram"; readonly histogram: NativeHistogram };

export interface NotedSeries {
  readonly labels: LabelSet;
  /** The line gives start times for the series, not samples. */
  readonly startTimes: boolean;
  readonly values: readonly NotedValue[];
}

/** Throws `bad-script`. */
export function parseSeries(line: string): NotedSeries {
  const nameEnd = endOfMetric(line);
  const head = line.slice(0, nameEnd).trim();
  const rest = line.slice(nameEnd);
  const startTimes = rest.startsWith("@st");
  const body = startTimes ? rest.slice(3) : rest;
  return { labels: parseMetric(head), startTimes, values: startTimes ? [] : parseValues(body) };
}

/** Where the metric ends and the values begin. */
function endOfMetric(line: string): number {
  const open = line.indexOf("{");
  const firstSpace = line.search(/[\s@]/);
  if (open < 0 || (firstSpace >= 0 && firstSpace < open && !/^\S*\s*\{(?!\{)/.test(line)))
    return firstSpace < 0 ? line.length : firstSpace;
  let quote = "";
  for (let i = open; i < line.length; i++) {
    const char = line[i] ?? "";
    if (quote) {
      if (char === "\\" && quote !== "`") i += 1;
      else if (char === quote) quote = "";
    } else if (char === '"' || char === "'" || char === "`") quote = char;
    else if (char === "}") return i + 1;
  }
  throw new SkoposError("bad-script", `unclosed braces: ${line}`);
}

/** A metric alone: `name{label="value"}`. Throws `bad-script`. */
export function parseMetric(text: string): LabelSet {
  if (/^\{\s*\}$/.test(text)) return LabelSet.empty;
  // A metric is written as a selector with equality matchers only; one without name or values is not a selector, so help it.
  const expr = parse(
    text.startsWith("{") ? text.replace(/^\{/, '{__name__=~".*",__help="x",') : text,
  );
  if (expr.kind !== "vector-selector") throw new SkoposError("bad-script", `not a metric: ${text}`);
  const pairs = expr.matchers.filter(({ op, name }) => op === "=" && name !== "__help");
  const labels = LabelSet.fromPairs(pairs.map(({ name, value }) => [name, value]));
  return expr.name ? labels.with(metricNameLabel, expr.name) : labels;
}

const number = String.raw`(?:[iI][nN][fF]|[nN][aA][nN]|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)`;
const floatPattern = new RegExp(`^([+-]?${number})([+-]${number})?(?:x(\\d+))?$`);

function parseValues(text: string): NotedValue[] {
  const values: NotedValue[] = [];
  for (const token of valueTokens(text)) pushToken(token, values);
  return values;
}

/** Splits at blanks outside of double braces. */
function valueTokens(text: string): string[] {
  return text.match(/(?:\{\{.*?\}\}|[^\s{])+/g) ?? [];
}

function pushToken(token: string, values: NotedValue[]): void {
  const gap = /^_(?:x(\d+))?$/.exec(token);
  if (gap) return repeat(values, Number(gap[1] ?? 1), () => ({ kind: "gap" }));
  const stale = /^stale(?:x(\d+))?$/.exec(token);
  if (stale)
    return repeat(values, stale[1] === undefined ? 1 : Number(stale[1]) + 1, () => ({
      kind: "stale",
    }));
  if (token.startsWith("{{")) return pushHistograms(token, values);
  const match = floatPattern.exec(token);
  if (!match) throw new SkoposError("bad-script", `not a series value: ${JSON.stringify(token)}`);
  const start = toNumber(match[1] ?? "");
  const change = match[2] === undefined ? 0 : toNumber(match[2]);
  let value = start;
  repeat(values, match[3] === undefined ? 1 : Number(match[3]) + 1, (i) => {
    // Step by step, as the original does: large factors would round differently.
    if (i > 0) value += change;
    return { kind: "float", value };
  });
}

function repeat(values: NotedValue[], count: number, make: (i: number) => NotedValue): void {
  for (let i = 0; i < count; i++) values.push(make(i));
}

function toNumber(text: string): number {
  const plain = text.toLowerCase();
  if (plain.endsWith("nan")) return NaN;
  if (plain.endsWith("inf")) return plain.startsWith("-") ? -Infinity : Infinity;
  return Number(plain);
}

function pushHistograms(token: string, values: NotedValue[]): void {
  const match = /^\{\{(.*?)\}\}(?:([+-])\{\{(.*?)\}\})?(?:x(\d+))?$/.exec(token);
  if (!match) throw new SkoposError("bad-script", `not a histogram: ${token}`);
  let histogram = parseHistogram(match[1] ?? "");
  const change = match[3] === undefined ? undefined : parseHistogram(match[3]);
  const sign = match[2] === "-" ? -1 : 1;
  repeat(values, match[4] === undefined ? 1 : Number(match[4]) + 1, (i) => {
    const next = i > 0 && change ? addHistograms(histogram, change, sign) : undefined;
    if (next) histogram = { ...next.histogram, counterReset: histogram.counterReset };
    return { kind: "histogram", histogram };
  });
}

function spans(buckets: readonly number[], offset: number): NativeHistogram["positiveSpans"] {
  return buckets.length > 0 ? [{ offset, length: buckets.length }] : [];
}

/** `schema:0 sum:1 count:2 z_bucket:1 z_bucket_w:0.001 buckets:[1 2] offset:1 n_buckets:[1] n_offset:0 …` */
function parseHistogram(text: string): NativeHistogram {
  const fields = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/([a-z_]+):(\[[^\]]*\]|\S+)/g))
    fields.set(name ?? "", value ?? "");
  const single = (name: string) => toNumber(fields.get(name) ?? "0");
  const list = (name: string) =>
    (fields.get(name) ?? "").replace(/[[\]]/g, "").split(/\s+/).filter(Boolean).map(toNumber);
  const positiveBuckets = list("buckets");
  const negativeBuckets = list("n_buckets");
  const schema = single("schema");
  const hints = { reset: "reset", not_reset: "not-reset", gauge: "gauge" } as const;
  const hint = fields.get("counter_reset_hint");
  return {
    schema,
    count: single("count"),
    sum: single("sum"),
    zeroThreshold: single("z_bucket_w"),
    zeroCount: single("z_bucket"),
    positiveSpans: spans(positiveBuckets, single("offset")),
    positiveBuckets,
    negativeSpans: spans(negativeBuckets, single("n_offset")),
    negativeBuckets,
    customValues: schema === customSchema ? list("custom_values") : [],
    counterReset:
      hint === "reset" || hint === "not_reset" || hint === "gauge" ? hints[hint] : "unknown",
  };
}
