export { type Clock, sleep, systemClock } from "./clock.ts";
export { formatDuration, parseDuration } from "./duration.ts";
export { CancelledError, invariant, LimitError, messageOf, SkoposError } from "./errors.ts";
export { type LabelMap, LabelSet, metricNameLabel } from "./labels.ts";
export type {
  LineFilter,
  LogEngine,
  LogQuery,
  LogReader,
  LogRecord,
  LogResult,
  LogSelect,
} from "./log.ts";
export {
  type CompiledMatcher,
  compileMatcher,
  matchesAll,
  type Matcher,
  type MatchOp,
} from "./matcher.ts";
export { type Mechanism, mechanisms } from "./mechanism.ts";
export {
  absentNaN,
  type Exemplar,
  type ExemplarReader,
  type ExemplarSeries,
  highWord,
  type InstantQuery,
  isStale,
  type LabelSelect,
  lowWord,
  type MatrixSeries,
  type MetricEngine,
  type MetricMetadata,
  type MetricReader,
  type MetricResult,
  type MetricSelect,
  type MetricValue,
  type NativeHistogram,
  type RangeQuery,
  type SeriesBlock,
  staleNaN,
  type VectorSample,
  writeNaN,
} from "./metric.ts";
export { type AnchoredPattern, compileAnchored, compileRegex } from "./regex.ts";
export type {
  AppendOutcome,
  GroupRef,
  LogSink,
  MetricSink,
  PatternCount,
  PatternSink,
  SampleSink,
  SeriesRef,
  SpanSink,
} from "./sink.ts";
export type {
  Attributes,
  AttributeValue,
  Span,
  SpanCondition,
  SpanEvent,
  SpanKind,
  SpanLink,
  SpanStatus,
  TraceEngine,
  TraceReader,
  TraceSearch,
  TraceSummary,
} from "./span.ts";
