/** How the program's own parts are: the status page's and the readiness check's source. */
import type { Status } from "@skopos/api";
import type { KindStatus } from "@skopos/mesh";
import { type Clock, messageOf } from "@skopos/model";
import type { Carrier } from "./threads/carrier.ts";
import type { RpcCaller } from "./threads/rpc.ts";
import type { IntakeStats } from "./threads/intake-calls.ts";
import type { Intake } from "./threads/intake.ts";
import type { TelemetryCalls, TelemetryStats } from "./threads/telemetry-calls.ts";

type Part = Status["parts"][number];

/** Each reason once, with the kinds that it keeps from being watched. */
function reasonsOf(lost: readonly KindStatus[]): string {
  const kinds = new Map<string, string[]>();
  for (const { kind, detail } of lost) kinds.set(detail, [...(kinds.get(detail) ?? []), kind]);
  return [...kinds].map(([reason, names]) => `${reason} (${names.join(", ")})`).join("; ");
}

/** What comes in, since the start. */
interface Counters {
  readonly samples: number;
  readonly spans: number;
  readonly lines: number;
}

function turnedAway(signals: IntakeStats | undefined): string {
  if (!signals) return "";
  const { spansRejected, linesRejected } = signals;
  return spansRejected + linesRejected === 0
    ? "nothing was refused"
    : `${spansRejected} spans and ${linesRejected} lines were refused`;
}

/** "3 of 24 files of older samples are back". */
export function restoringText({
  filesDone,
  filesTotal,
}: NonNullable<TelemetryStats["restoring"]>): string {
  return `${filesDone} of ${filesTotal} files of older samples are back`;
}

export class StatusBoard {
  readonly #version: string;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #parts = new Map<string, Part>();
  #last: { atMs: number; stats: Counters } | undefined;

  constructor(version: string, clock: Clock) {
    this.#version = version;
    this.#clock = clock;
    this.#startedAt = clock.nowMs();
  }

  set(name: string, state: Part["state"], detail: string): void {
    this.#parts.set(name, { name, state, detail });
  }

  async read(
    telemetry: RpcCaller<TelemetryCalls>,
    intake: Intake,
    { progress: carried, history, disk }: Pick<Carrier, "progress" | "history" | "disk">,
    kinds: readonly KindStatus[],
  ): Promise<Status> {
    const stats = await this.#stats(telemetry);
    const signals = await intake.stats();
    this.set("Intake", signals ? "ok" : "starting", turnedAway(signals));
    const behind = carried
      ? `${Math.round(carried.behindBytes / 1024)} KiB behind`
      : "nothing carried yet";
    this.set("Carrier", carried ? "ok" : "starting", behind);
    if (history)
      this.set(
        "History",
        history.lostSlices > 0 ? "degraded" : "ok",
        `metrics carried through ${new Date(history.carriedThroughMs).toISOString()}${history.lostSlices > 0 ? `, ${history.lostSlices} hours lost` : ""}`,
      );
    if (disk)
      this.set(
        "Disk",
        disk.overLimit > 0 ? "degraded" : "ok",
        `${Math.round(disk.bytes / 1e6)} MB of telemetry, ${disk.daysDropped} days dropped for their size`,
      );
    const lost = kinds.filter((kind) => kind.state === "retrying");
    this.set("Kubernetes", lost.length > 0 ? "degraded" : "ok", reasonsOf(lost));
    const nowMs = this.#clock.nowMs();
    return {
      version: this.#version,
      startedAt: this.#startedAt,
      now: nowMs,
      ready: stats !== undefined,
      parts: [...this.#parts.values()],
      ingest: stats && signals ? this.#rates(stats, signals, nowMs) : null,
      warnings: [...(stats?.warnings ?? [])],
    };
  }

  /** Counters as rates since an earlier reading, at least ten seconds apart once there were two. */
  #rates(stats: TelemetryStats, { spans, lines }: IntakeStats, nowMs: number): Status["ingest"] {
    const before = this.#last ?? {
      atMs: this.#startedAt,
      stats: { samples: 0, spans: 0, lines: 0 },
    };
    const now: Counters = { samples: stats.samplesTotal, spans, lines };
    const seconds = Math.max(1, (nowMs - before.atMs) / 1000);
    const rate = (counter: keyof Counters) =>
      Math.max(0, now[counter] - before.stats[counter]) / seconds;
    if (!this.#last || seconds > 10) this.#last = { atMs: nowMs, stats: now };
    return {
      seriesActive: stats.seriesActive,
      samplesPerSecond: rate("samples"),
      spansPerSecond: rate("spans"),
      logLinesPerSecond: rate("lines"),
      targetsUp: stats.targetsUp,
      targetsDown: stats.targetsDown,
    };
  }

  async #stats(telemetry: RpcCaller<TelemetryCalls>): Promise<TelemetryStats | undefined> {
    try {
      const stats = await telemetry.call("stats", null);
      this.set(
        "Telemetry",
        "ok",
        `${stats.seriesActive} series, ${stats.targetsUp} targets up, ${stats.targetsDown} down${stats.restoring ? `; ${restoringText(stats.restoring)}` : ""}`,
      );
      return stats;
    } catch (error) {
      this.set("Telemetry", "down", messageOf(error));
      return undefined;
    }
  }
}
