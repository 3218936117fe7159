/**
 * Tail sampling as retention (docs/adr/0006-tail-sampling-as-retention.md). Every span is written and found for as long as
 * `sampledOutMs`; then its hour is thinned: of the traces of that hour all with an error stay, all slow ones, and a fair
 * share of the rest. A trace is judged as a whole, from its row in `trace_index`, hours after its last span, and the
 * judgement depends on nothing that thinning changes: every hour it has spans in comes to the same one, and an hour that is
 * thinned twice comes out the same.
 *
 * Slow is a trace whose root span took longer than the slowest 5 % of its operation in that hour, or that lasted longer
 * than an hour. Fair is a budget of traces dealt out to root operations by need, so that rare ones keep theirs. Traces
 * drawn from the rest carry `weight`: how many of their operation's traces of that hour there are for each that was drawn,
 * so that the roots of an operation count as many as there were.
 *
 * Nothing may be inserted into `spans` meanwhile, or it would be lost: this runs where the carrier runs, between batches.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import type { Clock } from "@skopos/model";
import { readError } from "./client.ts";
import type { Log } from "./supervise.ts";

export interface SamplingOptions {
  readonly client: ClickHouseClient;
  readonly clock: Clock;
  readonly log: Log;
  /** How long every trace is kept. */
  readonly sampledOutMs: number;
  /** Of the traces without fault, how many stay, 0 … 1. */
  readonly share: number;
  /** Spans that an hour may keep. What has errors or was slow stays all the same, and takes from what the others get. */
  readonly spansPerHourMax: number;
}

export interface ThinnedHour {
  /** Hours since the epoch. */
  readonly hour: number;
  readonly spansBefore: number;
  readonly spansKept: number;
}

const hourMs = 3_600_000;
const hourNs = 3_600_000_000_000n;
const hoursPerDay = 24;

const work = {
  max_threads: 1,
  max_insert_threads: "1",
  // Traces are read in the order of their table: as many as there are, they need no memory.
  optimize_aggregation_in_order: 1,
  insert_deduplicate: 0,
  max_execution_time: 0,
} as const;

/**
 * The traces that may have spans in the hour, a row each, as they are seen from there: all of a trace that is within an
 * hour of it.
 */
function tracesOf(hour: number): string {
  const fromNs = BigInt(hour - 1) * hourNs;
  const toNs = BigInt(hour + 2) * hourNs;
  const day = (of: number) => `toDate(${Math.floor(of / hoursPerDay)})`;
  return `SELECT trace_id, min(first_ns) AS first, max(last_ns) AS last, sum(spans) AS size, sum(errors) AS faults,
      max(root_service) AS service, max(root_name) AS name, max(root_duration_ns) AS took
    FROM trace_index
    WHERE day BETWEEN ${day(hour - 1 - hoursPerDay)} AND ${day(hour + 2)} AND first_ns < ${toNs} AND last_ns >= ${fromNs}
    GROUP BY trace_id`;
}

interface OperationRow {
  readonly hour: number;
  readonly service: string;
  readonly name: string;
  readonly slow_ns: number;
}

interface CountRow extends OperationRow {
  readonly traces: number;
  readonly spans: number;
  readonly always_spans: number;
}

/**
 * Deals `budget` out so that nobody gets more than it has and nobody less than another that could use more: the largest
 * part of one, such that all of them come to no more than the budget. At least one each.
 */
export function fairPart(counts: readonly number[], budget: number): number {
  const ascending = [...counts].sort((a, b) => a - b);
  let left = budget;
  for (const [i, count] of ascending.entries()) {
    const part = left / (ascending.length - i);
    if (count >= part) return Math.max(1, part);
    left -= count;
  }
  return Math.max(1, ascending.at(-1) ?? 1);
}

export class TraceSampling {
  readonly #options: SamplingOptions;

  constructor(options: SamplingOptions) {
    this.#options = options;
  }

  /** Thins the oldest hour that is due; undefined when none is. Rejects with "unavailable". */
  async thinNext(): Promise<ThinnedHour | undefined> {
    const { clock, sampledOutMs, log } = this.#options;
    const before = Math.floor((clock.nowMs() - sampledOutMs) / hourMs);
    try {
      const [due] = await this.#rows<{ hour: number; spans: number }>(
        `SELECT toUInt32(partition) AS hour, toFloat64(sum(rows)) AS spans FROM system.parts
        WHERE database = currentDatabase() AND table = 'spans' AND active
          AND hour < ${before} AND hour NOT IN (SELECT hour FROM thinned_hours)
        GROUP BY hour ORDER BY hour LIMIT 1`,
      );
      if (!due) return undefined;
      const spansKept = await this.#thin(due.hour);
      const thinned = { hour: due.hour, spansBefore: due.spans, spansKept };
      await this.#run(`INSERT INTO thinned_hours VALUES (${due.hour}, ${due.spans}, ${spansKept})`);
      log.info(thinned, "an hour of traces is old enough: what speaks for the rest of them stays");
      return thinned;
    } catch (error) {
      throw readError(error);
    }
  }

  async #thin(hour: number): Promise<number> {
    await this.#plan(hour);
    const startNs = BigInt(hour) * hourNs;
    const judged = `SELECT trace_id, plan.hour AS hour, traces.service AS service, traces.name AS name,
        faults > 0 OR last - first > ${hourNs} OR took > slow_ns OR planned = 0 AS always,
        cityHash64(trace_id) < share * 18446744073709551615 AS drawn
      FROM (${tracesOf(hour)}) AS traces
      LEFT JOIN (SELECT *, 1 AS planned FROM sampling_plan) AS plan
        ON plan.hour = intDiv(traces.first, ${hourNs}) AND plan.service = traces.service AND plan.name = traces.name`;
    // By how many were drawn, not by how many were to be: those drawn then stand for exactly as many as there were.
    const standing = `SELECT hour, service, name, count() / countIf(drawn) AS stands_for FROM (${judged})
      WHERE NOT always GROUP BY hour, service, name`;
    const kept = `SELECT trace_id, if(always, 1, standing.stands_for) AS weight_drawn FROM (${judged}) AS judged
      LEFT JOIN (${standing}) AS standing USING (hour, service, name) WHERE always OR drawn`;
    await this.#run("TRUNCATE TABLE spans_thinned");
    await this.#run(`INSERT INTO spans_thinned (${columns}, weight) SELECT ${columns}, weight_drawn FROM spans
      INNER JOIN (${kept}) AS kept USING trace_id
      WHERE start_ns >= ${startNs} AND start_ns < ${startNs + hourNs}`);
    const [row] = await this.#rows<{ spans: number }>(
      "SELECT toFloat64(count()) AS spans FROM spans_thinned",
    );
    const spans = row?.spans ?? 0;
    // The one moment at which something is gone: both at once.
    await this.#run(
      spans > 0
        ? `ALTER TABLE spans REPLACE PARTITION ID '${hour}' FROM spans_thinned`
        : `ALTER TABLE spans DROP PARTITION ID '${hour}'`,
    );
    await this.#run("TRUNCATE TABLE spans_thinned");
    return spans;
  }

  /** What counts as slow, and the share of the rest that stays, for traces that began in the hour or the one before. */
  async #plan(hour: number): Promise<void> {
    const { share, spansPerHourMax } = this.#options;
    const plan = [];
    for (const of of [hour - 1, hour])
      plan.push(...planned(await this.#counts(of), share, spansPerHourMax));
    await this.#run("TRUNCATE TABLE sampling_plan");
    if (plan.length === 0) return;
    await this.#options.client.insert({
      table: "sampling_plan",
      columns: ["hour", "service", "name", "slow_ns", "share"],
      values: plan,
      format: "JSONEachRow",
      clickhouse_settings: { insert_deduplicate: 0 },
    });
  }

  /** Of the traces that began in the hour, by root operation. Depends on the hour alone, whichever is thinned. */
  #counts(hour: number): Promise<CountRow[]> {
    const traces = `SELECT * FROM (${tracesOf(hour)}) WHERE intDiv(first, ${hourNs}) = ${hour}`;
    // This quantile keeps eight bits of a number: what it says may be 1 % too small, and most would be above it.
    const slow = `SELECT service, name, toUInt64(quantileBFloat16(0.95)(took) * 1.01) AS bound FROM (${traces})
      GROUP BY service, name`;
    const always = `(faults > 0 OR last - first > ${hourNs} OR took > bound)`;
    return this.#rows<CountRow>(
      `SELECT ${hour} AS hour, service, name, toFloat64(bound) AS slow_ns,
        toFloat64(countIf(NOT ${always})) AS traces, toFloat64(sumIf(size, NOT ${always})) AS spans,
        toFloat64(sumIf(size, ${always})) AS always_spans
      FROM (${traces}) AS t INNER JOIN (${slow}) AS s USING (service, name) GROUP BY service, name, bound`,
    );
  }

  async #run(query: string): Promise<void> {
    await this.#options.client.command({ query, clickhouse_settings: work });
  }

  async #rows<Row>(query: string): Promise<Row[]> {
    const { client } = this.#options;
    const result = await client.query({ query, format: "JSONEachRow", clickhouse_settings: work });
    return result.json<Row>();
  }
}

const columns = `service, start_ns, duration_ns, trace_id, span_id, parent_span_id, name, kind, status, status_message,
  scope_name, scope_version, scope_attributes, attributes, resource, events, links`;

/** The plan of one hour. */
function planned(
  counts: readonly CountRow[],
  share: number,
  spansMax: number,
): (OperationRow & { readonly share: number })[] {
  const sum = (of: (row: CountRow) => number) => counts.reduce((total, row) => total + of(row), 0);
  const spans = sum((row) => row.spans);
  const room = Math.max(0, spansMax - sum((row) => row.always_spans));
  const budget = sum((row) => row.traces) * Math.min(share, spans === 0 ? 1 : room / spans);
  const part = fairPart(
    counts.map((row) => row.traces),
    budget,
  );
  return counts.map(({ hour, service, name, slow_ns, traces }) => ({
    hour,
    service,
    name,
    slow_ns,
    share: traces === 0 ? 1 : Math.min(1, part / traces),
  }));
}
