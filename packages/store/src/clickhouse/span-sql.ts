/**
 * Conditions on spans as SQL over the table `spans`. Every expression is 0 or 1, never NULL, so that it can be negated.
 * Attributes are texts of attribute-text.ts; events and links are JSON of trace-store.ts, their attributes the same texts.
 */
import {
  compileAnchored,
  SkoposError,
  type SpanCondition,
  type SpanField,
  type SpanPredicate,
} from "@skopos/model";
import { attributeText } from "./attribute-text.ts";
import { type Bindings, regex } from "./sql.ts";
import { attributeColumns, resourceColumns } from "./tables.ts";
import { isOfWholeTrace, type TimeSpan, wholeTraceSql } from "./whole-trace-sql.ts";

type Operator = Exclude<SpanCondition["op"], "exists" | "absent">;
type Value = SpanCondition["value"];

const operators = new Set<string>(["=", "!=", ">", ">=", "<", "<=", "=~", "!~"]);
const never = "0";
const always = "1";

/** Columns of plain text, or expressions that give one. */
const textIntrinsics: Readonly<Record<string, string>> = {
  service: "service",
  name: "name",
  kind: "toString(kind)",
  status: "toString(status)",
  statusMessage: "status_message",
  traceId: "lower(hex(trace_id))",
  spanId: "lower(hex(span_id))",
  parentSpanId: "if(parent_span_id = toFixedString('', 8), '', lower(hex(parent_span_id)))",
  scopeName: "scope_name",
  scopeVersion: "scope_version",
};
/** One element of `events` or `links`, as the lambdas below name it. */
const elementIntrinsics: Readonly<Record<string, readonly [column: string, expression: string]>> = {
  eventName: ["events", "JSONExtractString(e, 2)"],
  eventTimeSinceStartNs: ["events", "toInt64OrZero(JSONExtractString(e, 1)) - start_ns"],
  linkTraceId: ["links", "JSONExtractString(e, 1)"],
  linkSpanId: ["links", "JSONExtractString(e, 2)"],
};

function bad(message: string): SkoposError {
  return new SkoposError("bad-query", message);
}

/** `within`: the time that the spans in question are of, for what a trace is as a whole. */
export function predicateSql(
  bindings: Bindings,
  predicate: SpanPredicate,
  within: TimeSpan,
): string {
  switch (predicate.type) {
    case "condition":
      return conditionSql(bindings, predicate, within);
    case "not":
      return `NOT (${predicateSql(bindings, predicate.of, within)})`;
    case "all":
    case "any": {
      const parts = predicate.of.map((part) => predicateSql(bindings, part, within));
      if (parts.length === 0) return predicate.type === "all" ? always : never;
      return `(${parts.join(predicate.type === "all" ? " AND " : " OR ")})`;
    }
  }
}

function conditionSql(
  bindings: Bindings,
  { field, op, value }: SpanCondition,
  within: TimeSpan,
): string {
  if (op === "absent") return `NOT (${presentSql(bindings, field, within)})`;
  if (op === "exists") return presentSql(bindings, field, within);
  // The operator is the one piece of a condition that is spliced.
  if (!operators.has(op)) throw bad(`no such operator: ${JSON.stringify(op)}`);
  switch (field.scope) {
    case "intrinsic":
      return isOfWholeTrace(field.name)
        ? wholeTraceSql(bindings, within, field.name, (whole) =>
            field.name === "traceDurationNs"
              ? numberSql(bindings, whole, op, value)
              : textSql(bindings, whole, op, value),
          )
        : intrinsicSql(bindings, field.name, op, value);
    case "span":
    case "resource":
    case "instrumentation":
      return attributeSql(bindings, field.scope, field.name, op, value);
    case "any": {
      const [own, resource, scope] = anyScopes.map((each) => {
        const text = `${columnOf(each)}[${bindings.text(field.name)}]`;
        return `mapContains(${columnOf(each)}, ${bindings.text(field.name)}), ${codedSql(bindings, text, op, value)}`;
      });
      return `multiIf(${own}, ${resource}, ${scope}, 0)`;
    }
    case "event":
    case "link": {
      const key = bindings.text(field.name);
      const test = codedSql(bindings, `JSONExtractString(e, 3, ${key})`, op, value);
      return existsSql(columnOf(field.scope), `JSONHas(e, 3, ${key}) AND ${test}`);
    }
  }
}

type AttributeScope = "span" | "resource" | "instrumentation";
/** Where a field without a scope is looked for, in this order. */
const anyScopes: readonly AttributeScope[] = ["span", "resource", "instrumentation"];

function columnOf(scope: AttributeScope | "event" | "link"): string {
  return {
    span: "attributes",
    resource: "resource",
    instrumentation: "scope_attributes",
    event: "events",
    link: "links",
  }[scope];
}

/** Column of its own that the attribute's text has, "" where the span lacks it. */
function narrowColumn(scope: AttributeScope, name: string): string | undefined {
  if (scope === "span") return attributeColumns.get(name);
  return scope === "resource" ? resourceColumns.get(name) : undefined;
}

function attributeSql(
  bindings: Bindings,
  scope: AttributeScope,
  name: string,
  op: Operator,
  value: Value,
): string {
  const narrow = narrowColumn(scope, name);
  if (narrow !== undefined && !holdsOnEmpty(op, value))
    return codedSql(bindings, narrow, op, value);
  const key = bindings.text(name);
  const column = columnOf(scope);
  return `(mapContains(${column}, ${key}) AND ${codedSql(bindings, `${column}[${key}]`, op, value)})`;
}

/** Whether the empty text, which also stands for absence in a narrow column, would match. */
function holdsOnEmpty(op: Operator, value: Value): boolean {
  if (typeof value !== "string") return false;
  switch (op) {
    case "=":
    case ">=":
      return value === "";
    case "!=":
    case "<":
      return value !== "";
    case ">":
      return false;
    case "<=":
      return true;
    case "=~":
      return compileAnchored(value).test("");
    case "!~":
      return !compileAnchored(value).test("");
  }
}

function existsSql(column: string, test: string): string {
  return `arrayExists(e -> ${test}, JSONExtractArrayRaw(${column}))`;
}

function presentSql(bindings: Bindings, field: SpanField, within: TimeSpan): string {
  switch (field.scope) {
    case "intrinsic": {
      if (isOfWholeTrace(field.name)) return wholeTraceSql(bindings, within, field.name);
      const element = elementIntrinsics[field.name];
      return element ? `${element[0]} != ''` : always;
    }
    case "span":
    case "resource":
    case "instrumentation":
      return `mapContains(${columnOf(field.scope)}, ${bindings.text(field.name)})`;
    case "any": {
      const key = bindings.text(field.name);
      return `(${anyScopes.map((each) => `mapContains(${columnOf(each)}, ${key})`).join(" OR ")})`;
    }
    case "event":
    case "link":
      return existsSql(columnOf(field.scope), `JSONHas(e, 3, ${bindings.text(field.name)})`);
  }
}

function intrinsicSql(bindings: Bindings, name: string, op: Operator, value: Value): string {
  if (name === "durationNs") return numberSql(bindings, "duration_ns", op, value);
  const element = elementIntrinsics[name];
  if (element) {
    const [column, expression] = element;
    const isNumber = name === "eventTimeSinceStartNs";
    const test = isNumber
      ? numberSql(bindings, expression, op, value)
      : textSql(bindings, expression, op, value);
    return existsSql(column, test);
  }
  const column = textIntrinsics[name];
  if (column === undefined) throw bad(`no such property of a span: ${name}`);
  const isId = /^[0-9a-f]{32}$/.test(String(value));
  if (name === "traceId" && op === "=" && isId)
    return `trace_id = toFixedString(unhex(${bindings.text(String(value))}), 16)`;
  return textSql(bindings, column, op, value);
}

function textSql(bindings: Bindings, text: string, op: Operator, value: Value): string {
  if (typeof value !== "string") return never;
  if (op === "=~") return `match(${text}, ${regex(bindings, value, true)})`;
  if (op === "!~") return `NOT match(${text}, ${regex(bindings, value, true)})`;
  return `${text} ${op} ${bindings.text(value)}`;
}

function numberSql(bindings: Bindings, number: string, op: Operator, value: Value): string {
  if (typeof value !== "number" || op === "=~" || op === "!~") return never;
  return `${number} ${op} ${bindings.bind("Float64", value)}`;
}

/** A test of an attribute's text, which is known to be there. */
function codedSql(bindings: Bindings, text: string, op: Operator, value: Value): string {
  const list = listSql(bindings, text, op, value);
  return `(${scalarSql(bindings, text, op, value)} OR startsWith(${text}, '\\x01[') AND ${list})`;
}

function scalarSql(bindings: Bindings, text: string, op: Operator, value: Value): string {
  if (typeof value === "number") {
    const number = `if(startsWith(${text}, '\\x01'), toFloat64OrNull(substring(${text}, 2)), NULL)`;
    return `ifNull(${numberSql(bindings, number, op, value)}, 0)`;
  }
  if (typeof value === "boolean") {
    if (op !== "=" && op !== "!=") return never;
    return `${text} = ${bindings.text(attributeText((op === "=") === value))}`;
  }
  if (op === "=") return `${text} = ${bindings.text(attributeText(value))}`;
  const plain = `if(startsWith(${text}, '\\x02'), substring(${text}, 2), ${text})`;
  return `(NOT startsWith(${text}, '\\x01') AND ${textSql(bindings, plain, op, value)})`;
}

const positive: Readonly<Partial<Record<Operator, Operator>>> = { "!=": "=", "!~": "=~" };

/** One element is enough, but for the negations, which must hold on all elements of the value's type. */
function listSql(bindings: Bindings, text: string, op: Operator, value: Value): string {
  const elements = `JSONExtractArrayRaw(substring(${text}, 2))`;
  const ofType =
    typeof value === "number"
      ? "JSONType(x) IN ('Int64', 'UInt64', 'Double')"
      : typeof value === "string"
        ? "JSONType(x) = 'String'"
        : "JSONType(x) = 'Bool'";
  const test = elementSql(bindings, positive[op] ?? op, value);
  const some = `arrayExists(x -> ${ofType} AND ${test}, ${elements})`;
  if (positive[op] === undefined) return some;
  return `arrayExists(x -> ${ofType}, ${elements}) AND NOT ${some}`;
}

function elementSql(bindings: Bindings, op: Operator, value: Value): string {
  if (typeof value === "number") return numberSql(bindings, "JSONExtractFloat(x)", op, value);
  if (typeof value === "string") return textSql(bindings, "JSONExtractString(x)", op, value);
  return op === "=" ? `x = ${bindings.text(String(value))}` : never;
}

/** The field as Nullable(String): an attribute's text, or an intrinsic as it stands. Not of events and links, which may be several. */
export function fieldSql(bindings: Bindings, field: SpanField): string {
  if (field.scope === "intrinsic") {
    const text = field.name === "durationNs" ? "toString(duration_ns)" : textIntrinsics[field.name];
    if (text === undefined) throw bad(`a span may have several: ${field.name}`);
    return `toNullable(${text === "service" ? "toString(service)" : text})`;
  }
  const { scope, name } = field;
  if (scope === "event" || scope === "link") throw bad(`a span may have several: ${scope} ${name}`);
  const key = bindings.text(name);
  if (scope !== "any")
    return `if(mapContains(${columnOf(scope)}, ${key}), ${columnOf(scope)}[${key}], NULL)`;
  const pairs = anyScopes.map((each) => {
    const column = columnOf(each);
    return `mapContains(${column}, ${key}), ${column}[${key}]`;
  });
  return `multiIf(${pairs.join(", ")}, NULL)`;
}

/** The field as an array of texts, one per value. */
export function fieldTextsSql(bindings: Bindings, field: SpanField): string {
  if (field.scope === "event" || field.scope === "link") {
    const key = bindings.text(field.name);
    return `arrayMap(e -> JSONExtractString(e, 3, ${key}),
      arrayFilter(e -> JSONHas(e, 3, ${key}), JSONExtractArrayRaw(${columnOf(field.scope)})))`;
  }
  const element = field.scope === "intrinsic" ? elementIntrinsics[field.name] : undefined;
  if (element) return `arrayMap(e -> toString(${element[1]}), JSONExtractArrayRaw(${element[0]}))`;
  return `arrayFilter(t -> isNotNull(t), [${fieldSql(bindings, field)}])`;
}

/** The field as a number, NULL where it is none. */
export function numberFieldSql(bindings: Bindings, field: SpanField): string {
  if (field.scope === "intrinsic") {
    if (field.name === "durationNs") return "toNullable(toFloat64(duration_ns))";
    throw bad(`${field.name} is no number`);
  }
  const text = fieldSql(bindings, field);
  return `if(startsWith(ifNull(${text}, ''), '\\x01'), toFloat64OrNull(substring(assumeNotNull(${text}), 2)), NULL)`;
}
