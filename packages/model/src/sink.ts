/** Where decoded telemetry goes: implemented by `store`, called by `ingest` and `alerting`. */
import type { LabelMap, LabelSet } from "./labels.ts";
import type { LogRecord } from "./log.ts";
import type { Exemplar, NativeHistogram } from "./metric.ts";
import type { Span } from "./span.ts";

/** Series that are sampled together (one target's page, one rule group) form a group and share its times. */
export type GroupRef = number;
/** A series of one group; stays valid until the group is closed or its keeper is told that it is forgotten. */
export type SeriesRef = number;

/** Whoever keeps refs of a group from one append to the next. */
export interface RefKeeper {
  /**
   * These refs name nothing any more, and will name other series: the store has no samples of theirs left. A series that
   * comes back is asked for anew. Called between appends, never inside a call of the sink.
   */
  forget(refs: ReadonlySet<SeriesRef>): void;
}

export interface AppendOutcome {
  readonly appended: number;
  /** Older than the out-of-order window. */
  readonly tooOld: number;
  /** Same series and time as an earlier sample; `conflicting` of them with another value. */
  readonly duplicates: number;
  readonly conflicting: number;
}

/**
 * Takes samples page by page. A page becomes visible to readers at once: no query sees half a scrape. Values are passed
 * with their NaN payload (staleness markers) intact.
 */
export interface SampleSink {
  /**
   * Finds or makes the group of `key` (a target's identity, a sender's, a rule group's). Series of a group that stays open
   * are only forgotten where its keeper can be told.
   */
  openGroup(key: string, keeper?: RefKeeper): GroupRef;
  /** Finds or makes a series of the group. Undefined when the store's series limit is reached. */
  series(group: GroupRef, labels: LabelSet): SeriesRef | undefined;
  /**
   * Appends `values[i]` to series `refs[i]` at `timeMs`, for i < count. Not kept: `refs` and `values` may be reused.
   * Returns at once; `durable()` tells when it is safe.
   */
  appendPage(
    group: GroupRef,
    timeMs: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
  ): AppendOutcome;
  /** The target or sender is gone: its series become stale (the caller has written markers) and may be dropped with age. */
  closeGroup(group: GroupRef): void;
  /** Resolves when everything appended so far is on disk; rejects with code "unavailable" or "disk-full". */
  durable(): Promise<void>;
}

/** Takes native histograms and exemplars besides plain samples; they are journaled and restored as samples are. */
export interface MetricSink extends SampleSink {
  /** As `appendPage` for one histogram sample. A series may change between floats and histograms over time. */
  appendHistogram(
    group: GroupRef,
    ref: SeriesRef,
    timeMs: number,
    histogram: NativeHistogram,
  ): AppendOutcome;
  /** Keeps the newest exemplars of a series, bounded in all; an older one than the newest kept is refused silently. */
  appendExemplar(ref: SeriesRef, exemplar: Exemplar): void;
}

/** Resolves when the spans are acknowledged: on disk, though perhaps not searchable yet. Rejects with "unavailable", "disk-full". */
export interface SpanSink {
  append(spans: readonly Span[]): Promise<void>;
}

/** As `SpanSink`, for log lines. */
export interface LogSink {
  append(records: readonly LogRecord[]): Promise<void>;
}

/** How often a log template was seen in one bucket of time, in the lines of one stream or service. */
export interface PatternCount {
  /** What the lines were mined by: the stream's labels that name a service, never all of its labels. */
  readonly labels: LabelMap;
  /** 16 lower-case hex digits, a hash of the template's text: equal templates have equal ids in every process. */
  readonly templateId: string;
  /** The words all its lines share; `<*>` stands for those that differ. */
  readonly template: string;
  /** Start of the bucket, Unix milliseconds. */
  readonly bucketMs: number;
  /** Lines since the last time this bucket was handed on: counts of one key add up. */
  readonly count: number;
  /** One of the lines, cut. */
  readonly sample: string;
}

/** Takes what was mined from log lines. Resolves and rejects as `SpanSink`. */
export interface PatternSink {
  append(patterns: readonly PatternCount[]): Promise<void>;
}
