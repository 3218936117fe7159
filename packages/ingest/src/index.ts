export type { AccessLogEntry } from "./access-log/fields.ts";
export { accessLogMetadata, parseAccessLogLine } from "./access-log/parse.ts";
export type { ClusterDiscover, ConfigText } from "./cluster/cluster-config.ts";
export { ExpositionError, IngestError } from "./errors.ts";
export {
  type Exemplar,
  type Metadata,
  type MetricType,
  type Page,
  PageLayout,
} from "./exposition/page.ts";
export { parseExposition, type ParseOptions } from "./exposition/parse.ts";
export {
  type IntakeCounts,
  type IntakeOutcome,
  type LimitManner,
  SignalIntake,
} from "./intake/signal-intake.ts";
export { LogTailer } from "./log-files/log-tailer.ts";
export { PodWatch } from "./log-files/pod-facts.ts";
export { decodeLokiPush } from "./loki/push.ts";
export { checkMasking, Masker, type MaskingSettings } from "./masking/masker.ts";
export { encodeExportResponse, encodeRpcStatus } from "./otlp/export-response.ts";
export type { DecodedLogs } from "./otlp/log-draft.ts";
export { decodeOtlpLogs } from "./otlp/logs.ts";
export type { DecodedTraces } from "./otlp/span-draft.ts";
export { decodeOtlpTraces } from "./otlp/traces.ts";
export { MetadataBook } from "./metric-batch/metadata-book.ts";
export { type BatchOutcome, lossOf, writeBatch } from "./metric-batch/write.ts";
export { decodeOtlpMetrics } from "./otlp/metrics.ts";
export { chunkedContentType, chunkedFrames } from "./remote-read/chunk-response.ts";
export {
  decodeReadRequest,
  encodeReadResponse,
  type ReadRequest,
  withoutExternal,
} from "./remote-read/read.ts";
export { parseRemoteWriteConfig, type RemoteWriteConfig } from "./remote-write/config.ts";
export { RemoteWriteReceiver } from "./remote-write/receive.ts";
export { RemoteWriteSender, type SenderCounts } from "./remote-write/sender.ts";
export { encodeRemoteWrite, remoteWriteHeaders } from "./remote-write/encode.ts";
export type { SamplePage } from "./remote-write/outgoing.ts";
export { parseScrapeConfig, type ScrapeJob } from "./scrape/config.ts";
export { compileRelabeling } from "./scrape/relabel.ts";
export type { TargetStatus } from "./scrape/loop.ts";
export { type DroppedTarget, type PoolOptions, ScrapePool } from "./scrape/pool.ts";
export type { TargetGroup } from "./scrape/target.ts";
export { type Scraper, type ScraperOptions, startScraper } from "./scrape/scraper.ts";
export { TemplateMiner } from "./templates/template-miner.ts";
export { messageOf } from "./templates/words.ts";
export { decodeZipkinSpans } from "./zipkin/spans.ts";
