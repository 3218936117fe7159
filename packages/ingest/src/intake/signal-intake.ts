/**
 * The way of spans and log lines from decoded to acknowledged: times are judged, limits kept, secrets masked, access logs
 * understood, templates mined; everything that is turned away is counted and told to the sender. Nothing is written of a request that is refused as a whole.
 */
import {
  type Clock,
  type LogRecord,
  type LogSink,
  type PatternSink,
  SkoposError,
  type Span,
  type SpanSink,
} from "@skopos/model";
import type { DecodedLogs } from "../otlp/log-draft.ts";
import type { DecodedTraces } from "../otlp/span-draft.ts";
import type { Masker } from "../masking/masker.ts";
import { TemplateMiner } from "../templates/template-miner.ts";
import { enriched, mine } from "./enrich.ts";
import { ServiceRates } from "./service-rates.ts";

export interface SignalIntakeOptions {
  readonly spans: SpanSink;
  readonly logs: LogSink;
  readonly clock: Clock;
  /** Per service and second; absent: as much as comes. */
  readonly spansPerSecond?: number | undefined;
  readonly linesPerSecond?: number | undefined;
  readonly masker: Masker;
  /** Takes templates mined from lines; absent: none are mined. */
  readonly patterns?: PatternSink | undefined;
}

/**
 * What becomes of a request of which a service is above its limit: "partial" takes the other services' part and reports
 * the rest as rejected; "whole" refuses it with "overloaded", so that the sender may repeat it.
 */
export type LimitManner = "partial" | "whole";

/** What is told to the sender. */
export interface IntakeOutcome {
  readonly taken: number;
  readonly rejected: number;
  readonly error?: string;
}

/** Since the start. */
export interface IntakeCounts {
  spans: number;
  lines: number;
  spansRejected: number;
  linesRejected: number;
  /** Attributes, events and texts that were cut to their limits. */
  cut: number;
}

/** Clocks are wrong by minutes, not by days: a time further ahead is a mistake that would outlive every retention. */
const aheadMaxNs = 86_400_000_000_000n;

export class SignalIntake {
  readonly counts: IntakeCounts = {
    spans: 0,
    lines: 0,
    spansRejected: 0,
    linesRejected: 0,
    cut: 0,
  };
  readonly #options: SignalIntakeOptions;
  readonly #spanRates: ServiceRates | undefined;
  readonly #lineRates: ServiceRates | undefined;
  readonly #miner: TemplateMiner | undefined;

  constructor(options: SignalIntakeOptions) {
    const { spansPerSecond, linesPerSecond, clock } = options;
    this.#options = options;
    if (options.patterns) this.#miner = new TemplateMiner();
    if (spansPerSecond !== undefined) this.#spanRates = new ServiceRates(spansPerSecond, clock);
    if (linesPerSecond !== undefined) this.#lineRates = new ServiceRates(linesPerSecond, clock);
  }

  /** Resolves when what was taken is acknowledged. Rejects with "overloaded" and what the sink rejects with. */
  async takeSpans(decoded: DecodedTraces, manner: LimitManner): Promise<IntakeOutcome> {
    const turnedAway = new TurnedAway(decoded.rejected, decoded.error);
    const latestNs = this.#latestNs();
    const timely = keep(decoded.spans, turnedAway, (span) =>
      span.startNs > latestNs
        ? `span ${span.spanId} starts more than a day in the future: check the clock of ${span.service}`
        : undefined,
    );
    const rates = this.#spanRates;
    const spans = rates
      ? admit(timely, rates, (span) => span.service, "spans", manner, turnedAway)
      : timely;
    const { masker } = this.#options;
    await this.#options.spans.append(spans.map((span) => masker.span(span)));
    this.counts.spans += spans.length;
    this.counts.spansRejected += turnedAway.count;
    this.counts.cut += decoded.cut;
    return turnedAway.outcome(spans.length);
  }

  /** As `takeSpans`. */
  async takeLogs(decoded: DecodedLogs, manner: LimitManner): Promise<IntakeOutcome> {
    const turnedAway = new TurnedAway(decoded.rejected, decoded.error);
    const latestNs = this.#latestNs();
    const timely = keep(decoded.records, turnedAway, (record) =>
      record.timeNs > latestNs
        ? `entry for stream '${JSON.stringify(record.labels)}' has timestamp too new: more than a day in the future`
        : undefined,
    );
    const rates = this.#lineRates;
    const records = rates ? admit(timely, rates, serviceOf, "lines", manner, turnedAway) : timely;
    const { masker } = this.#options;
    const refined = records.map((record) => masker.line(enriched(record)));
    await this.#options.logs.append(refined);
    // After the acknowledgement: what is refused is sent again, and would be counted again.
    if (this.#miner) for (const record of refined) mine(this.#miner, record);
    this.counts.lines += records.length;
    this.counts.linesRejected += turnedAway.count;
    this.counts.cut += decoded.cut;
    return turnedAway.outcome(records.length);
  }

  /** Hands on what was counted of templates since the last time. */
  async flushPatterns(): Promise<void> {
    const counts = this.#miner?.drain() ?? [];
    if (counts.length > 0) await this.#options.patterns?.append(counts);
  }

  #latestNs(): bigint {
    return BigInt(Math.trunc(this.#options.clock.nowMs())) * 1_000_000n + aheadMaxNs;
  }
}

class TurnedAway {
  count: number;
  #reason: string | undefined;

  constructor(count: number, reason: string | undefined) {
    this.count = count;
    this.#reason = reason;
  }

  add(count: number, reason: string): void {
    this.count += count;
    this.#reason ??= reason;
  }

  outcome(taken: number): IntakeOutcome {
    const counts = { taken, rejected: this.count };
    return this.#reason === undefined ? counts : { ...counts, error: this.#reason };
  }
}

/** The items without a fault; the same list when none has one. */
function keep<Item extends Span | LogRecord>(
  items: readonly Item[],
  turnedAway: TurnedAway,
  fault: (item: Item) => string | undefined,
): readonly Item[] {
  let first: string | undefined;
  let faults = 0;
  for (const item of items) {
    const reason = fault(item);
    if (reason === undefined) continue;
    faults++;
    first ??= reason;
  }
  if (first === undefined) return items;
  turnedAway.add(faults, first);
  return items.filter((item) => fault(item) === undefined);
}

function admit<Item>(
  items: readonly Item[],
  rates: ServiceRates,
  service: (item: Item) => string,
  what: string,
  manner: LimitManner,
  turnedAway: TurnedAway,
): readonly Item[] {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(service(item), (counts.get(service(item)) ?? 0) + 1);
  const closed = new Set([...counts.keys()].filter((name) => !rates.open(name)));
  if (closed.size > 0) {
    const [name = ""] = closed;
    const more = closed.size > 1 ? ` and ${closed.size - 1} more` : "";
    const reason = `${name}${more}: above the limit of ${what} per service and second`;
    if (manner === "whole") throw new SkoposError("overloaded", reason);
    for (const over of closed) turnedAway.add(counts.get(over) ?? 0, reason);
  }
  for (const [name, count] of counts) if (!closed.has(name)) rates.take(name, count);
  return closed.size === 0 ? items : items.filter((item) => !closed.has(service(item)));
}

function serviceOf({ labels }: LogRecord): string {
  return labels["service_name"] ?? labels["app"] ?? labels["job"] ?? labels["container"] ?? "";
}
