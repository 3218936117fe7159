/** What the desk is given: clocks, engines, the cluster and the log come in from outside. */
import type { Graph } from "@skopos/api";
import type { ChangeQuery, ChangeRecord, KubeApi, ObjectStore } from "@skopos/mesh";
import type { Clock } from "@skopos/model";
import type { DiagnosisEngines } from "../diagnose/diagnose.ts";
import type { RunbookDefinition } from "../runbooks.ts";
import type { DeskSettings } from "../settings.ts";
import type { EventLog } from "./events.ts";
import type { DeskUpdate } from "./ledger.ts";

/** The cluster watch, as far as the desk needs it. */
export interface DeskCluster extends ObjectStore {
  changeRecords(query: ChangeQuery): ChangeRecord[];
  changeRecord(id: string): ChangeRecord | undefined;
  remember(records: readonly ChangeRecord[]): void;
  onChange(listener: (record: ChangeRecord) => void): () => void;
}

export interface DeskTopology {
  readonly windowMinMs: number;
  graph(query: { readonly timeMs: number; readonly windowMs: number }): Promise<Graph>;
}

export interface DeskOptions {
  readonly clock: Clock;
  readonly engines: DiagnosisEngines;
  readonly cluster: DeskCluster;
  readonly topology: DeskTopology;
  readonly log: EventLog;
  readonly kube: KubeApi;
  readonly runbooks: readonly RunbookDefinition[];
  readonly settings?: Partial<DeskSettings>;
  readonly onUpdate?: (update: DeskUpdate) => void;
  /** Failures that no caller waits for: a diagnosis that could not be made, an event that could not be written. */
  readonly onError?: (error: unknown, doing: string) => void;
}

export interface DeskContext extends Omit<DeskOptions, "settings" | "onUpdate" | "onError"> {
  readonly settings: DeskSettings;
  readonly onError: (error: unknown, doing: string) => void;
}
