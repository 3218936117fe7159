/** How the program's own parts are: the status page's and the readiness check's source. */
import type { Status } from "@skopos/api";
import type { KindStatus } from "@skopos/mesh";
import { type Clock, messageOf } from "@skopos/model";
import type { CarrierProgress } from "@skopos/store";
import type { RpcCaller } from "./threads/rpc.ts";
import type { TelemetryCalls, TelemetryStats } from "./threads/telemetry-calls.ts";

type Part = Status["parts"][number];

/** Each reason once, with the kinds that it keeps from being watched. */
function reasonsOf(lost: readonly KindStatus[]): string {
  const kinds = new Map<string, string[]>();
  for (const { kind, detail } of lost) kinds.set(detail, [...(kinds.get(detail) ?? []), kind]);
  return [...kinds].map(([reason, names]) => `${reason} (${names.join(", ")})`).join("; ");
}

export class StatusBoard {
  readonly #version: string;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #parts = new Map<string, Part>();
  #last: { atMs: number; stats: TelemetryStats } | undefined;

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
    carried: CarrierProgress | undefined,
    kinds: readonly KindStatus[],
  ): Promise<Status> {
    const stats = await this.#stats(telemetry);
    const behind = carried
      ? `${Math.round(carried.behindBytes / 1024)} KiB behind`
      : "nothing carried yet";
    this.set("Carrier", carried ? "ok" : "starting", behind);
    const lost = kinds.filter((kind) => kind.state === "retrying");
    this.set("Kubernetes", lost.length > 0 ? "degraded" : "ok", reasonsOf(lost));
    const nowMs = this.#clock.nowMs();
    return {
      version: this.#version,
      startedAt: this.#startedAt,
      now: nowMs,
      ready: stats !== undefined,
      parts: [...this.#parts.values()],
      ingest: stats ? this.#rates(stats, nowMs) : null,
      warnings: [...(stats?.warnings ?? [])],
    };
  }

  /** Counters as rates since an earlier reading, at least ten seconds apart once there were two. */
  #rates(stats: TelemetryStats, nowMs: number): Status["ingest"] {
    const before = this.#last ?? {
      atMs: this.#startedAt,
      stats: { samplesTotal: 0, spansTotal: 0, logLinesTotal: 0 },
    };
    const seconds = Math.max(1, (nowMs - before.atMs) / 1000);
    const rate = (counter: "samplesTotal" | "spansTotal" | "logLinesTotal") =>
      Math.max(0, stats[counter] - before.stats[counter]) / seconds;
    if (!this.#last || seconds > 10) this.#last = { atMs: nowMs, stats };
    return {
      seriesActive: stats.seriesActive,
      samplesPerSecond: rate("samplesTotal"),
      spansPerSecond: rate("spansTotal"),
      logLinesPerSecond: rate("logLinesTotal"),
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
        `${stats.seriesActive} series, ${stats.targetsUp} targets up, ${stats.targetsDown} down`,
      );
      return stats;
    } catch (error) {
      this.set("Telemetry", "down", messageOf(error));
      return undefined;
    }
  }
}
