/** Log lines, and the seam between log stores and LogQL. */
import type { LabelMap } from "./labels.ts";
import type { Matcher } from "./matcher.ts";
import type { MetricValue } from "./metric.ts";

export interface LogRecord {
  /** Unix nanoseconds. */
  readonly timeNs: bigint;
  /** The stream it belongs to. */
  readonly labels: LabelMap;
  /** Structured metadata of this line alone. */
  readonly metadata: LabelMap;
  readonly line: string;
}

export interface LineFilter {
  readonly op: "|=" | "!=" | "|~" | "!~";
  /** Text, or an RE2 pattern found anywhere in the line. Alternatives are joined by "or". */
  readonly values: readonly string[];
}

export interface LogSelect {
  readonly matchers: readonly Matcher[];
  readonly filters: readonly LineFilter[];
  /** startNs ≤ t < endNs. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly limit: number;
  readonly direction: "backward" | "forward";
  readonly signal?: AbortSignal;
}

export interface LogReader {
  select(select: LogSelect): Promise<LogRecord[]>;
  labelNames(startMs: number, endMs: number): Promise<string[]>;
  labelValues(
    name: string,
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
  ): Promise<string[]>;
  /** Label sets of streams with lines in the range. */
  streams(
    matcherSets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
  ): Promise<LabelMap[]>;
}

export interface LogQuery {
  readonly query: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly limit: number;
  readonly direction: "backward" | "forward";
  /** For metric queries over a range; absent: an instant query at `endNs`. */
  readonly stepMs?: number;
  readonly signal?: AbortSignal;
}

export type LogResult =
  | { readonly type: "lines"; readonly records: readonly LogRecord[] }
  | { readonly type: "metric"; readonly value: MetricValue };

/** Errors: `SkoposError` with code "bad-query", "limit", "cancelled", "unavailable". */
export interface LogEngine {
  query(query: LogQuery): Promise<LogResult>;
  labelNames(startMs: number, endMs: number): Promise<string[]>;
  labelValues(
    name: string,
    query: string | undefined,
    startMs: number,
    endMs: number,
  ): Promise<string[]>;
  /** `match` are stream selectors. */
  streams(match: readonly string[], startMs: number, endMs: number): Promise<LabelMap[]>;
}
