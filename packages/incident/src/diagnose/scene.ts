/** What every recogniser looks at: signals, windows, who alerts, what changed; and what they answer with. */
import type { Evidence } from "@skopos/api";
import type { ChangeRecord, ObjectStore } from "@skopos/mesh";
import type { Mechanism } from "@skopos/model";
import type { RankedNode } from "./excess-work.ts";
import type { LogFinding } from "./logs.ts";
import type { EdgeSignals, Signals } from "./signals.ts";
import type { SpanFinding } from "./spans.ts";
import type { Series, Shift, Windows } from "./statistics.ts";

/** Failures that the caller saw and the destination did not: they happened between the two. */
export interface LostRequests {
  readonly edge: EdgeSignals;
  readonly perSecond: number;
  /** By response flag, more than usual. */
  readonly flags: ReadonlyMap<string, number>;
  readonly codes: ReadonlyMap<string, number>;
}

export interface Scene {
  readonly signals: Signals;
  readonly windows: Windows;
  readonly onsetMs: number;
  readonly nowMs: number;
  /** Nodes that alert. */
  readonly alerting: readonly string[];
  readonly store: ObjectStore;
  readonly changes: readonly ChangeRecord[];
  readonly ownWork: readonly RankedNode[];
  readonly ownFailures: readonly RankedNode[];
  readonly lost: readonly LostRequests[];
  /** All failures per second more than usual that the alerting nodes' callers see. */
  readonly failuresPerSecond: number;
  /** Waiting more than usual, ms per second, that the alerting nodes' callers see. */
  readonly excessWork: number;
  /** The trouble is mostly failures, or mostly waiting. */
  readonly signal: "errors" | "latency" | "none";
  readonly spans: ReadonlyMap<string, SpanFinding>;
  readonly logs: ReadonlyMap<string, LogFinding>;
  readonly hasLittleHistory: boolean;
}

export interface Support {
  /** 0 to 1. */
  readonly weight: number;
  readonly evidence: Evidence;
}

export interface Finding {
  readonly node: string;
  readonly mechanism: Mechanism;
  /** The one or two figures that the summary mentions. */
  readonly detail: string;
  readonly support: readonly Support[];
  readonly against: readonly Support[];
  readonly change: ChangeRecord | undefined;
}

export type Recogniser = (scene: Scene) => Finding[];

export interface Signal {
  readonly id: string;
  readonly statement: string;
  readonly query: string;
  readonly unit: "ms" | "ratio" | "per-second" | "count" | "bytes" | "cores";
  readonly series: Series;
  readonly shift: Shift | undefined;
}
