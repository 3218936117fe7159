/** What the main thread asks of the telemetry thread, and what it hears from it. Everything is structured-cloneable. */
import type { MessagePort } from "node:worker_threads";
import type { AlertInstance } from "@skopos/api";
import type { ClusterDiscover, ConfigText } from "@skopos/ingest";
import type { KubeCredentials } from "@skopos/mesh";
import type { Matcher } from "@skopos/model";

/** Small files that threads share: one writes, the others read. */
export interface HistoryFiles {
  /** How far metrics were carried. The carrier's. */
  readonly watermarkFile: string;
  /** What was deleted. The telemetry thread's. */
  readonly tombstonesFile: string;
}

/** What the telemetry thread is started with. */
export interface TelemetryThreadData {
  /** Journal, head snapshots and their kin live below it. */
  readonly dir: string;
  readonly headRetentionMs: number;
  readonly history: HistoryFiles & { readonly carryAfterMs: number };
  readonly seriesMax: number;
  /** Whether the journal is kept for receivers of remote write too. */
  readonly remoteWrites: boolean;
  readonly scrapeConfig: { readonly text: string; readonly file: string };
  readonly ruleFiles: readonly { readonly text: string; readonly file: string }[];
  readonly kubernetes: KubeCredentials;
  /** What of the cluster's own wishes is followed. */
  readonly discover: ClusterDiscover;
  readonly webhooks: readonly { readonly url: string }[];
  /** Where people reach us; links in notifications begin with it. */
  readonly externalUrl: string;
}

/** Pushes that the telemetry thread decodes itself; those of spans and lines go to the intake thread. */
export type MetricKind = "otlp-metrics" | "remote-write";

/** A telemetry push as it came over HTTP or gRPC. */
export interface Push<Kind extends string> {
  readonly kind: Kind;
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

export interface PushAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: Uint8Array | string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TelemetryStats {
  readonly seriesActive: number;
  readonly samplesTotal: number;
  /** Of the head: closed windows of samples, the memory it uses, and the times of the oldest and the newest sample. */
  readonly chunks: number;
  readonly headBytes: number;
  readonly oldestMs: number | null;
  readonly newestMs: number | null;
  readonly targetsUp: number;
  readonly targetsDown: number;
  readonly restoredSamples: number;
  /** Older samples are still coming back after a start; rules run already. */
  readonly restoring: {
    readonly filesDone: number;
    readonly filesTotal: number;
    readonly samples: number;
  } | null;
  /** 99th percentile of how late this thread's loop ran, since the last time it was asked. */
  readonly loopDelayMs: number;
  readonly warnings: readonly string[];
}

export interface TargetStatus {
  readonly job: string;
  readonly url: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly health: "up" | "down" | "unknown";
  readonly lastError: string;
  readonly lastScrapeMs: number | null;
  readonly durationMs: number | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export interface DroppedTargets {
  readonly targets: readonly {
    readonly job: string;
    readonly discoveredLabels: Readonly<Record<string, string>>;
    readonly reason: string;
  }[];
  /** By job, of all that were dropped: `targets` holds the first ones only. */
  readonly counts: Readonly<Record<string, number>>;
}

/** How a job fares. */
interface ScrapePoolStatus {
  readonly job: string;
  readonly up: number;
  readonly down: number;
  /** Not scraped yet. */
  readonly unknown: number;
  readonly dropped: number;
  /** Why nothing of the job is scraped, "" when it is. */
  readonly limitReason: string;
  /** What keeps its discovery from working now, "" when nothing does. */
  readonly discoveryError: string;
}

/** What one target says of its metric families. */
export interface TargetMetadata {
  readonly target: Readonly<Record<string, string>>;
  readonly families: readonly {
    readonly name: string;
    readonly type: string;
    readonly help: string;
    readonly unit: string;
  }[];
}

interface RuleState {
  readonly name: string;
  readonly kind: "alert" | "record";
  readonly query: string;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly health: "ok" | "err" | "unknown";
  readonly lastError: string | null;
  readonly evaluationMs: number | null;
  readonly lastEvaluationMs: number | null;
  readonly alerts: readonly AlertInstance[];
}

export interface RuleGroupState {
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  readonly limit: number;
  readonly evaluationMs: number | null;
  readonly lastEvaluationMs: number | null;
  readonly rules: readonly RuleState[];
}

export type TelemetryCalls = {
  /** Resolves once the push is acknowledged on disk. */
  push(push: Push<MetricKind>): Promise<PushAnswer>;
  /** Lets the other end of the port, which is transferred, write frames into the journal. */
  attachJournal(argument: { port: MessagePort }): Promise<void>;
  stats(argument: null): Promise<TelemetryStats>;
  targets(argument: null): Promise<readonly TargetStatus[]>;
  droppedTargets(argument: null): Promise<DroppedTargets>;
  scrapePools(argument: null): Promise<readonly ScrapePoolStatus[]>;
  /** Prometheus configurations that objects of the cluster are or became, with their secrets. */
  clusterScrapeTexts(argument: null): Promise<readonly ConfigText[]>;
  targetMetadata(argument: null): Promise<readonly TargetMetadata[]>;
  alerts(argument: null): Promise<readonly AlertInstance[]>;
  rules(argument: null): Promise<readonly RuleGroupState[]>;
  metadata(argument: {
    metric: string | undefined;
    limit: number;
  }): Promise<Readonly<Record<string, readonly { type: string; help: string; unit: string }[]>>>;
  /** The carrier has everything below this position of the journal. */
  carried(argument: { position: number }): Promise<void>;
  /** Metrics up to here are in ClickHouse. */
  historyCarried(argument: { throughMs: number }): Promise<void>;
  /** Nothing of these deletions is left in ClickHouse. */
  historyCleaned(argument: { ids: readonly number[] }): Promise<void>;
  /** Samples of matching series with startMs ≤ t ≤ endMs are gone for every reader when it resolves. */
  deleteSeries(argument: {
    matcherSets: readonly (readonly Matcher[])[];
    startMs: number;
    endMs: number;
  }): Promise<void>;
  /** Forgets deletions of which nothing is left. The carrier takes them out of ClickHouse by itself. */
  cleanTombstones(argument: null): Promise<void>;
  /** Every receiver of remote write has everything below. */
  remoteWritten(argument: { position: number }): Promise<void>;
  close(argument: null): Promise<void>;
};
