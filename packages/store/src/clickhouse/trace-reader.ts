/** Reads traces from the table `spans`: by id, and by conditions that must hold on one span. */
import type { ClickHouseClient } from "@clickhouse/client";
import {
  type Span,
  type SpanCondition,
  type SpanKind,
  SkoposError,
  type SpanStatus,
  type TraceReader,
  type TraceSearch,
  type TraceSummary,
} from "@skopos/model";
import { attributesOf, attributeText } from "./attribute-text.ts";
import { allOf, Bindings, defaultQueryLimits, type QueryLimits, regex, selectRows } from "./sql.ts";
import { eventsOf, linksOf } from "./trace-store.ts";

/** No trace is read further than this. */
const traceSpansMax = 100_000;
const searchTracesMax = 5000;
const namesMax = 10_000;
const dayNs = 86_400_000_000_000n;
const nsPerMs = 1_000_000n;
const noParent = "0".repeat(16);

const operators: readonly SpanCondition["op"][] = [
  "=",
  "!=",
  ">",
  ">=",
  "<",
  "<=",
  "=~",
  "!~",
  "exists",
];

type Comparison = Exclude<SpanCondition["op"], "exists">;

function badCondition(message: string): SkoposError {
  return new SkoposError("bad-query", message);
}

/** A test of a text expression. */
function textSql(bindings: Bindings, text: string, op: Comparison, value: string): string {
  switch (op) {
    case "=~":
      return `match(${text}, ${regex(bindings, value, true)})`;
    case "!~":
      return `NOT match(${text}, ${regex(bindings, value, true)})`;
    default:
      return `${text} ${op} ${bindings.text(value)}`;
  }
}

function numberSql(bindings: Bindings, number: string, op: Comparison, value: number): string {
  if (op === "=~" || op === "!~")
    throw badCondition("a regular expression cannot be compared with a number");
  return `${number} ${op} ${bindings.bind("Float64", value)}`;
}

function intrinsicSql(bindings: Bindings, { name, op, value }: SpanCondition): string {
  if (op === "exists") return "1";
  if (name === "durationMs") {
    if (typeof value !== "number") throw badCondition("durationMs is compared with a number");
    return numberSql(bindings, "duration_ns", op, value * 1e6);
  }
  const columns = new Map([
    ["service", "service"],
    ["name", "name"],
    ["kind", "toString(kind)"],
    ["status", "toString(status)"],
    ["statusMessage", "status_message"],
  ]);
  const column = columns.get(name);
  if (column === undefined) throw badCondition(`no such property of a span: ${name}`);
  if (typeof value !== "string") throw badCondition(`${name} is compared with a text`);
  return textSql(bindings, column, op, value);
}

/** A test of an attribute's text (attribute-text.ts); what is absent passes none. */
function attributeSql(bindings: Bindings, column: string, condition: SpanCondition): string {
  const { op, value } = condition;
  const key = bindings.text(condition.name);
  const present = `mapContains(${column}, ${key})`;
  if (op === "exists") return present;
  const text = `${column}[${key}]`;
  if (typeof value === "number") {
    const number = `if(startsWith(${text}, '\\x01'), toFloat64OrNull(substring(${text}, 2)), NULL)`;
    return `(${present} AND ifNull(${numberSql(bindings, number, op, value)}, 0))`;
  }
  const wanted = typeof value === "string" && op.endsWith("~") ? value : attributeText(value);
  const isText = typeof value === "string" ? ` AND NOT startsWith(${text}, '\\x01')` : "";
  return `(${present}${isText} AND ${textSql(bindings, text, op, wanted)})`;
}

function conditionSql(bindings: Bindings, condition: SpanCondition): string {
  const { op, scope, name } = condition;
  // The operator is the one piece of a condition that is spliced.
  if (!operators.includes(op)) throw badCondition(`no such operator: ${JSON.stringify(op)}`);
  if (scope === "intrinsic") return intrinsicSql(bindings, condition);
  if (scope === "span") return attributeSql(bindings, "attributes", condition);
  const resource = attributeSql(bindings, "resource", condition);
  if (scope === "resource") return resource;
  const own = attributeSql(bindings, "attributes", condition);
  return `if(mapContains(attributes, ${bindings.text(name)}), ${own}, ${resource})`;
}

type SpanRow = [
  traceId: string,
  spanId: string,
  parentSpanId: string,
  service: string,
  name: string,
  kind: SpanKind,
  startNs: string,
  durationNs: number,
  status: SpanStatus,
  statusMessage: string,
  attributes: Record<string, string>,
  resource: Record<string, string>,
  scopeName: string,
  scopeVersion: string,
  events: string,
  links: string,
];

const spanExpressions = `lower(hex(trace_id)), lower(hex(span_id)), lower(hex(parent_span_id)), service, name,
  kind, toString(start_ns), duration_ns, status, status_message, attributes, resource, scope_name, scope_version,
  events, links`;

function spanOf(row: SpanRow): Span {
  return {
    traceId: row[0],
    spanId: row[1],
    parentSpanId: row[2] === noParent ? "" : row[2],
    service: row[3],
    name: row[4],
    kind: row[5],
    startNs: BigInt(row[6]),
    durationNs: row[7],
    status: row[8],
    statusMessage: row[9],
    attributes: attributesOf(row[10]),
    resource: attributesOf(row[11]),
    scopeName: row[12],
    scopeVersion: row[13],
    events: eventsOf(row[14]),
    links: linksOf(row[15]),
  };
}

type MatchRow = [traceId: string, newestNs: string, matched: string[]];
type SummaryRow = [
  traceId: string,
  rootService: string,
  rootName: string,
  startNs: string,
  durationNs: number,
  spanCount: number,
  errorCount: number,
  services: [string[], number[]],
];

/** A span that was sent twice is one span; a client and a server that share an id (Zipkin) are two. */
const once = "LIMIT 1 BY trace_id, span_id, kind, service";

class ClickHouseTraceReader implements TraceReader {
  readonly #client: ClickHouseClient;
  readonly #limits: QueryLimits;

  constructor(client: ClickHouseClient, limits: QueryLimits) {
    this.#client = client;
    this.#limits = limits;
  }

  async trace(traceId: string, signal?: AbortSignal): Promise<Span[]> {
    if (!/^[0-9a-f]{32}$/.test(traceId)) return [];
    const bindings = new Bindings();
    const query = `SELECT ${spanExpressions} FROM spans
      WHERE trace_id = toFixedString(unhex(${bindings.text(traceId)}), 16)
      ORDER BY start_ns, duration_ns DESC ${once} LIMIT ${traceSpansMax}`;
    return (await this.#rows<SpanRow>(query, bindings, signal)).map(spanOf);
  }

  async search(search: TraceSearch): Promise<TraceSummary[]> {
    const bindings = new Bindings();
    const limit = Math.max(0, Math.min(Math.trunc(search.limit), searchTracesMax));
    const conditions = search.conditions.map((condition) => conditionSql(bindings, condition));
    const query = `SELECT lower(hex(trace_id)), toString(max(start_ns) AS newest),
        arraySort(groupUniqArray(3)(lower(hex(span_id))))
      FROM spans
      WHERE ${allOf([rangeSql(bindings, search.startMs, search.endMs), ...conditions])}
      GROUP BY trace_id ORDER BY newest DESC, trace_id LIMIT ${limit}`;
    const matches = await this.#rows<MatchRow>(query, bindings, search.signal);
    if (matches.length === 0) return [];
    const summaries = await this.#summaries(matches, search.signal);
    return matches.flatMap(([traceId, , matched]) => {
      const summary = summaries.get(traceId);
      return summary ? [{ ...summary, matched }] : [];
    });
  }

  async services(startMs: number, endMs: number): Promise<string[]> {
    const bindings = new Bindings();
    const query = `SELECT DISTINCT service FROM spans WHERE ${rangeSql(bindings, startMs, endMs)}
      ORDER BY service LIMIT ${namesMax}`;
    return (await this.#rows<[string]>(query, bindings)).map(([service]) => service);
  }

  async operations(service: string, startMs: number, endMs: number): Promise<string[]> {
    const bindings = new Bindings();
    const query = `SELECT DISTINCT name FROM spans
      WHERE service = ${bindings.text(service)} AND ${rangeSql(bindings, startMs, endMs)}
      ORDER BY name LIMIT ${namesMax}`;
    return (await this.#rows<[string]>(query, bindings)).map(([name]) => name);
  }

  /** Whole traces, which may begin before and end after the spans that matched. */
  async #summaries(
    matches: readonly MatchRow[],
    signal?: AbortSignal,
  ): Promise<Map<string, Omit<TraceSummary, "matched">>> {
    const bindings = new Bindings();
    const times = matches.map(([, newestNs]) => BigInt(newestNs)).sort((a, b) => (a < b ? -1 : 1));
    const from = (times[0] ?? 0n) - dayNs;
    const to = (times.at(-1) ?? 0n) + dayNs;
    const ids = bindings.bind(
      "Array(String)",
      matches.map(([traceId]) => traceId),
    );
    const query = `SELECT lower(hex(trace_id)),
        argMin(service, (parent_span_id != toFixedString('', 8), start_ns)),
        argMin(name, (parent_span_id != toFixedString('', 8), start_ns)),
        toString(min(start_ns)), max(start_ns + duration_ns) - min(start_ns), count(), countIf(status = 'error'),
        sumMap([service], [1])
      FROM (
        SELECT trace_id, span_id, parent_span_id, service, name, kind, status, start_ns, duration_ns FROM spans
        WHERE trace_id IN (SELECT toFixedString(unhex(arrayJoin(${ids})), 16))
          AND start_ns BETWEEN ${bindings.bind("Int64", from)} AND ${bindings.bind("Int64", to)}
        ${once}
      ) GROUP BY trace_id`;
    const rows = await this.#rows<SummaryRow>(query, bindings, signal);
    return new Map(
      rows.map(
        ([traceId, rootService, rootName, startNs, durationNs, spanCount, errors, services]) => [
          traceId,
          {
            traceId,
            rootService,
            rootName,
            startNs: BigInt(startNs),
            durationNs,
            spanCount,
            errorCount: errors,
            services: Object.fromEntries(services[0].map((name, i) => [name, services[1][i] ?? 0])),
          },
        ],
      ),
    );
  }

  #rows<Row>(query: string, bindings: Bindings, signal?: AbortSignal): Promise<Row[]> {
    return selectRows<Row>(this.#client, this.#limits, query, bindings, signal);
  }
}

function rangeSql(bindings: Bindings, startMs: number, endMs: number): string {
  const from = bindings.bind("Int64", BigInt(Math.floor(startMs)) * nsPerMs);
  const to = bindings.bind("Int64", BigInt(Math.ceil(endMs)) * nsPerMs);
  return `start_ns BETWEEN ${from} AND ${to}`;
}

/** Errors: "bad-query", "limit", "cancelled", "unavailable". */
export function createTraceReader(
  client: ClickHouseClient,
  limits: QueryLimits = defaultQueryLimits,
): TraceReader {
  return new ClickHouseTraceReader(client, limits);
}
