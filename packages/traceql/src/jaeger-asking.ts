/**
 * The TraceQL that a search of Jaeger's can say: one set of spans whose conditions all hold on one span, among them its
 * service. Jaeger finds by texts and inclusive durations, so what it hands out is looked at once more with the query itself.
 */
import { SkoposError, type Span, type TraceMatch, type TraceSearchRequest } from "@skopos/model";
import type { JaegerSearch } from "./jaeger.ts";
import { traceMatcher } from "./search.ts";
import type { CompareOp, Field, FieldExpr, Literal, Query } from "./syntax/ast.ts";
import { TraceqlError } from "./syntax/error.ts";
import { formatField } from "./syntax/fields.ts";
import { parse } from "./syntax/parse.ts";
import { validate } from "./syntax/validate.ts";

export interface JaegerAsking extends JaegerSearch {
  readonly service: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly match: (spans: readonly Span[], request: TraceSearchRequest) => TraceMatch | undefined;
}

interface Collected {
  service?: string;
  operation?: string;
  minDurationNs?: number;
  maxDurationNs?: number;
  readonly tags: Map<string, string>;
}

/** Throws "bad-query" for what is no query that finds traces, "not-supported" for what Jaeger cannot answer. */
export function jaegerAsking(text: string): JaegerAsking {
  const query: Query = parse(text.trim() === "" ? "{ }" : text);
  validate(query);
  if (query.type !== "spans")
    throw new TraceqlError("this query makes series, and finds no traces", { line: 1, column: 1 });
  const [filter, ...more] = query.stages;
  if (filter?.type !== "filter" || more.some(({ type }) => type !== "select"))
    throw beyond("more than one set of spans: ask with a single { … }");
  const found: Collected = { tags: new Map() };
  if (filter.expr) collect(filter.expr, found);
  const { service, tags, ...rest } = found;
  if (service === undefined)
    throw beyond('every service at once: add resource.service.name = "…" to the query');
  return { ...rest, service, tags: Object.fromEntries(tags), match: traceMatcher(query.stages) };
}

function beyond(what: string): SkoposError {
  return new SkoposError("not-supported", `Jaeger cannot be asked for ${what}`);
}

const mirrored: Readonly<Record<string, CompareOp>> = {
  "=": "=",
  ">": "<",
  ">=": "<=",
  "<": ">",
  "<=": ">=",
};

function collect(expr: FieldExpr, found: Collected): void {
  if (expr.type !== "binary") throw beyond("anything but comparisons joined by &&");
  const { op, left, right } = expr;
  if (op === "&&") {
    collect(left, found);
    collect(right, found);
    return;
  }
  if (op === "||") throw beyond("one condition or another: ask with && alone");
  const turned = left.type === "literal";
  const [field, literal] = turned ? [right, left] : [left, right];
  const compare = turned ? mirrored[op] : mirrored[op] && (op as CompareOp);
  if (field.type !== "field" || literal.type !== "literal" || compare === undefined)
    throw beyond(`"${op}" between these two: it compares a field with a value by = and durations`);
  condition(field.field, compare, literal.literal, found);
}

function condition(field: Field, op: CompareOp, literal: Literal, found: Collected): void {
  const name = formatField(field);
  if (name === "duration" && literal.type === "duration")
    return durationCondition(op, literal.value, found);
  if (op !== "=") throw beyond(`"${name} ${op} …": it knows = alone, but for durations`);
  if (name === "name" && literal.type === "string")
    found.operation = once(name, found.operation, literal.value);
  else if (isService(field) && literal.type === "string")
    found.service = once(name, found.service, literal.value);
  else if (name === "status" && literal.type === "status" && literal.value === "error")
    tag("error", "true", found);
  else if (name === "kind" && literal.type === "kind" && literal.value !== "unspecified")
    tag("span.kind", literal.value, found);
  else if (isTagScope(field) && isTagValue(literal)) tag(field.name, String(literal.value), found);
  else throw beyond(`this condition on "${name}"`);
}

const isService = ({ scope, name }: Field) =>
  name === "service.name" && (scope === "resource" || scope === "any");
const isTagScope = ({ scope }: Field) =>
  scope === "span" || scope === "resource" || scope === "any";

function isTagValue(
  literal: Literal,
): literal is Extract<Literal, { type: "string" | "int" | "float" | "bool" }> {
  return ["string", "int", "float", "bool"].includes(literal.type);
}

function tag(key: string, value: string, found: Collected): void {
  found.tags.set(key, once(key, found.tags.get(key), value));
}

function once(name: string, known: string | undefined, value: string): string {
  if (known !== undefined && known !== value) throw beyond(`two values of "${name}" at once`);
  return value;
}

function durationCondition(op: CompareOp, ns: number, found: Collected): void {
  const { minDurationNs = 0, maxDurationNs = Infinity } = found;
  const least = op === ">" ? ns + 1 : op === ">=" || op === "=" ? ns : 0;
  const most = op === "<" ? ns - 1 : op === "<=" || op === "=" ? ns : Infinity;
  const min = Math.max(minDurationNs, least);
  const max = Math.min(maxDurationNs, most);
  if (min > 0) found.minDurationNs = min;
  if (max < Infinity) found.maxDurationNs = Math.max(0, max);
}
