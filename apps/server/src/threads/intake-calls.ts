/** What the main thread asks of the intake thread. Everything is structured-cloneable. */
import type { MessagePort } from "node:worker_threads";
import type { IntakeCounts, MaskingSettings } from "@skopos/ingest";
import type { KubeCredentials } from "@skopos/mesh";
import type { Push, PushAnswer } from "./telemetry-calls.ts";

/** Pushes of spans and log lines. */
export type SignalKind = "otlp-traces" | "otlp-logs" | "zipkin" | "loki";
export type SignalPush = Push<SignalKind>;

/** What shapes the intake of spans and log lines. */
export interface IntakeSettings {
  readonly spansPerSecond?: number | undefined;
  readonly linesPerSecond?: number | undefined;
  readonly masking: MaskingSettings;
  /** Container log files that are read here. */
  readonly logFiles?:
    | {
        readonly dir: string;
        readonly positionsFile: string;
        readonly node: string | undefined;
        readonly kubernetes: KubeCredentials;
      }
    | undefined;
}

export interface IntakeThreadData {
  readonly settings: IntakeSettings;
  /** To the journal's owner. Transferred. */
  readonly journal: MessagePort;
}

export interface IntakeStats extends Readonly<IntakeCounts> {
  /** Maskings by rule. */
  readonly masked: Readonly<Record<string, number>>;
}

export type IntakeCalls = {
  /** Resolves once the push is acknowledged on disk. */
  push(push: SignalPush): Promise<PushAnswer>;
  stats(argument: null): Promise<IntakeStats>;
  close(argument: null): Promise<void>;
};
