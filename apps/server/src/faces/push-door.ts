/**
 * The one way in for pushes, whatever face they came to: bounds what is under way in all, and hands each to the thread that
 * decodes its kind.
 */
import { SkoposError } from "@skopos/model";
import type { SignalKind } from "../threads/intake-calls.ts";
import type { Intake } from "../threads/intake.ts";
import type { RpcCaller } from "../threads/rpc.ts";
import type { MetricKind, Push, PushAnswer, TelemetryCalls } from "../threads/telemetry-calls.ts";

export type PushKind = SignalKind | MetricKind;

/** Bytes of pushes that are being worked on; above it senders are asked to come back. */
const inFlightBytesMax = 256 * 2 ** 20;

export class PushDoor {
  readonly #telemetry: RpcCaller<TelemetryCalls>;
  readonly #intake: Pick<Intake, "push">;
  #inFlightBytes = 0;

  constructor(telemetry: RpcCaller<TelemetryCalls>, intake: Pick<Intake, "push">) {
    this.#telemetry = telemetry;
    this.#intake = intake;
  }

  /** Resolves once the push is on disk. Rejects with "overloaded", "unavailable", and what is wrong with the push. */
  async push(push: Push<PushKind>): Promise<PushAnswer> {
    const { byteLength } = push.body;
    if (this.#inFlightBytes + byteLength > inFlightBytesMax)
      throw new SkoposError("overloaded", "too much telemetry is waiting to be written");
    this.#inFlightBytes += byteLength;
    try {
      const { kind } = push;
      return kind === "otlp-metrics" || kind === "remote-write"
        ? await this.#telemetry.call("push", { ...push, kind })
        : await this.#intake.push({ ...push, kind });
    } finally {
      this.#inFlightBytes -= byteLength;
    }
  }
}
