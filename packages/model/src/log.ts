/**
 * Log lines, and the seam between log stores and LogQL: a reader turns matchers, filters and a range of time into lines or
 * counts, an engine turns query text into a result. Stores implement the one, remote Lokis the other.
 *
 * The labels of a line, as label filters and groupings see them, are its stream's labels and its structured metadata; a
 * name in both is the stream's, and the metadata's value is called `<name>_extracted`.
 */
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
  readonly op: "|=" | "!=" | "|~" | "!~" | "|>" | "!>";
  /**
   * Text or an RE2 pattern found anywhere in the line, or (`|>`) texts that make up the whole line, with `<_>` between them
   * for something that is not empty: each is looked for after the one before, and only its first place counts.
   * Alternatives are joined by "or".
   */
  readonly values: readonly string[];
}

/** A condition on one line's labels that a store evaluates exactly; an absent label is "". Regular expressions are anchored. */
export type LabelCondition =
  | { readonly type: "match"; readonly matcher: Matcher }
  | { readonly type: "and" | "or"; readonly conditions: readonly LabelCondition[] };

/**
 * What lines need for a comparison of a label as a number to let them through: the label, with a value that compares so or
 * that cannot be read as a number, which is an error and passes. With `json` a line that does not have it may say it as the
 * member of an object, or be no object, which passes likewise.
 */
export interface NumberNeed {
  readonly name: string;
  readonly op: "==" | "!=" | ">" | ">=" | "<" | "<=";
  readonly value: number;
  readonly json: boolean;
}

/** Which lines: what a store can decide by itself. */
export interface LogFilter {
  /** On the stream's labels alone. */
  readonly matchers: readonly Matcher[];
  readonly filters: readonly LineFilter[];
  /** All of these too, on the line's labels. */
  readonly conditions?: readonly LabelCondition[];
  /** A store may leave out lines that lack one of these; whoever asks looks at those that come. */
  readonly needs?: readonly NumberNeed[];
}

export interface LogSelect extends LogFilter {
  /** startNs ≤ t < endNs. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly limit: number;
  readonly direction: "backward" | "forward";
  readonly signal?: AbortSignal;
}

/**
 * Lines counted in buckets that are left-open, as windows of LogQL are. Each step has one bucket, or two when it is split:
 * with x = t − startNs, bucket k is k·stepNs < x ≤ (k + 1)·stepNs; split, bucket 2k is k·stepNs < x ≤ k·stepNs + splitNs and
 * bucket 2k + 1 the rest of the step.
 */
export interface LogCountRequest extends LogFilter {
  readonly measure: "lines" | "bytes";
  readonly startNs: bigint;
  /** startNs < t ≤ endNs. */
  readonly endNs: bigint;
  readonly stepNs: bigint;
  /** 0: not split. Less than `stepNs`. */
  readonly splitNs: bigint;
  /** "by" and "without" mean labels of the line, "stream" the whole label set of its stream without metadata. */
  readonly grouping: {
    readonly type: "by" | "without" | "stream";
    readonly names: readonly string[];
  };
  /** Over it the reader throws `LimitError`. */
  readonly seriesMax: number;
  readonly signal?: AbortSignal;
}

export interface LogCountSeries {
  readonly labels: LabelMap;
  /** Ascending; buckets without lines are left out. One of empty lines has 0 bytes. */
  readonly buckets: Uint32Array;
  readonly counts: Float64Array;
}

export interface LogRange {
  readonly startMs: number;
  readonly endMs: number;
  readonly signal?: AbortSignal;
}

/** What a selection would have to read, roughly: from whole parts of the store. */
export interface LogStats {
  readonly streams: number;
  readonly chunks: number;
  readonly entries: number;
  readonly bytes: number;
}

/** How often a mined template was seen, in buckets of time. */
export interface LogPattern {
  /** `<_>` stands for what differs. */
  readonly pattern: string;
  /** One of its lines, or its beginning; absent where the store keeps none. */
  readonly sample?: string;
  /** Unix ms of the bucket's start, ascending. */
  readonly samples: readonly (readonly [timeMs: number, count: number])[];
}

/** Every line of a range of time. */
export type LogScan = Omit<LogSelect, "limit" | "direction">;

export interface LogReader {
  select(select: LogSelect): Promise<LogRecord[]>;
  /** Every line, in batches, in whatever order is cheapest. A reader without it is asked with `select`, slice by slice. */
  scan?(scan: LogScan): AsyncIterable<readonly LogRecord[]>;
  /** The push-down of counting. A reader without it has its lines read and counted. */
  counts?(request: LogCountRequest): Promise<LogCountSeries[]>;
  stats(matchers: readonly Matcher[], range: LogRange): Promise<LogStats>;
  /** Templates of the lines of matching streams, the most frequent first. */
  patterns(
    matchers: readonly Matcher[],
    range: LogRange & { readonly stepMs: number; readonly limit: number },
  ): Promise<LogPattern[]>;
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
  /** For metric queries over a range, both ends included; absent: an instant query at `endNs`. */
  readonly stepMs?: number;
  readonly signal?: AbortSignal;
}

/** A line as the stages of a query left it. */
export interface LogLine extends LogRecord {
  /** Labels that stages made or changed, `__error__` among them. `labels` and `metadata` are what is left of the line's own. */
  readonly parsed: LabelMap;
}

/** What a store did for a query, and what was left to do on the lines that came back. */
export interface LogPlan {
  readonly selections: readonly LogSelectionPlan[];
}

export interface LogSelectionPlan {
  /** "counts": no line left the store. */
  readonly reads: "lines" | "counts";
  readonly lineFilters: number;
  readonly labelConditions: number;
  /** How the store grouped, for counts. */
  readonly grouping?: LogCountRequest["grouping"];
  /** Stages that ran on lines, as they are written. */
  readonly stages: readonly string[];
  readonly linesRead: number;
}

export type LogResult =
  | { readonly type: "lines"; readonly records: readonly LogLine[]; readonly plan: LogPlan }
  | { readonly type: "metric"; readonly value: MetricValue; readonly plan: LogPlan };

/** `query` is a stream selector, where nothing else is said. */
export interface LogScope extends LogRange {
  readonly query: string;
}

export interface LogVolumeRequest extends LogScope {
  /** Absent: one total for the whole range. */
  readonly stepMs?: number;
  /** Labels to add up by; none: those that the selector names. */
  readonly targetLabels?: readonly string[];
  /** "labels": one volume for each label name, over all its values. */
  readonly aggregateBy: "series" | "labels";
  readonly limit: number;
}

/** Bytes of lines. The largest first. */
export interface LogVolume {
  /** For a label name, that name with the value "". */
  readonly labels: LabelMap;
  /** One point at the end of the range, or one for each step (its start) that has lines. Unix ms. */
  readonly points: readonly (readonly [timeMs: number, bytes: number])[];
}

/** `query` may have stages. */
export interface DetectedFieldsRequest extends LogScope {
  /** How many lines are looked at. */
  readonly lineLimit: number;
  readonly limit: number;
}

export interface DetectedField {
  readonly label: string;
  readonly type: "boolean" | "bytes" | "duration" | "float" | "int" | "string";
  /** Different values among the lines looked at. */
  readonly cardinality: number;
  /** "json", "logfmt"; none for structured metadata. */
  readonly parsers: readonly string[];
  /** Where it stands in JSON, when it does. */
  readonly jsonPath: readonly string[];
}

export interface DetectedLabel {
  readonly label: string;
  readonly cardinality: number;
}

/**
 * Where a tail has got to: plain data, handed back to read on. Lines that arrive late, within some seconds of the newest,
 * are still delivered, once.
 */
export interface TailPosition {
  /** Of the lines delivered; at first, where to begin after. */
  readonly newestNs: bigint;
  /** Where it began: nothing from before is delivered. Absent at first. */
  readonly beganNs?: bigint;
  /** Lines delivered in the time that is read again. */
  readonly seen: readonly string[];
}

export interface TailRequest {
  /** A log query; stages run. */
  readonly query: string;
  readonly position: TailPosition;
  readonly limit: number;
  readonly signal?: AbortSignal;
}

export interface TailBatch {
  /** Ascending by time. */
  readonly records: readonly LogLine[];
  readonly position: TailPosition;
  /** There are more lines now: ask again at once. */
  readonly more: boolean;
}

/** Errors: `SkoposError` with code "bad-query" (with line and column), "execution", "limit", "cancelled", "unavailable". */
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
  stats(scope: LogScope): Promise<LogStats>;
  volume(request: LogVolumeRequest): Promise<LogVolume[]>;
  detectedFields(request: DetectedFieldsRequest): Promise<DetectedField[]>;
  /** Values of one field, the most frequent first. */
  detectedFieldValues(field: string, request: DetectedFieldsRequest): Promise<string[]>;
  /** `query` may be empty: every stream. */
  detectedLabels(scope: LogScope): Promise<DetectedLabel[]>;
  patterns(request: LogScope & { readonly stepMs: number }): Promise<LogPattern[]>;
  /** The lines after a position, cheap enough to ask every second. Begin with `{ newestNs: now, seen: [] }`. */
  tail(request: TailRequest): Promise<TailBatch>;
}
