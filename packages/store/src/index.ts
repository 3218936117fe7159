export { type CarrierOptions, type CarrierProgress, runCarrier } from "./clickhouse/carrier.ts";
export { readCheckpoint, writeCheckpoint } from "./clickhouse/checkpoint.ts";
export { runClickHouseChild } from "./clickhouse/child.ts";
export {
  type ClickHouseClientOptions,
  type ClickHouseConnection,
  openClickHouse,
} from "./clickhouse/client.ts";
export { createLogReader } from "./clickhouse/log-reader.ts";
export { LogStore } from "./clickhouse/log-store.ts";
export { PatternStore } from "./clickhouse/pattern-store.ts";
export { type SamplingOptions, TraceSampling } from "./clickhouse/sampling.ts";
export { migrate, type TelemetryRetention } from "./clickhouse/schema.ts";
export { type QueryLimits } from "./clickhouse/sql.ts";
export {
  type ClickHouseState,
  type Log,
  type SupervisedClickHouse,
  superviseClickHouse,
  type SuperviseOptions,
} from "./clickhouse/supervise.ts";
export { createTraceReader } from "./clickhouse/trace-reader.ts";
export { TraceStore } from "./clickhouse/trace-store.ts";
export { type DataDirectoryLock, lockDataDirectory } from "./journal/data-directory-lock.ts";
export { frameKinds } from "./journal/frame.ts";
export {
  type JournalFollower,
  type JournalFrame,
  JournalReader,
} from "./journal/journal-reader.ts";
export { Journal, type JournalOptions, type JournalWriter } from "./journal/journal.ts";
export { EventLog, type EventLogOptions, type SequencedEvent } from "./state/event-log.ts";
export { Head, type HeadOptions, type HeadStats } from "./head/head.ts";
export { MetricStore, type MetricStoreOptions, type Restored } from "./head/metric-store.ts";
export type { HeadCardinality } from "./head/cardinality.ts";
export { HeadView } from "./head/head-view.ts";
export type { HeadShare } from "./head/memory.ts";
export { followMetrics } from "./head/metric-follower.ts";
export { HeadMarks, settledAfterMs } from "./head/marks.ts";
export { DiskLimit, type DiskUse } from "./history/disk-limit.ts";
export { type HistoryProgress, runHistoryCarrier } from "./history/history-carrier.ts";
export { createHistoryReader } from "./history/history-reader.ts";
export { createMaskedReader } from "./history/masked-reader.ts";
export { createMetricReader } from "./history/metric-reader.ts";
export { type HistoryRetention, migrateHistory, sliceMs } from "./history/schema.ts";
export { Deletions, Tombstones } from "./history/tombstones.ts";
export { readCarriedThrough } from "./history/watermark.ts";
export { createJaegerEngine } from "./remote/jaeger-engine.ts";
export { createLokiEngine } from "./remote/loki-engine.ts";
export { createPrometheusEngine } from "./remote/prometheus-engine.ts";
export { createPrometheusReader } from "./remote/prometheus-reader.ts";
export { createTempoEngine } from "./remote/tempo-engine.ts";
