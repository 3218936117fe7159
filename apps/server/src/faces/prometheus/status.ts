/** `/status/*`, `/features`, `/notifications`: the server about itself, in Prometheus's shapes. */
import os from "node:os";
import { compileAnchored, formatDuration } from "@skopos/model";
import { functionTable } from "@skopos/promql/syntax";
import type { ServerConfig } from "../../config.ts";
import type { HeadCardinality } from "@skopos/store";
import type { MetricFamily } from "../self.ts";
import type { TelemetryStats } from "../../threads/telemetry-calls.ts";

/** The Prometheus whose API this is; clients choose what they ask for by it. */
const apiVersion = "3.0.0";

export function buildInfo(revision: string): object {
  return {
    version: apiVersion,
    revision,
    branch: "skopos",
    buildUser: "",
    buildDate: "",
    goVersion: "",
  };
}

export function runtimeInfo(startedAtMs: number, nowMs: number, retentionMs: number): object {
  const startTime = new Date(startedAtMs).toISOString();
  return {
    startTime,
    CWD: process.cwd(),
    hostname: os.hostname(),
    serverTime: new Date(nowMs).toISOString(),
    reloadConfigSuccess: true,
    lastConfigTime: startTime,
    corruptionCount: 0,
    // What a Go program would tell of itself; there is no such thing here.
    goroutineCount: 0,
    GOMAXPROCS: os.availableParallelism(),
    GOMEMLIMIT: 0,
    GOGC: "",
    GODEBUG: "",
    storageRetention: formatDuration(retentionMs),
  };
}

/** The settings under the names that Prometheus's flags have, where there is such a flag. */
export function flagsOf(config: ServerConfig): Record<string, string> {
  return {
    "config.file": config.scrapeConfig ?? "built-in",
    "web.listen-address": config.listen,
    "web.enable-admin-api": "true",
    "web.enable-lifecycle": "false",
    "web.enable-remote-write-receiver": "true",
    "storage.tsdb.path": config.dataDir,
    "storage.tsdb.retention.time": formatDuration(config.head.retention),
    "query.timeout": formatDuration(config.query.timeout),
    "query.max-concurrency": String(config.query.workers),
    "query.lookback-delta": "5m",
  };
}

const apiFeatures = [
  "admin",
  "exclude_alerts",
  "label_values_match",
  "lifecycle",
  "query_stats",
  "query_warnings",
  "remote_write_receiver",
  "rule_group_pagination",
];
const missing = new Set(["lifecycle"]);

export function features(): object {
  const functions = [...functionTable.values()].map(({ name, experimental }) => [
    name,
    !experimental,
  ]);
  return {
    api: Object.fromEntries(apiFeatures.map((name) => [name, !missing.has(name)])),
    promql: { anchored: false, at_modifier: true, negative_offset: true, subqueries: true },
    promql_functions: Object.fromEntries(functions) as Record<string, boolean>,
  };
}

export function tsdbStatus(stats: TelemetryStats, cardinality: HeadCardinality): object {
  return {
    headStats: {
      numSeries: stats.seriesActive,
      numLabelPairs: cardinality.labelPairs,
      chunkCount: stats.chunks,
      minTime: stats.oldestMs ?? 0,
      maxTime: stats.newestMs ?? 0,
    },
    seriesCountByMetricName: cardinality.seriesByMetric,
    labelValueCountByLabelName: cardinality.valuesByLabel,
    memoryInBytesByLabelName: cardinality.bytesByLabel,
    seriesCountByLabelValuePair: cardinality.seriesByPair,
  };
}

/** What is wrong now, each with the time it was first told of. */
export class Notifications {
  readonly #since = new Map<string, number>();

  list(warnings: readonly string[], nowMs: number): object[] {
    for (const text of this.#since.keys()) if (!warnings.includes(text)) this.#since.delete(text);
    return warnings.map((text) => {
      const since = this.#since.get(text) ?? nowMs;
      this.#since.set(text, since);
      return { text, date: new Date(since).toISOString(), active: true };
    });
  }
}

/** Our own metrics, as protobuf's JSON form of a metric family has them. Throws "bad-regex". */
export function selfMetricsOf(families: readonly MetricFamily[], pattern?: string): object[] {
  const wanted = pattern === undefined ? undefined : compileAnchored(pattern);
  return families
    .filter(({ name }) => wanted?.test(name) ?? true)
    .map(({ name, help, type, samples }) => ({
      name,
      help,
      type: type.toUpperCase(),
      metric: samples.map(({ labels, value }) => ({
        label: Object.entries(labels).map(([label, text]) => ({ name: label, value: text })),
        [type]: { value },
      })),
    }));
}
