/** One alert: a label set for which an alerting rule's expression has a result, or had one. */
import type { LabelMap, LabelSet } from "@skopos/model";

export type AlertState = "pending" | "firing" | "resolved";

/** As it is told to others; plain data. Times are unix milliseconds. */
export interface AlertSnapshot {
  readonly fingerprint: string;
  readonly name: string;
  readonly group: string;
  readonly file: string;
  readonly state: AlertState;
  readonly labels: LabelMap;
  readonly annotations: LabelMap;
  readonly value: number;
  readonly activeAtMs: number;
  readonly firedAtMs: number | undefined;
  readonly resolvedAtMs: number | undefined;
  /** Still firing only because of `keep_firing_for`. */
  readonly kept: boolean;
  readonly expr: string;
}

/** A change of one alert's state. "inactive" is a pending alert that went away, or one that was not there before. */
export interface AlertTransition {
  readonly alert: AlertSnapshot;
  readonly from: AlertState | "inactive";
  readonly to: AlertState | "inactive";
  readonly timeMs: number;
}

/** Label set → 16 hex digits: FNV-1a of 64 bits over names and values, as Prometheus and Alertmanager fingerprint them. */
export function fingerprintOf(labels: LabelSet): string {
  const separator = 0xffn;
  const prime = 0x100000001b3n;
  let hash = 0xcbf29ce484222325n;
  const add = (byte: bigint) => {
    hash = BigInt.asUintN(64, (hash ^ byte) * prime);
  };
  for (const [name, value] of labels.entries())
    for (const text of [name, value]) {
      for (const byte of Buffer.from(text)) add(BigInt(byte));
      add(separator);
    }
  return hash.toString(16).padStart(16, "0");
}
