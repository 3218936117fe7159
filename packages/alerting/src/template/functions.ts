/** The functions Prometheus adds for rule templates. Source: prometheus/template/template.go. */
import { compileRegex, type LabelMap, parseDuration } from "@skopos/model";
import {
  formatGeneral,
  GoDuration,
  GoTime,
  printValue,
  TemplateError,
  type TemplateFunction,
} from "@skopos/template";

/** What `query` yields, one per series. */
export interface QuerySample {
  readonly Labels: LabelMap;
  readonly Value: number;
}

/** What a template sees besides its alert. */
export interface TemplateContext {
  readonly externalUrl: string;
  readonly nowMs: () => number;
  /** Runs a PromQL query at the moment of the evaluation. */
  readonly query: (text: string) => Promise<readonly QuerySample[]>;
}

const largePrefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const smallPrefixes = ["m", "u", "n", "p", "f", "a", "z", "y"];

/** Throws unless `value` is a number or the text of one. */
function toNumber(value: unknown, what: string): number {
  if (typeof value === "number") return value;
  if (value instanceof GoDuration) return value.seconds;
  if (typeof value === "string" && value.trim() !== "") {
    const infinite = /^([+-]?)inf$/i.exec(value);
    if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
    const number = Number(value);
    if (!Number.isNaN(number) || /^nan$/i.test(value)) return number;
  }
  throw new TemplateError(`${what}: can't convert ${printValue(value)} to float`);
}

function humanize(input: unknown): string {
  let value = toNumber(input, "humanize");
  if (value === 0 || !Number.isFinite(value)) return formatGeneral(value, 4);
  let prefix = "";
  if (Math.abs(value) >= 1) {
    for (const next of largePrefixes) {
      if (Math.abs(value) < 1000) break;
      prefix = next;
      value /= 1000;
    }
  } else [value, prefix] = scaleUp(value);
  return formatGeneral(value, 4) + prefix;
}

function scaleUp(input: number): [number, string] {
  let value = input;
  let prefix = "";
  for (const next of smallPrefixes) {
    if (Math.abs(value) >= 1) break;
    prefix = next;
    value *= 1000;
  }
  return [value, prefix];
}

function humanize1024(input: unknown): string {
  let value = toNumber(input, "humanize1024");
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return formatGeneral(value, 4);
  let prefix = "";
  for (const next of ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"]) {
    if (Math.abs(value) < 1024) break;
    prefix = next;
    value /= 1024;
  }
  return formatGeneral(value, 4) + prefix;
}

function humanizeDuration(input: unknown): string {
  const value = toNumber(input, "humanizeDuration");
  if (!Number.isFinite(value)) return formatGeneral(value, 4);
  if (value === 0) return "0s";
  if (Math.abs(value) < 1) {
    const [scaled, prefix] = scaleUp(value);
    return `${formatGeneral(scaled, 4)}${prefix}s`;
  }
  const sign = value < 0 ? "-" : "";
  const size = Math.abs(value);
  const whole = Math.floor(size);
  const seconds = whole % 60;
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600) % 24;
  const days = Math.floor(whole / 86_400);
  if (days > 0) return `${sign}${days}d ${hours}h ${minutes}m ${seconds}s`;
  if (hours > 0) return `${sign}${hours}h ${minutes}m ${seconds}s`;
  if (minutes > 0) return `${sign}${minutes}m ${seconds}s`;
  return `${sign}${formatGeneral(size, 4)}s`;
}

function timeOf(input: unknown, what: string): GoTime | string {
  const seconds = toNumber(input, what);
  if (!Number.isFinite(seconds)) return formatGeneral(seconds, 4);
  if (Math.abs(seconds) > 8.64e12) throw new TemplateError(`${what}: ${seconds} is out of range`);
  return new GoTime(BigInt(Math.round(seconds * 1000)) * 1_000_000n);
}

function samplesOf(value: unknown, what: string): readonly QuerySample[] {
  if (!Array.isArray(value)) throw new TemplateError(`${what} wants the result of a query`);
  return value as readonly QuerySample[];
}

function sampleOf(value: unknown, what: string): QuerySample {
  if (typeof value === "object" && value !== null && "Labels" in value && "Value" in value)
    return value as QuerySample;
  throw new TemplateError(`${what} wants a sample of a query's result`);
}

function expressionLink(expression: unknown, tab: number): string {
  const query = encodeURIComponent(printValue(expression)).replaceAll("%20", "+");
  return `/graph?g0.expr=${query}&g0.tab=${tab}`;
}

function stripPort(input: unknown): string {
  const host = printValue(input);
  const bracketed = /^\[([^\]]*)\]:\d*$/.exec(host);
  if (bracketed) return bracketed[1] ?? host;
  const plain = /^([^:]*):[^:]*$/.exec(host);
  return plain?.[1] ?? host;
}

function stripDomain(input: unknown): string {
  const text = printValue(input);
  const host = stripPort(text);
  if (/^[\d.]+$/.test(host) || host.includes(":")) return text;
  return (host.split(".")[0] ?? host) + text.slice(host.length);
}

function titleCase(input: unknown): string {
  return printValue(input).replaceAll(
    /(^|[^\p{L}\p{N}_'])(\p{Ll})/gu,
    (_, before: string, c: string) => before + c.toUpperCase(),
  );
}

/** RE2's `$1` and `${name}` in Go's form are Java's; anything else is literal. */
function reReplaceAll(pattern: unknown, replacement: unknown, text: unknown): string {
  const compiled = compileRegex(printValue(pattern));
  const matcher = compiled.matcher(printValue(text));
  const template = printValue(replacement)
    .replaceAll("\\", "\\\\")
    .replaceAll("$$", "\\$")
    .replaceAll(/\$\{(\d+)\}/g, "$$$1");
  return matcher.replaceAll(template);
}

const table: Readonly<Record<string, TemplateFunction>> = {
  first: (value) => {
    const [first] = samplesOf(value, "first");
    if (first === undefined) throw new TemplateError("first() called on vector with no elements");
    return first;
  },
  label: (name, sample) => sampleOf(sample, "label").Labels[printValue(name)] ?? "",
  value: (sample) => sampleOf(sample, "value").Value,
  strvalue: (sample) => sampleOf(sample, "strvalue").Labels["__value__"] ?? "",
  sortByLabel: (name, samples) => {
    const key = printValue(name);
    const labelOf = (sample: QuerySample) => sample.Labels[key] ?? "";
    return [...samplesOf(samples, "sortByLabel")].sort((a, b) =>
      labelOf(a) < labelOf(b) ? -1 : Number(labelOf(a) > labelOf(b)),
    );
  },
  humanize,
  humanize1024,
  humanizeDuration,
  humanizePercentage: (value) =>
    `${formatGeneral(toNumber(value, "humanizePercentage") * 100, 4)}%`,
  humanizeTimestamp: (value) => String(timeOf(value, "humanizeTimestamp")),
  title: titleCase,
  toUpper: (text) => printValue(text).toUpperCase(),
  toLower: (text) => printValue(text).toLowerCase(),
  match: (pattern, text) => compileRegex(printValue(pattern)).matcher(printValue(text)).find(),
  reReplaceAll,
  graphLink: (expression) => expressionLink(expression, 0),
  tableLink: (expression) => expressionLink(expression, 1),
  args: (...values) => Object.fromEntries(values.map((value, i) => [`arg${i}`, value])),
  safeHtml: (text) => printValue(text),
  toTime: (value) => timeOf(value, "toTime"),
  toDuration: (value) => new GoDuration(toNumber(value, "toDuration")),
  parseDuration: (text) => parseDuration(printValue(text)) / 1000,
  stripPort,
  stripDomain,
};

/** Functions that depend on nothing but their arguments. */
export const ruleFunctions: ReadonlyMap<string, TemplateFunction> = new Map(Object.entries(table));

/** The rest of Prometheus's; `tmpl` and Go's own are part of the engine. */
export function contextFunctions(
  { externalUrl, nowMs }: TemplateContext,
  answer: (query: string) => readonly QuerySample[],
): Readonly<Record<ContextFunction, TemplateFunction>> {
  return {
    query: (text) => answer(printValue(text)),
    pathPrefix: () => (externalUrl === "" ? "" : new URL(externalUrl).pathname.replace(/\/$/, "")),
    externalURL: () => externalUrl,
    now: () => nowMs() / 1000,
  };
}

type ContextFunction = (typeof contextFunctionNames)[number];
export const contextFunctionNames = ["query", "pathPrefix", "externalURL", "now"] as const;
