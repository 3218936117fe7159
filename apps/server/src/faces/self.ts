/** What others may know of this program itself: readiness, health, and its own metrics in Prometheus's text format. */
import { readdirSync, readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import { messageOf } from "@skopos/model";
import type { IntakeStats } from "../threads/intake-calls.ts";
import type { Intake } from "../threads/intake.ts";
import { restoringText } from "../status.ts";
import { watchLoopDelay } from "../threads/loop-delay.ts";
import type { RemoteWrite, RemoteWriteProgress } from "../threads/remote-write.ts";
import type { RpcCaller } from "../threads/rpc.ts";
import type { TelemetryCalls, TelemetryStats } from "../threads/telemetry-calls.ts";

export interface SelfParts {
  readonly telemetry: RpcCaller<TelemetryCalls>;
  readonly intake: Intake;
  readonly remoteWrite: RemoteWrite | undefined;
  readonly version: string;
}

export interface MetricFamily {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

export class SelfMetrics {
  readonly #parts: SelfParts;
  readonly #loopDelay = watchLoopDelay();

  constructor(parts: SelfParts) {
    this.#parts = parts;
  }

  async families(): Promise<MetricFamily[]> {
    const stats = await this.#parts.telemetry.call("stats", null);
    const signals = await this.#parts.intake.stats();
    return [
      family("skopos_build_info", "gauge", "The running version.", 1, {
        version: this.#parts.version,
      }),
      ...ingestFamilies(stats),
      ...(signals ? signalFamilies(signals) : []),
      ...remoteWriteFamilies(this.#parts.remoteWrite?.progress?.remotes ?? []),
      {
        name: "skopos_loop_delay_seconds",
        type: "gauge",
        help: "99th percentile of the delay of a thread's event loop, over the last ten to twenty seconds.",
        samples: [
          { labels: { thread: "http" }, value: this.#loopDelay.read() / 1000 },
          { labels: { thread: "telemetry" }, value: stats.loopDelayMs / 1000 },
        ],
      },
      ...processFamilies(),
    ];
  }
}

function family(
  name: string,
  type: MetricFamily["type"],
  help: string,
  value: number,
  labels: Readonly<Record<string, string>> = {},
): MetricFamily {
  return { name, type, help, samples: [{ labels, value }] };
}

function ingestFamilies(stats: TelemetryStats): MetricFamily[] {
  const counter = (name: string, help: string, value: number) =>
    family(name, "counter", help, value);
  return [
    family("skopos_head_series", "gauge", "Series in the metrics head.", stats.seriesActive),
    family("skopos_head_bytes", "gauge", "Memory that the metrics head uses.", stats.headBytes),
    family("skopos_head_chunks", "gauge", "Closed windows of samples in the head.", stats.chunks),
    counter(
      "skopos_samples_appended_total",
      "Samples appended since the start.",
      stats.samplesTotal,
    ),
    family(
      "skopos_targets_up",
      "gauge",
      "Scrape targets that answered last time.",
      stats.targetsUp,
    ),
    family("skopos_targets_down", "gauge", "Scrape targets that did not.", stats.targetsDown),
  ];
}

function signalFamilies(signals: IntakeStats): MetricFamily[] {
  const counter = (name: string, help: string, value: number) =>
    family(name, "counter", help, value);
  return [
    counter("skopos_spans_received_total", "Spans acknowledged since the start.", signals.spans),
    counter(
      "skopos_log_lines_received_total",
      "Log lines acknowledged since the start.",
      signals.lines,
    ),
    counter(
      "skopos_spans_rejected_total",
      "Spans that were refused, and reported as such to their senders.",
      signals.spansRejected,
    ),
    counter(
      "skopos_log_lines_rejected_total",
      "Log lines that were refused, and reported as such to their senders.",
      signals.linesRejected,
    ),
    counter(
      "skopos_ingest_values_cut_total",
      "Attributes, events and texts that were cut to their limits.",
      signals.cut,
    ),
    {
      name: "skopos_ingest_masked_total",
      type: "counter",
      help: "Secrets that were masked in spans and log lines, by rule.",
      samples: Object.entries(signals.masked).map(([rule, value]) => ({ labels: { rule }, value })),
    },
  ];
}

function remoteWriteFamilies(remotes: RemoteWriteProgress["remotes"]): MetricFamily[] {
  type Remote = RemoteWriteProgress["remotes"][number];
  const each = (
    name: string,
    type: MetricFamily["type"],
    help: string,
    value: (remote: Remote) => number,
  ): MetricFamily => ({
    name: `skopos_remote_write_${name}`,
    type,
    help,
    samples: remotes.map((remote) => ({ labels: { remote: remote.name }, value: value(remote) })),
  });
  if (remotes.length === 0) return [];
  return [
    each(
      "samples_total",
      "counter",
      "Samples that a receiver took, native histograms among them.",
      (r) => r.sentSamples,
    ),
    each(
      "histograms_total",
      "counter",
      "Native histograms that a receiver took.",
      (r) => r.sentHistograms,
    ),
    each("exemplars_total", "counter", "Exemplars that a receiver took.", (r) => r.sentExemplars),
    each(
      "metadata_total",
      "counter",
      "Descriptions of metric families that a receiver took.",
      (r) => r.sentMetadata,
    ),
    each("bytes_total", "counter", "Bytes of the requests that were taken.", (r) => r.sentBytes),
    each("requests_total", "counter", "Requests that were answered.", (r) => r.requests),
    each("shards", "gauge", "Requests that go side by side now.", (r) => r.shards),
    each(
      "dropped_samples_total",
      "counter",
      "Samples that a receiver refused for good.",
      (r) => r.droppedSamples,
    ),
    each(
      "lost_samples_total",
      "counter",
      "Samples that could not be sent because the journal had let go of them or of their names.",
      (r) => r.lostSamples + r.agedSamples,
    ),
    each(
      "lost_bytes_total",
      "counter",
      "Bytes of journal that were gone before they were sent.",
      (r) => r.lostBytes,
    ),
    each(
      "failed_requests_total",
      "counter",
      "Requests that a receiver did not take.",
      (r) => r.failedRequests,
    ),
    each("behind_bytes", "gauge", "Bytes of journal not sent yet.", (r) => r.behindBytes),
  ];
}

/** The names every client library has for them. Linux tells the open files; elsewhere they are left out. */
function processFamilies(): MetricFamily[] {
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const startedAt = (performance.timeOrigin / 1000).toFixed(3);
  const families = [
    family("process_resident_memory_bytes", "gauge", "Resident memory of the process.", rss),
    family("process_cpu_seconds_total", "counter", "CPU time.", (user + system) / 1e6),
    family("process_cpu_user_seconds_total", "counter", "CPU time in user mode.", user / 1e6),
    family("process_cpu_system_seconds_total", "counter", "CPU time in the kernel.", system / 1e6),
    family(
      "process_start_time_seconds",
      "gauge",
      "When the process began, unix time.",
      Number(startedAt),
    ),
    family("nodejs_heap_size_used_bytes", "gauge", "The HTTP thread's JavaScript heap.", heapUsed),
    family(
      "nodejs_external_memory_bytes",
      "gauge",
      "Memory of buffers outside the heap.",
      external + arrayBuffers,
    ),
  ];
  const files = openFiles();
  if (files) {
    families.push(family("process_open_fds", "gauge", "Open files.", files.open));
    if (Number.isFinite(files.max))
      families.push(family("process_max_fds", "gauge", "Open files allowed.", files.max));
  }
  return families;
}

function openFiles(): { open: number; max: number } | undefined {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const max = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? NaN);
    return { open: readdirSync("/proc/self/fd").length, max };
  } catch {
    return undefined;
  }
}

function exposition(families: readonly MetricFamily[]): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { labels, value } of samples) {
      const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
      lines.push(`${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

export function bindSelf(app: FastifyInstance, parts: SelfParts, metrics: SelfMetrics): void {
  app.get("/-/healthy", (_request, reply) => reply.type("text/plain").send("Skopos is healthy.\n"));
  app.get("/-/ready", async (_request, reply) => {
    let restoring: TelemetryStats["restoring"];
    try {
      ({ restoring } = await parts.telemetry.call("stats", null));
    } catch (error) {
      return reply
        .status(503)
        .type("text/plain")
        .send(`Skopos is not ready: ${messageOf(error)}\n`);
    }
    const still = restoring ? ` Rules run; ${restoringText(restoring)}.` : "";
    return reply.type("text/plain").send(`Skopos is ready.${still}\n`);
  });
  app.route({
    method: ["POST", "PUT"],
    url: "/-/reload",
    handler: (_request, reply) =>
      reply
        .status(405)
        .type("text/plain")
        .send("The configuration is read at the start: restart Skopos to change it.\n"),
  });
  app.get("/metrics", async (_request, reply) =>
    reply
      .type("text/plain; version=0.0.4; charset=utf-8")
      .send(exposition(await metrics.families())),
  );
}
