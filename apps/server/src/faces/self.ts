/** What others may know of this program itself: readiness, health, and its own metrics in Prometheus's text format. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { FastifyInstance } from "fastify";
import type { QueryPool } from "../threads/query-pool.ts";
import type { IntakeStats } from "../threads/intake-calls.ts";
import type { Intake } from "../threads/intake.ts";
import type { RpcCaller } from "../threads/rpc.ts";
import type { TelemetryCalls, TelemetryStats } from "../threads/telemetry-calls.ts";

export interface SelfParts {
  readonly telemetry: RpcCaller<TelemetryCalls>;
  readonly intake: Intake;
  readonly pool: QueryPool;
  readonly version: string;
}

export function bindSelf(app: FastifyInstance, parts: SelfParts): void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  app.get("/-/healthy", (_request, reply) => reply.type("text/plain").send("Skopos is healthy.\n"));
  app.get("/-/ready", async (_request, reply) => {
    await parts.telemetry.call("stats", null);
    return reply.type("text/plain").send("Skopos is ready.\n");
  });
  app.get("/metrics", async (_request, reply) => {
    const stats = await parts.telemetry.call("stats", null);
    const signals = await parts.intake.stats();
    return reply
      .type("text/plain; version=0.0.4; charset=utf-8")
      .send(exposition(parts, stats, signals, delay.percentile(99) / 1e9));
  });
}

type Row = [name: string, type: "counter" | "gauge", help: string, value: number, labels?: string];

function signalRows(signals: IntakeStats): Row[] {
  return [
    [
      "skopos_spans_received_total",
      "counter",
      "Spans acknowledged since the start.",
      signals.spans,
    ],
    [
      "skopos_log_lines_received_total",
      "counter",
      "Log lines acknowledged since the start.",
      signals.lines,
    ],
    [
      "skopos_spans_rejected_total",
      "counter",
      "Spans that were refused, and reported as such to their senders.",
      signals.spansRejected,
    ],
    [
      "skopos_log_lines_rejected_total",
      "counter",
      "Log lines that were refused, and reported as such to their senders.",
      signals.linesRejected,
    ],
    [
      "skopos_ingest_values_cut_total",
      "counter",
      "Attributes, events and texts that were cut to their limits.",
      signals.cut,
    ],
  ];
}

function exposition(
  parts: SelfParts,
  stats: TelemetryStats,
  signals: IntakeStats | undefined,
  loopDelaySeconds: number,
): string {
  const { rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const rows: Row[] = [
    ["skopos_build_info", "gauge", "The running version.", 1, `{version="${parts.version}"}`],
    ["skopos_head_series", "gauge", "Series in the metrics head.", stats.seriesActive],
    [
      "skopos_samples_appended_total",
      "counter",
      "Samples appended since the start.",
      stats.samplesTotal,
    ],
    ...(signals ? signalRows(signals) : []),
    ["skopos_targets_up", "gauge", "Scrape targets that answered last time.", stats.targetsUp],
    ["skopos_targets_down", "gauge", "Scrape targets that did not.", stats.targetsDown],
    [
      "skopos_http_loop_delay_seconds",
      "gauge",
      "99th percentile of the HTTP thread's loop delay.",
      loopDelaySeconds,
    ],
    ["process_resident_memory_bytes", "gauge", "Resident memory of the process.", rss],
    ["process_cpu_seconds_total", "counter", "CPU time of the process.", (user + system) / 1e6],
  ];
  return rows
    .map(
      ([name, type, help, value, labels = ""]) =>
        `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name}${labels} ${value}\n`,
    )
    .join("");
}
