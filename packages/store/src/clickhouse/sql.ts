/**
 * Pieces of SQL whose values are bound: text that a user wrote never becomes part of the statement. A `Bindings` numbers
 * the values of one query.
 */
import type { ClickHouseClient, ClickHouseSettings } from "@clickhouse/client";
import type { Matcher } from "@skopos/model";
import { readError } from "./client.ts";

type BoundValue = string | number | bigint | readonly string[];

export class Bindings {
  readonly values: Record<string, BoundValue> = {};
  #count = 0;

  /** A placeholder for `value`, read as the ClickHouse type `type`. */
  bind(type: string, value: BoundValue): string {
    const name = `p${this.#count++}`;
    this.values[name] = value;
    return `{${name}:${type}}`;
  }

  text(value: string): string {
    return this.bind("String", value);
  }
}

/** The pattern as RE2 reads it elsewhere: a dot is no line break. Whole texts only when anchored. */
export function regex(bindings: Bindings, pattern: string, anchored: boolean): string {
  return bindings.text(anchored ? `^(?-s:${pattern})$` : `(?-s:${pattern})`);
}

/** A label matcher on a map of labels; an absent label is "". */
export function matcherSql(
  bindings: Bindings,
  { op, name, value }: Matcher,
  map: "labels" | "metadata" = "labels",
): string {
  const label = `${map}[${bindings.text(name)}]`;
  if (op === "=" || op === "!=") return `${label} ${op} ${bindings.text(value)}`;
  const matches = `match(${label}, ${regex(bindings, value, true)})`;
  return op === "=~" ? matches : `NOT ${matches}`;
}

export function allOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? "1" : conditions.join(" AND ");
}

export interface QueryLimits {
  /** Seconds of a query's run. */
  readonly executionSecondsMax: number;
  readonly memoryBytesMax: number;
  readonly resultBytesMax: number;
}

export const defaultQueryLimits: QueryLimits = {
  executionSecondsMax: 30,
  memoryBytesMax: 500 * 1024 * 1024,
  resultBytesMax: 256 * 1024 * 1024,
};

function settingsOf(limits: QueryLimits): ClickHouseSettings {
  return {
    max_execution_time: limits.executionSecondsMax,
    max_memory_usage: String(limits.memoryBytesMax),
    output_format_json_quote_64bit_integers: 0,
    cancel_http_readonly_queries_on_client_close: 1,
  };
}

function ask(
  client: ClickHouseClient,
  limits: QueryLimits,
  query: string,
  bindings: Bindings,
  settings: ClickHouseSettings,
  signal?: AbortSignal,
) {
  return client.query({
    query,
    query_params: bindings.values,
    format: "JSONCompactEachRow",
    clickhouse_settings: { ...settingsOf(limits), ...settings },
    ...(signal ? { abort_signal: signal } : {}),
  });
}

/** As `selectRows`, but gives blocks of the Native format. */
export async function selectNative(
  client: ClickHouseClient,
  limits: QueryLimits,
  query: string,
  bindings: Bindings,
  signal?: AbortSignal,
): Promise<Buffer> {
  try {
    signal?.throwIfAborted();
    const { stream } = await client.exec({
      query: `${query} FORMAT Native`,
      query_params: bindings.values,
      clickhouse_settings: {
        ...settingsOf(limits),
        max_result_bytes: String(limits.resultBytesMax),
      },
      ...(signal ? { abort_signal: signal } : {}),
    });
    const pieces: Buffer[] = [];
    for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
    return Buffer.concat(pieces);
  } catch (error) {
    throw readError(error, signal);
  }
}

/** Runs a query and gives its rows as they come, with no limit on the result as a whole. Throws as `selectRows` does. */
export async function* streamRows<Row>(
  client: ClickHouseClient,
  limits: QueryLimits,
  query: string,
  bindings: Bindings,
  signal?: AbortSignal,
): AsyncGenerator<Row[]> {
  try {
    signal?.throwIfAborted();
    const result = await ask(client, limits, query, bindings, {}, signal);
    try {
      for await (const rows of result.stream<Row>()) yield rows.map((row) => row.json<Row>());
    } finally {
      result.close();
    }
  } catch (error) {
    throw readError(error, signal);
  }
}

/** Runs a query and gives its rows as arrays. Rejects with "cancelled", "limit", "bad-query", "unavailable". */
export async function selectRows<Row>(
  client: ClickHouseClient,
  limits: QueryLimits,
  query: string,
  bindings: Bindings,
  signal?: AbortSignal,
): Promise<Row[]> {
  try {
    signal?.throwIfAborted();
    const whole = { max_result_bytes: String(limits.resultBytesMax) };
    const result = await ask(client, limits, query, bindings, whole, signal);
    return await result.json<Row>();
  } catch (error) {
    throw readError(error, signal);
  }
}
